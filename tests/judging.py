"""Judging tasks of every kind, with every type of question, over texts as they come in: for tests and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlmodel import Session

from backend.access.actors import Actor
from backend.rubrics import DEFAULT_RATING_RUBRIC, Question, Rubric
from backend.store.items import add_items
from backend.store.models import ModelVersion, Response
from backend.store.records import Project
from backend.store.work import RubricVersion, Task
from backend.vocabulary import QuestionType, Role, TaskKind
from tests.factories import a_person, a_project, a_record

EVERY_TYPE = Rubric(
    (
        Question("helpful", "How much does it help the customer?", ("Not at all", "A little", "Mostly", "Fully")),
        Question("polite", "Is it polite?", type=QuestionType.YES_NO),
        Question("length", "How long is it?", ("Too short", "Just right", "Too long"), QuestionType.SINGLE),
        Question(
            "lacks", "What does it lack?", ("A next step", "A source", "An apology"), QuestionType.MULTIPLE, required=False
        ),
        Question(
            "faults", "What is wrong, and where?", ("Wrong fact", "Rude", "Off topic"), QuestionType.SPANS, required=False
        ),
        Question("better", "How would you answer?", type=QuestionType.TEXT, required=False),
    )
)
"""One question of each type."""

WHY = Rubric((Question("why", "What decided it?", ("The facts", "The tone", "The length"), QuestionType.SINGLE),))

GUIDELINES = """## What counts

1. **Facts first.** A wrong fact is worse than a cold tone.
2. Prefer what a customer could *act on at once*.

> When in doubt, ask: would I send this to my own customer?

See the [style guide](https://example.org/style) for the tone. ![logo](https://example.org/logo.png)
"""

ANSWERS = (
    "Yes, we ship to 30303. Delivery takes **2 to 3 business days**, and you will get a tracking link by e-mail.",
    "Please enter your zip code at checkout.",
    "We ship there 🚚. Steps:\n\n1. Put the rug into the basket\n2. Choose *standard delivery*\n3. Pay\n\nIt takes 2 days.",
    "No idea, sorry. Orders usually arrive at some point, so just wait.",
)
LONG = "\n\n".join(
    f"Paragraph {n}. Our warehouse sends every parcel with a carrier of its choice, and it can be followed all the way. "
    "If it is late, write to us with the order number, and we look for it with the carrier on the same day."
    for n in range(1, 13)
)


@dataclass
class Judging:
    """A project with open tasks, by name, and its people."""

    project: Project
    lead: Actor
    raters: list[Actor]
    versions: list[ModelVersion]
    tasks: dict[str, Task] = field(default_factory=dict)


def judging(session: Session, *, raters: int = 2) -> Judging:
    """The project without tasks. Names of versions must never reach a rater."""
    project = a_project(session)
    lead = a_person(session, "lead@example.org", project=project, role=Role.LEAD)
    people = [a_person(session, f"rater{n}@example.org", project=project, role=Role.RATER) for n in range(1, raters + 1)]
    versions = [
        ModelVersion(
            project_id=project.id or 0,
            number=n,
            name=f"secretname{n}",
            base_model="secretbase",
            adapter=f"/secret/adapter{n}",
            served_as=f"served-secret-v{n}",
        )
        for n in range(1, 5)
    ]
    session.add_all(versions)
    session.flush()
    return Judging(project, lead, people, versions)


def add_task(
    session: Session,
    made: Judging,
    kind: TaskKind,
    name: str,
    *,
    items: int,
    rubric: Rubric | None = None,
    overlap: int = 1,
    **columns: object,
) -> Task:
    """An open task over `items` questions; a ranking has four responses to each. The third one's answers are long."""
    asked = rubric or (DEFAULT_RATING_RUBRIC if kind is TaskKind.RATE else Rubric(()))
    task = Task(
        project_id=made.project.id or 0,
        kind=kind,
        name=name,
        rubric=asked.to_json(),
        guidelines=GUIDELINES,
        overlap=overlap,
        **columns,
    )
    session.add(task)
    session.flush()
    session.add(RubricVersion(task_id=task.id or 0, number=1, rubric=task.rubric, guidelines=GUIDELINES))
    count = {TaskKind.RATE: 1, TaskKind.COMPARE: 2, TaskKind.RANK: 4}[kind]
    subjects: list[dict[str, object]] = []
    for n in range(items):
        prompt = f"Do you ship to zip code {30303 + n}? I need the rug by Friday."
        record = a_record(session, made.project, prompt=f"{name}: {prompt}", answer=ANSWERS[0])
        responses = [
            Response(
                project_id=made.project.id or 0,
                version_id=made.versions[place].id,
                record_id=record.id,
                prompt=[
                    {"role": "user", "content": "Hello, are you there?"},
                    {"role": "assistant", "content": "Hello! How can I help you today?"},
                    {"role": "user", "content": prompt},
                ],
                reference=ANSWERS[0],
                text=LONG if n == 2 and place == 0 else ANSWERS[(n + place) % len(ANSWERS)],
            )
            for place in range(count)
        ]
        session.add_all(responses)
        session.flush()
        ids = [response.id or 0 for response in responses]
        if kind is TaskKind.RATE:
            subjects.append({"response_id": ids[0]})
        elif kind is TaskKind.COMPARE:
            subjects.append({"first_response_id": ids[0], "second_response_id": ids[1]})
        else:
            subjects.append({"response_ids": ids})
    add_items(session, task=task, subjects=subjects)
    made.tasks[name] = task
    return task


def every_kind(session: Session, made: Judging, *, items: int = 12) -> None:
    """A task of each kind, and one with every type of question."""
    add_task(session, made, TaskKind.RATE, "Four scales", items=items)
    add_task(session, made, TaskKind.RATE, "Every question", items=items, rubric=EVERY_TYPE, options={"show_reference": True})
    add_task(session, made, TaskKind.COMPARE, "Which is better", items=items)
    add_task(session, made, TaskKind.COMPARE, "Better and why", items=items, rubric=WHY)
    add_task(session, made, TaskKind.RANK, "Put in order", items=items)
