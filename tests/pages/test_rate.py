from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToJson
from sqlmodel import col, select
from streamlit.testing.v1 import AppTest

from backend.access.sessions import COOKIE, open_session
from backend.rubrics import DEFAULT_RATING_RUBRIC
from backend.runtime import Runtime
from backend.store.accounts import Account
from backend.store.items import add_items
from backend.store.models import ModelVersion, Response
from backend.store.records import RecordComment
from backend.store.work import Annotation, Slot, Task
from backend.vocabulary import Role, TaskKind, TaskStatus
from pages.components import desk
from tests.factories import a_person, a_project, a_record

PAGE = str(Path(__file__).parents[2] / "pages" / "rate.py")
SECRETS = ("secretbase", "secrettuned", "served-aaa", "served-bbb", "adapter-xyz", "modelversion", "version_id", "served_as")


def a_desk(house: Runtime, kind: TaskKind, *, role: Role = Role.RATER, questions: int = 2, guidelines: str = "") -> AppTest:
    """The page as one rater sees it, over a task of `questions` items."""
    with house.database.writing() as session:
        project = a_project(session)
        actor = a_person(session, "ann@example.org", project=project, role=role)
        session.get_one(Account, actor.account_id).preferences = {"fast_desk": False}
        versions = [
            ModelVersion(
                project_id=project.id or 0,
                number=n,
                name=name,
                base_model="secretbase",
                adapter="adapter-xyz",
                served_as=served,
            )
            for n, (name, served) in enumerate((("secretbase", "served-aaa"), ("secrettuned", "served-bbb")))
        ]
        rubric = DEFAULT_RATING_RUBRIC.to_json() if kind is TaskKind.RATE else {}
        task = Task(project_id=project.id or 0, kind=kind, name="spring task", rubric=rubric, guidelines=guidelines)
        session.add_all([*versions, task])
        session.flush()
        subjects = []
        for n in range(questions):
            record = a_record(session, project, prompt=f"question {n}", answer="truth")
            pair = [
                Response(
                    project_id=project.id or 0,
                    version_id=version.id,
                    record_id=record.id,
                    prompt=[{"role": "user", "content": f"question {n}"}],
                    text=f"<b>answer</b> {n} {'one' if version is versions[0] else 'two'}",
                )
                for version in versions
            ]
            session.add_all(pair)
            session.flush()
            first, second = (response.id or 0 for response in pair)
            compare = {"first_response_id": first, "second_response_id": second}
            subjects.append(compare if kind is TaskKind.COMPARE else {"response_id": first})
        add_items(session, task=task, subjects=subjects)
        token = open_session(session, account_id=actor.account_id or 0, hours=1)
        session.commit()
    page = AppTest.from_file(PAGE, default_timeout=90)
    page.session_state[COOKIE] = token
    return page.run()


def annotations(house: Runtime) -> list[Annotation]:
    with house.database.reading() as session:
        return list(session.exec(select(Annotation).order_by(col(Annotation.id))))


def press(page: AppTest, label: str) -> AppTest:
    (button,) = [button for button in page.button if button.label.startswith(label)]
    return button.click().run()


def points(page: AppTest, point: int) -> AppTest:
    """Press the digit: the button that has this key now."""
    (button,) = [button for button in page.button if button.proto.shortcut == str(point)]
    return button.click().run()


