"""Use-cases that take fixes back: one, or everything that was fixed in one go.

Promised: the text from before comes back as a new revision, and what had been fixed is open again. A text that was changed
after the fix is left as it is, and said so.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check as allow
from backend.conversations import messages_from_json
from backend.curation.fixing import MOST_AT_ONCE
from backend.curation.held import findings_named, locked_record, revision_of, wait_for_review
from backend.errors import Conflict, NotFound
from backend.store.findings import BATCH, FOLLOWING, GONE_IN, open_again
from backend.store.records import Finding, Record
from backend.store.revisions import add_revision
from backend.vocabulary import Action, FindingStatus

UNDONE = "Fix undone"
_MASKED_ON_IMPORT = "masked"


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of a batch."""

    records: int
    changed: int
    """Records whose text was changed after the fix; they stay as they are."""
    left: int
    """Records that the next call takes back."""


def undo(*, session: Session, actor: Actor, project_id: int, finding_id: int) -> Record:
    """Bring back the text from before a fix, as a new revision; what was fixed with it is open again."""
    allow(actor, Action.REVIEW, project_id)
    (finding,) = findings_named(session, project_id, [finding_id])
    if finding.status is not FindingStatus.FIXED or not {BATCH, _MASKED_ON_IMPORT} & finding.detail.keys():
        raise Conflict("This was not fixed by a machine, so there is nothing to undo.")
    record = locked_record(session, project_id, finding.record_id)
    _bring_back(session, actor, record, int(finding.detail.get(GONE_IN, 0)))
    audit.record(
        session, actor, "fix_undone", project_id=project_id, subject=f"record {record.id}",
        finding=finding_id, revision=record.head,
    )  # fmt: skip
    session.commit()
    return record


def undo_batch(*, session: Session, actor: Actor, project_id: int, batch: str) -> Undone:
    """Take back all that was fixed in one go, in at most MOST_AT_ONCE records."""
    query = select(Finding.record_id, col(Finding.detail)[GONE_IN].as_integer()).where(
        Finding.project_id == project_id, Finding.status == FindingStatus.FIXED,
        col(Finding.detail)[BATCH].as_string() == batch,
    )  # fmt: skip
    fixed = sorted({(record_id, number) for record_id, number in session.exec(query)})
    allow(actor, Action.REVIEW if len(fixed) == 1 else Action.BULK_REVIEW, project_id)
    if not fixed:
        raise NotFound("Nothing of this fix is left to undo.")
    records = changed = 0
    for record_id, number in fixed:
        if records >= MOST_AT_ONCE:
            break
        try:
            _bring_back(session, actor, locked_record(session, project_id, record_id), number)
        except Conflict:  # refused before anything was written; counted, and told
            changed += 1
        else:
            records += 1
    done = Undone(records, changed, len(fixed) - records - changed)
    audit.record(
        session, actor, "fix_undone", project_id=project_id, subject=f"batch {batch}", records=records, changed=changed
    )
    session.commit()
    return done


def _bring_back(session: Session, actor: Actor, record: Record, number: int) -> None:
    """The text from before revision `number`, which made the fix and must hold the newest text."""
    fixed_in, before = revision_of(session, record, number), revision_of(session, record, number - 1)
    if fixed_in is None or fixed_in.content_hash != record.content_hash:
        raise Conflict("The text was changed after the fix. Restore an older revision on the record's own page instead.")
    if before is None:
        raise Conflict("There is no older text to go back to.")
    revision = add_revision(session, record, messages_from_json(before.messages), reason=UNDONE, author_id=actor.account_id)
    gone = select(Finding).where(
        Finding.record_id == record.id, Finding.revision_id == before.id, Finding.status == FindingStatus.FIXED,
        col(Finding.kind).in_(FOLLOWING), col(Finding.detail)[GONE_IN].as_integer() == number,
    )  # fmt: skip
    for finding in session.exec(gone).all():  # personal data was found again when the revision was added
        open_again(finding)
        finding.revision_id = revision.id or 0
    wait_for_review(session, actor, record, UNDONE)
