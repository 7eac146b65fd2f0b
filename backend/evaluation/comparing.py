"""Judging tasks made from an evaluation: rate each response on a rubric, or compare two versions blind.

Promised: a task is made whole or not at all, from responses of one evaluation of the task's project; what was drawn, and
with which seed, is kept with it. A comparison leaves out pairs of equal texts and counts them: they are ties already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import Conflict, InvalidInput, NotFound, NotReady
from backend.evaluation.sampling import Answers, Draw, draw_pairs, draw_ratings
from backend.rubrics import DEFAULT_RATING_RUBRIC, NO_QUESTIONS, Rubric
from backend.store.items import add_items
from backend.store.models import Evaluation, Response
from backend.store.records import Project
from backend.store.work import Task
from backend.task_options import TaskOptions
from backend.vocabulary import Action, TaskKind, TaskStatus

MOST_RATERS = 20
LONGEST_GUIDELINES = 20_000


def preview(
    session: Session,
    *,
    project_id: int,
    evaluation_id: int,
    kind: TaskKind,
    versions: Sequence[int] | None = None,
    sample_size: int | None = None,
    seed: int = 0,
) -> Draw:
    """What a task made with these choices would hold; nothing is saved."""
    evaluation = _evaluation(session, project_id, evaluation_id)
    return _draw(session, evaluation, kind, versions, sample_size, seed)


def create_rating_task(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    evaluation_id: int,
    versions: Sequence[int] | None = None,
    overlap: int = 1,
    sample_size: int | None = None,
    seed: int = 0,
    guidelines: str = "",
    name: str = "",
    show_reference: bool = False,
    lease_seconds: int = 900,
) -> Task:
    """A task to rate the responses of `versions` (None: both of the evaluation) on the project's rubric."""
    check(actor, Action.CREATE_TASK, project_id)
    evaluation = _evaluation(session, project_id, evaluation_id)
    draw = _draw(session, evaluation, TaskKind.RATE, versions, sample_size, seed)
    rubric = rubric_of(session.get_one(Project, project_id)).to_json()
    task = _task(evaluation, TaskKind.RATE, name or f"Rate the answers of evaluation {evaluation_id}", overlap, guidelines)
    task.seed, task.lease_seconds = seed, lease_seconds
    task.rubric = rubric
    task.options = TaskOptions(show_reference=show_reference, drawn=draw.questions).to_json()
    return _save(session, actor, task, draw)


def create_comparison_task(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    evaluation_id: int,
    versions: Sequence[int] | None = None,
    overlap: int = 1,
    sample_size: int | None = None,
    seed: int = 0,
    guidelines: str = "",
    name: str = "",
    show_reference: bool = False,
    lease_seconds: int = 900,
) -> Task:
    """A task to compare two versions (None: the evaluation's baseline and candidate) blind on the same questions."""
    check(actor, Action.CREATE_TASK, project_id)
    evaluation = _evaluation(session, project_id, evaluation_id)
    draw = _draw(session, evaluation, TaskKind.COMPARE, versions, sample_size, seed)
    name = name or f"Compare the answers of evaluation {evaluation_id}"
    task = _task(evaluation, TaskKind.COMPARE, name, overlap, guidelines)
    task.seed, task.lease_seconds = seed, lease_seconds
    task.rubric = NO_QUESTIONS.to_json()
    options = TaskOptions(show_reference=show_reference, drawn=draw.questions, identical=draw.identical)
    task.options = options.to_json()
    return _save(session, actor, task, draw)


def change_status(*, session: Session, actor: Actor, project_id: int, task_id: int, status: TaskStatus) -> Task:
    """Pause, go on with, or close a task. A closed one stays closed."""
    check(actor, Action.CREATE_TASK, project_id)
    query = select(Task).where(Task.id == task_id, Task.project_id == project_id).with_for_update(key_share=True)
    task = session.exec(query).one_or_none()
    if task is None:
        raise NotFound("There is no such task in this project.")
    if task.status is TaskStatus.CLOSED and status is not TaskStatus.CLOSED:
        raise Conflict("This task was closed, and closed tasks stay closed. Make a new one instead.")
    if task.status is not status:
        task.status = status
        session.add(task)
        audit.record(session, actor, "task.status", project_id=project_id, subject=f"task:{task_id}", status=str(status))
    session.commit()
    return task