@pytest.fixture(autouse=True)
def _no_repeat_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest presses faster than any hand; the guard against key repeat has its own test."""
    monkeypatch.setattr(desk, "REPEAT_SECONDS", 0.0)


def sent(page: AppTest) -> str:
    """Everything that the page sends to the browser, as JSON."""
    return "".join(MessageToJson(node.proto) for node in page._tree if getattr(node, "proto", None) is not None)


def test_four_digits_rate_an_item_and_bring_the_next(house: Runtime) -> None:
    page = a_desk(house, TaskKind.RATE)
    assert not page.exception
    for digit in (5, 4, 3, 2):
        page = points(page, digit)
    (stored,) = annotations(house)
    assert stored.answers == {"relevance": 5, "fluency": 4, "correctness": 3, "tone": 2}
    assert stored.seconds is not None
    assert any("answer</b> 1" in text.value for text in page.text)
    assert any("**1** waiting for you" in line.value and "**1** today" in line.value for line in page.markdown)


def test_a_rated_comment_is_saved_and_undo_shows_the_answer_again(house: Runtime) -> None:
    page = a_desk(house, TaskKind.RATE)
    page.text_area[0].set_value("half true").run()
    for _ in range(4):
        page = points(page, 5)
    page = press(page, "Undo")
    assert page.text_area[0].value == "half true"
    assert "changing your last answer" in page.info[0].value
    page = press(page, "1 · Rude")
    page = press(page, "Save the changed")
    assert [(row.number, row.answers["tone"], row.comment) for row in annotations(house)] == [
        (1, 5, "half true"),
        (2, 1, "half true"),
    ]


@pytest.mark.parametrize(
    ("label", "verdict"), [("Left", "left"), ("Right", "right"), ("Equally", "tie"), ("Both bad", "both_bad")]
)
def test_each_verdict_is_stored_by_side(house: Runtime, label: str, verdict: str) -> None:
    page = press(a_desk(house, TaskKind.COMPARE), label)
    assert not page.exception
    assert [row.verdict for row in annotations(house)] == [verdict]


def test_nothing_about_the_versions_reaches_the_browser_before_the_answer(house: Runtime) -> None:
    page = a_desk(house, TaskKind.COMPARE)
    everything = sent(page).lower()
    assert "answer</b> 0" in everything
    for secret in SECRETS:
        assert secret not in everything


def test_the_left_card_is_what_the_server_drew(house: Runtime) -> None:
    page = a_desk(house, TaskKind.COMPARE)
    shown = [text.value for text in page.text if "answer</b>" in text.value]
    with house.database.reading() as session:
        swapped = session.exec(select(Slot.swapped).where(col(Slot.account_id).is_not(None))).one()
    assert shown == [f"<b>answer</b> 0 {which}" for which in (("two", "one") if swapped else ("one", "two"))]


def test_a_press_meant_for_the_item_before_changes_nothing(house: Runtime) -> None:
    """The first press was saved and the next item is in hand, but the browser still shows the buttons of the old one."""
    page = a_desk(house, TaskKind.COMPARE)
    (held,) = page.session_state["desk-hand"].items.values()
    held[0] = dataclasses.replace(held[0], slot_id=held[0].slot_id + 1)
    press(page, "Left")
    assert annotations(house) == []


def test_a_key_that_repeats_answers_once(house: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "REPEAT_SECONDS", 60.0)
    page = a_desk(house, TaskKind.COMPARE)
    press(press(page, "Left"), "Left")
    assert len(annotations(house)) == 1


def test_skip_and_flag(house: Runtime) -> None:
    page = a_desk(house, TaskKind.COMPARE)
    page.text_area[0].set_value("names a person").run()
    page = press(page, "Flag")
    with house.database.reading() as session:
        assert session.exec(select(RecordComment.text)).all() == ["names a person"]
    page = press(page, "Skip")
    assert any("answer</b> 1" in text.value for text in page.text)
    page = press(page, "Skip")
    assert "Nothing is left" in page.success[0].value
    assert annotations(house) == []


def test_a_reload_goes_on_with_the_same_item(house: Runtime) -> None:
    page = a_desk(house, TaskKind.RATE)
    again = AppTest.from_file(PAGE, default_timeout=90)
    again.session_state[COOKIE] = page.session_state[COOKIE]
    again.run()
    assert any("answer</b> 0" in text.value for text in again.text)


def test_an_item_that_went_to_somebody_else_is_said_to_be_lost(house: Runtime) -> None:
    page = a_desk(house, TaskKind.COMPARE)
    with house.database.writing() as session:
        slot = session.exec(select(Slot).where(col(Slot.account_id).is_not(None))).one()
        slot.fence += 1
        session.add(slot)
        session.commit()
    page = press(page, "Left")
    assert annotations(house) == []
    assert page.session_state["notices"][0][0] == "error"


def test_a_task_closed_meanwhile_leaves_the_desk(house: Runtime) -> None:
    page = a_desk(house, TaskKind.COMPARE)
    with house.database.writing() as session:
        session.exec(select(Task)).one().status = TaskStatus.CLOSED
        session.commit()
    page.run()
    assert "nothing to rate" in page.info[0].value


def test_guidelines_are_shown_as_they_were_typed(house: Runtime) -> None:
    page = a_desk(house, TaskKind.COMPARE, guidelines="![x](http://evil.example/x.png) :red[loud]")
    assert "![x](http://evil.example/x.png) :red[loud]" in [text.value for text in page.text]


@pytest.mark.parametrize("signed_in", [True, False])
def test_who_is_not_in_the_project_sees_no_item(house: Runtime, signed_in: bool) -> None:
    page = a_desk(house, TaskKind.COMPARE)
    other = AppTest.from_file(PAGE, default_timeout=90)
    other.session_state[COOKIE] = "made up"
    if signed_in:
        with house.database.writing() as session:
            stranger = a_person(session, "stranger@example.org")
            other.session_state[COOKIE] = open_session(session, account_id=stranger.account_id or 0, hours=1)
            session.commit()
    other.run()
    assert not other.exception
    assert other.button.len == 0
    assert page.button.len > 0
