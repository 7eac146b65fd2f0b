"""A generated project with very many judgements, written by bulk inserts: records, answers of six versions, tasks, annotations.

The same rows come from the same seed. Shares: 6 of 10 annotations are comparisons, 3 ratings, 1 a ranking; every item has
two raters; the newest items are open; one in 200 finished items has a ruling, one in 50 is disputed, one in 20 is gold.
Better versions win more often, one language is served worse by all of them, and lengths differ, so that every figure has
something to find.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations, islice
from typing import Any

from sqlalchemy import case, insert, update
from sqlmodel import Session, col, select

from backend.rubrics import DEFAULT_RATING_RUBRIC, Question, Rubric
from backend.store.accounts import Account, Membership
from backend.store.base import now
from backend.store.database import Database
from backend.store.models import Evaluation, ModelVersion, Response, Snapshot
from backend.store.records import Project, Record, RecordRevision
from backend.store.work import Adjudication, Annotation, Gold, Item, Slot, Task
from backend.vocabulary import ItemPurpose, ItemStatus, QuestionType, RecordStatus, Role, TaskKind, Verdict

VERSIONS, RATERS, DAYS = 6, 40, 60
CHUNK = 20_000
LANGUAGES, CHANNELS = ("en", "de", "es", "pt", "fr"), ("chat", "mail", "phone", "app")
SEGMENTS, TOPICS = ("new", "regular", "business"), ("refund", "delivery", "account", "product", "warranty", "other")
RUBRIC = Rubric(
    (
        *DEFAULT_RATING_RUBRIC.questions,
        Question("safe", "Is it safe to send?", type=QuestionType.YES_NO),
        Question("fault", "What is wrong?", ("wrong fact", "rude", "too long"), type=QuestionType.MULTIPLE, required=False),
    )
)
REASONS = Rubric((Question("why", "Why?", ("clearer", "more correct", "kinder"), type=QuestionType.MULTIPLE, required=False),))


def written(session: Session, table: Any, rows: Iterator[dict[str, Any]]) -> int:
    """Insert the rows by the chunk; returns how many."""
    count = 0
    while chunk := list(islice(rows, CHUNK)):
        session.connection().execute(insert(table.__table__), chunk)
        count += len(chunk)
    return count


class Maker:
    """Makes one project with about `annotations` annotations."""

    def __init__(self, annotations: int, seed: int = 0) -> None:
        self.chance = random.Random(seed)
        self.annotations = annotations
        self.questions = max(50, annotations // 20)
        self.start = now() - timedelta(days=DAYS)

    def make(self, database: Database) -> int:
        """Write everything; returns the project's id."""
        with database.writing() as session:
            self.people(session)
            self.records(session)
            self.responses(session)
            self.tasks(session)
            self.judge(session)
            self.watch(session)
            session.commit()
        return self.project

    def watch(self, session: Session) -> None:
        """One finished item in 50 is disputed; one in 20 is one of a hundred gold items, answered by the raters it has."""
        mine = col(Item.task_id).in_(select(col(Task.id)).where(col(Task.project_id) == self.project))
        finished = (mine, col(Item.status) == ItemStatus.DONE)
        session.connection().execute(
            update(Item).where(*finished, col(Item.id) % 50 == 0).values(status=ItemStatus.DISPUTED, dispute=0.6)
        )
        tasks = session.exec(select(Task.id).where(Task.project_id == self.project, Task.kind != TaskKind.LABEL)).all()
        for task in tasks:
            work = select(col(Item.id)).where(col(Item.task_id) == task, col(Item.id) % 20 != 1)
            known = session.connection().execute(work.limit(100)).scalars().all()
            session.add_all([Gold(item_id=item, calibration=item % 5 == 0) for item in known])
            if known:
                copies = (col(Item.task_id) == task, col(Item.id) % 20 == 1)
                values = {"purpose": ItemPurpose.GOLD, "copy_of": known[0] + col(Item.id) % 100}
                session.connection().execute(update(Item).where(*copies).values(values))
        session.flush()
        gold = select(col(Item.id)).where(col(Item.purpose) == ItemPurpose.GOLD)
        score = case((col(Annotation.id) % 7 < 5, 1.0), else_=0.0)
        session.connection().execute(update(Annotation).where(col(Annotation.item_id).in_(gold)).values(score=score))

    def people(self, session: Session) -> None:
        project = Project(slug="large", name="Large")
        session.add(project)
        people = [Account(email=f"rater{n}@example.org", name=f"Rater {n}") for n in range(RATERS)]
        lead = Account(email="lead@example.org", name="Lead")
        session.add_all([*people, lead])
        session.flush()
        self.project, self.raters, self.lead = project.id or 0, [one.id or 0 for one in people], lead.id or 0
        session.add_all([Membership(account_id=one, project_id=self.project, role=Role.RATER) for one in self.raters])
        session.add(Membership(account_id=self.lead, project_id=self.project, role=Role.LEAD))
        self.versions = [
            ModelVersion(project_id=self.project, number=n, name=f"Version {n}", base_model="m", served_as=f"large-v{n}")
            for n in range(VERSIONS)
        ]
        session.add_all(self.versions)
        snapshot = Snapshot(project_id=self.project, number=1, content_hash="0" * 64, folder="large-0001")
        session.add(snapshot)
        session.flush()
        self.evaluation = Evaluation(
            project_id=self.project,
            snapshot_id=snapshot.id or 0,
            base_version_id=self.versions[0].id or 0,
            candidate_version_id=self.versions[-1].id or 0,
            finished_at=now(),
        )
        session.add(self.evaluation)
        session.flush()

    def records(self, session: Session) -> None:
        one = self.chance.choice
        self.slices = [
            {"language": one(LANGUAGES), "channel": one(CHANNELS), "segment": one(SEGMENTS), "topic": one(TOPICS)}
            for _ in range(self.questions)
        ]
        rows = (
            {"id": n + 1, "project_id": self.project, "external_id": "", "group_key": "", "cluster": "",
             "content_hash": f"{n:064d}", "status": RecordStatus.PENDING, "head": 1, "prompt": f"Question {n}? " * (1 + n % 20),
             "answer": f"Answer {n}.", "slices": each, "created_at": self.start}
            for n, each in enumerate(self.slices)
        )  # fmt: skip
        written(session, Record, rows)
        revisions = (
            {"record_id": n + 1, "number": 1, "messages": [], "content_hash": f"{n:064d}", "reason": "",
             "created_at": self.start + timedelta(minutes=n % 80_000)}
            for n in range(self.questions)
        )  # fmt: skip
        written(session, RecordRevision, revisions)

    def responses(self, session: Session) -> None:
        """The answer of version v to question q has the id q * VERSIONS + v + 1."""
        text = "An answer of some length that says what to do next. "
        rows = (
            {"project_id": self.project, "evaluation_id": self.evaluation.id, "version_id": version.id, "record_id": q + 1,
             "prompt": [{"role": "user", "content": f"Question {q}?"}], "reference": "", "decoding": {},
             "text": text * (1 + self.chance.randrange(5 + v)), "slices": self.slices[q], "created_at": self.start,
             "metrics": {"exact_match": float(self.chance.random() < 0.1 * v), "rouge_l": round(self.chance.random(), 3)}}
            for q in range(self.questions)
            for v, version in enumerate(self.versions)
        )  # fmt: skip
        written(session, Response, rows)

    def tasks(self, session: Session) -> None:
        kinds = [TaskKind.COMPARE, TaskKind.COMPARE, TaskKind.RATE, TaskKind.RANK]
        made = [
            Task(
                project_id=self.project,
                kind=kind,
                name=f"Task {n}",
                overlap=2,
                overlap_max=3 if n == 0 else None,
                rubric=(RUBRIC if kind is TaskKind.RATE else REASONS).to_json(),
                created_at=self.start,
            )
            for n, kind in enumerate(kinds, start=0)
        ]
        session.add_all(made)
        session.flush()
        self.of_task = [task.id or 0 for task in made]

    def subjects(self) -> Iterator[tuple[int, dict[str, Any], int, list[int]]]:
        """(task, the item's columns, question, versions), two annotations each, without end."""
        pairs = list(combinations(range(VERSIONS), 2))
        for n in range(10**9):
            q, turn = n % self.questions, n // self.questions
            first = q * VERSIONS + 1
            if n % 10 < 6:
                one, other = pairs[(turn * 7 + q) % len(pairs)]
                yield (
                    self.of_task[n % 2],
                    {"first_response_id": first + one, "second_response_id": first + other},
                    q,
                    [one, other],
                )
            elif n % 10 < 9:
                v = (turn + q) % VERSIONS
                yield self.of_task[2], {"response_id": first + v}, q, [v]
            else:
                drawn = self.chance.sample(range(VERSIONS), 3)
                yield self.of_task[3], {"response_ids": [first + v for v in drawn]}, q, drawn

    def judge(self, session: Session) -> None:
        done = self.annotations // 2
        empty = {"response_id": None, "first_response_id": None, "second_response_id": None, "response_ids": None}
        items, slots, annotations, rulings = [], [], [], []
        for n, (task, subject, q, versions) in enumerate(islice(self.subjects(), done + done // 10)):
            finished = n < done
            item = n + 1
            items.append({**empty, **subject, "id": item, "task_id": task, "position": n, "purpose": "work", "why": "",
                          "status": ItemStatus.DONE if finished else ItemStatus.OPEN, "created_at": self.start})  # fmt: skip
            raters = self.chance.sample(self.raters, 2)
            at = self.start + timedelta(days=DAYS * min(1.0, (n + 1) / done) - 0.01)
            for number, rater in enumerate(raters, start=1):
                slots.append({"task_id": task, "item_id": item, "number": number, "fence": 1, "swapped": None, "drawn": None,
                              "account_id": rater if finished else None, "done_at": at if finished else None})  # fmt: skip
                if finished:
                    annotations.append(self.annotation(task, item, rater, subject, q, versions, at))
            if finished and n % 200 == 0:
                ruling = annotations[-1]
                rulings.append({**{key: ruling[key] for key in ("project_id", "task_id", "item_id", "answers", "verdict",
                                "winner_response_id", "ranking", "created_at")}, "number": 1, "suggested": {}, "reason": "So.",
                                "author_id": self.lead})  # fmt: skip
            if len(items) >= CHUNK:
                self.flush(session, items, slots, annotations, rulings)
        self.flush(session, items, slots, annotations, rulings)

    def flush(self, session: Session, *parts: list[dict[str, Any]]) -> None:
        for table, rows in zip((Item, Slot, Annotation, Adjudication), parts, strict=True):
            written(session, table, iter(rows))
            rows.clear()

    def annotation(
        self, task: int, item: int, rater: int, subject: dict[str, Any], q: int, versions: list[int], at: Any
    ) -> dict[str, Any]:
        quality = {v: v / VERSIONS - (0.3 if self.slices[q]["language"] == "pt" and v > 2 else 0) for v in versions}
        row = {"project_id": self.project, "task_id": task, "item_id": item, "fence": 1, "account_id": rater, "number": 1,
               "rubric_version": 1, "answers": {}, "comment": "", "verdict": None, "left_response_id": None,
               "right_response_id": None, "winner_response_id": None, "ranking": None, "seconds": self.chance.uniform(2, 40),
               "created_at": at}  # fmt: skip
        if "response_id" in subject:
            row["answers"] = self.rating(quality[versions[0]])
        elif "response_ids" in subject:
            order = sorted(zip(subject["response_ids"], versions, strict=True), key=lambda one: -self.felt(quality[one[1]]))
            row["ranking"] = [[response] for response, _ in order]
        else:
            row.update(self.verdict(subject, quality, versions))
        return row

    def felt(self, quality: float) -> float:
        return quality + self.chance.gauss(0, 0.5)

    def rating(self, quality: float) -> dict[str, Any]:
        points = {one.key: min(5, max(1, round(2 + 3 * self.felt(quality)))) for one in DEFAULT_RATING_RUBRIC.questions}
        faults = ["wrong fact"] if self.chance.random() < 0.1 else []
        return {**points, "safe": self.chance.random() < 0.9, "fault": faults}

    def verdict(self, subject: dict[str, Any], quality: dict[int, float], versions: list[int]) -> dict[str, Any]:
        first, second = subject["first_response_id"], subject["second_response_id"]
        swapped = self.chance.random() < 0.5
        left, right = (second, first) if swapped else (first, second)
        lead = self.felt(quality[versions[0]]) - self.felt(quality[versions[1]]) + (0.05 if left == first else -0.05)
        found = {"left_response_id": left, "right_response_id": right}
        if abs(lead) < 0.1:
            return {**found, "verdict": Verdict.TIE}
        winner = first if lead > 0 else second
        why = {"why": ["clearer"]} if self.chance.random() < 0.3 else {}
        side = Verdict.LEFT if winner == left else Verdict.RIGHT
        return {**found, "verdict": side, "winner_response_id": winner, "answers": why}
