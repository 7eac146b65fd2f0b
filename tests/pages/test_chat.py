"""The chat and feedback pages, run as Streamlit runs them, against an engine on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from backend import runtime
from backend.access.sessions import COOKIE, open_session
from backend.runtime import Runtime
from backend.store.conversations import ChatTurn, Feedback
from backend.store.records import Project, Record
from backend.vocabulary import Role, Thumb
from tests.backend.serving.fake_engine import fake_engine
from tests.backend.serving.test_chatting import a_speaking_project, an_exchange
from tests.factories import a_person, a_project

PAGES = Path(__file__).resolve().parents[2] / "pages"


@pytest.fixture
def speaking(house: Runtime, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """A runtime whose engine is the fake one."""
    with fake_engine() as (url, _):
        monkeypatch.setenv("TOUCHSTONE_ENGINE_URL", url)
        made = runtime.current()
        yield made
        made.database.dispose()
        runtime.forget(made)


def visitor(house: Runtime, page: str, role: Role = Role.RATER, *, current: bool = True) -> AppTest:
    """A page as somebody with this role sees it."""
    with house.database.writing() as session:
        project = a_speaking_project(session) if current else a_project(session)
        person = a_person(session, f"{role}@example.org", project=project, role=role)
        token = open_session(session, account_id=person.account_id or 0, hours=1)
        session.commit()
    test = AppTest.from_file(str(PAGES / page), default_timeout=90)
    test.session_state[COOKIE] = token
    return test


def test_an_answer_streams_in_and_both_turns_are_kept(speaking: Runtime) -> None:
    page = visitor(speaking, "chat.py").run()
    page.chat_input[0].set_value("Do you ship?").run()
    assert not page.exception
    with speaking.database.reading() as session:
        assert [turn.text for turn in session.exec(select(ChatTurn).order_by(ChatTurn.position))] == [
            "Do you ship?",
            "You asked: Do you ship?",
        ]
    assert any("You asked" in element.value for element in page.markdown)


def test_hostile_text_reaches_the_page_escaped(speaking: Runtime) -> None:
    page = visitor(speaking, "chat.py").run()
    page.chat_input[0].set_value("![x](http://evil.example/x.png) <script>alert(1)</script> :red[hi] $x$").run()
    shown = [element.value for element in page.markdown]
    assert any("\\!\\[x\\]" in value for value in shown)
    assert not any("![x]" in value or "<script>" in value or ":red[" in value for value in shown)


def test_when_the_engine_breaks_the_question_stays_and_can_be_asked_again(speaking: Runtime) -> None:
    page = visitor(speaking, "chat.py").run()
    page.chat_input[0].set_value("break").run()
    assert "broke off" in page.error[0].value
    page.run()
    assert [button.label for button in page.button] == ["New chat", "Ask again"]
    with speaking.database.reading() as session:
        assert [turn.role for turn in session.exec(select(ChatTurn))] == ["user"]


def test_without_a_current_version_the_page_says_who_does_what(house: Runtime) -> None:
    page = visitor(house, "chat.py", current=False).run()
    assert "Promote" in page.info[0].value
    assert not page.chat_input


def test_a_form_below_the_answer_sends_a_complaint_to_the_queue(speaking: Runtime) -> None:
    page = visitor(speaking, "chat.py").run()
    page.chat_input[0].set_value("hello").run()
    with speaking.database.reading() as session:
        turn = session.exec(select(ChatTurn.id).where(ChatTurn.role == "assistant")).one()
    page.text_area(key=f"comment_{turn}").set_value("This is wrong")
    page.checkbox(key=f"person_{turn}").check()
    page.button(key=f"send_{turn}").click().run()
    assert not page.exception
    with speaking.database.reading() as session:
        kept = session.exec(select(Feedback)).one()
        assert (kept.comment, kept.wants_person) == ("This is wrong", True)
        assert session.get_one(Record, kept.record_id).prompt == "hello"


def test_the_feedback_page_teaches_when_empty_and_lists_complaints_until_they_are_answered(house: Runtime) -> None:
    from backend.serving.receiving import Opinion, give_feedback

    page = visitor(house, "feedback.py", Role.LEAD)
    assert "No feedback yet" in page.run().info[0].value
    with house.database.writing() as session:
        project = session.exec(select(Project)).one()
        rater = a_person(session, "r@example.org", project=project, role=Role.RATER)
        turn = an_exchange(session, rater, project, "q", "a")
        give_feedback(session=session, actor=rater, turn_id=turn, opinion=Opinion(thumb=Thumb.DOWN, comment="no"))
    page.run()
    assert page.metric[3].value == "1"
    next(button for button in page.button if button.label == "Mark as answered").click().run()
    assert page.metric[3].value == "0"
    assert not page.exception


def test_an_old_complaint_stays_listed_however_much_praise_comes_after_it(house: Runtime) -> None:
    page = visitor(house, "feedback.py", Role.LEAD)
    with house.database.writing() as session:
        project_id = session.exec(select(Project.id)).one()
        session.add(Feedback(project_id=project_id, csat=2, comment="the old complaint"))
        session.flush()
        session.add_all(Feedback(project_id=project_id, thumb=Thumb.UP) for _ in range(201))
        session.commit()
    assert [button.label for button in page.run().button] == ["Mark as answered"]
    assert any("the old complaint" in element.value for element in page.markdown)


def test_home_counts_what_must_be_answered_and_no_praise(house: Runtime) -> None:
    page = visitor(house, "home.py", Role.LEAD)
    with house.database.writing() as session:
        project_id = session.exec(select(Project.id)).one()
        session.add_all(Feedback(project_id=project_id, thumb=thumb) for thumb in (Thumb.UP, Thumb.UP, Thumb.DOWN))
        session.commit()
    waiting = {element.label: element.value for element in page.run().metric}
    assert next(value for label, value in waiting.items() if "Complaints" in label) == "1"
