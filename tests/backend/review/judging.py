"""A judging task with people around it, for tests of gold, mixing, rulings and the pages that show them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import col, select

from backend.access.actors import Actor
from backend.review import annotating, setting_gold
from backend.review.work_items import WorkItem
from backend.rubrics import NO_QUESTIONS, Question, Rubric
from backend.store.database import Database
from backend.store.items import add_items
from backend.store.models import Response
from backend.store.work import Annotation, Item, Task
from backend.vocabulary import QuestionType, Role, TaskKind, Verdict
from tests.factories import a_person, a_project, a_record

RUBRIC = Rubric(
    (
        Question("tone", "How does it sound?", ("Rude", "Cold", "Neutral", "Friendly", "Just right")),
        Question("fits", "Does it answer the question?", type=QuestionType.YES_NO),
    )
)


@dataclass
class Judging:
    """One task; item number n asks "Question n?"."""

    database: Database
    project: int
    task: int
    kind: TaskKind
    people: dict[str, Actor]
    items: list[int]
    numbers: dict[str, int] = field(default_factory=dict)

    def call(self, use_case: Callable[..., Any], who: str = "lead", **given: Any) -> Any:
        with self.database.writing() as session:
            return use_case(session=session, actor=self.people[who], **given)

    def of_project(self, use_case: Callable[..., Any], who: str = "lead", **given: Any) -> Any:
        return self.call(use_case, who, project_id=self.project, **given)

    def next(self, who: str = "ann", count: int = 1, besides: tuple[int, ...] = ()) -> tuple[WorkItem, ...]:
        found: tuple[WorkItem, ...] = self.call(annotating.next_items, who, task_id=self.task, count=count, besides=besides)
        return found

    def answer(self, item: WorkItem, who: str = "ann", *, good: bool = True, **more: Any) -> Annotation:
        """Right as `gold` knows it, or wrong."""
        saved: Annotation = self.call(
            annotating.submit, who, slot_id=item.slot_id, fence=item.fence, **self.said(item, good), **more
        )
        return saved

    def said(self, item: WorkItem, good: bool) -> dict[str, Any]:
        if self.kind is TaskKind.COMPARE:
            right = Verdict.LEFT if item.texts[0].startswith("first") else Verdict.RIGHT
            wrong = Verdict.RIGHT if right is Verdict.LEFT else Verdict.LEFT
            return {"verdict": right if good else wrong}
        if self.kind is TaskKind.RANK:
            places = sorted(range(len(item.texts)), key=lambda place: item.texts[place])
            return {"ranking": [[place] for place in (places if good else places[::-1])]}
        return {"answers": {"tone": 4, "fits": True} if good else {"tone": 1, "fits": False}}

    def gold(self, number: int, *, calibration: bool = False, explanation: str = "Because.", who: str = "lead") -> None:
        answer: dict[str, Any] = {"answers": {"tone": 4, "fits": True}}
        if self.kind is TaskKind.COMPARE:
            answer = {"verdict": Verdict.LEFT}
        elif self.kind is TaskKind.RANK:
            answer = {"ranking": [[0], [1], [2]]}
        self.of_project(
            setting_gold.mark,
            who,
            item_id=self.items[number],
            calibration=calibration,
            explanation=explanation,
            **answer,
        )

    def rate_all(self, who: str = "ann", *, most: int = 10_000, good: bool = True) -> Iterator[Item]:
        """Answer one item after the other; what each was."""
        for _ in range(most):
            found = self.next(who)
            if not found:
                return
            saved = self.answer(found[0], who, good=good)
            with self.database.reading() as session:
                yield session.get_one(Item, saved.item_id)

    def set_options(self, **options: Any) -> None:
        with self.database.writing() as session:
            task = session.get_one(Task, self.task)
            task.options = {**task.options, **options}
            session.add(task)
            session.commit()

    def annotations(self, who: str | None = None) -> list[Annotation]:
        with self.database.reading() as session:
            query = select(Annotation).order_by(col(Annotation.id))
            if who is not None:
                query = query.where(Annotation.account_id == self.people[who].account_id)
            return list(session.exec(query))


def judging(database: Database, kind: TaskKind = TaskKind.RATE, *, items: int = 6, overlap: int = 2, **options: Any) -> Judging:
    """Raters ann, bob and cem, a lead, an expert, and the lead of another project."""
    with database.writing() as session:
        project, other = a_project(session), a_project(session, "other")
        people = {
            name: a_person(session, f"{name}@example.org", project=project, role=Role.RATER) for name in ("ann", "bob", "cem")
        }
        people["lead"] = a_person(session, "lead@example.org", project=project, role=Role.LEAD)
        people["eva"] = a_person(session, "eva@example.org", project=project, role=Role.EXPERT)
        people["stranger"] = a_person(session, "stranger@example.org", project=other, role=Role.LEAD)
        task = Task(
            project_id=project.id or 0,
            kind=kind,
            name="How good?",
            overlap=overlap,
            rubric=(RUBRIC if kind is TaskKind.RATE else NO_QUESTIONS).to_json(),
            options=options,
            seed=5,
        )
        session.add(task)
        shown = {TaskKind.RATE: 1, TaskKind.COMPARE: 2, TaskKind.RANK: 3}[kind]
        subjects: list[dict[str, Any]] = []
        for number in range(items):
            record = a_record(session, project, prompt=f"Question {number}?", answer=f"Truth {number}.")
            responses = [
                Response(
                    project_id=project.id or 0,
                    record_id=record.id,
                    prompt=[{"role": "user", "content": f"Question {number}?"}],
                    reference=f"Truth {number}.",
                    text=f"{word} {number}",
                    slices={"language": "es" if number % 2 else "en"},
                )
                for word in ("first", "second", "third")[:shown]
            ]
            session.add_all(responses)
            session.flush()
            ids = [response.id or 0 for response in responses]
            subject: dict[str, Any] = {"response_id": ids[0]}
            if kind is TaskKind.COMPARE:
                subject = {"first_response_id": ids[0], "second_response_id": ids[1]}
            elif kind is TaskKind.RANK:
                subject = {"response_ids": ids}
            subjects.append(subject)
        add_items(session, task=task, subjects=subjects)
        session.flush()
        listed = session.exec(select(Item).where(Item.task_id == task.id).order_by(col(Item.position))).all()
        made = Judging(database, project.id or 0, task.id or 0, kind, people, [item.id or 0 for item in listed])
        session.commit()
    return made
