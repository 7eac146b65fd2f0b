"""The check for contradictions: the same question, answered in ways that cannot both be right.

Records are brought together by the telling words of their last question and by their clusters; within such a group the first
record of each different answer is compared with those of the others. Rejected records teach nothing and are left out.

Promised: a contradiction is an open finding on both records until an expert decides or a text changes; one that was dismissed
stays so while both texts say the same. Not promised: that every record with a wrong answer is named; the first is.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlmodel import Session, col

from backend.conversations import ASSISTANT, SYSTEM, USER, Message, messages_from_json
from backend.curation.relations import Related, Relation, keep
from backend.detectors.alike import joined
from backend.detectors.contradictions import (
    DETECTOR,
    VERSION,
    Disagreement,
    disagree,
    marks,
    same_question,
    stands_alone,
    telling_words,
)
from backend.detectors.duplicates import normalise, similarity
from backend.detectors.personal import mask
from backend.detectors.privacy import PrivacyRules
from backend.jobs.crew import in_order
from backend.store.locking import locked_project
from backend.store.privacy import rules_for
from backend.store.records import Finding, Record, RecordRevision
from backend.vocabulary import FindingKind, FindingStatus, RecordStatus

NEAR = 0.85
"""Similarity from which on questions of one cluster count as the same, if their telling words allow it."""
MOST_ANSWERS = 40
"""Different answers of one group that are compared; those that most records give come first."""
MOST_EACH = 3
"""Contradictions that are said of one record."""
_READ = 5000
_ALONE = 8
"""Batches that are read here before others help."""
_BATCH = 500
_SURE = 0.8

Tell = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class _Case:
    """A record whose answer stands for all equal ones of its group."""

    record_id: int
    revision_id: int
    head: int
    messages: tuple[Message, ...]

    @property
    def question(self) -> str:
        return next((one.content for one in reversed(self.messages) if one.role == USER), "")

    @property
    def answer(self) -> str:
        return self.messages[-1].content

    @property
    def before(self) -> list[str]:
        """What was said before the last question."""
        asked = max((place for place, one in enumerate(self.messages) if one.role == USER), default=0)
        return [normalise(one.content) for one in self.messages[:asked] if one.role != SYSTEM]


def find_contradictions(*, session: Session, project_id: int, tell: Tell, workers: int = 1) -> dict[str, int]:
    """Look through the whole project; returns how many findings are new, by kind. Commits batch by batch. That many processes
    read the texts.
    """
    found: Counter[str] = Counter()
    rules = rules_for(session, project_id)
    ids, groups, answers = _read(session, project_id, tell, workers)
    said: set[int] = set()
    done = 0
    for places in _batches(groups, answers):
        cases = _cases(session, [int(ids[place]) for group in places for place in group])
        session.rollback()  # nobody waits while they are compared
        related: dict[int, list[Relation]] = defaultdict(list)
        for group in places:
            _judge([cases[int(ids[place])] for place in group if int(ids[place]) in cases], related, rules)
        found += _write(session, project_id, cases, related)
        said |= {record_id for record_id, relations in related.items() if relations}
        done += sum(map(len, places))
        session.commit()
        tell(0.5 + 0.5 * min(1.0, done / max(1, len(ids))), f"{done:,} answers compared")
    _close_others(session, project_id, said)
    return dict(found)


def _read(
    session: Session, project_id: int, tell: Tell, workers: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64]]:
    """Ids, groups and answers of the records that may teach something; groups and answers as numbers."""
    ids: list[int] = []
    keys: list[int] = []
    answers: list[int] = []
    clusters: list[int] = []
    names: dict[str, int] = {"": -1}
    on_their_way: deque[list[tuple[int, str]]] = deque()

    def pieces() -> Iterator[list[tuple[str, str]]]:
        last = 0
        while rows := session.execute(_page(project_id, last)).all():
            session.rollback()
            last = rows[-1][0]
            on_their_way.append([(record_id, cluster) for record_id, _, _, cluster in rows])
            yield [(prompt, answer) for _, prompt, answer, _ in rows]

    with closing(in_order(marks, pieces(), workers=workers, alone=_ALONE)) as marked:
        for batch in marked:
            for (record_id, cluster), mark in zip(on_their_way.popleft(), batch, strict=True):
                if mark is not None:
                    ids.append(record_id)
                    keys.append(mark[0])
                    answers.append(mark[1])
                    clusters.append(names.setdefault(cluster, len(names)))
            tell(0.4, f"{len(ids):,} questions read")
    session.rollback()
    root = np.arange(len(ids))
    for values in (np.array(keys, dtype=np.uint64), np.array(clusters, dtype=np.int64)):
        _, firsts, inverse = np.unique(values, return_index=True, return_inverse=True)
        alone = values == -1 if values.dtype == np.int64 else np.zeros(len(ids), dtype=bool)
        members = np.flatnonzero(~alone)
        root = joined(root, firsts[inverse][members], members)
    return np.array(ids, dtype=np.int64), root, np.array(answers, dtype=np.uint64)


def _page(project_id: int, after: int) -> Any:
    return (
        select(col(Record.id), col(Record.prompt), col(Record.answer), col(Record.cluster))
        .where(col(Record.project_id) == project_id, col(Record.id) > after, col(Record.status) != RecordStatus.REJECTED)
        .order_by(col(Record.id))
        .limit(_READ)
    )


def _batches(groups: NDArray[np.int64], answers: NDArray[np.uint64]) -> Iterator[list[list[int]]]:
    """Groups with several answers, some at a time: the place of the first record of each answer, the most given first."""
    batch: list[list[int]] = []
    order = np.lexsort((np.arange(len(groups)), groups))
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    for members in np.split(order, starts[1:]) if len(order) else []:
        if len(members) < 2 or (answers[members] == answers[members[0]]).all():
            continue
        given = Counter(answers[members].tolist())
        first = {
            answer: place for place, answer in reversed(list(zip(members.tolist(), answers[members].tolist(), strict=True)))
        }
        batch.append([first[answer] for answer, _ in given.most_common(MOST_ANSWERS)])
        if sum(map(len, batch)) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _cases(session: Session, record_ids: Sequence[int]) -> dict[int, _Case]:
    """The records with their newest text; those that end in no answer are left out."""
    head = (col(RecordRevision.record_id) == col(Record.id)) & (col(RecordRevision.number) == col(Record.head))
    query = (
        select(col(Record.id), col(RecordRevision.id), col(Record.head), col(RecordRevision.messages))
        .join(RecordRevision, head)
        .where(col(Record.id).in_(record_ids))
    )
    cases = (_Case(row[0], row[1], row[2], messages_from_json(row[3])) for row in session.execute(query))
    return {case.record_id: case for case in cases if case.messages and case.messages[-1].role == ASSISTANT}


def _judge(cases: Sequence[_Case], related: dict[int, list[Relation]], rules: PrivacyRules) -> None:
    """Note the contradictions of one group on both records; what is quoted outlives its text, so it is masked."""
    for place, first in enumerate(cases):
        for second in cases[place + 1 :]:
            if len(related[first.record_id]) >= MOST_EACH or len(related[second.record_id]) >= MOST_EACH:
                continue
            if not _asks_the_same(first, second):
                continue
            found = disagree(first.question, first.answer, second.answer)
            if found is not None:
                found = Disagreement(mask(found.here, rules=rules), mask(found.there, rules=rules))
                related[first.record_id].append(_relation(first, second.record_id, found.words(second.record_id)))
                related[second.record_id].append(_relation(second, first.record_id, found.turned.words(first.record_id)))


def _asks_the_same(first: _Case, second: _Case) -> bool:
    if not same_question(first.question, second.question):
        return False
    if first.before != second.before and not (stands_alone(first.question) and stands_alone(second.question)):
        return False
    same_words = telling_words(first.question) == telling_words(second.question)
    return same_words or similarity(first.question, second.question) >= NEAR


def _relation(case: _Case, other: int, why: str) -> Relation:
    return Relation(
        kind=FindingKind.CONTRADICTION,
        detector=DETECTOR,
        version=VERSION,
        detail={"other": other, "why": why},
        score=_SURE,
        message=len(case.messages) - 1,
        end=len(case.answer),
    )


def _write(
    session: Session, project_id: int, cases: Mapping[int, _Case], related: Mapping[int, list[Relation]]
) -> Counter[str]:
    """Keep what holds of the records whose text is still the one that was compared."""
    wanted = sorted(record_id for record_id, relations in related.items() if relations)
    locked_project(session, project_id)
    query = select(col(Record.id), col(Record.head)).where(col(Record.id).in_(wanted))
    still = {record_id for record_id, head in session.execute(query) if cases[record_id].head == head}
    rows = [
        Related(record_id=one, revision_id=cases[one].revision_id, head=cases[one].head, relations=related[one])
        for one in wanted
        if one in still
    ]
    return keep(session, project_id, rows, (FindingKind.CONTRADICTION,))


def _close_others(session: Session, project_id: int, said: set[int]) -> None:
    """Close the open findings of records of which nothing is said any more."""
    locked_project(session, project_id)
    query = (
        select(col(Record.id), col(RecordRevision.id), col(Record.head))
        .join(RecordRevision, (col(RecordRevision.record_id) == col(Record.id)) & (col(RecordRevision.number) == Record.head))
        .join(Finding, col(Finding.record_id) == col(Record.id))
        .where(
            col(Finding.project_id) == project_id,
            col(Finding.kind) == FindingKind.CONTRADICTION,
            col(Finding.status) == FindingStatus.OPEN,
        )
    )
    rows = {row for row in session.execute(query) if row[0] not in said}
    gone = [Related(record_id=one, revision_id=revision, head=head) for one, revision, head in sorted(rows)]
    for begin in range(0, len(gone), _BATCH):
        keep(session, project_id, gone[begin : begin + _BATCH], (FindingKind.CONTRADICTION,))
    session.commit()
