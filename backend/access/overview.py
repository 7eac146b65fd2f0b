"""What waits for a person in a project: the counts behind the home page. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, exists, func, or_, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.store.accounts import Account, Membership
from backend.store.conversations import Feedback, open_complaint
from backend.store.models import Job, ModelVersion, Snapshot, SnapshotRow
from backend.store.records import Faq, FaqRevision, Project, Record, RecordRevision
from backend.store.work import Annotation, Item, Qualification, Skip, Task
from backend.vocabulary import Action, FaqState, ItemStatus, JobStatus, RecordStatus, Stage, TaskStatus


@dataclass(frozen=True, slots=True)
class Overview:
    """How much of what there is in a project, as one actor may act on it."""

    records: int
    pending: int
    flagged: int
    approved: int
    unfrozen: int
    """Approved texts that are not in the newest snapshot. Records of equal text count once: only one of them enters."""
    snapshots: int
    proposed_faqs: int
    items_for_me: int
    """Open items of open tasks that the actor has neither answered nor passed on."""
    done_by_me: int
    jobs_going: int
    jobs_failed: int
    candidates: int
    complaints: int
    disputes: int
    """Items whose raters disagree, and that wait for a ruling."""
    fallen: int
    """Raters whose answers to known or repeated items have become worse, counted by task."""
    members: int
    current_version: str


def overview(session: Session, *, actor: Actor, project_id: int) -> Overview:
    """The counts of a project for this actor."""
    check(actor, Action.VIEW_PROJECT, project_id)

    def count(query: Any) -> int:
        return int(session.exec(query).one())

    def by_status(status: RecordStatus) -> int:
        return count(select(func.count()).where(Record.project_id == project_id, Record.status == status))

    going = (JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.STOPPING)
    jobs = select(func.count()).select_from(Job).where(Job.project_id == project_id)
    approved = (Record.project_id == project_id, col(Record.approved_revision_id).is_not(None))
    newest = select(func.max(Snapshot.id)).where(Snapshot.project_id == project_id).scalar_subquery()
    frozen = select(SnapshotRow.content_hash).where(col(SnapshotRow.snapshot_id) == newest)
    unfrozen = (
        select(func.count(func.distinct(RecordRevision.content_hash)))
        .join(Record, col(Record.approved_revision_id) == RecordRevision.id)
        .where(Record.project_id == project_id, col(RecordRevision.content_hash).not_in(frozen))
    )
    project = session.get_one(Project, project_id)
    version = session.get(ModelVersion, project.current_version_id) if project.current_version_id else None
    return Overview(
        records=count(select(func.count()).where(Record.project_id == project_id)),
        pending=by_status(RecordStatus.PENDING),
        flagged=by_status(RecordStatus.FLAGGED),
        approved=count(select(func.count()).select_from(Record).where(*approved)),
        unfrozen=count(unfrozen),
        snapshots=count(select(func.count()).where(Snapshot.project_id == project_id)),
        proposed_faqs=count(
            select(func.count())
            .select_from(FaqRevision)
            .join(Faq, col(Faq.id) == FaqRevision.faq_id)
            .where(Faq.project_id == project_id, FaqRevision.number == Faq.head, FaqRevision.state == FaqState.PROPOSED)
        ),
        items_for_me=count(_items_for(actor, project_id)),
        done_by_me=count(
            select(func.count(func.distinct(Annotation.item_id))).where(
                Annotation.project_id == project_id, Annotation.account_id == actor.account_id
            )
        ),
        jobs_going=count(jobs.where(col(Job.status).in_(going))),
        jobs_failed=count(jobs.where(col(Job.status).in_((JobStatus.FAILED, JobStatus.LOST)))),
        candidates=count(
            select(func.count()).where(
                ModelVersion.project_id == project_id,
                ModelVersion.stage == Stage.CANDIDATE,
                col(ModelVersion.run_id).is_not(None),
            )
        ),
        complaints=count(select(func.count()).where(Feedback.project_id == project_id, open_complaint())),
        disputes=count(
            select(func.count())
            .select_from(Item)
            .join(Task, col(Task.id) == Item.task_id)
            .where(Task.project_id == project_id, Item.status == ItemStatus.DISPUTED)
        ),
        fallen=count(
            select(func.count())
            .select_from(Qualification)
            .join(Task, col(Task.id) == Qualification.task_id)
            .where(Task.project_id == project_id, col(Qualification.drifted_at).is_not(None))
        ),
        members=count(
            select(func.count())
            .select_from(Membership)
            .join(Account, col(Account.id) == Membership.account_id)
            .where(Membership.project_id == project_id, col(Account.is_active).is_(True))
        ),
        current_version=version.name if version else "",
    )


def _items_for(actor: Actor, project_id: int) -> Any:
    mine = exists().where(col(Annotation.item_id) == Item.id, col(Annotation.account_id) == actor.account_id)
    passed = exists().where(col(Skip.item_id) == Item.id, col(Skip.account_id) == actor.account_id)
    meant = or_(col(Item.only_account_id).is_(None), col(Item.only_account_id) == actor.account_id)
    return (
        select(func.count())
        .select_from(Item)
        .join(Task, col(Task.id) == Item.task_id)
        .where(Task.project_id == project_id, Task.status == TaskStatus.OPEN, Item.status == ItemStatus.OPEN)
        .where(meant, ~mine, ~passed)
    )
