"""Reads every judgement of a project as columns: plain values by the chunk, texts numbered, no objects by the row.

Only items whose purpose is work count. Nothing here asks who is looking; `figure_queries` does.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import BigInteger, String, case, cast, func, literal, type_coerce
from sqlmodel import Session, col, select

from backend.evaluation.judgements import (
    BOTH_BAD,
    COMPARISONS,
    FOUND,
    LEFT,
    NOT_FOUND,
    RATINGS,
    RIGHT,
    RULING,
    TIE,
    Judged,
    Responses,
    finding_title,
    newest,
    taken_apart,
    with_rulings,
)
from backend.store.models import ModelVersion, Response
from backend.store.records import Finding, Record
from backend.store.work import Adjudication, Annotation, Item, Slot, Task
from backend.vocabulary import FindingStatus, ItemPurpose, TaskKind, Verdict

CHUNK = 50_000
_ANSWERS = ("id", "task", "item", "rater", "number", "answers", "how", "left", "winner", "ranked", "hour")
_HOW = {Verdict.LEFT: LEFT, Verdict.RIGHT: RIGHT, Verdict.TIE: TIE, Verdict.BOTH_BAD: BOTH_BAD}
_QUESTION_BANDS = ((80, "up to 80 characters"), (240, "81 to 240"), (None, "more than 240"))
_ANSWER_BANDS = ((120, "up to 120 characters"), (400, "121 to 400"), (None, "more than 400"))


class Texts:
    """Texts as numbers, in order of appearance."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The text's number."""
        return self.numbers.setdefault(text, len(self.numbers))


def read(session: Session, *, project_id: int) -> Judged:
    """All of it."""
    names = version_names(session, project_id=project_id)
    versions = list(names.values())
    responses = _responses(session, project_id, versions, {key: place for place, key in enumerate(names)})
    items = _items(session, project_id)
    texts = Texts()
    given = _annotations(session, project_id, texts, items, responses)
    rulings = _rulings(session, project_id, texts, items, responses)
    answers = [json.loads(text) for text in texts.numbers]
    counted = {name: with_rulings(given[name], rulings[name]) for name in given}
    return Judged(
        comparisons=counted["comparisons"],
        ratings=counted["ratings"],
        raw_comparisons=given["comparisons"],
        raw_ratings=given["ratings"],
        answers=answers,
        extra=counted["extra"],
        responses=responses,
        versions=versions,
        rulings=sum(frame["item"].nunique() for name, frame in rulings.items() if name != "extra"),
    )


def version_names(session: Session, *, project_id: int) -> dict[int, str]:
    """What each version is called in results: its number and name, the newest last."""
    query = select(ModelVersion.id, ModelVersion.number, ModelVersion.name).where(ModelVersion.project_id == project_id)
    return {key or 0: f"{number} · {name}" for key, number, name in session.exec(query.order_by(col(ModelVersion.number)))}


def hour_of(session: Session, moment: Any) -> Any:
    """An SQL expression: the UTC hours since 1970 of a column."""
    if session.get_bind().dialect.name == "postgresql":
        return cast(func.floor(func.extract("epoch", moment) / 3600), BigInteger())
    return cast(func.unixepoch(func.substr(type_coerce(moment, String), 1, 19)) / 3600, BigInteger())


