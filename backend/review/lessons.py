"""What an order of open items is worked out from: their texts, what was labelled so far, how slices are covered.

Reads only. Texts of an item are its record's, or its responses'; for a single response, also what else was answered to the
same question, where it is asked how far the answers differ.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from backend.review.answers import rubric_of
from backend.review.worth import Slice
from backend.store.models import Response
from backend.store.records import Record
from backend.store.work import Annotation, Item, Task
from backend.vocabulary import ItemPurpose, QuestionType, RecordStatus, TaskKind

MOST_LABELS = 10_000
MOST_RIVALS = 6
MOST_VALUES = 50
"""A metadata key with more values than this is a name or a number, and no slice."""
GOOD = 0.6
"""A response whose answers are on average at least that far up their scales counts as a good one."""
_CHUNK = 500
_RULED = (RecordStatus.APPROVED, RecordStatus.REJECTED)


def texts_of(session: Session, task: Task, items: Sequence[Item]) -> dict[int, list[str]]:
    """By item, what a quality model reads: record or responses."""
    if task.kind is TaskKind.LABEL:
        records = _records(session, {item.record_id for item in items if item.record_id})
        return {item.id or 0: [_pair(records[item.record_id])] for item in items if item.record_id in records}
    texts = _responses(session, {one for item in items for one in response_ids(item)})
    return {item.id or 0: [texts[one][1] for one in response_ids(item) if one in texts] for item in items}


def rivals_of(session: Session, task: Task, items: Sequence[Item]) -> dict[int, list[str]]:
    """By item, the answers that are set against each other; for a record or a single response, all versions' answers."""
    if task.kind in (TaskKind.COMPARE, TaskKind.RANK):
        return texts_of(session, task, items)
    if task.kind is TaskKind.LABEL:
        of_item = {item.id or 0: item.record_id for item in items}
    else:
        found = _responses(session, {item.response_id for item in items if item.response_id})
        of_item = {item.id or 0: found[item.response_id][0] for item in items if item.response_id in found}
    answers = _answers_to(session, task, {record_id for record_id in of_item.values() if record_id})
    return {item_id: answers.get(record_id or 0, []) for item_id, record_id in of_item.items()}


def slices_of(session: Session, task: Task, items: Sequence[Item]) -> dict[int, Mapping[str, str]]:
    """By item, the metadata of its record or of its responses' question."""
    table, key = (Record, "record_id") if task.kind is TaskKind.LABEL else (Response, "")
    of_item = {item.id or 0: getattr(item, key) if key else (response_ids(item) or [0])[0] for item in items}
    found: dict[int, Mapping[str, str]] = {}
    for chunk in _chunks(set(of_item.values())):
        query = select(table.id, table.slices).where(col(table.id).in_(chunk))
        found.update(
            {row_id or 0: {str(key): str(value) for key, value in pairs.items()} for row_id, pairs in session.exec(query)}
        )
    return {item_id: found.get(row_id or 0, {}) for item_id, row_id in of_item.items()}


def approved_slices(session: Session, project_id: int) -> dict[Slice, int]:
    """How many approved records each slice has; slices without any are at 0. Keys with very many values are left out."""
    unfold = func.json_each if session.get_bind().dialect.name == "sqlite" else func.jsonb_each_text
    pair = unfold(col(Record.slices)).table_valued("key", "value").alias("pair")
    query: Any = (
        select(pair.c.key, pair.c.value, col(Record.status), func.count())
        .select_from(Record)
        .join(pair, col(Record.id).is_not(None))
        .where(Record.project_id == project_id)
        .group_by(pair.c.key, pair.c.value, col(Record.status))
    )
    counts: Counter[Slice] = Counter()
    for key, value, status, count in session.exec(query):
        counts[str(key), str(value)] += count if status is RecordStatus.APPROVED else 0
    values = Counter(key for key, _ in counts)
    return {pair: count for pair, count in counts.items() if values[pair[0]] <= MOST_VALUES}


