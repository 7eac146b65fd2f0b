"""Reads of what a task's items can be drawn from: records, the answers to them, and who gave those. Nothing is saved.

A contestant is whoever gave an answer: a model version ("version:3"), a model that came with imported answers
("model:NAME"), or the reference answer. Answers are compared only where they were given to the very same prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import String, case, cast, func, literal
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.review.drawing import REFERENCE, Answer
from backend.review.filters import RecordFilter, where
from backend.review.selections import Selection
from backend.store.models import Evaluation, ModelVersion, Response
from backend.store.records import Project, Record
from backend.vocabulary import Action

REFERENCE_NAME = "Reference answer"
_VERSION, _MODEL = "version:", "model:"
NO_VALUE = "(none)"
"""The stratum of records without the chosen metadata."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """Somebody whose answers can be judged. `is_current` is the version in service."""

    key: str
    name: str
    answers: int
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class EvaluationChoice:
    """An evaluation whose answers are there."""

    id: int
    name: str
    contestants: tuple[str, str]


def contestants(session: Session, *, actor: Actor, project_id: int, evaluation_id: int | None = None) -> list[Contestant]:
    """Everybody who answered (in this evaluation), the newest version first, the reference answer last."""
    check(actor, Action.CREATE_TASK, project_id)
    conditions = [col(Response.project_id) == project_id, col(Response.record_id).is_not(None)]
    if evaluation_id is not None:
        conditions.append(col(Response.evaluation_id) == evaluation_id)
    model = _model()
    counting: Any = (
        select(Response.version_id, model, func.count()).where(*conditions).group_by(col(Response.version_id), model)
    )
    counts: dict[str, int] = {}
    for version_id, name, count in session.exec(counting):
        key = key_of(version_id, name)
        counts[key] = counts.get(key, 0) + count
    counts.pop(REFERENCE, None)
    numbers, names = _numbers(session, project_id), names_of(session, project_id)
    current = session.get_one(Project, project_id).current_version_id
    found = [
        Contestant(key, name_of(names, key), count, key == f"{_VERSION}{current}")
        for key, count in sorted(counts.items(), key=lambda one: (-numbers.get(one[0], -1), one[0]))
    ]
    referenced = select(func.count(func.distinct(Response.record_id))).where(*conditions, col(Response.reference) != "")
    return [*found, Contestant(REFERENCE, REFERENCE_NAME, session.exec(referenced).one())] if found else []


def evaluation_choices(session: Session, *, actor: Actor, project_id: int) -> list[EvaluationChoice]:
    """The finished evaluations, the newest first."""
    check(actor, Action.CREATE_TASK, project_id)
    query = select(Evaluation).where(Evaluation.project_id == project_id, col(Evaluation.finished_at).is_not(None))
    names = names_of(session, project_id)
    found = []
    for one in session.exec(query.order_by(col(Evaluation.id).desc())):
        base, candidate = f"{_VERSION}{one.base_version_id}", f"{_VERSION}{one.candidate_version_id}"
        what = f"Evaluation {one.id}: {names.get(candidate, '?')} against {names.get(base, '?')}, {one.created_at:%d %b %Y}"
        found.append(EvaluationChoice(one.id or 0, what, (base, candidate)))
    return found


def names_of(session: Session, project_id: int) -> dict[str, str]:
    """What leads call each version: contestant → number and name; and the reference answer."""
    query = select(ModelVersion.id, ModelVersion.number, ModelVersion.name).where(ModelVersion.project_id == project_id)
    versions = {f"{_VERSION}{key}": f"{number} · {name}" for key, number, name in session.exec(query)}
    return {**versions, REFERENCE: REFERENCE_NAME}


def _numbers(session: Session, project_id: int) -> dict[str, int]:
    query = select(ModelVersion.id, ModelVersion.number).where(ModelVersion.project_id == project_id)
    return {f"{_VERSION}{key}": number for key, number in session.exec(query)}


def name_of(names: Mapping[str, str], contestant: str) -> str:
    """What leads call a contestant; `names` are `names_of` the project."""
    return names.get(contestant, contestant.removeprefix(_MODEL))


def key_of(version_id: int | None, model: str | None) -> str:
    """The contestant that a response is from."""
    if version_id is not None:
        return f"{_VERSION}{version_id}"
    return REFERENCE if model == REFERENCE else f"{_MODEL}{model or 'unknown'}"


def records(session: Session, project_id: int, wanted: RecordFilter, stratify: str = "") -> dict[int, str]:
    """The records that the filter finds, each with its value of the metadata key (empty where none is asked for)."""
    conditions = where(session, project_id, wanted)
    if not stratify:
        plain = select(col(Record.id)).where(*conditions).order_by(col(Record.id))
        return dict.fromkeys(map(int, session.exec(plain)), "")  # type: ignore[arg-type]
    query = select(col(Record.id), col(Record.slices)).where(*conditions).order_by(col(Record.id))
    return {record_id or 0: str(slices.get(stratify) or NO_VALUE) for record_id, slices in session.exec(query)}


def answers(session: Session, project_id: int, selection: Selection) -> dict[int, dict[str, Answer]]:
    """The chosen contestants' newest answers to the chosen records' questions: record id → contestant → answer.

    Where a record's prompt has changed between answers, those to the prompt that most of them answered count, of several
    the newest.
    """
    groups: dict[int, dict[str, dict[str, Answer]]] = {}
    stored: dict[tuple[int, str], int | None] = {}
    for prompt, answer, reference in _rows(session, project_id, selection):
        group = groups.setdefault(answer.question, {}).setdefault(prompt, {})
        if answer.contestant == REFERENCE:
            stored[answer.question, answer.text] = answer.response_id
            continue
        if answer.contestant in selection.contestants:
            group[answer.contestant] = answer
        if reference.strip():
            group[REFERENCE] = Answer(answer.question, REFERENCE, None, reference)
    found = {question: _fullest(by_prompt) for question, by_prompt in groups.items()}
    for (question, text), response_id in stored.items():
        group = found[question]
        if REFERENCE in group and group[REFERENCE].text == text:
            group[REFERENCE] = group[REFERENCE]._replace(response_id=response_id)
    return found


def _rows(session: Session, project_id: int, selection: Selection) -> Iterator[tuple[str, Answer, str]]:
    """(prompt, answer, reference), the oldest first. The prompt is empty where it makes no difference."""
    chosen, with_reference = selection.contestants, REFERENCE in selection.contestants
    is_reference = col(Response.version_id).is_(None) & (_model() == REFERENCE)
    model = case((col(Response.version_id).is_(None), _model()))
    columns: list[Any] = [Response.id, Response.record_id, Response.version_id, model, Response.text]
    columns.append(Response.reference if with_reference else literal(""))
    columns.append(cast(col(Response.prompt), String) if len(chosen) > 1 else literal(""))
    query = select(*columns).where(Response.project_id == project_id, col(Response.record_id).is_not(None))
    if with_reference and selection.evaluation_id is not None:
        query = query.where((Response.evaluation_id == selection.evaluation_id) | is_reference)
    elif selection.evaluation_id is not None:
        query = query.where(Response.evaluation_id == selection.evaluation_id)
    if not with_reference:
        versions = [int(key.removeprefix(_VERSION)) for key in chosen if key.removeprefix(_VERSION).isdecimal()]
        others = [key.removeprefix(_MODEL) for key in chosen if key.startswith(_MODEL)]
        imported = col(Response.version_id).is_(None) & _model().in_(others)
        query = query.where(col(Response.version_id).in_(versions) | imported)
    if selection.records != RecordFilter():
        fitting = select(col(Record.id)).where(*where(session, project_id, selection.records))
        query = query.where(col(Response.record_id).in_(fitting))
    keys: dict[tuple[int | None, str | None], str] = {}
    for response_id, record_id, version_id, name, text, reference, prompt in session.exec(query.order_by(col(Response.id))):
        who = keys.get((version_id, name)) or keys.setdefault((version_id, name), key_of(version_id, name))
        yield prompt, Answer(record_id, who, response_id, text), reference


def _fullest(by_prompt: Mapping[str, dict[str, Answer]]) -> dict[str, Answer]:
    if len(by_prompt) == 1:
        return next(iter(by_prompt.values()))
    return max(
        by_prompt.values(), key=lambda group: (len(group), max((one.response_id or 0 for one in group.values()), default=0))
    )


def _model() -> Any:
    """The name of the model of a response that no version of the project gave."""
    return col(Response.decoding)["model"].as_string()
