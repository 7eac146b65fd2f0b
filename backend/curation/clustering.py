"""The check that finds what a project's questions are about, and puts every record to its topic.

Promised: the first run clusters a sample and then gives every record the slice "detected · topic"; later runs only give it
to records that have none or were edited, until somebody asks for a new clustering. A new clustering keeps to the names and
merges of people where it finds their topics again. Memory holds the sample and one batch. Writes are committed a batch at a
time, so a run that was killed leaves some records with the topic that they had. Not promised: that a topic which is not
found again keeps its name.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import String, cast, or_
from sqlalchemy import select as columns
from sqlmodel import Session, col, func, select

from backend.curation.topic_matching import fates
from backend.detectors.sentence_adapter import Sentences
from backend.detectors.telling_words import names_of, words_of_stored
from backend.detectors.topics import LEAST_TEXTS, MOST_FITTED, SLICE, Assigner, Clustering, Embed, cluster
from backend.errors import InvalidInput, ServiceUnavailable
from backend.jobs.crew import in_order
from backend.store.curation import Topic
from backend.store.locking import locked_project
from backend.store.records import Project, Record, RecordRevision
from backend.store.slicing import set_slice, slice_of

NO_TOPIC = "no topic"
"""The slice's value for questions that fit none."""
SETTING = "topics"
_BATCH = 5000
_ALONE = 8
"""Batches that are put to topics here before others help."""
_MULTIPLIER = 2_654_435_761
"""Knuth's: scatters ids, so that the sample is not of one import and is the same each time."""

