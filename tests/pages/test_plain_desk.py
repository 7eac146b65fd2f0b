"""The plain desk over every kind of task and every type of question: native widgets alone."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import col, select
from streamlit.testing.v1 import AppTest

from backend.rubrics import Rubric
from backend.runtime import Runtime
from backend.store.accounts import Account
from backend.store.items import add_items
from backend.store.records import Record
from backend.store.work import Annotation, Draft, Gold, Item, Skip, Task
from backend.vocabulary import TaskKind, Verdict
from pages.components import desk
from tests.judging import EVERY_TYPE, WHY, Judging, add_task, judging
from tests.pages.desk import opened, words


@pytest.fixture(autouse=True)
def _no_repeat_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "REPEAT_SECONDS", 0.0)


def a_page(house: Runtime, kind: TaskKind, rubric: Rubric | None = None) -> tuple[Judging, AppTest]:
    with house.database.writing() as session:
        made = judging(session)
        for actor in (made.lead, *made.raters):
            session.get_one(Account, actor.account_id).preferences = {"fast_desk": False}
        add_task(session, made, kind, "task", items=3, rubric=rubric)
        session.commit()
    return made, opened(house, made.raters[0], "rate")


def press(page: AppTest, key: str) -> AppTest:
    (button,) = [button for button in page.button if button.key and button.key.startswith(key)]
    page = button.click().run()
    assert not page.exception
    return page


def stored(house: Runtime) -> list[Annotation]:
    with house.database.reading() as session:
        return list(session.exec(select(Annotation).order_by(col(Annotation.id))))


def box(widgets: Any, start: str) -> Any:
    (found,) = [widget for widget in widgets if widget.key and widget.key.startswith(start)]
    return found


def test_every_type_of_question_is_answered_by_buttons_and_boxes(house: Runtime) -> None:
    _, page = a_page(house, TaskKind.RATE, EVERY_TYPE)
    for key in ("helpful-3", "polite-1", "length-2", "lacks-1", "lacks-3", "lacks-1"):
        page = press(page, key)
    box(page.text_input, "mark-words").set_value("30303")
    box(page.selectbox, "mark-reason").set_value("Off topic")
    page = press(page.run(), "mark-faults")
    box(page.text_area, "text-better").set_value("Better so.")
    page = page.run()
    assert stored(house) == []
    with house.database.reading() as session:
        assert session.exec(select(Draft)).one().content["answers"]["better"] == "Better so."
    press(page, "save-")
    (row,) = stored(house)
    faults = row.answers.pop("faults")
    assert row.answers == {
        "helpful": 3, "polite": True, "length": "Just right", "lacks": ["An apology"], "better": "Better so.",
    }  # fmt: skip
    assert [(one["start"], one["end"], one["reason"]) for one in faults] == [(16, 21, "Off topic")]


def test_words_that_are_not_there_cannot_be_marked_and_a_mark_can_be_removed(house: Runtime) -> None:
    _, page = a_page(house, TaskKind.RATE, EVERY_TYPE)
    box(page.text_input, "mark-words").set_value("nowhere")
    page = press(page.run(), "mark-faults")
    assert "not in the response" in words(page)
    box(page.text_input, "mark-words").set_value("ship")
    page = press(page.run(), "mark-faults")
    assert "Wrong fact: “ship”" in words(page)
    page = press(page, "unmark-faults-0")
    assert "“ship”" not in words(page)


def test_a_ranking_with_a_tie_is_made_by_buttons(house: Runtime) -> None:
    _, page = a_page(house, TaskKind.RANK)
    page = press(press(page, "place-2"), "place-0")
    page = press(press(page, "tie-"), "place-1")
    assert "3 > 1 = 2" in words(page)
    page = press(page, "save-")
    assert "every response one place" in words(page)
    page = press(press(page, "place-3"), "save-")
    (row,) = stored(house)
    assert [len(tied) for tied in row.ranking or ()] == [1, 2, 1]
    page = press(page, "undo-")
    assert "3 > 1 = 2 > 4" in words(page)


def test_a_comparison_with_a_question_saves_when_both_are_answered(house: Runtime) -> None:
    _, page = a_page(house, TaskKind.COMPARE, WHY)
    page = press(page, "tie-")
    assert stored(house) == []
    press(page, "why-2")
    assert [(row.verdict, row.answers) for row in stored(house)] == [(Verdict.TIE, {"why": "The tone"})]


def test_a_skip_names_its_reason(house: Runtime) -> None:
    _, page = a_page(house, TaskKind.COMPARE)
    box(page.selectbox, "skip-reason").set_value("Not a language that I read")
    press(page.run(), "skip-")
    with house.database.reading() as session:
        assert session.exec(select(Skip.reason)).one() == "Not a language that I read"


def test_a_draft_is_there_again_on_another_device(house: Runtime) -> None:
    made, page = a_page(house, TaskKind.RATE, EVERY_TYPE)
    page = press(press(page, "helpful-4"), "polite-2")
    box(page.text_area, "comment-").set_value("half a thought")
    page.run()
    other = opened(house, made.raters[0], "rate")
    chosen = [button.key for button in other.button if button.proto.type == "primary" and button.key]
    assert any(key.startswith("helpful-4") for key in chosen)
    assert any(key.startswith("polite-2") for key in chosen)
    assert box(other.text_area, "comment-").value == "half a thought"


def test_a_practice_item_says_what_was_right(house: Runtime) -> None:
    made, _ = a_page(house, TaskKind.COMPARE)
    with house.database.writing() as session:
        task = session.exec(select(Task)).one()
        task.options = {"calibration_pass": 1.0}
        item = session.exec(select(Item).order_by(col(Item.position))).first()
        assert item is not None
        session.add(Gold(item_id=item.id or 0, verdict=Verdict.BOTH_BAD, explanation="Neither helps.", calibration=True))
        session.commit()
    page = opened(house, made.raters[1], "rate")
    assert "Practice" in words(page)
    page = press(page, "tie-")
    assert "Neither helps." in words(page)
    assert "Right: Both bad" in words(page)


def test_label_tasks_are_a_link_to_the_review_page(house: Runtime) -> None:
    made, _ = a_page(house, TaskKind.COMPARE)
    with house.database.writing() as session:
        task = Task(project_id=made.project.id or 0, kind=TaskKind.LABEL, name="Spring clean")
        session.add(task)
        session.flush()
        record = session.exec(select(Record)).first()
        assert record is not None
        add_items(session, task=task, subjects=[{"record_id": record.id or 0}])
        session.commit()
    page = opened(house, made.lead, "rate")
    assert [link.proto.label for link in page.get("page_link")] == ["Label records: Spring clean"]
    assert not opened(house, made.raters[0], "rate").get("page_link")
