"""Review work that a lead asks for: make a task, add items to it, change its questions, pause it, close it.

Promised: a task is made whole or not at all, with everything it needs to be made again: how its items were chosen, from
how many questions, with which seed. Its first questions and guidelines are version 1; a change is a further version, and
what was answered before keeps naming the older one. Pairs of equal texts are left out and counted: they are ties already.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlmodel import Session, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import Conflict, InvalidInput, NotReady
from backend.review import ordering, planning
from backend.review.planning import Plan
from backend.review.queueing import QUEUE
from backend.review.selections import Selection
from backend.rubrics import DEFAULT_RATING_RUBRIC, NO_QUESTIONS, Rubric
from backend.store.accounts import Account, Membership
from backend.store.items import add_items
from backend.store.locking import locked_project, locked_task
from backend.store.records import Project
from backend.store.work import RubricVersion, Task
from backend.task_options import TaskOptions
from backend.vocabulary import Action, Role, TaskKind, TaskStatus

MOST_RATERS = 20
LONGEST_NAME = 200
LONGEST_GUIDELINES = 20_000
LONGEST_REASON = 500
LEASE_SECONDS = range(30, 24 * 3600 + 1)
NAMES = {
    TaskKind.LABEL: "Review chosen records",
    TaskKind.RATE: "Rate answers",
    TaskKind.COMPARE: "Compare answers blind",
    TaskKind.RANK: "Rank answers",
}
"""What a task is called where its lead gives no name."""


def create_task(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    kind: TaskKind,
    selection: Selection = Selection(),  # noqa: B008 - frozen
    name: str = "",
    rubric: Rubric | None = None,
    guidelines: str = "",
    overlap: int = 1,
    overlap_max: int | None = None,
    options: TaskOptions = TaskOptions(),  # noqa: B008 - frozen
    lease_seconds: int = 900,
) -> Task:
    """A task with its items, open at once. `rubric` None: the project's for ratings, no questions for the others.

    `overlap` raters answer each item; with `overlap_max`, one more is asked as long as they disagree, up to that many.
    """
    check(actor, Action.CREATE_TASK, project_id)
    selection = planning.with_versions(session, project_id, selection)
    task = Task(
        project_id=project_id,
        kind=kind,
        name=_name(session, project_id, kind, name),
        guidelines=_guidelines(guidelines),
        rubric=_rubric(session, project_id, kind, rubric).to_json(),
        overlap=overlap,
        overlap_max=overlap_max,
        lease_seconds=lease_seconds,
        seed=selection.seed,
        evaluation_id=selection.evaluation_id,
        created_by=actor.account_id,
    )
    _check_work(session, task, options)
    plan = planning.plan(session, project_id, kind, selection)
    _refuse_nothing(plan)
    options = replace(options, drawn=plan.draw.questions, identical=plan.draw.identical, source=selection.to_json())
    task.options = options.to_json()
    session.add(task)
    session.flush()
    _keep_version(session, actor, task, "")
    count = add_items(session, task=task, subjects=planning.subjects(session, project_id, kind, plan))
    ordering.arrange(session, task=task)
    _note(session, actor, task, "create", kind=str(kind), items=count, overlap=overlap, identical=plan.draw.identical)
    session.commit()
    return task


def add_items_like(*, session: Session, actor: Actor, project_id: int, task_id: int, size: int | None = None) -> int:
    """Add up to `size` questions (None: all) that fit the task's selection and are not in it yet; returns how many items."""
    check(actor, Action.CREATE_TASK, project_id)
    task = locked_task(session, project_id, task_id)
    _refuse_closed(task)
    options = TaskOptions.from_json(task.options)
    if not options.source:
        raise NotReady("This task does not know how its items were chosen, so no more can be added. Make a new task instead.")
    before = Selection.from_json(options.source)
    asked = planning.asked(session, task)
    selection = replace(before, size=size, seed=(before.seed + len(asked)) % (2**31))
    plan = planning.plan(session, project_id, task.kind, selection, asked=asked, settled=options.identical)
    if not plan.items:
        raise NotReady("Everything that fits this task is in it already. New imports or evaluations bring more.")
    options = replace(
        options,
        drawn=(options.drawn or 0) + plan.draw.questions,
        identical=options.identical + plan.draw.identical,
    )
    task.options = options.to_json()
    session.add(task)
    count = add_items(session, task=task, subjects=planning.subjects(session, project_id, task.kind, plan))
    ordering.arrange(session, task=task)
    _note(session, actor, task, "add_items", items=count, identical=plan.draw.identical)
    session.commit()
    return count


