"""Reads for the Detectors page: the cards, a text looked at without being stored, and how the flag for abuse is taught."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.conversations import Message, fault
from backend.curation.abuse_labels import CONFIRMED, labels
from backend.curation.queries import KINDS
from backend.curation.teaching_abuse import ABUSE_REPORT
from backend.detectors.abuse_learning import FEWEST
from backend.detectors.checks import MODULES, family
from backend.errors import InvalidInput
from backend.store.checking_context import context_for
from backend.store.records import Finding, Project, RecordRevision
from backend.vocabulary import DETECTED, Action, Check, FindingKind, FindingStatus

CHECKS = {
    Check.TEXT: "Left-overs in texts",
    Check.LANGUAGE: "Language",
    Check.SPELLING: "Spelling",
    Check.PERSONAL: "Personal data",
    Check.ABUSE: "Abusive language (a flag)",
    Check.VOICE: "Brand voice",
    Check.QUALITY: "Quality of answers",
    Check.SUPPORT: "Support by the FAQs",
    Check.SENTIMENT: "Sentiment",
    Check.DUPLICATES: "Duplicates",
    Check.CONTRADICTIONS: "Contradictions",
    Check.TOPICS: "Topics",
}
"""What the families of checks are called on pages."""
LONGEST_TRIAL = 5000
_TRIAL = ["detector", "found", "in", "text", "becomes", "score", "why"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """How far the project is with teaching the flag for abuse."""

    abuse: int
    no_abuse: int
    needed: int
    """Decisions of each kind that it takes."""
    report: dict[str, Any] | None
    """What was learned last and how good it is, as `teaching_abuse.learn` returned it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """A finding of abuse that nobody decided on yet."""

    finding_id: int
    record_id: int
    text: str
    score: float
    why: str


def try_out(
    session: Session, *, actor: Actor, project_id: int, question: str, answer: str
) -> tuple[pd.DataFrame, dict[str, str]]:
    """What every detector that looks at one record finds in a question with its answer, and the slices that they give.

    Nothing is stored. Columns: detector, found, in, text, becomes, score, why.
    """
    check(actor, Action.VIEW_RECORDS, project_id)
    messages = [Message("user", question), *([Message("assistant", answer)] if answer.strip() else [])]
    if len(question) + len(answer) > LONGEST_TRIAL:
        raise InvalidInput(f"Please try at most {LONGEST_TRIAL:,} characters.")
    if problem := fault(messages, answer=False):
        raise InvalidInput(
            "Please write a question first." if not question.strip() else f"This cannot be looked at: {problem}."
        )
    context = context_for(session, project_id)
    rows: list[tuple[object, ...]] = []
    slices: dict[str, str] = {}
    for one in MODULES:
        (seen,) = family(one).look([messages], context)
        slices.update((name.removeprefix(DETECTED), value) for name, value in seen.slices)
        for finding in seen.findings:
            text = messages[finding.message].content[finding.start : finding.end]
            where = "question" if finding.message == 0 else "answer"
            becomes = "" if finding.proposal is None else finding.proposal
            rows.append((CHECKS[one], KINDS[finding.kind], where, text, becomes, finding.score, finding.why))
    return pd.DataFrame(rows, columns=_TRIAL), slices


def lessons(session: Session, *, actor: Actor, project_id: int) -> Lessons:
    """The decisions so far, and what was learned from them."""
    check(actor, Action.VIEW_RECORDS, project_id)
    held = labels(session, project_id)
    project = session.get(Project, project_id)
    report = project.settings.get(ABUSE_REPORT) if project else None
    return Lessons(abuse=sum(held.abuse), no_abuse=len(held.abuse) - sum(held.abuse), needed=FEWEST, report=report)


def undecided(session: Session, *, actor: Actor, project_id: int, limit: int = 5) -> list[Undecided]:
    """Open findings of abuse that nobody decided on, those first of which the flag is least sure."""
    check(actor, Action.REVIEW, project_id)
    query = (
        select(Finding, RecordRevision.messages)
        .join(RecordRevision, col(RecordRevision.id) == col(Finding.revision_id))
        .where(
            Finding.project_id == project_id,
            Finding.kind == FindingKind.ABUSE,
            Finding.status == FindingStatus.OPEN,
            col(Finding.detail)[CONFIRMED].as_integer().is_(None),
        )
        .order_by(col(Finding.score), col(Finding.id))
        .limit(limit)
    )
    return [
        Undecided(
            finding_id=finding.id or 0,
            record_id=finding.record_id,
            text=messages[finding.message]["content"][finding.start : finding.end],
            score=finding.score,
            why=str(finding.detail.get("why", "")),
        )
        for finding, messages in session.exec(query)
    ]