def as_columns(
    session: Session, query: Any, names: tuple[str, ...], *, texts: dict[str, Texts] | None = None
) -> dict[str, Any]:
    """The query's result as an array a column; NULL is 0, and the columns in `texts` become numbers (NULL: -1)."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for rows in session.connection().execute(query.execution_options(yield_per=CHUNK)).partitions():
        for name, values in zip(names, zip(*rows, strict=True), strict=True):
            if texts and name in texts:
                number = texts[name].number
                parts[name].append(np.fromiter((-1 if v is None else number(v) for v in values), np.int64, len(values)))
            else:
                parts[name].append(np.array([0 if v is None else v for v in values] if None in values else values))
    return {name: np.concatenate(found) if found else np.zeros(0, dtype=np.int64) for name, found in parts.items()}


def _responses(session: Session, project_id: int, versions: list[str], places: dict[int, int]) -> Responses:
    turns = func.json_array_length if session.get_bind().dialect.name == "sqlite" else func.jsonb_array_length
    names = ("id", "version", "record", "length", "slices", "decoding", "question", "turns")
    texts = {"slices": Texts(), "decoding": Texts()}
    unnamed = col(Response.version_id).is_(None)
    columns: list[Any] = [Response.id, Response.version_id, Response.record_id, func.length(Response.text)]
    columns += [cast(Response.slices, String), case((unnamed, cast(Response.decoding, String)), else_=None)]
    columns += [func.length(Record.prompt), turns(Response.prompt)]
    query = (
        select(*columns)
        .outerjoin(Record, col(Record.id) == Response.record_id)
        .where(Response.project_id == project_id)
        .order_by(col(Response.id))
    )
    found = as_columns(session, query, names, texts=texts)
    models = [_model_name(text) for text in texts["decoding"].numbers]
    for name in models:
        if name not in versions:
            versions.append(name)
    by_decoding = np.array([versions.index(name) for name in models] or [0])
    by_version = np.vectorize(lambda key: places.get(key, -1), otypes=[np.int64])(found["version"]) if len(found["id"]) else []
    version = np.where(found["decoding"] >= 0, by_decoding[found["decoding"]], by_version)
    sets = [{str(key): str(value) for key, value in json.loads(text).items()} for text in texts["slices"].numbers]
    attributes = {
        "Turns before the answer": (np.where(found["turns"] > 1, 1, 0), ["one", "several"]),
        "Length of the question": _bands(found["question"], _QUESTION_BANDS),
        "Length of the answer": _bands(found["length"], _ANSWER_BANDS),
        **_found(session, project_id, found["record"]),
    }
    return Responses(found["id"], version, found["length"], found["record"], found["slices"], sets, attributes)


def _model_name(text: str) -> str:
    """What leads call a model without a version; "reference" marks the reference answers that a task judged."""
    name = str(json.loads(text).get("model") or "Unknown version")
    return "Reference answer" if name == "reference" else name


def _bands(lengths: np.ndarray, bands: tuple[tuple[int | None, str], ...]) -> tuple[np.ndarray, list[str]]:
    edges = [edge + 1 for edge, _ in bands if edge is not None]
    return np.where(lengths > 0, np.digitize(lengths, edges), -1), [name for _, name in bands]


def _found(session: Session, project_id: int, records: np.ndarray) -> dict[str, tuple[np.ndarray, list[str]]]:
    """For each kind of finding that any record has: whether the response's record has it."""
    query = (
        select(Finding.kind, Finding.record_id)
        .where(Finding.project_id == project_id, Finding.status != FindingStatus.DISMISSED)
        .distinct()
    )
    by_kind: dict[str, list[int]] = {}
    for kind, record in session.exec(query):
        by_kind.setdefault(str(kind), []).append(record)
    return {
        finding_title(kind): (np.where(records > 0, np.isin(records, ids).astype(int), -1), [NOT_FOUND, FOUND])
        for kind, ids in sorted(by_kind.items())
    }


def _items(session: Session, project_id: int) -> dict[str, Any]:
    """The items that count, by id, with what is asked in them."""
    names = ("id", "task", "response", "first", "second", "several")
    columns: list[Any] = [Item.id, Item.task_id, Item.response_id, Item.first_response_id, Item.second_response_id]
    columns.append(cast(Item.response_ids, String))
    query = (
        select(*columns)
        .join(Task, col(Task.id) == Item.task_id)
        .where(Task.project_id == project_id, Item.purpose == ItemPurpose.WORK)
        .order_by(col(Item.id))
    )
    texts = Texts()
    found = as_columns(session, query, names, texts={"several": texts})
    listed = np.array([text != "null" for text in texts.numbers] or [False])
    found["several"] = (found["several"] >= 0) & listed[found["several"]]  # a JSON null is none either
    return found


def _annotations(
    session: Session, project_id: int, texts: Texts, items: dict[str, Any], responses: Responses
) -> dict[str, pd.DataFrame]:
    columns: list[Any] = [Annotation.id, Annotation.task_id, Annotation.item_id, Annotation.account_id, Annotation.number]
    columns += [cast(Annotation.answers, String), type_coerce(col(Annotation.verdict), String), Annotation.left_response_id]
    columns += [Annotation.winner_response_id, cast(Annotation.ranking, String), hour_of(session, Annotation.created_at)]
    query = select(*columns).where(Annotation.project_id == project_id).order_by(col(Annotation.id))
    verdicts, rankings = Texts(), Texts()
    found = as_columns(session, query, _ANSWERS, texts={"answers": texts, "how": verdicts, "ranked": rankings})
    frame = newest(pd.DataFrame(found))
    slots = _drawn(session, project_id) if rankings.numbers else {}
    return _sorted_out(frame, items, responses, verdicts, rankings, slots)