def revise_rubric(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    task_id: int,
    based_on: int,
    rubric: Rubric,
    guidelines: str,
    reason: str,
) -> RubricVersion:
    """Ask other questions, or give other guidelines, from now on. Raises Conflict where `based_on` is not the newest."""
    check(actor, Action.CREATE_TASK, project_id)
    task = locked_task(session, project_id, task_id)
    _refuse_closed(task)
    if task.rubric_version != based_on:
        raise Conflict("Somebody changed this task's questions meanwhile. Nothing was saved; look at the newest version first.")
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise InvalidInput(f"Please say why it changes, in at most {LONGEST_REASON} characters; it stands in the history.")
    stored, text = _rubric(session, project_id, task.kind, rubric).to_json(), _guidelines(guidelines)
    if (stored, text) == (task.rubric, task.guidelines):
        raise InvalidInput("Nothing was changed, so there is no new version.")
    task.rubric, task.guidelines, task.rubric_version = stored, text, based_on + 1
    session.add(task)
    version = _keep_version(session, actor, task, reason)
    _note(session, actor, task, "revise", version=version.number, reason=version.reason)
    session.commit()
    return version


def change_status(*, session: Session, actor: Actor, project_id: int, task_id: int, status: TaskStatus) -> Task:
    """Pause, go on with, or close a task. A closed one stays closed."""
    check(actor, Action.CREATE_TASK, project_id)
    task = locked_task(session, project_id, task_id)
    if status is not TaskStatus.CLOSED:
        _refuse_closed(task)
    if task.status is not status:
        task.status = status
        session.add(task)
        _note(session, actor, task, "status", status=str(status))
    session.commit()
    return task


def change_options(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    task_id: int,
    options: TaskOptions,
    lease_seconds: int | None = None,
) -> Task:
    """Change who takes part, what is mixed in, the order and the lease time.

    How the items were chosen, and who is paused, stays as it is.
    """
    check(actor, Action.CREATE_TASK, project_id)
    task = locked_task(session, project_id, task_id)
    _refuse_closed(task)
    before = TaskOptions.from_json(task.options)
    wanted = replace(options, drawn=before.drawn, identical=before.identical, source=before.source, excluded=before.excluded)
    task.lease_seconds = lease_seconds or task.lease_seconds
    _check_work(session, task, wanted)
    task.options = wanted.to_json()
    session.add(task)
    changed = [key for key, value in wanted.to_json().items() if before.to_json()[key] != value]
    _note(session, actor, task, "options", changed=changed, lease_seconds=task.lease_seconds)
    session.commit()
    return task


def set_default_rubric(*, session: Session, actor: Actor, project_id: int, rubric: Rubric) -> Rubric:
    """What rating tasks of this project ask from now on unless their lead writes other questions."""
    check(actor, Action.EDIT_SETTINGS, project_id)
    rubric.check_for(TaskKind.RATE)
    project = locked_project(session, project_id)
    project.settings = {**project.settings, "rubric": rubric.to_json()}
    session.add(project)
    audit.record(session, actor, "rubric.default", project_id=project_id, questions=list(rubric.keys))
    session.commit()
    return rubric


def rubric_of(project: Project) -> Rubric:
    """The project's rubric; the default where none was set."""
    stored = project.settings.get("rubric")
    return Rubric.from_json(stored) if stored else DEFAULT_RATING_RUBRIC


# --- parts of use-cases: nothing below commits -----------------------------------------------------------------------


def _refuse_nothing(plan: Plan) -> None:
    if plan.items:
        return
    raise NotReady(
        f"All gave the same answer to all {plan.draw.questions} questions, so there is nothing to compare."
        if plan.draw.identical
        else "Nothing fits this choice. Widen the filter, choose others, or evaluate first so that there are answers."
    )


