from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, select

from backend.access.actors import Actor
from backend.errors import NotSignedIn
from backend.review import annotating
from backend.review.desk_queries import desk_tasks
from backend.review.work_items import WorkItem
from backend.runtime import Runtime
from backend.store.work import Annotation, Gold, Item, Skip, Slot, Task
from backend.vocabulary import TaskKind, Verdict
from pages.components.desk import Hand, Work, without_ids
from pages.components.fast_desk import as_json, take_entries
from tests.backend.review.test_annotating import GOOD, a_desk


@dataclass
class Visitor:
    """What the fast desk needs of a Visit: who acts, and a session to act in. `gone` ends the login."""

    house: Runtime
    actor: Actor
    gone: bool = field(default=False)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        if self.gone:
            raise NotSignedIn("Your session has ended.")
        with self.house.database.writing() as session:
            yield session


class Desk:
    """A rater's fast desk: what the browser would hold, and the server's side of it."""

    def __init__(self, house: Runtime, kind: TaskKind) -> None:
        self.made = a_desk(house.database, kind)
        self.visit = Visitor(house, self.made.people["ann"])
        self.hand = Hand(self.visit.actor.account_id or 0, house.database)
        with house.database.reading() as session:
            (self.task,) = desk_tasks(session, actor=self.visit.actor, project_id=self.made.project)
        self.fetch()

    def fetch(self) -> None:
        with self.visit.writing() as session:
            self.hand.items[self.task.id] = list(
                annotating.next_items(session=session, actor=self.visit.actor, task_id=self.task.id, count=10)
            )

    def entry(self, place: int, kind: str = "answer", **given: Any) -> dict[str, Any]:
        item = self.hand.items[self.task.id][place]
        return {"id": f"{item.slot_id}:{item.fence}:{kind}", "kind": kind, "slot": item.slot_id, "fence": item.fence, **given}

    def send(self, *entries: Any) -> dict[str, str]:
        take_entries(self.visit, self.task, self.hand, list(entries))  # type: ignore[arg-type]
        return self.hand.acknowledged[self.task.id]

    def stored(self) -> list[Annotation]:
        return self.made.annotations()


def test_a_whole_log_is_stored_in_order_and_acknowledged(house: Runtime) -> None:
    desk = Desk(house, TaskKind.RATE)
    log = [desk.entry(n, answers={**GOOD, "tone": n + 1}, seconds=1.5) for n in range(3)]
    assert desk.send(*log) == {entry["id"]: "" for entry in log}
    assert [row.answers["tone"] for row in desk.stored()] == [1, 2, 3]
    assert desk.hand.items[desk.task.id] == []


def test_a_log_that_comes_again_after_a_reload_stores_nothing_twice(house: Runtime) -> None:
    desk = Desk(house, TaskKind.COMPARE)
    log = [desk.entry(0, verdict="left"), desk.entry(1, verdict="tie")]
    desk.send(log[0])
    desk.send(*log)
    desk.hand = Hand(desk.hand.account_id, house.database)  # a new tab knows nothing of what was acknowledged
    assert desk.send(*log) == {entry["id"]: "" for entry in log}
    assert [row.verdict for row in desk.stored()] == ["left", "tie"]


def test_answers_given_after_the_session_ended_stay_in_the_browser_and_land_later(house: Runtime) -> None:
    desk = Desk(house, TaskKind.COMPARE)
    log = [desk.entry(0, verdict="both_bad")]
    desk.visit.gone = True
    assert desk.send(*log) == {}
    assert desk.hand.problem == "Your session has ended."
    desk.visit.gone = False
    assert desk.send(*log) == {log[0]["id"]: ""}
    assert desk.hand.problem == ""
    assert len(desk.stored()) == 1


def test_a_lost_item_is_acknowledged_with_the_reason(house: Runtime) -> None:
    desk = Desk(house, TaskKind.COMPARE)
    log = [desk.entry(0, verdict="left")]
    desk.fetch()  # another tab took the items over
    desk.hand = Hand(desk.hand.account_id, house.database)
    (message,) = desk.send(*log).values()
    assert "given to somebody else" in message
    assert desk.stored() == []


def test_an_answer_begun_before_the_connection_came_back_is_stored_under_the_newer_token(house: Runtime) -> None:
    desk = Desk(house, TaskKind.COMPARE)
    log = [desk.entry(0, verdict="left")]
    desk.fetch()  # this very tab holds the same items again
    assert desk.send(*log) == {log[0]["id"]: ""}
    assert [row.verdict for row in desk.stored()] == ["left"]
    assert len(desk.hand.items[desk.task.id]) == 2


