"""Reads about runs of the checks and what can be fixed, for the Clean page. Texts are shown as plain text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from backend.access.actors import Actor
from backend.access.policy import check as allow
from backend.conversations import messages_from_json
from backend.curation.cleaning import is_alive
from backend.curation.fix_rules import Rule, can_be_fixed, has_fix, open_by
from backend.curation.masks import Span, masked
from backend.curation.unseen import is_unseen
from backend.detectors.checks import MODULES, family, versions
from backend.store.accounts import Account, AuditEntry
from backend.store.checking_context import context_for
from backend.store.curation import CheckRun
from backend.store.findings import BATCH, WHY
from backend.store.records import Finding, Record, RecordRevision
from backend.vocabulary import FINISHED_JOBS, PERSONAL_FINDINGS, Action, Check, FindingKind, FindingStatus, JobStatus


@dataclass(frozen=True, slots=True)
class RunCard:
    """A run as the page shows it. `at_work`: a living process is at it; one that died is not, and waits to be taken up."""

    id: int
    checks: tuple[Check, ...]
    status: JobStatus
    at_work: bool
    step: str
    done: int
    total: int
    found: dict[str, int]
    error: str
    finished_at: datetime | None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens."""
        return self.status in FINISHED_JOBS


@dataclass(frozen=True, slots=True)
class Example:
    """What a fix would do to one message; `after` is None where a person has to decide."""

    finding_id: int
    record_id: int
    kind: FindingKind
    why: str
    before: str
    after: str | None


@dataclass(frozen=True, slots=True)
class Batch:
    """What was fixed in one go, as far as it is not undone."""

    name: str
    kinds: tuple[FindingKind, ...]
    findings: int
    records: int
    by: str


def stamp(session: Session, *, actor: Actor, project_id: int) -> tuple[int, ...]:
    """As long as this is the same, so is what these pages count: findings, texts, acts, and how far the newest run is. It is
    had at once, however many records there are.
    """
    allow(actor, Action.VIEW_RECORDS, project_id)
    acts = select(func.max(AuditEntry.id)).where(AuditEntry.project_id == project_id)
    run = select(CheckRun.id, CheckRun.done).where(CheckRun.project_id == project_id).order_by(col(CheckRun.id).desc())
    newest = [session.exec(select(func.max(column))).one() for column in (Finding.id, RecordRevision.id)]
    return (*(one or 0 for one in (*newest, session.exec(acts).one(), *(session.exec(run).first() or ()))),)


def newest_run(session: Session, *, actor: Actor, project_id: int) -> RunCard | None:
    """The project's newest run."""
    allow(actor, Action.REVIEW, project_id)
    run = session.exec(select(CheckRun).where(CheckRun.project_id == project_id).order_by(col(CheckRun.id).desc())).first()
    if run is None:
        return None
    return RunCard(
        id=run.id or 0, checks=tuple(Check(word) for word in run.checks), status=run.status, at_work=is_alive(run),
        step=run.step, done=run.done, total=run.total, found={kind: int(count) for kind, count in run.found.items()},
        error=run.error, finished_at=run.finished_at,
    )  # fmt: skip


def unseen(session: Session, *, actor: Actor, project_id: int) -> tuple[int, int]:
    """How many records some check has not seen as they are now, and how many there are."""
    allow(actor, Action.REVIEW, project_id)
    by = versions(context_for(session, project_id), {check: family(check) for check in MODULES})
    counted = select(func.count()).select_from(Record).where(Record.project_id == project_id)
    return session.exec(counted.where(is_unseen(by))).one(), session.exec(counted).one()


def fixable(session: Session, *, actor: Actor, project_id: int, rule: Rule) -> tuple[int, int]:
    """How many findings that the rule means a machine can fix, and in how many records."""
    allow(actor, Action.REVIEW, project_id)
    query = select(func.count(), func.count(col(Finding.record_id).distinct())).select_from(Finding)
    if rule.kinds <= PERSONAL_FINDINGS and rule.source_id is None:  # these always stand on the newest text
        query = query.where(has_fix())
    else:
        query = (
            query.join(Record, col(Record.id) == col(Finding.record_id))
            .join(RecordRevision, col(RecordRevision.id) == col(Finding.revision_id))
            .where(can_be_fixed())
        )
    return session.exec(query.where(*open_by(rule, project_id))).one()


def records_with(session: Session, *, actor: Actor, project_id: int, kinds: Iterable[FindingKind]) -> int:
    """How many records have something open of these kinds."""
    allow(actor, Action.REVIEW, project_id)
    counted = select(func.count(col(Finding.record_id).distinct()))
    return session.exec(counted.where(*open_by(Rule(kinds=frozenset(kinds)), project_id))).one()


def detectors(session: Session, *, actor: Actor, project_id: int, kind: FindingKind) -> list[str]:
    """What found the open findings of a kind."""
    allow(actor, Action.REVIEW, project_id)
    query = select(Finding.detector).where(*open_by(Rule(kinds=frozenset({kind})), project_id))
    return sorted(set(session.exec(query.distinct())))


def examples(
    session: Session, *, actor: Actor, project_id: int, rule: Rule, finding_ids: Iterable[int] = (), limit: int = 3
) -> list[Example]:
    """What the fixes of these findings would do, or else of those that the rule means, the least sure first."""
    allow(actor, Action.REVIEW, project_id)
    shown = select(Finding.id).where(*open_by(rule, project_id))
    if rule.source_id is not None:
        shown = shown.join(Record, col(Record.id) == col(Finding.record_id))
    if wanted := list(finding_ids):
        shown = shown.where(col(Finding.id).in_(wanted))
    shown = shown.order_by(col(Finding.score), col(Finding.id)).limit(limit)
    query = (
        select(Finding, RecordRevision.messages)
        .join(RecordRevision, col(RecordRevision.id) == col(Finding.revision_id))
        .where(col(Finding.id).in_(list(session.exec(shown))))
    )
    found = []
    for finding, stored in session.exec(query.order_by(col(Finding.score), col(Finding.id))):
        messages = messages_from_json(stored)
        after = None
        if finding.proposal is not None and finding.start < finding.end:
            span = Span(finding.message, finding.start, finding.end, finding.proposal)
            after = masked(messages, [span])[finding.message].content
        before = messages[finding.message].content
        why = str(finding.detail.get(WHY) or "")
        found.append(Example(finding.id or 0, finding.record_id, finding.kind, why, before, after))
    return found


def batches(session: Session, *, actor: Actor, project_id: int, limit: int = 10) -> list[Batch]:
    """What was fixed in one go and can be undone, newest first."""
    allow(actor, Action.REVIEW, project_id)
    name = col(Finding.detail)[BATCH].as_string()
    here = (Finding.project_id == project_id, Finding.status == FindingStatus.FIXED)
    counted = (
        select(name, func.count(), func.count(col(Finding.record_id).distinct()), func.max(Finding.closed_by))
        .where(*here, name.is_not(None))
        .group_by(name)
        .order_by(name.desc())
        .limit(limit)
    )
    rows = session.exec(counted).all()
    kinds: dict[str, set[FindingKind]] = {}
    for batch, kind in session.exec(select(name, Finding.kind).where(*here, name.in_([row[0] for row in rows])).distinct()):
        kinds.setdefault(batch, set()).add(FindingKind(kind))
    people = dict(session.exec(select(Account.id, Account.name).where(col(Account.id).in_({row[3] for row in rows}))).all())
    return [
        Batch(batch, tuple(kind for kind in FindingKind if kind in kinds[batch]), findings, records, people.get(by) or "system")
        for batch, findings, records, by in rows
    ]
