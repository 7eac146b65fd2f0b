"""Runs the checks of one `CheckRun`: first the families that look at one record at a time, then those of the whole project.

Promised: a record's findings, its slices and the mark that it was seen are saved together, a batch at a time; a run that was
killed goes on from there and ends with what an uninterrupted one finds, as does one in several processes. A text that was
edited while it was looked at is left for the next run. Memory holds a few batches, however many records there are. Only this
process writes. Not promised: that changes of the rules made during a run count in it; what it saw by the old ones is due again.
"""

from __future__ import annotations

import gc
import importlib
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache, partial
from typing import Any

import structlog
from sqlalchemy import String, cast
from sqlalchemy import select as columns
from sqlmodel import Session, col, func, select

from backend.access import audit
from backend.access.actors import SYSTEM
from backend.curation.cleaning import me, take_up
from backend.curation.looking import Look, Shown, Views
from backend.curation.unseen import is_unseen
from backend.curation.views import Checks, Keeper, Read
from backend.detectors.checks import MODULES, Context, Family, family, versions
from backend.errors import Conflict, TouchstoneError
from backend.jobs.crew import in_order
from backend.store.base import now
from backend.store.checked import due
from backend.store.checking_context import context_for
from backend.store.curation import CheckRun
from backend.store.database import Database
from backend.store.records import Record, RecordRevision
from backend.vocabulary import PROJECT_CHECKS, Check, JobStatus

BATCH = 500
FEWEST_FOR_POOL = 500
"""Of fewer records it is not worth starting processes."""
_SELDOM = (20_000, 20, 20)
"""Of the objects that are new, of these that outlived a look, and of those that outlived two."""
_OF_PROJECT = {
    Check.DUPLICATES: ("backend.curation.deduplicating", "compare_project", "Comparing records"),
    Check.CONTRADICTIONS: ("backend.curation.deduplicating", "find_contradictions", "Looking for contradictions"),
    Check.TOPICS: ("backend.curation.clustering", "find_topics", "Finding topics"),
}
_RECORD, _REVISION = Record.__table__, RecordRevision.__table__  # type: ignore[attr-defined]
log = structlog.get_logger("checks")

Tell = Callable[[str, int, int], None]
"""Told the step, how many records are through, and of how many."""
ProjectCheck = Callable[..., Mapping[str, int]]
Crew = Callable[[Look, Iterator[list[Shown]]], Generator[Views, None, None]]
"""Looks at every piece that it is given, in their order."""


class _Stopped(Exception):
    """Somebody asked for the run to end here."""


def run_checks(
    database: Database,
    *,
    run_id: int,
    workers: int,
    families: Mapping[Check, Family] | None = None,
    of_project: Mapping[Check, ProjectCheck] | None = None,
    crew: Crew | None = None,
    tell: Tell = lambda step, done, total: None,
) -> CheckRun:
    """Take a run up and bring it to its end; returns it as it is then. `families` and `of_project` are the product's own
    unless others are given; `crew` looks at records in place of that many processes.
    """
    with database.writing() as session:
        run = take_up(session=session, run_id=run_id)
    if run is None:
        raise Conflict("This run has ended already, or another process is at it.")
    wanted = [Check(word) for word in run.checks]
    looking = {check: one for check, one in (families or _families(wanted)).items() if check in wanted}
    work = _Work(database, run, crew, tell)
    try:
        with _seldom_collecting():
            if looking:
                work.look(looking, workers)
            for check in (check for check in PROJECT_CHECKS if check in wanted):
                work.compare(check, (of_project or {}).get(check), workers)
    except _Stopped:
        return work.end(JobStatus.CANCELLED)
    except Exception as error:
        work.fail(error)
        raise
    return work.end(JobStatus.SUCCEEDED)


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Meanwhile objects that refer to each other in circles are looked for seldom, and not among those that were here before:
    of the millions that come and go hardly any do, and the looking took a sixth of the time.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _families(wanted: Sequence[Check]) -> dict[Check, Family]:
    return {check: family(check) for check in wanted if check in MODULES}


