"""Use-cases about kept figures: asking for new ones, and working them out in the background.

Promised: figures of one project are worked out once at a time, whoever asks (a row is held until a moment; a process that
dies lets go by then); readers see the old figures or the new ones, never a half. Not promised: figures of this minute. Work
takes at most a twentieth of the time: what took ten seconds is done again after 200, and no oftener than once a minute.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from sqlalchemy import delete, func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.evaluation.figure_queries import LIVE_MOST, REFRESH, counted, material, refresh_row
from backend.evaluation.figures import COUNTED, all_figures
from backend.store.base import now
from backend.store.database import Database
from backend.store.records import Project
from backend.store.work import Annotation, Figure
from backend.vocabulary import Action

HELD_SECONDS = 900
"""How long a process holds a project's figures at most."""
RESTS = 20
"""Times as long as the work took, until it is done again."""
SHORTEST_REST = 60.0


def ask(*, session: Session, actor: Actor, project_id: int) -> None:
    """Have the worker work the figures out anew as soon as it can."""
    check(actor, Action.VIEW_RESULTS, project_id)
    row = _row(session, project_id)
    row.value = {**row.value, "asked": now().timestamp()}
    session.add(row)
    session.commit()


def due(session: Session) -> list[int]:
    """Projects whose kept figures are to be worked out now."""
    return [project for project in session.exec(select(Project.id)).all() if project and _is_due(session, project)]


def _is_due(session: Session, project_id: int) -> bool:
    row, at = refresh_row(session, project_id), now()
    if row is not None and float(row.value.get("until") or 0) > at.timestamp():
        return False
    if row is not None and row.value.get("asked"):
        return True
    some = select(Annotation.id).where(Annotation.project_id == project_id).limit(LIVE_MOST + 1).subquery()
    if session.exec(select(func.count()).select_from(some)).one() <= LIVE_MOST:
        return False
    last = session.exec(select(func.max(Annotation.id)).where(Annotation.project_id == project_id)).one()
    if row is None or row.last_annotation_id < (last or 0):
        return row is None or row.computed_at + _rest(row.seconds) <= at
    return False


def _rest(seconds: float) -> timedelta:
    return timedelta(seconds=max(SHORTEST_REST, RESTS * seconds))


def refresh(database: Database, *, project_id: int, holder: str) -> int | None:
    """Work out and keep every figure of a project; returns how many, or None where somebody else is at it."""
    with database.writing() as session:
        if not _take(session, project_id, holder):
            return None
    started, at = time.monotonic(), now()
    try:
        with database.reading() as session:
            last = session.exec(select(func.max(Annotation.id)).where(Annotation.project_id == project_id)).one() or 0
            found = [(name, "", counted(session, project_id=project_id, name=name)) for name in COUNTED]
            given = material(session, project_id=project_id)
        rows = [
            Figure(project_id=project_id, name=name, subject=subject, value=value, last_annotation_id=last, computed_at=at)
            for name, subject, value in (*found, *all_figures(given))
        ]
    except BaseException:
        _give_back(database, project_id, holder, at)
        raise
    seconds = time.monotonic() - started
    with database.writing() as session:
        row = _row(session, project_id)
        if row.value.get("holder") != holder:
            return None
        session.exec(delete(Figure).where(col(Figure.project_id) == project_id, col(Figure.name) != REFRESH))
        for figure in rows:
            figure.seconds = seconds
        session.add_all(rows)
        asked = float(row.value.get("asked") or 0)
        row.value = {"asked": asked} if asked > at.timestamp() else {}
        row.last_annotation_id, row.computed_at, row.seconds = last, now(), seconds
        session.add(row)
        session.commit()
    return len(rows)


def _take(session: Session, project_id: int, holder: str) -> bool:
    row, at = _row(session, project_id), now()
    if float(row.value.get("until") or 0) > at.timestamp():
        return False
    row.value = {**row.value, "holder": holder, "until": at.timestamp() + HELD_SECONDS}
    session.add(row)
    session.commit()
    return True


def _give_back(database: Database, project_id: int, holder: str, at: datetime) -> None:
    """After a failure: others may try, though not at once. What was asked for is answered by the failure in the log."""
    with database.writing() as session:
        row = _row(session, project_id)
        if row.value.get("holder") == holder:
            row.value, row.computed_at = {}, at
            session.add(row)
            session.commit()


def _row(session: Session, project_id: int) -> Figure:
    """The project's row about the work, held by this transaction."""
    query = select(Figure).where(Figure.project_id == project_id, Figure.name == REFRESH).with_for_update()
    found = session.exec(query).first()
    if found is None:
        try:
            with session.begin_nested():
                found = Figure(project_id=project_id, name=REFRESH)
                session.add(found)
        except IntegrityError:  # another process made it in the same moment
            found = session.exec(query).one()
    return found