def _rulings(
    session: Session, project_id: int, texts: Texts, items: dict[str, Any], responses: Responses
) -> dict[str, pd.DataFrame]:
    columns: list[Any] = [Adjudication.id, Adjudication.task_id, Adjudication.item_id, literal(RULING), Adjudication.number]
    columns += [cast(Adjudication.answers, String), type_coerce(col(Adjudication.verdict), String), literal(0)]
    columns += [Adjudication.winner_response_id, cast(Adjudication.ranking, String)]
    columns.append(hour_of(session, Adjudication.created_at))
    in_force = (Adjudication.project_id == project_id, col(Adjudication.withdrawn_at).is_(None))
    query = select(*columns).where(*in_force).order_by(col(Adjudication.id))
    verdicts, rankings = Texts(), Texts()
    found = as_columns(session, query, _ANSWERS, texts={"answers": texts, "how": verdicts, "ranked": rankings})
    frame = newest(pd.DataFrame(found))
    sorted_out = _sorted_out(frame, items, responses, verdicts, rankings, {})
    return {name: part.assign(number=1) for name, part in sorted_out.items()}


def _sorted_out(
    frame: pd.DataFrame, items: dict[str, Any], responses: Responses, verdicts: Texts, rankings: Texts, drawn: dict[Any, Any]
) -> dict[str, pd.DataFrame]:
    """Answers to items that count, as comparisons and ratings."""
    ids = items["id"]
    place = np.searchsorted(ids, frame["item"].to_numpy())
    place = np.minimum(place, max(len(ids) - 1, 0))
    counts = ids[place] == frame["item"].to_numpy() if len(ids) else np.zeros(len(frame), dtype=bool)
    frame, place = frame[counts], place[counts]
    rated, compared, several = items["response"][place] > 0, items["first"][place] > 0, items["several"][place]
    ratings = frame[rated]
    response = items["response"][place[rated]]
    ratings = ratings.assign(version=responses.versions_of(response), response=response)[list(RATINGS)]
    votes = _votes(frame[compared], place[compared], items, responses, verdicts)
    lists = [json.loads(text) or [] for text in rankings.numbers]
    ranked = [
        (row.id, row.task, row.item, row.rater, lists[row.ranked], drawn.get((row.item, row.rater), ()), row.hour)
        for row in frame[several & (frame["ranked"].to_numpy() >= 0)].itertuples()
    ]
    if ranked:
        votes = pd.concat([votes, taken_apart(ranked, responses)], ignore_index=True)
    extra = frame[compared | several]
    return {"ratings": ratings, "comparisons": votes, "extra": extra[["id", "task", "item", "rater", "answers", "hour"]]}


def _votes(
    frame: pd.DataFrame, place: np.ndarray, items: dict[str, Any], responses: Responses, verdicts: Texts
) -> pd.DataFrame:
    """`first` is the version with the lower number in the list of versions, whatever stood first in the item."""
    how = np.array([_HOW[Verdict(text)] for text in verdicts.numbers] or [0])[frame["how"].to_numpy()]
    answered = frame["how"].to_numpy() >= 0
    how = np.where(answered, how, np.where(frame["winner"].to_numpy() > 0, LEFT, -1))
    kept = how >= 0
    frame, place, how = frame[kept], place[kept], how[kept]
    one, other = items["first"][place], items["second"][place]
    first, second = responses.versions_of(one), responses.versions_of(other)
    turned = first > second
    one, other = np.where(turned, other, one), np.where(turned, one, other)
    first, second = np.where(turned, second, first), np.where(turned, first, second)
    winner, left = frame["winner"].to_numpy(), frame["left"].to_numpy()
    record = responses.record[responses.place(one)]
    return frame.assign(
        unit=np.where(record > 0, record, -frame["item"].to_numpy()),
        first=first,
        second=second,
        first_response=one,
        second_response=other,
        score=np.where(winner <= 0, 0.5, np.where(winner == one, 1.0, 0.0)),
        how=how,
        left_first=np.where(left <= 0, -1, (left == one).astype(int)),
    )[list(COMPARISONS)]


def _drawn(session: Session, project_id: int) -> dict[Any, Any]:
    """(item, rater) → the order in which a ranking was shown."""
    query = (
        select(Slot.item_id, Slot.account_id, Slot.drawn)
        .join(Task, col(Task.id) == Slot.task_id)
        .where(Task.project_id == project_id, col(Slot.done_at).is_not(None), Task.kind == TaskKind.RANK)
    )
    return {(item, account or 0): drawn or () for item, account, drawn in session.exec(query)}
