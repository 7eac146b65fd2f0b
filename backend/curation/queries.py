"""Reads about findings, for the pages. Texts come as short snippets; the pages show them as plain text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
from sqlalchemy import or_
from sqlmodel import Session, col, func, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.curation.masks import snippet
from backend.detectors.privacy import PrivacyRules
from backend.detectors.scorecards import card, cards
from backend.store.findings import BATCH, WHY
from backend.store.privacy import rules_for
from backend.store.records import Finding, Record, RecordRevision, Source
from backend.vocabulary import PERSONAL_FINDINGS, Action, Check, FindingKind, FindingStatus

KINDS = {
    FindingKind.EMAIL: "E-mail address",
    FindingKind.PHONE: "Phone number",
    FindingKind.CARD: "Card number",
    FindingKind.NAME: "Name",
    FindingKind.ADDRESS: "Postal address",
    FindingKind.IDENTITY: "Identity number",
    FindingKind.ACCOUNT: "Bank account",
    FindingKind.BIRTH_DATE: "Date of birth",
    FindingKind.REFERENCE: "Order or customer number",
    FindingKind.IP_ADDRESS: "IP address",
    FindingKind.PLACE: "Town or country",
    FindingKind.ORGANISATION: "Organisation",
    FindingKind.OCCUPATION: "Occupation or title",
    FindingKind.NATIONALITY: "Nationality or religion",
    FindingKind.WEB_ADDRESS: "Web address",
    FindingKind.DATE: "Date",
    FindingKind.AGE: "Age",
    FindingKind.POSTCODE: "Postal code",
    FindingKind.ENCODING: "Broken text",
    FindingKind.DUPLICATE: "Exact duplicate",
    FindingKind.NEAR_DUPLICATE: "Near duplicate",
    FindingKind.MARKUP: "HTML left over",
    FindingKind.PLACEHOLDER: "Unfilled placeholder",
    FindingKind.BOILERPLATE: "Signature or boilerplate",
    FindingKind.TRUNCATED: "Answer breaks off",
    FindingKind.ECHO: "Answer repeats the question",
    FindingKind.LANGUAGE: "Other language",
    FindingKind.SPELLING: "Misspelled word",
    FindingKind.ABUSE: "Abusive language (flag)",
    FindingKind.LENGTH: "Unusual length",
    FindingKind.READABILITY: "Hard to read",
    FindingKind.UNANSWERED: "Question not answered",
    FindingKind.UNSUPPORTED: "Differs from the FAQs",
    FindingKind.VOICE: "Against the brand voice",
    FindingKind.CONTRADICTION: "Contradiction",
    FindingKind.POOR_ANSWER: "Poor answer",
}
"""What findings are called on pages."""


def rules(session: Session, *, actor: Actor, project_id: int) -> PrivacyRules:
    """What the project looks for, and what it puts in its place."""
    check(actor, Action.VIEW_RECORDS, project_id)
    return rules_for(session, project_id)


def scorecard(family: Check) -> dict[str, Any] | None:
    """How good a detector is on named data, as it was measured last; None where it was not."""
    return card(family)


def scorecards() -> tuple[dict[str, Any], ...]:
    """The same of every detector."""
    return cards()


def open_counts(session: Session, *, actor: Actor, project_id: int) -> dict[FindingKind, tuple[int, int]]:
    """Open findings by kind: how many, in how many records."""
    check(actor, Action.VIEW_RECORDS, project_id)
    query = (
        select(Finding.kind, func.count(), func.count(col(Finding.record_id).distinct()))
        .where(Finding.project_id == project_id, Finding.status == FindingStatus.OPEN)
        .group_by(col(Finding.kind))
    )
    return {FindingKind(kind): (int(count), int(records)) for kind, count, records in session.exec(query)}


def findings(
    session: Session,
    *,
    actor: Actor,
    project_id: int,
    kinds: Iterable[FindingKind] = PERSONAL_FINDINGS,
    status: FindingStatus = FindingStatus.OPEN,
    source_id: int | None = None,
    min_score: float = 0.0,
    detector: str = "",
    limit: int = 50,
) -> pd.DataFrame:
    """Findings with what they stand on, the surest last: finding, record, kind, found, text, becomes, score, import, why.

    Of the fixed ones those that a fix or a mask closed, not those that an edit took away.
    """
    check(actor, Action.VIEW_RECORDS, project_id)
    shown = select(Finding.id).where(
        Finding.project_id == project_id, Finding.status == status, col(Finding.kind).in_(list(kinds))
    )
    if source_id is not None:
        shown = shown.join(Record, col(Record.id) == col(Finding.record_id)).where(Record.source_id == source_id)
    if min_score > 0:
        shown = shown.where(col(Finding.score) >= min_score)
    if detector:
        shown = shown.where(Finding.detector == detector)
    if status is FindingStatus.FIXED:
        by_machine = col(Finding.detail)[BATCH].as_string().is_not(None)
        shown = shown.where(or_(by_machine, col(Finding.detail)["masked"].as_boolean()))
    # texts are only read of those that are shown: there may be hundreds of thousands
    shown = shown.order_by(col(Finding.score), col(Finding.id)).limit(limit)
    query = (
        select(Finding, RecordRevision.messages, Source.name)
        .join(RecordRevision, col(RecordRevision.id) == col(Finding.revision_id))
        .join(Record, col(Record.id) == col(Finding.record_id))
        .outerjoin(Source, col(Source.id) == col(Record.source_id))
        .where(col(Finding.id).in_(list(session.exec(shown))))
    )
    rows = []
    for finding, messages, source in session.exec(query.order_by(col(Finding.score), col(Finding.id))):
        text = messages[finding.message]["content"]
        rows.append(
            {
                "finding": finding.id,
                "record": finding.record_id,
                "kind": KINDS[finding.kind],
                "found": _found(text, finding),
                "text": snippet(text, finding.start, finding.end),
                "becomes": _becomes(finding.proposal),
                "score": finding.score,
                "import": source or "",
                "why": str(finding.detail.get(WHY) or ""),
            }
        )
    return pd.DataFrame(rows, columns=["finding", "record", "kind", "found", "text", "becomes", "score", "import", "why"])


def _found(text: str, finding: Finding) -> str:
    return "the whole text" if finding.end - finding.start >= len(text) else text[finding.start : finding.end]


def _becomes(proposal: str | None) -> str:
    """A proposal in a list; empty where a person has to decide."""
    if proposal is None:
        return ""
    return proposal if proposal.strip() else "(taken away)"
