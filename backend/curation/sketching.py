"""Keeps a sketch of every record's newest text, and reads them all as arrays.

Promised: a sketch is made again when the text has changed, or when this code makes others; batches are committed, so that a
killed run goes on from there; nothing is held locked while a batch is worked out. Memory: the sketches, and one batch of texts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import String, cast, delete, or_, select
from sqlmodel import Session, col, func

from backend.conversations import messages_from_json
from backend.detectors.alike import Alike
from backend.detectors.duplicates import customer_words
from backend.detectors.sketches import SKETCH, VERSION, sketches_of_stored
from backend.jobs.crew import in_order
from backend.store.bulk import add_rows
from backend.store.curation import Likeness
from backend.store.records import Record, RecordRevision

BATCH = 2000
_READ = 20_000
_NAMED = 1000
"""Ids that one query names."""
_RECORD, _REVISION, _LIKENESS = Record.__table__, RecordRevision.__table__, Likeness.__table__  # type: ignore[attr-defined]
_ALONE = 4
"""Batches that are sketched here before others help."""

_Due = tuple[int, int, bool]
"""A record, its newest revision, and whether it has a sketch of another."""


@dataclass(slots=True)
class Held:
    """The project's sketches, by record id. `clusters` are the names as they are stored, `known` what is known already."""

    ids: NDArray[np.int64]
    revisions: NDArray[np.int64]
    sketches: NDArray[Any]
    settled: NDArray[np.bool_]
    clusters: list[str]
    known: Alike


def refresh(session: Session, project_id: int, tell: Callable[[int, int], None], *, workers: int = 1) -> None:
    """Make the sketches that are missing or out of date, in that many processes; `tell` hears how many were made, of how many
    at most.
    """
    total = session.execute(select(func.count()).select_from(Record).where(col(Record.project_id) == project_id)).scalar_one()
    on_their_way: deque[list[_Due]] = deque()

    def pieces() -> Iterator[list[str]]:
        last = 0
        while due := _due(session, project_id, last):
            session.rollback()  # nobody waits while the texts are worked out
            last = due[-1][0]
            on_their_way.append([(record_id, revision_id, had is not None) for record_id, revision_id, _, had in due])
            yield [messages for _, _, messages, _ in due]

    made = 0
    with closing(in_order(sketches_of_stored, pieces(), workers=workers, alone=_ALONE)) as drawn:
        for sketches in drawn:
            ids = on_their_way.popleft()
            _store(session, project_id, ids, sketches)
            made += len(ids)
            tell(made, max(made, total))
    session.rollback()


def _store(session: Session, project_id: int, due: Sequence[_Due], sketches: NDArray[Any]) -> None:
    rows = [
        {
            "record_id": record_id,
            "project_id": project_id,
            "revision_id": revision_id,
            "version": VERSION,
            "sketch": sketch,
            "settled": False,
            "nearest_id": None,
            "similarity": 0.0,
        }
        for (record_id, revision_id, _), sketch in zip(due, _bytes_of(sketches), strict=True)
    ]
    if old := [record_id for record_id, _, had in due if had]:
        session.execute(delete(Likeness).where(col(Likeness.record_id).in_(old)))
    add_rows(session, Likeness, rows)
    session.commit()


def _bytes_of(sketches: NDArray[Any]) -> list[bytes]:
    """Each sketch as it is stored."""
    whole, size = sketches.tobytes(), sketches.itemsize
    return [whole[at : at + size] for at in range(0, len(whole), size)]


def _due(session: Session, project_id: int, after: int) -> Sequence[Any]:
    """Records from `after` on whose newest revision has no sketch: id, revision id, messages as JSON, id where there is an old
    sketch.
    """
    record, revision, likeness = _RECORD.c, _REVISION.c, _LIKENESS.c
    stale = or_(likeness.record_id.is_(None), likeness.revision_id != revision.id, likeness.version != VERSION)
    query = (
        select(record.id, revision.id, cast(revision.messages, String), likeness.record_id)
        .join_from(_RECORD, _REVISION, (revision.record_id == record.id) & (revision.number == record.head))
        .outerjoin(_LIKENESS, likeness.record_id == record.id)
        .where(record.project_id == project_id, record.id > after, stale)
        .order_by(record.id)
        .limit(BATCH)
    )
    return session.connection().execute(query).all()


def is_settled(session: Session, project_id: int) -> bool:
    """Whether every sketch was compared."""
    query = select(func.count()).where(col(Likeness.project_id) == project_id, col(Likeness.settled).is_(False))
    return session.execute(query).scalar_one() == 0


def read(session: Session, project_id: int) -> Held:
    """All sketches of the project."""
    columns: list[list[Any]] = [[] for _ in range(6)]
    blobs: list[NDArray[Any]] = []
    names: dict[str, str] = {}
    last = 0
    while rows := session.connection().execute(_page(project_id, last)).all():
        for column, values in zip(columns, zip(*rows, strict=True), strict=False):
            column.append(np.array([0 if value is None else value for value in values]) if column is not columns[5] else values)
        blobs.append(np.frombuffer(b"".join(row[6] for row in rows), dtype=SKETCH))
        last = rows[-1][0]
    session.rollback()
    clusters = [names.setdefault(name, name) for page in columns[5] for name in page]
    ids, revisions, settled, nearest, similarity = (_whole(column) for column in columns[:5])
    known = Alike.nothing(len(ids))
    first_of: dict[str, int] = {}
    for place, name in enumerate(clusters):
        if name:
            known.root[place] = first_of.setdefault(name, place)
    places = np.minimum(np.searchsorted(ids, nearest), max(0, len(ids) - 1))
    known.nearest = np.where(nearest > 0, places, -1) if len(ids) else known.nearest
    known.similarity = similarity.astype(np.float64)
    made = np.concatenate(blobs) if blobs else np.zeros(0, dtype=SKETCH)
    return Held(ids.astype(np.int64), revisions.astype(np.int64), made, settled.astype(bool), clusters, known)


def _page(project_id: int, after: int) -> Any:
    likeness = _LIKENESS.c
    return (
        select(
            likeness.record_id,
            likeness.revision_id,
            likeness.settled,
            likeness.nearest_id,
            likeness.similarity,
            _RECORD.c.cluster,
            likeness.sketch,
        )
        .join_from(_LIKENESS, _RECORD, _RECORD.c.id == likeness.record_id)
        .where(likeness.project_id == project_id, likeness.record_id > after)
        .order_by(likeness.record_id)
        .limit(_READ)
    )


def _whole(parts: list[Any]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def words_of(session: Session, held: Held, places: NDArray[np.int64]) -> list[str]:
    """What the customer says in the revisions that were sketched, in the order of `places`."""
    wanted = held.revisions[places]
    found: dict[int, str] = {}
    for begin in range(0, len(wanted), _NAMED):
        named = wanted[begin : begin + _NAMED].tolist()
        query = select(_REVISION.c.id, _REVISION.c.messages).where(_REVISION.c.id.in_(named))
        for revision_id, messages in session.connection().execute(query):
            found[revision_id] = customer_words(messages_from_json(messages))
    session.rollback()  # nobody waits while they are compared
    return [found[revision_id] for revision_id in wanted.tolist()]