Tell = Callable[[float, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How the next clustering is to be. `anew`: whether there is to be one though there are topics."""

    count: int | None = None
    model: str = ""
    anew: bool = False


def wish_of(project: Project) -> Wish:
    """What somebody asked for."""
    held = project.settings.get(SETTING) or {}
    return Wish(count=held.get("count"), model=held.get("model") or "", anew=bool(held.get("anew")))


def topics_of(session: Session, project_id: int) -> list[Topic]:
    """The project's topics, those merged into others included, by id."""
    return list(session.exec(select(Topic).where(Topic.project_id == project_id).order_by(col(Topic.id))))


def find_topics(*, session: Session, project_id: int, tell: Tell, workers: int = 1) -> dict[str, int]:
    """Find the topics where there are none or new ones are wished for, and put records to them, in that many processes. It
    commits as it goes.

    Returns nothing to count among the findings: a topic is a slice. Fewer questions than LEAST_TEXTS get no topics.
    """
    wish = wish_of(session.get_one(Project, project_id))
    fresh = wish.anew or not topics_of(session, project_id)
    if fresh:
        embed = _embedder(session, project_id, wish)
        tell(0.0, "reading a sample")
        ids, texts = _sample(session, project_id)
        session.commit()  # nothing is held while the clustering goes on
        if len(texts) < LEAST_TEXTS:
            return {}
        tell(0.1, f"grouping {len(texts):,} questions")
        found = _grouped(session, project_id, texts, wish, embed)
        if found is None:
            return {}
        _store(session, project_id, found, ids, texts)
    told = _told_from(tell, 0.4, "putting records to topics")
    _put(session, project_id, everything=fresh, workers=workers, tell=told)
    return {}


def _told_from(tell: Tell, begin: float, words: str) -> Callable[[float], None]:
    return lambda share: tell(begin + (1 - begin) * share, words)


def _embedder(session: Session, project_id: int, wish: Wish) -> Embed | None:
    """The sentence model that was wished for. Where it is not here, the wish ends, or every later run would fail by it too."""
    if not wish.model:
        return None
    try:
        return Sentences(name=wish.model).embed
    except ServiceUnavailable:
        _forget_wish(session, project_id)
        raise


def _grouped(session: Session, project_id: int, texts: Sequence[str], wish: Wish, embed: Embed | None) -> Clustering | None:
    """The topics of the texts; None where too few of them have words. More topics than they have is an error that ends the
    wish, or every later run would fail by it too.
    """
    try:
        return cluster(texts, count=wish.count, embed=embed)
    except InvalidInput:
        if wish.count is None:
            return None
        _forget_wish(session, project_id)
        raise


def _forget_wish(session: Session, project_id: int) -> None:
    project = locked_project(session, project_id)
    project.settings = {key: value for key, value in project.settings.items() if key != SETTING}
    session.add(project)
    session.commit()


def _sample(session: Session, project_id: int) -> tuple[list[int], list[str]]:
    """At most MOST_FITTED records with what their customers say."""
    total = session.exec(select(func.count()).where(Record.project_id == project_id)).one()
    stride = max(1, -(-total // MOST_FITTED))
    ids: list[int] = []
    texts: list[str] = []
    scattered = (col(Record.id) * _MULTIPLIER) % 2**32
    for batch in _read(session, project_id, [scattered < 2**32 // stride] if stride > 1 else []):
        for (record_id, _, _), text in zip(batch, words_of_stored([stored for _, _, stored in batch]), strict=True):
            if text.strip() and len(ids) < MOST_FITTED:
                ids.append(record_id)
                texts.append(text)
    return ids, texts


def _read(session: Session, project_id: int, conditions: Sequence[Any]) -> Iterator[list[tuple[int, str | None, str]]]:
    """Record, its topic, its messages as JSON; a batch at a time."""
    last = 0
    while True:
        query = (
            columns(Record.id, slice_of(session, SLICE), cast(RecordRevision.messages, String))  # type: ignore[call-overload]
            .join(RecordRevision, (col(RecordRevision.record_id) == Record.id) & (col(RecordRevision.number) == Record.head))
            .where(Record.project_id == project_id, col(Record.id) > last, *conditions)
            .order_by(col(Record.id))
            .limit(_BATCH)
        )
        rows = [(record_id, topic, messages) for record_id, topic, messages in session.execute(query)]
        if rows:
            yield rows
            last = rows[-1][0]
        if len(rows) < _BATCH:
            return


def _store(session: Session, project_id: int, found: Clustering, ids: Sequence[int], texts: Sequence[str]) -> None:
    """Write the topics of a clustering over those that were there."""
    project = locked_project(session, project_id)
    old = {topic.id or 0: topic for topic in topics_of(session, project_id)}
    decided = fates(
        _old_labels(old, texts),
        found.labels,
        count=len(found.topics),
        merged={key: row.merged_into for key, row in old.items()},
    )
    kept = {fate.old for fate in decided if fate.old is not None}
    for row in old.values():
        row.merged_into = None
        session.add(row)
    session.flush()
    for key in old.keys() - kept:
        session.delete(old[key])
    session.flush()
    fresh = [topic.terms for topic, fate in zip(found.topics, decided, strict=True) if fate.old is None]
    names = iter(names_of(fresh, taken=[NO_TOPIC, *(old[key].name for key in kept)]))
    points = _points(found, ids)
    for place, (topic, fate) in enumerate(zip(found.topics, decided, strict=True)):
        row = Topic(project_id=project_id, name=next(names)) if fate.old is None else old[fate.old]
        row.terms, row.centre, row.points = list(topic.terms), list(topic.centre), points.get(place, [])
        row.merged_into = fate.merged_into
        session.add(row)
    held = {key: value for key, value in (project.settings.get(SETTING) or {}).items() if key != "anew"}
    project.settings = {**project.settings, SETTING: held}
    session.add(project)
    session.commit()


def _old_labels(old: Mapping[int, Topic], texts: Sequence[str]) -> np.ndarray:
    """The old topic's id of each text, 0 for none."""
    if not old:
        return np.zeros(len(texts), dtype=int)
    keys = np.array([*old, 0])  # NONE, the last, stands for no topic
    return keys[Assigner([row.centre for row in old.values()]).assign(texts)]


def _points(found: Clustering, ids: Sequence[int]) -> dict[int, list[list[float]]]:
    """Topic → [record id, x, y] of the sample's records that are on the map."""
    points: dict[int, list[list[float]]] = {}
    for index, (x, y) in zip(found.shown.tolist(), found.places.tolist(), strict=True):
        points.setdefault(int(found.labels[index]), []).append([ids[index], x, y])
    return points


def _put(session: Session, project_id: int, *, everything: bool, workers: int, tell: Callable[[float], None]) -> None:
    """Give records their topic's name: all of them, or those that have none or were edited."""
    rows = topics_of(session, project_id)
    topic_names = {row.id or 0: row.name for row in rows}
    names = [*(topic_names[row.merged_into or row.id or 0] for row in rows), NO_TOPIC]
    assigner = Assigner([row.centre for row in rows])
    open_ones = or_(slice_of(session, SLICE).is_(None), col(Record.head) > 1)
    conditions = [] if everything else [open_ones]
    total = session.exec(select(func.count()).where(Record.project_id == project_id, *conditions)).one() or 1
    session.commit()
    done = 0
    on_their_way: deque[list[tuple[int, str | None]]] = deque()

    def pieces() -> Iterator[list[str]]:
        for batch in _read(session, project_id, conditions):
            session.commit()  # what was read is in memory; on SQLite a transaction of a writer keeps others waiting
            on_their_way.append([(record_id, before) for record_id, before, _ in batch])
            yield [stored for _, _, stored in batch]

    with closing(in_order(assigner.assign_stored, pieces(), workers=workers, alone=_ALONE)) as assigned:
        for labels in assigned:
            batch = on_their_way.popleft()
            changed: dict[str, list[int]] = {}
            for (record_id, before), label in zip(batch, labels.tolist(), strict=True):
                if before != names[label]:
                    changed.setdefault(names[label], []).append(record_id)
            for name, record_ids in changed.items():
                set_slice(session, SLICE, name, record_ids)
            session.commit()
            done += len(batch)
            tell(done / total)
    count_sizes(session, project_id)
    session.commit()


def count_sizes(session: Session, project_id: int) -> None:
    """Note at each topic how many records it has; those merged into others have none of their own."""
    topic = slice_of(session, SLICE)
    query = columns(topic, func.count()).where(col(Record.project_id) == project_id).group_by(topic)
    sizes: Counter[str | None] = Counter()
    for name, count in session.execute(query):
        sizes[name] = count
    for row in topics_of(session, project_id):
        row.size = 0 if row.merged_into else sizes[row.name]
        session.add(row)
