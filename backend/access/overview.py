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
from backend.store.versions import chatting
from backend.store.work import Annotation, Item, Qualification, Skip, Task
from backend.vocabulary import Action, FaqState, ItemStatus, JobStatus, RecordStatus, Stage, TaskStatus

MOST_COUNTED = 10_000
"""Items that wait are counted up to here."""


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
    """Open items of open tasks that the actor has neither answered nor passed on; `MOST_COUNTED` may be more."""
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
    """The counts of a project for this actor: one question to the database."""
    check(actor, Action.VIEW_PROJECT, project_id)
    counts = {**_of_records(project_id), **_of_people(actor, project_id), **_of_models(project_id)}
    row = session.execute(select(*_labelled(counts))).one()
    project = session.get_one(Project, project_id)
    version = session.get(ModelVersion, project.current_version_id) if project.current_version_id else None
    return Overview(
        **{name: int(count or 0) for name, count in row._mapping.items()}, current_version=version.name if version else ""
    )


def _labelled(counts: dict[str, Any]) -> list[Any]:
    return [query.scalar_subquery().label(name) for name, query in counts.items()]


def _of_records(project_id: int) -> dict[str, Any]:
    records = select(func.count()).select_from(Record).where(Record.project_id == project_id)
    newest = select(func.max(Snapshot.id)).where(Snapshot.project_id == project_id).scalar_subquery()
    frozen = select(SnapshotRow.content_hash).where(col(SnapshotRow.snapshot_id) == newest)
    return {
        "records": records,
        "pending": records.where(Record.status == RecordStatus.PENDING),
        "flagged": records.where(Record.status == RecordStatus.FLAGGED),
        "approved": records.where(col(Record.approved_revision_id).is_not(None)),
        "unfrozen": select(func.count(func.distinct(RecordRevision.content_hash)))
        .join(Record, col(Record.approved_revision_id) == RecordRevision.id)
        .where(Record.project_id == project_id, col(RecordRevision.content_hash).not_in(frozen)),
        "snapshots": select(func.count()).select_from(Snapshot).where(Snapshot.project_id == project_id),
        "proposed_faqs": select(func.count())
        .select_from(FaqRevision)
        .join(Faq, col(Faq.id) == FaqRevision.faq_id)
        .where(Faq.project_id == project_id, FaqRevision.number == Faq.head, FaqRevision.state == FaqState.PROPOSED),
    }


def _of_people(actor: Actor, project_id: int) -> dict[str, Any]:
    mine = (Annotation.project_id == project_id, col(Annotation.account_id) == actor.account_id)
    return {
        "items_for_me": select(func.count()).select_from(_items_for(actor, project_id).limit(MOST_COUNTED).subquery()),
        "done_by_me": select(func.count(func.distinct(Annotation.item_id))).where(*mine),
        "complaints": select(func.count()).select_from(Feedback).where(Feedback.project_id == project_id, open_complaint()),
        "disputes": select(func.count())
        .select_from(Item)
        .join(Task, col(Task.id) == Item.task_id)
        .where(Task.project_id == project_id, Item.status == ItemStatus.DISPUTED),
        "fallen": select(func.count())
        .select_from(Qualification)
        .join(Task, col(Task.id) == Qualification.task_id)
        .where(Task.project_id == project_id, col(Qualification.drifted_at).is_not(None)),
        "members": select(func.count())
        .select_from(Membership)
        .join(Account, col(Account.id) == Membership.account_id)
        .where(Membership.project_id == project_id, col(Account.is_active).is_(True)),
    }


def _of_models(project_id: int) -> dict[str, Any]:
    jobs = select(func.count()).select_from(Job).where(Job.project_id == project_id)
    candidates = (ModelVersion.project_id == project_id, ModelVersion.stage == Stage.CANDIDATE, chatting())
    return {
        "jobs_going": jobs.where(col(Job.status).in_((JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.STOPPING))),
        "jobs_failed": jobs.where(col(Job.status).in_((JobStatus.FAILED, JobStatus.LOST))),
        "candidates": select(func.count()).select_from(ModelVersion).where(*candidates, col(ModelVersion.run_id).is_not(None)),
    }


def _items_for(actor: Actor, project_id: int) -> Any:
    mine = exists().where(col(Annotation.item_id) == Item.id, col(Annotation.account_id) == actor.account_id)
    passed = exists().where(col(Skip.item_id) == Item.id, col(Skip.account_id) == actor.account_id)
    meant = or_(col(Item.only_account_id).is_(None), col(Item.only_account_id) == actor.account_id)
    return (
        select(Item.id)
        .join(Task, col(Task.id) == Item.task_id)
        .where(Task.project_id == project_id, Task.status == TaskStatus.OPEN, Item.status == ItemStatus.OPEN)
        .where(meant, ~mine, ~passed)
    )
