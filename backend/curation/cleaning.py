"""Use-cases of cleaning: mask personal data, dismiss a false alarm, undo a mask, look again.

Promised: a mask is a revision with author and reason, and can be undone while no other text came after it; an approval of
a text that still held the data is withdrawn, and the record waits for review again. Not promised: that what was masked is
gone from the record's history; reviewers still see the older revisions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check as allow
from backend.conversations import messages_from_json
from backend.curation.masks import Span, masked
from backend.curation.vault import Keys, keep
from backend.errors import AlreadyDone, Conflict, InvalidInput, NotFound
from backend.store.base import now
from backend.store.findings import refresh_findings, with_open_personal_data
from backend.store.privacy import rules_for
from backend.store.records import Approval, Finding, Record, RecordRevision
from backend.store.revisions import add_revision
from backend.vocabulary import PERSONAL_FINDINGS, Action, FindingKind, FindingStatus, RecordStatus, Replacement

MOST_AT_ONCE = 2000
"""Records that one bulk mask changes; the rest is left for the next."""
MASKED = "Personal data masked"
UNDONE = "Mask undone"
_REASON_MAX = 2000


@dataclass(frozen=True, slots=True)
class Masked:
    """What a bulk mask did."""

    records: int
    findings: int
    withdrawn: int
    """Approvals withdrawn, because the approved text held the data."""
    left: int
    """Records that still hold personal data of these kinds."""


def mask(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    finding_ids: Collection[int],
    reason: str = "",
    folder: Path | None = None,
) -> Record:
    """Replace the spans of these open findings, all of one record, as a new revision: by masks, or by stand-ins where the
    project wants those. `folder` is the data folder, which holds the key of stand-ins; without it there are masks.
    """
    allow(actor, Action.REVIEW, project_id)
    findings = _findings(session, project_id, finding_ids)
    if len({finding.record_id for finding in findings}) != 1:
        raise InvalidInput("Mask one record at a time, or mask all in bulk.")
    if closed := [finding for finding in findings if finding.status is not FindingStatus.OPEN]:
        raise AlreadyDone(f"This was already {closed[0].status}. Nothing was changed.")
    record = _locked(session, project_id, findings[0].record_id)
    _mask(session, actor, record, findings, reason.strip() or MASKED, _keys(session, project_id, folder))
    audit.record(
        session, actor, "personal_data_masked", project_id=project_id, subject=f"record {record.id}",
        findings=len(findings), revision=record.head,
    )  # fmt: skip
    session.commit()
    return record


def mask_all(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    kinds: Iterable[FindingKind] = PERSONAL_FINDINGS,
    source_id: int | None = None,
    reason: str = "",
    folder: Path | None = None,
) -> Masked:
    """Mask every open finding of these kinds, in the whole project or in what one import brought."""
    allow(actor, Action.BULK_REVIEW, project_id)
    wanted = frozenset(kinds)
    if not wanted or not wanted <= PERSONAL_FINDINGS:
        raise InvalidInput("Choose which kinds of personal data to mask.")
    record_ids = _holding(session, project_id, wanted, source_id)
    total = withdrawn = 0
    keys = _keys(session, project_id, folder)
    for record_id in record_ids[:MOST_AT_ONCE]:
        record = _locked(session, project_id, record_id)
        findings = _open_again(session, record, wanted)
        withdrawn += _mask(session, actor, record, findings, reason.strip() or f"{MASKED} in bulk", keys)
        total += len(findings)
    if not record_ids:
        raise NotFound("There is no open personal data of these kinds. Nothing was changed.")
    done = Masked(len(record_ids[:MOST_AT_ONCE]), total, withdrawn, len(_holding(session, project_id, wanted, source_id)))
    where = f"source {source_id}" if source_id else f"project {project_id}"
    audit.record(
        session, actor, "personal_data_masked", project_id=project_id, subject=where,
        records=done.records, findings=done.findings, kinds=sorted(kind.value for kind in wanted),
    )  # fmt: skip
    session.commit()
    return done


def dismiss(*, session: Session, actor: Actor, project_id: int, finding_ids: Collection[int], reason: str) -> list[Finding]:
    """Say that findings are none: the text stays, and the same text in later revisions stays dismissed."""
    allow(actor, Action.REVIEW, project_id)
    if not reason.strip() or len(reason) > _REASON_MAX:
        raise InvalidInput("Please say in a few words why this is no problem; others will ask.")
    findings = _findings(session, project_id, finding_ids)
    if closed := [finding for finding in findings if finding.status is not FindingStatus.OPEN]:
        raise AlreadyDone(f"This was already {closed[0].status}. Nothing was changed.")
    for finding in findings:
        finding.status, finding.closed_by = FindingStatus.DISMISSED, actor.account_id
        finding.detail = {**finding.detail, "reason": reason.strip()}
        session.add(finding)
    audit.record(
        session, actor, "finding_dismissed", project_id=project_id, subject=f"record {findings[0].record_id}",
        findings=[finding.id for finding in findings], reason=reason.strip(),
    )  # fmt: skip
    session.commit()
    return findings


def reopen(*, session: Session, actor: Actor, project_id: int, finding_id: int) -> Finding:
    """Take back a dismissal."""
    allow(actor, Action.REVIEW, project_id)
    (finding,) = _findings(session, project_id, [finding_id])
    if finding.status is not FindingStatus.DISMISSED:
        raise Conflict("This was not dismissed, so there is nothing to take back.")
    finding.status, finding.closed_by = FindingStatus.OPEN, None
    finding.detail = {key: value for key, value in finding.detail.items() if key != "reason"}
    session.add(finding)
    subject = f"record {finding.record_id}"
    audit.record(session, actor, "finding_reopened", project_id=project_id, subject=subject, finding=finding_id)
    session.commit()
    return finding


def undo(*, session: Session, actor: Actor, project_id: int, finding_id: int) -> Record:
    """Bring back the text from before a mask, as a new revision; its findings are open again."""
    allow(actor, Action.REVIEW, project_id)
    (finding,) = _findings(session, project_id, [finding_id])
    if finding.status is not FindingStatus.FIXED or "masked" not in finding.detail:
        raise Conflict("This was not masked, so there is nothing to undo.")
    record = _locked(session, project_id, finding.record_id)
    masked_in = _revision(session, record, int(finding.detail.get("gone_in", 0)))
    if masked_in is None or masked_in.content_hash != record.content_hash:
        raise Conflict("The text was changed after the mask. Restore an older revision on the record's own page instead.")
    before = _revision(session, record, masked_in.number - 1)
    if before is None:
        raise Conflict("There is no older text to go back to.")
    add_revision(session, record, messages_from_json(before.messages), reason=UNDONE, author_id=actor.account_id)
    _wait_for_review(session, actor, record, UNDONE)
    audit.record(
        session, actor, "mask_undone", project_id=project_id, subject=f"record {record.id}",
        finding=finding_id, revision=record.head,
    )  # fmt: skip
    session.commit()
    return record


def check(*, session: Session, actor: Actor, project_id: int, record_ids: Collection[int]) -> int:
    """Look for personal data in the newest text of these records again; returns how many findings are open now."""
    allow(actor, Action.REVIEW, project_id)
    still_open = 0
    for record_id in sorted(set(record_ids)):
        record = _locked(session, project_id, record_id)
        newest = _revision(session, record, record.head)
        if newest is not None:
            found = refresh_findings(session, record, newest)
            still_open += sum(finding.status is FindingStatus.OPEN for finding in found)
    session.commit()
    return still_open


def _keys(session: Session, project_id: int, folder: Path | None) -> Keys | None:
    """The keys where the project wants stand-ins."""
    wanted = folder is not None and rules_for(session, project_id).replacement is Replacement.SURROGATE
    return Keys(folder, project_id) if wanted and folder is not None else None


def _mask(
    session: Session, actor: Actor, record: Record, findings: Sequence[Finding], reason: str, keys: Keys | None = None
) -> int:
    """Add the masked revision and close the findings; returns how many approvals were withdrawn."""
    newest = _revision(session, record, record.head)
    if newest is None or any(finding.revision_id != newest.id for finding in findings):
        raise Conflict("The text has changed since this was found. Look at the record again; nothing was changed.")
    before = messages_from_json(newest.messages)
    originals = [before[finding.message].content[finding.start : finding.end] for finding in findings]
    if keys:
        made = [keys.stand_ins.of(finding.kind, text) for finding, text in zip(findings, originals, strict=True)]
        keep(session, actor, record.project_id, keys, zip((finding.kind for finding in findings), originals, made, strict=True))
    else:
        made = [finding.proposal for finding in findings]
    spans = [Span(found.message, found.start, found.end, said) for found, said in zip(findings, made, strict=True)]
    messages = masked(before, spans)
    for finding, said in zip(findings, made, strict=True):
        finding.status, finding.closed_by = FindingStatus.FIXED, actor.account_id
        finding.detail = {**finding.detail, "gone_in": record.head + 1, "masked": True, **({"stand_in": said} if keys else {})}
        session.add(finding)
    add_revision(session, record, messages, reason=reason[:_REASON_MAX], author_id=actor.account_id)
    return _wait_for_review(session, actor, record, reason)


def _wait_for_review(session: Session, actor: Actor, record: Record, reason: str) -> int:
    """The record is pending again. Approvals of texts that hold personal data are taken back; returns how many."""
    withdrawn = 0
    if record.status in (RecordStatus.APPROVED, RecordStatus.REJECTED):
        record.status = RecordStatus.PENDING
    approved = record.approved_revision_id
    if approved is not None and with_open_personal_data(session, [approved]):
        living = select(Approval).where(Approval.record_id == record.id, col(Approval.withdrawn_at).is_(None))
        for approval in session.exec(living):
            approval.withdrawn_at, approval.withdrawn_by, approval.withdrawn_reason = now(), actor.account_id, reason
            session.add(approval)
            withdrawn += 1
        record.approved_revision_id = None
    session.add(record)
    session.flush()
    return withdrawn


def _findings(session: Session, project_id: int, finding_ids: Collection[int]) -> list[Finding]:
    query = select(Finding).where(Finding.project_id == project_id, col(Finding.id).in_(finding_ids))
    findings = list(session.exec(query.order_by(col(Finding.id))))
    if not findings or len(findings) != len(set(finding_ids)):
        raise NotFound("There is no such finding in this project.")
    return findings


def _holding(session: Session, project_id: int, kinds: frozenset[FindingKind], source_id: int | None) -> list[int]:
    """The ids of the records with open findings of these kinds."""
    query = select(Finding.record_id).where(
        Finding.project_id == project_id, Finding.status == FindingStatus.OPEN, col(Finding.kind).in_(kinds)
    )
    if source_id is not None:
        query = query.join(Record, col(Record.id) == col(Finding.record_id)).where(Record.source_id == source_id)
    return list(session.exec(query.distinct().order_by(col(Finding.record_id))))


def _open_again(session: Session, record: Record, kinds: frozenset[FindingKind]) -> list[Finding]:
    """The open findings of these kinds, looked for anew, so that one stale row does not stop a bulk mask."""
    newest = _revision(session, record, record.head)
    found = refresh_findings(session, record, newest) if newest else []
    return [finding for finding in found if finding.status is FindingStatus.OPEN and finding.kind in kinds]


def _locked(session: Session, project_id: int, record_id: int) -> Record:
    query = select(Record).where(Record.id == record_id, Record.project_id == project_id)
    record = session.exec(query.with_for_update(key_share=True).execution_options(populate_existing=True)).one_or_none()
    if record is None:
        raise NotFound("There is no such record in this project.")
    return record


def _revision(session: Session, record: Record, number: int) -> RecordRevision | None:
    query = select(RecordRevision).where(RecordRevision.record_id == record.id, RecordRevision.number == number)
    return session.exec(query).one_or_none()