def rubric_of(project: Project) -> Rubric:
    """The project's rubric; the default where none was set."""
    stored = project.settings.get("rubric")
    return Rubric.from_json(stored) if stored else DEFAULT_RATING_RUBRIC


def _evaluation(session: Session, project_id: int, evaluation_id: int) -> Evaluation:
    evaluation = session.get(Evaluation, evaluation_id)
    if evaluation is None or evaluation.project_id != project_id:
        raise NotFound("There is no such evaluation in this project.")
    return evaluation


def _draw(
    session: Session,
    evaluation: Evaluation,
    kind: TaskKind,
    versions: Sequence[int] | None,
    sample_size: int | None,
    seed: int,
) -> Draw:
    chosen = list(versions) if versions is not None else [evaluation.base_version_id, evaluation.candidate_version_id]
    answers = _answers(session, evaluation)
    known = {version for by_version in answers.values() for version in by_version}
    if not known:
        raise NotReady("This evaluation has no responses yet. Wait until it has finished.")
    if not chosen or not set(chosen) <= known:
        raise InvalidInput("Choose versions that answered in this evaluation.")
    if kind is TaskKind.RATE:
        return draw_ratings(answers, chosen, size=sample_size, seed=seed)
    if len(chosen) != 2:
        raise InvalidInput("A comparison needs exactly two versions.")
    return draw_pairs(answers, chosen[0], chosen[1], size=sample_size, seed=seed)


def _answers(session: Session, evaluation: Evaluation) -> Answers:
    query = select(Response.record_id, Response.version_id, Response.id, Response.text).where(
        Response.evaluation_id == evaluation.id,
        Response.project_id == evaluation.project_id,
        col(Response.record_id).is_not(None),
        col(Response.version_id).is_not(None),
    )
    found: dict[int, dict[int, tuple[int, str]]] = {}
    for record_id, version_id, response_id, text in session.exec(query):
        found.setdefault(record_id or 0, {})[version_id or 0] = (response_id or 0, text)
    return found


def _task(evaluation: Evaluation, kind: TaskKind, name: str, overlap: int, guidelines: str) -> Task:
    name = name.strip().replace("\x00", "")
    if not 1 <= overlap <= MOST_RATERS:
        raise InvalidInput(f"Each item can go to 1 to {MOST_RATERS} raters; {overlap} is outside that.")
    if not name or len(name) > 200:
        raise InvalidInput("Give the task a name of at most 200 characters.")
    if len(guidelines) > LONGEST_GUIDELINES:
        raise InvalidInput(f"The guidelines have at most {LONGEST_GUIDELINES} characters.")
    return Task(
        project_id=evaluation.project_id,
        kind=kind,
        name=name,
        guidelines=guidelines.strip().replace("\x00", ""),
        overlap=overlap,
        evaluation_id=evaluation.id,
    )


def _save(session: Session, actor: Actor, task: Task, draw: Draw) -> Task:
    if not draw.subjects:
        raise NotReady(
            f"Both versions gave the same answer to all {draw.questions} questions, so there is nothing to compare."
            if draw.identical
            else "There is no question that all chosen versions answered."
        )
    task.created_by = actor.account_id
    session.add(task)
    session.flush()
    count = add_items(session, task=task, subjects=draw.subjects)
    detail: Mapping[str, Any] = {"kind": str(task.kind), "items": count, "overlap": task.overlap, "seed": task.seed}
    audit.record(
        session,
        actor,
        "task.create",
        project_id=task.project_id,
        subject=f"task:{task.id}",
        evaluation=task.evaluation_id,
        identical=draw.identical,
        **detail,
    )
    session.commit()
    return task
