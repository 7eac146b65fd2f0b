"""Use-cases of fixing: put what findings propose in the place of their spans. A mask over personal data is such a fix.

Promised: a fix is a revision with author and reason, and can be undone while no other text came after it; the record waits for
review again, and an approval of a text that still held personal data is withdrawn. What somebody fixed in one go carries one
batch id, by which all of it can be undone. Not promised: that what was masked is gone from the record's history; reviewers
still see the older revisions.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check as allow
from backend.conversations import Message, fault, messages_from_json
from backend.curation.fix_rules import JUDGED, Rule, can_be_fixed_in_bulk, open_by
from backend.curation.held import LONGEST_REASON, findings_named, locked_record, revision_of, wait_for_review
from backend.curation.masks import Span, chosen, masked
from backend.curation.queries import KINDS
from backend.curation.vault import Keys, keep
from backend.errors import AlreadyDone, Conflict, InvalidInput, NotFound
from backend.store.base import now
from backend.store.findings import BATCH, GONE_IN, refresh_findings
from backend.store.privacy import rules_for
from backend.store.records import Finding, Record, RecordRevision
from backend.store.revisions import add_revision
from backend.vocabulary import PERSONAL_FINDINGS, Action, FindingKind, FindingStatus, Replacement

MOST_AT_ONCE = 1000
"""Records that one bulk changes; the rest is left for the next."""
MASKED = "Personal data masked"
_STALE = "The text has changed since this was found. Look at the record again; nothing was changed."


@dataclass(frozen=True, slots=True)
class Fixed:
    """What a bulk did."""

    batch: str
    """By which all of it can be undone."""
    records: int
    findings: int
    withdrawn: int
    """Approvals withdrawn, because the approved text held personal data."""
    left: int
    """Records that still have findings of the rule which can be fixed."""
    skipped: int
    """Records left as they are, because a message would have become empty."""


def fix(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    finding_ids: Collection[int],
    reason: str = "",
    folder: Path | None = None,
) -> Record:
    """Replace the spans of these open findings, all of one record, as a new revision. Personal data gets masks, or stand-ins
    where the project wants those. `folder` is the data folder, which holds the key of stand-ins; without it there are masks.
    """
    allow(actor, Action.REVIEW, project_id)
    findings = findings_named(session, project_id, finding_ids)
    if len({finding.record_id for finding in findings}) != 1:
        raise InvalidInput("Fix one record at a time, or all in bulk.")
    if closed := [finding for finding in findings if finding.status is not FindingStatus.OPEN]:
        raise AlreadyDone(f"This was already {closed[0].status}. Nothing was changed.")
    record = locked_record(session, project_id, findings[0].record_id)
    kinds = {finding.kind for finding in findings}
    batch, keys = _new_batch(), _keys(session, project_id, folder)
    replace(session, actor, record, findings, reason.strip() or _reason(kinds), batch=batch, keys=keys)
    audit.record(
        session, actor, _act(kinds), project_id=project_id, subject=f"record {record.id}",
        findings=len(findings), revision=record.head, batch=batch,
    )  # fmt: skip
    session.commit()
    return record


def fix_all(
    *, session: Session, actor: Actor, project_id: int, rule: Rule, reason: str = "", folder: Path | None = None
) -> Fixed:
    """Fix every open finding that the rule means and a machine can fix, in at most MOST_AT_ONCE records. Kinds that somebody
    has to judge one by one are left out.
    """
    allow(actor, Action.BULK_REVIEW, project_id)
    if not rule.kinds:
        raise InvalidInput("Choose what to fix.")
    if rule.kinds <= JUDGED:
        raise InvalidInput(f"“{_words_for(rule.kinds)}” has to be judged one by one. Choose the findings that are right.")
    record_ids = _holding(session, project_id, rule)
    if not record_ids:
        raise NotFound("There is nothing open here that can be fixed by a machine. Nothing was changed.")
    batch, keys, said = _new_batch(), _keys(session, project_id, folder), reason.strip() or f"{_reason(rule.kinds)} in bulk"
    records = total = withdrawn = skipped = 0
    for record_id in record_ids[:MOST_AT_ONCE]:
        record = locked_record(session, project_id, record_id)
        findings = _open_in(session, record, rule)
        if not findings:
            continue
        try:
            withdrawn += replace(session, actor, record, findings, said, batch=batch, keys=keys)
        except Conflict:  # refused before anything was written; counted, and told
            skipped += 1
            continue
        records, total = records + 1, total + len(findings)
    done = Fixed(batch, records, total, withdrawn, len(_holding(session, project_id, rule)) - skipped, skipped)
    where = f"source {rule.source_id}" if rule.source_id else f"project {project_id}"
    audit.record(
        session, actor, _act(rule.kinds), project_id=project_id, subject=where, records=records, findings=total,
        kinds=sorted(kind.value for kind in rule.kinds), batch=batch,
    )  # fmt: skip
    session.commit()
    return done


def replace(
    session: Session,
    actor: Actor,
    record: Record,
    findings: Sequence[Finding],
    reason: str,
    *,
    batch: str,
    keys: Keys | None = None,
) -> int:
    """Add the revision with the findings' spans replaced and close them; returns how many approvals were withdrawn. The caller
    holds the record, and commits. Whatever is refused is refused before anything is written.
    """
    newest = revision_of(session, record, record.head)
    if newest is None or any(finding.revision_id != newest.id for finding in findings):
        raise Conflict(_STALE)
    before = messages_from_json(newest.messages)
    spans = [_span(before, finding, keys) for finding in findings]
    messages = masked(before, spans)
    if problem := fault(messages, answer=False):
        raise Conflict(f"The fix would leave a text that is no record: {problem}. Edit it by hand.")
    done = [(finding, span) for finding, span in zip(findings, spans, strict=True) if span in chosen(spans)]
    if keys:
        personal = [(finding.kind, _words(before, span), span.replacement) for finding, span in done if _is_personal(finding)]
        keep(session, actor, record.project_id, keys, personal)
    for finding, span in done:
        finding.status, finding.closed_by = FindingStatus.FIXED, actor.account_id
        stand_in = {"stand_in": span.replacement} if keys and _is_personal(finding) else {}
        finding.detail = {**finding.detail, GONE_IN: record.head + 1, BATCH: batch, **stand_in}
        session.add(finding)
    add_revision(session, record, messages, reason=reason[:LONGEST_REASON], author_id=actor.account_id)
    return wait_for_review(session, actor, record, reason)


def _span(messages: Sequence[Message], finding: Finding, keys: Keys | None) -> Span:
    if finding.proposal is None or finding.end <= finding.start:
        raise InvalidInput(
            f"“{KINDS[finding.kind]}” says what is wrong but not what is right: no machine can fix it. Edit it by hand."
        )
    span = Span(finding.message, finding.start, finding.end, finding.proposal)
    if keys is None or not _is_personal(finding) or finding.message >= len(messages):
        return span
    return Span(span.message, span.start, span.end, keys.stand_ins.of(finding.kind, _words(messages, span)))


def _words(messages: Sequence[Message], span: Span) -> str:
    return messages[span.message].content[span.start : span.end]


def _is_personal(finding: Finding) -> bool:
    return finding.kind in PERSONAL_FINDINGS


def _reason(kinds: Iterable[FindingKind]) -> str:
    wanted = frozenset(kinds)
    if wanted <= PERSONAL_FINDINGS:
        return MASKED
    return f"Fixed: {_words_for(wanted)}"


def _words_for(kinds: Collection[FindingKind]) -> str:
    return ", ".join(KINDS[kind] for kind in FindingKind if kind in kinds)


def _act(kinds: Iterable[FindingKind]) -> str:
    return "personal_data_masked" if frozenset(kinds) <= PERSONAL_FINDINGS else "findings_fixed"


def _new_batch() -> str:
    """Batches sort by when they were made."""
    return f"{now():%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def _keys(session: Session, project_id: int, folder: Path | None) -> Keys | None:
    """The keys where the project wants stand-ins."""
    wanted = folder is not None and rules_for(session, project_id).replacement is Replacement.SURROGATE
    return Keys(folder, project_id) if wanted and folder is not None else None


def _holding(session: Session, project_id: int, rule: Rule) -> list[int]:
    """The ids of the records with open findings that the rule means and a machine can fix."""
    query = (
        select(Finding.record_id)
        .join(Record, col(Record.id) == col(Finding.record_id))
        .join(RecordRevision, col(RecordRevision.id) == col(Finding.revision_id))
        .where(*open_by(rule, project_id), can_be_fixed_in_bulk())
    )
    return list(session.exec(query.distinct().order_by(col(Finding.record_id))))


def _open_in(session: Session, record: Record, rule: Rule) -> list[Finding]:
    """The record's open findings that the rule means. Personal data that stands on an older text is looked for anew, so that
    one stale row does not stop a bulk mask.
    """
    query = (
        select(Finding, RecordRevision.number)
        .join(Record, col(Record.id) == col(Finding.record_id))
        .join(RecordRevision, col(RecordRevision.id) == col(Finding.revision_id))
        .where(Finding.record_id == record.id, *open_by(rule, record.project_id), can_be_fixed_in_bulk())
        .order_by(col(Finding.id))
    )
    found = session.exec(query).all()
    newest = revision_of(session, record, record.head)
    if newest is not None and any(number != record.head for _, number in found):
        refresh_findings(session, record, newest)
        found = session.exec(query).all()
    return [finding for finding, number in found if number == record.head]