def test_a_refused_answer_is_told_and_its_item_stays(house: Runtime) -> None:
    desk = Desk(house, TaskKind.RATE)
    (message,) = desk.send(desk.entry(0, answers={})).values()
    assert "Please answer" in message
    assert len(desk.hand.items[desk.task.id]) == 3


def test_a_draft_goes_through_the_log_and_the_item_stays(house: Runtime) -> None:
    desk = Desk(house, TaskKind.RATE)
    entry = desk.entry(0, "draft", content={"answers": {"tone": 2}, "comment": "hm", "at": 7})
    assert desk.send(entry) == {entry["id"]: ""}
    assert len(desk.hand.items[desk.task.id]) == 3
    desk.fetch()
    assert as_json(desk.hand.items[desk.task.id][0])["draft"] == {"answers": {"tone": 2}, "comment": "hm", "at": 7}


def test_skip_undo_keep_and_flag_go_through_the_log(house: Runtime) -> None:
    desk = Desk(house, TaskKind.RATE)
    desk.send(desk.entry(0, answers=GOOD), desk.entry(1, "skip", reason="no idea"), desk.entry(2, "flag", reason="private"))
    with house.database.reading() as session:
        assert session.exec(select(Skip.reason)).all() == ["no idea"]
    assert len(desk.hand.items[desk.task.id]) == 1
    desk.send({"id": "undo:1", "kind": "undo"})
    assert [item.correcting for item in desk.hand.items[desk.task.id]] == [True, False]
    desk.send(desk.entry(0, "keep"))
    assert [item.correcting for item in desk.hand.items[desk.task.id]] == [False]
    assert [row.number for row in desk.stored()] == [1]


def test_what_a_tampered_browser_sends_changes_nothing(house: Runtime) -> None:
    desk = Desk(house, TaskKind.COMPARE)
    good = desk.entry(0)
    strange: list[Any] = [
        None,
        "x",
        {"id": 5},
        {"id": "a", "kind": "answer", "slot": "1", "fence": True},
        {"id": "b", "kind": "drop tables"},
        {**good, "id": "c", "verdict": "winner"},
        {**good, "id": "d", "verdict": ["left"]},
        {**good, "id": "e", "verdict": "left", "comment": "x" * 6000},
        {**good, "id": "f", "fence": good["fence"] + 1, "verdict": "left"},
    ]
    desk.send(*strange)
    assert desk.stored() == []


def test_the_browser_gets_texts_and_a_slot_and_nothing_else(house: Runtime) -> None:
    desk = Desk(house, TaskKind.COMPARE)
    sent = [as_json(item) for item in desk.hand.items[desk.task.id]]
    assert set(sent[0]) == {
        "slot", "fence", "turns", "texts", "reference", "correcting", "answers", "verdict", "ranking", "comment", "draft",
        "practice", "why",
    }  # fmt: skip
    assert all(word not in json.dumps(sent) for word in ("version", "response", "record", "metrics"))


def test_marked_passages_go_to_the_browser_without_their_responses_id() -> None:
    span = {"response": 0, "start": 1, "end": 2, "reason": "Rude"}
    assert without_ids({"faults": [{**span, "response_id": 9}], "lacks": ["x"], "n": 1}) == {
        "faults": [span], "lacks": ["x"], "n": 1,
    }  # fmt: skip
    begun = Work.begun(
        WorkItem(1, 1, (), ("ab",), "", answers={"faults": [{**span, "response_id": 9}]}, draft={"ranking": [[7]]})
    )
    assert (begun.answers, begun.ranking) == ({"faults": [span]}, [])


def test_what_a_practice_item_teaches_goes_with_its_acknowledgement(house: Runtime) -> None:
    desk = Desk(house, TaskKind.COMPARE)
    with house.database.writing() as session:
        task = session.get_one(Task, desk.task.id)
        task.options = {"calibration_pass": 0.5}
        original = session.exec(select(Item).order_by(Item.position)).first()
        assert original is not None
        session.add(Gold(item_id=original.id or 0, verdict=Verdict.TIE, explanation="Both say the **same**.", calibration=True))
        session.commit()
    desk.hand.items.clear()
    with desk.visit.writing() as session:
        account = desk.visit.actor.account_id or 0
        for slot in session.exec(select(Slot).where(Slot.account_id == account)).all():
            slot.account_id = slot.expires_at = None
        session.commit()
    desk.fetch()
    (item,) = desk.hand.items[desk.task.id]
    assert item.practice
    entry = desk.entry(0, verdict="left", rubric=1)
    assert desk.send(entry) == {entry["id"]: ""}
    told = desk.hand.feedback[entry["id"]]
    assert (told["right"], told["explanation"]) == (False, "Both say the **same**.")
    assert "Equally good" in told["lines"][0]
    assert "0 of 1" in told["standing"]