def _check_work(session: Session, task: Task, options: TaskOptions) -> None:
    """Raise InvalidInput unless the task's numbers and raters make sense together."""
    if not 1 <= task.overlap <= MOST_RATERS:
        raise InvalidInput(f"Each item can go to 1 to {MOST_RATERS} raters; {task.overlap} is outside that.")
    if task.overlap_max is not None and not task.overlap < task.overlap_max <= MOST_RATERS:
        raise InvalidInput(f"“Up to” must be more than the {task.overlap} to start with, and at most {MOST_RATERS}.")
    if task.lease_seconds not in LEASE_SECONDS:
        raise InvalidInput("An item can be held for half a minute up to a day.")
    if task.kind is TaskKind.LABEL:
        if task.overlap != 1 or task.overlap_max:
            raise InvalidInput("A record is reviewed by one person; further people see it when it waits again.")
        if options.gold_share or options.repeat_share or options.calibration_pass is not None:
            raise InvalidInput("Gold, repeats and calibration are for tasks to rate, compare or rank, not for reviews.")
    wanted = max(task.overlap, task.overlap_max or 0)
    if options.raters and len(set(options.raters) - set(options.excluded)) < wanted:
        raise InvalidInput(f"Up to {wanted} raters answer an item, so choose at least that many people, or fewer answers.")
    for account_id in options.raters:
        _check_rater(session, task, account_id)


def _check_rater(session: Session, task: Task, account_id: int) -> None:
    account = session.get(Account, account_id)
    here = (Membership.account_id == account_id, Membership.project_id == task.project_id)
    role = session.exec(select(Membership.role).where(*here)).first()
    if account is None or (role is None and not account.is_admin):
        raise InvalidInput("Only people of this project can take part. Invite them first.")
    if task.kind is TaskKind.LABEL and role is Role.RATER and not account.is_admin:
        raise InvalidInput("Records are reviewed by experts and leads; raters cannot open them.")


def _rubric(session: Session, project_id: int, kind: TaskKind, rubric: Rubric | None) -> Rubric:
    if kind is TaskKind.LABEL:
        if rubric is not None and rubric.questions:
            raise InvalidInput("A task to review records asks no questions.")
        return NO_QUESTIONS
    if rubric is None:
        rubric = rubric_of(session.get_one(Project, project_id)) if kind is TaskKind.RATE else NO_QUESTIONS
    rubric.check_for(kind)
    return rubric


def _name(session: Session, project_id: int, kind: TaskKind, given: str) -> str:
    """The given name, or one of its own."""
    name = " ".join(given.replace("\x00", "").split())
    if len(name) > LONGEST_NAME:
        raise InvalidInput(f"Give the task a name of at most {LONGEST_NAME} characters.")
    if kind is TaskKind.LABEL and name == QUEUE:
        raise InvalidInput(f"“{QUEUE}” is the name of the queue that is always there. Choose another name.")
    if name:
        return name
    taken = set(session.exec(select(Task.name).where(Task.project_id == project_id)))
    number = next(number for number in range(1, len(taken) + 2) if _numbered(NAMES[kind], number) not in taken)
    return _numbered(NAMES[kind], number)


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name} {number}"


def _guidelines(text: str) -> str:
    if len(text) > LONGEST_GUIDELINES:
        raise InvalidInput(f"The guidelines have at most {LONGEST_GUIDELINES} characters.")
    return text.strip().replace("\x00", "")


def _refuse_closed(task: Task) -> None:
    if task.status is TaskStatus.CLOSED:
        raise Conflict("This task was closed, and closed tasks stay closed. Make a new one instead.")


def _keep_version(session: Session, actor: Actor, task: Task, reason: str) -> RubricVersion:
    version = RubricVersion(
        task_id=task.id or 0,
        number=task.rubric_version,
        rubric=task.rubric,
        guidelines=task.guidelines,
        reason=reason.strip(),
        author_id=actor.account_id,
    )
    session.add(version)
    return version


def _note(session: Session, actor: Actor, task: Task, action: str, **detail: Any) -> None:
    audit.record(session, actor, f"task.{action}", project_id=task.project_id, subject=f"task:{task.id}", **detail)