class _Work:
    """The work at one run by this process."""

    def __init__(self, database: Database, run: CheckRun, crew: Crew | None, tell: Tell) -> None:
        self._database, self._run_id, self._project_id, self._tell = database, run.id or 0, run.project_id, tell
        self._done, self._cursor, self._crew = run.done, run.cursor, crew

    # --- one record at a time

    def look(self, families: Mapping[Check, Family], workers: int) -> None:
        """Show every record that a family has not seen to it."""
        with self._database.reading() as session:
            context = context_for(session, self._project_id)
            by = versions(context, families)
            left = session.exec(select(func.count()).select_from(Record).where(*self._unseen(by, self._cursor))).one()
        self._note("Looking at records", total=self._done + left)
        self._look(families, by, context, workers=workers if left >= FEWEST_FOR_POOL else 1)

    def _look(self, families: Mapping[Check, Family], by: Mapping[Check, str], context: Context, *, workers: int) -> None:
        keeper = Keeper(self._project_id, families, by)
        due_of = cache(lambda checked, head: frozenset(due(checked, head, by)))
        on_their_way: deque[list[Read]] = deque()

        def pieces() -> Iterator[list[Shown]]:
            last, more = self._cursor, True
            while more:
                batch = self._read(by, due_of, last)
                more = len(batch) == BATCH
                if batch:
                    last = batch[-1].record_id
                    on_their_way.append(batch)
                    yield [(one.messages, one.due) for one in batch]

        look = Look(families, context)
        with closing(self._crew(look, pieces()) if self._crew else in_order(look, pieces(), workers=workers, alone=0)) as seen:
            for views in seen:
                self._keep(keeper, on_their_way.popleft(), views)

    def _unseen(self, by: Mapping[Check, str], after: int) -> tuple[Any, ...]:
        return Record.project_id == self._project_id, col(Record.id) > after, is_unseen(by)

    def _read(self, by: Mapping[Check, str], due_of: Callable[[str, int], Checks], after: int) -> list[Read]:
        record, revision = _RECORD.c, _REVISION.c
        query = (
            columns(record.id, revision.id, record.head, cast(revision.messages, String), record.checked)
            .join_from(_RECORD, _REVISION, (revision.record_id == record.id) & (revision.number == record.head))
            .where(*self._unseen(by, after))
            .order_by(record.id)
            .limit(BATCH)
        )
        with self._database.reading() as session:
            return [
                Read(record_id, revision_id, head, messages, due_of(checked, head))
                for record_id, revision_id, head, messages, checked in session.connection().execute(query)
            ]

    def _keep(self, keeper: Keeper, batch: Sequence[Read], views: Views) -> None:
        """Save a batch: findings, slices, marks, and how far the run is."""
        with self._database.writing() as session:
            run = self._mine(session)
            found = keeper.keep(session, batch, views)
            run.found = _added(run.found, {kind.value: count for kind, count in found.items()})
            run.done, run.cursor, run.beat_at = run.done + len(batch), batch[-1].record_id, now()
            self._done, self._cursor, total = run.done, run.cursor, run.total
            session.commit()
        self._tell("Looking at records", self._done, total)
        self._heed(run)

    # --- the whole project

    def compare(self, check: Check, call: ProjectCheck | None, workers: int) -> None:
        """Run a check of the whole project."""
        module, name, words = _OF_PROJECT[check]
        call = call or partial(getattr(importlib.import_module(module), name), workers=workers)
        self._note(words)
        with self._database.writing() as session:

            def told(share: float, said: str) -> None:
                # on SQLite a transaction that writes keeps others from writing, this one's own sign of life included
                if not (self._database.is_sqlite and session.in_transaction()):
                    self._note(f"{words}: {said}" if said else words)
                self._tell(words, round(100 * share), 100)

            found = call(session=session, project_id=self._project_id, tell=told)
            session.commit()
        with self._database.writing() as session:
            run = self._mine(session)
            run.found, run.beat_at = _added(run.found, found), now()
            session.commit()
        self._heed(run)

    # --- the run itself

    def _mine(self, session: Session) -> CheckRun:
        """The run's row, held. Raises Conflict where another process took it over."""
        run = session.get_one(CheckRun, self._run_id, with_for_update=True, populate_existing=True)
        if run.holder != me() or run.status not in (JobStatus.RUNNING, JobStatus.STOPPING):
            raise Conflict("Another process took this run over, so this one stops. Nothing was done twice.")
        session.add(run)
        return run

    def _note(self, step: str, *, total: int | None = None) -> None:
        """A sign of life."""
        with self._database.writing() as session:
            run = self._mine(session)
            run.step, run.beat_at = step[:200], now()
            run.total = run.total if total is None else total
            session.commit()
        if total is not None:
            self._tell(step, run.done, total)
        self._heed(run)

    def _heed(self, run: CheckRun) -> None:
        if run.status is JobStatus.STOPPING:
            raise _Stopped

    def end(self, status: JobStatus, error: str = "") -> CheckRun:
        """Close the run."""
        with self._database.writing() as session:
            run = self._mine(session)
            run.status, run.finished_at, run.error, run.step = status, now(), error, ""
            audit.record(
                session, SYSTEM, "checks_ended", project_id=run.project_id, subject=f"check run {run.id}",
                status=status.value, checks=run.checks, records=run.done, found=run.found,
            )  # fmt: skip
            session.commit()
        return run

    def fail(self, error: Exception) -> None:
        """Close the run after an error, if the database still lets it."""
        log.error("checks_failed", run=self._run_id, exc_info=error)
        said = error.message if isinstance(error, TouchstoneError) else "Something went wrong in a check; the log says what."
        try:
            self.end(JobStatus.FAILED, said)
        except TouchstoneError as second:
            log.error("run_not_closed", run=self._run_id, reason=second.message)


def _added(before: Mapping[str, int], new: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(before) + Counter(new))