def labelled(session: Session, task: Task) -> list[tuple[str, bool]]:
    """Texts that people have judged so far, the newest first, and whether they found them good.

    Records by their rulings; responses by the ratings and comparisons of the whole project.
    """
    if task.kind is TaskKind.LABEL:
        query = select(Record).where(Record.project_id == task.project_id, col(Record.status).in_(_RULED))
        newest = session.exec(query.order_by(col(Record.id).desc()).limit(MOST_LABELS))
        return [(_pair(record), record.status is RecordStatus.APPROVED) for record in newest]
    judged = _judged(session, task.project_id)
    texts = _responses(session, judged)
    return [(texts[one][1], sum(votes) / len(votes) >= GOOD) for one, votes in judged.items() if one in texts]


def response_ids(item: Item) -> list[int]:
    """The responses that an item shows."""
    one_or_two = (item.response_id, item.first_response_id, item.second_response_id)
    return list(item.response_ids or ()) or [found for found in one_or_two if found is not None]


def _judged(session: Session, project_id: int) -> dict[int, list[float]]:
    """By response, how good each rater found it, from 0 to 1."""
    rubrics = {
        task.id: rubric_of(task.rubric) for task in session.exec(select(Task).where(Task.project_id == project_id)) if task.id
    }
    query = (
        select(Annotation, Item.response_id)
        .join(Item, col(Item.id) == col(Annotation.item_id))
        .where(Annotation.project_id == project_id, Item.purpose == ItemPurpose.WORK)
        .order_by(col(Annotation.id).desc())
        .limit(MOST_LABELS)
    )
    found: dict[int, list[float]] = defaultdict(list)
    for annotation, response_id in session.exec(query):
        if response_id is None and annotation.winner_response_id and annotation.left_response_id:
            for one in (annotation.left_response_id, annotation.right_response_id or 0):
                found[one].append(float(one == annotation.winner_response_id))
        elif response_id is not None and (mark := _mark(rubrics.get(annotation.task_id), annotation.answers)) is not None:
            found[response_id].append(mark)
    return dict(found)


def _mark(rubric: Any, answers: Mapping[str, Any]) -> float | None:
    marks = []
    for question in rubric.questions if rubric else ():
        answer = answers.get(question.key)
        if question.is_number and answer is not None:
            steps = len(question.scale) - 1 if question.type is QuestionType.SCALE else 1
            marks.append(min(1.0, (int(answer) - (question.type is QuestionType.SCALE)) / steps))
    return sum(marks) / len(marks) if marks else None


def _answers_to(session: Session, task: Task, record_ids: set[int]) -> dict[int, list[str]]:
    """The newest answer of each version to these records' questions."""
    newest: dict[int, dict[int, str]] = defaultdict(dict)
    for chunk in _chunks(record_ids):
        query = select(Response.record_id, Response.version_id, Response.text).where(
            Response.project_id == task.project_id,
            col(Response.record_id).in_(chunk),
            col(Response.version_id).is_not(None),
        )
        for record_id, version_id, text in session.exec(query.order_by(col(Response.id))):
            newest[record_id or 0][version_id or 0] = text
    return {record_id: list(texts.values())[-MOST_RIVALS:] for record_id, texts in newest.items()}


def _records(session: Session, record_ids: set[int]) -> dict[int | None, Record]:
    found: dict[int | None, Record] = {}
    for chunk in _chunks(record_ids):
        found.update({record.id: record for record in session.exec(select(Record).where(col(Record.id).in_(chunk)))})
    return found


def _responses(session: Session, ids: Any) -> dict[int | None, tuple[int | None, str]]:
    """By response: its record and its text."""
    found: dict[int | None, tuple[int | None, str]] = {}
    for chunk in _chunks(set(ids)):
        query = select(Response.id, Response.record_id, Response.text).where(col(Response.id).in_(chunk))
        found.update({one: (record_id, text) for one, record_id, text in session.exec(query)})
    return found


def _pair(record: Record) -> str:
    return f"{record.prompt}\n{record.answer}"


def _chunks(ids: set[Any]) -> list[list[int]]:
    ordered = sorted(one for one in ids if one)
    return [ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK)]
