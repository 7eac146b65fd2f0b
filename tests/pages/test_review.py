"""The review page, pressed by each role: decisions, fast presses, hostile text, conflicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, select
from streamlit.testing.v1 import AppTest

from backend.access.sessions import COOKIE, open_session
from backend.conversations import Message
from backend.review import queueing, tasking
from backend.review.bulk_deciding import bulk_decide
from backend.review.filters import RecordFilter
from backend.review.selections import Selection
from backend.runtime import Runtime
from backend.store.findings import refresh_findings
from backend.store.records import Approval, Project, Record, RecordComment, RecordRevision
from backend.store.work import Skip
from backend.vocabulary import RecordStatus, Role, TaskKind, TaskStatus
from pages.components import reviewdesk
from tests.factories import a_person, a_project, a_record

PAGES = Path(__file__).resolve().parents[2] / "pages"
HOSTILE = "<script>alert(1)</script> ![x](http://example.org/x.png) :red[hot] $$x$$ <img src=x onerror=alert(1)>"


def a_shop(house: Runtime, *prompts: str, role: Role = Role.EXPERT) -> tuple[Project, str]:
    """A project with records to review, and the session token of somebody in it."""
    with house.database.writing() as session:
        project = a_project(session)
        who = a_person(session, "ann@example.org", project=project, role=role)
        for prompt in prompts:
            record = a_record(session, project, prompt=prompt, answer=f"About {prompt}", slices={"channel": prompt})
            revision = session.exec(select(RecordRevision).where(RecordRevision.record_id == record.id)).one()
            refresh_findings(session, record, revision)
        token = open_session(session, account_id=who.account_id or 0, hours=1)
        session.commit()
    return project, token


def open_page(token: str, page: str = "review", **state: Any) -> AppTest:
    at = AppTest.from_file(str(PAGES / f"{page}.py"), default_timeout=90)
    at.session_state[COOKIE] = token
    for key, value in state.items():
        at.session_state[key] = value
    at.run()
    assert not at.exception
    return at


def button(at: AppTest, label: str) -> Any:
    return next(found for found in at.button if found.label == label)


def press(at: AppTest, label: str) -> AppTest:
    button(at, label).click().run()
    assert not at.exception
    return at


def statuses(house: Runtime) -> list[str]:
    with house.database.reading() as session:
        return [record.status.value for record in session.exec(select(Record).order_by(col(Record.id)))]


def shown(at: AppTest) -> str:
    """Everything that the page sent to the browser as Markdown, HTML, captions or labels."""
    kinds = ("markdown", "caption", "html", "info", "success", "warning", "error", "badge", "title", "subheader")
    elements = [element for kind in kinds for element in at.get(kind)]
    return "\n".join(str(getattr(element, "value", "")) for element in elements) + "\n".join(b.label for b in at.button)


def words_of(at: AppTest) -> str:
    """Everything that the components and plain texts show."""
    return "\n".join(element.proto.json for element in at.get("bidi_component")) + "\n".join(t.value for t in at.text)


def test_approving_goes_on_to_the_next_record_and_undo_comes_back(house: Runtime) -> None:
    _, token = a_shop(house, "first", "second")
    at = press(open_page(token), "Approve")
    assert statuses(house) == ["approved", "pending"]
    assert "About second" in words_of(at)
    press(at, "Undo: 1 approved")
    assert statuses(house) == ["pending", "pending"]
    assert "About first" in words_of(at)


@pytest.mark.parametrize(("label", "status"), [("Reject", "rejected"), ("Flag", "flagged"), ("Skip", "pending")])
def test_a_decision_that_needs_words_asks_for_them_and_keeps_them(
    house: Runtime, monkeypatch: pytest.MonkeyPatch, label: str, status: str
) -> None:
    monkeypatch.setattr(reviewdesk, "REPEAT_SECONDS", 0.0)
    _, token = a_shop(house, "first", "second")
    at = press(open_page(token), label)
    submit = [found for found in at.button if found.label == label][-1]
    submit.click().run()
    assert statuses(house)[0] == "pending"
    assert "Please give" in at.session_state["notices"][0][1]
    at.session_state["notices"] = []
    at.text_input[0].set_value("It is out of date")
    [found for found in at.button if found.label == label][-1].click().run()
    assert statuses(house)[0] == status
    assert "About second" in words_of(at)
    with house.database.reading() as session:
        kept = [
            *(approval.reason for approval in session.exec(select(Approval))),
            *(remark.text for remark in session.exec(select(RecordComment))),
            *(skipped.reason for skipped in session.exec(select(Skip))),
        ]
    assert "It is out of date" in kept


def _two_presses() -> None:
    from backend.vocabulary import Action
    from pages.components import reviewdesk
    from pages.components.visit import require

    visit = require(Action.REVIEW)
    hand = reviewdesk.hand_of(visit)
    first = reviewdesk.fill(visit, hand)
    assert first is not None
    reviewdesk.press_approve(visit, first, 1)
    second = reviewdesk.fill(visit, hand)
    assert second is not None
    assert second.item_id != first.item_id
    reviewdesk.press_approve(visit, first, 1)
    assert hand.lease == second


def test_a_second_press_that_was_meant_for_the_first_record_does_not_touch_the_next(
    house: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reviewdesk, "REPEAT_SECONDS", 0.0)
    _, token = a_shop(house, "first", "second")
    at = AppTest.from_function(_two_presses)
    at.session_state[COOKIE] = token
    at.run()
    assert not at.exception
    assert statuses(house) == ["approved", "pending"]


def test_a_key_that_repeats_decides_once(house: Runtime) -> None:
    _, token = a_shop(house, "first", "second")
    at = open_page(token)
    press(at, "Approve")
    press(at, "Approve")
    assert statuses(house) == ["approved", "pending"]


def test_an_edit_is_saved_with_its_reason_and_approved(house: Runtime) -> None:
    _, token = a_shop(house, "first")
    at = press(open_page(token), "Edit")
    at.text_area[1].set_value("A better answer").run()
    assert '"insert", "A better answer"' in words_of(at).replace("\\", "")
    at.text_input[0].set_value("Clearer").run()
    press(at, "Save and approve")
    with house.database.reading() as session:
        newest = session.exec(select(RecordRevision).order_by(col(RecordRevision.number).desc())).first()
        assert newest is not None
        assert (newest.messages[-1]["content"], newest.reason) == ("A better answer", "Clearer")
    assert statuses(house) == ["approved"]
    assert at.success[0].value.startswith("Nothing is left")


def test_a_stale_edit_shows_both_texts_and_can_be_saved_on_top(house: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviewdesk, "REPEAT_SECONDS", 0.0)
    project, token = a_shop(house, "first")
    at = press(open_page(token), "Edit")
    at.text_area[1].set_value("My answer")
    at.text_input[0].set_value("Mine").run()
    with house.database.writing() as session:
        _somebody_else_edits(session, project, "Their answer")
    press(at, "Save")
    assert "Their answer" in words_of(at)
    assert "My answer" in words_of(at)
    press(at, "Edit mine on top of theirs")
    assert at.text_area[1].value == "My answer"
    press(at, "Save")
    with house.database.reading() as session:
        answers = [r.messages[-1]["content"] for r in session.exec(select(RecordRevision).order_by(col(RecordRevision.number)))]
    assert answers == ["About first", "Their answer", "My answer"]


def _somebody_else_edits(session: Session, project: Project, answer: str) -> None:
    from backend.review import rulings

    record = rulings.load_record(session, project.id or 0, 1)
    lead = a_person(session, "lea@example.org", project=project, role=Role.LEAD)
    rulings.follow(session, lead, record, [Message("user", "first"), Message("assistant", answer)], "theirs")
    session.commit()


def test_a_lost_lease_is_told_and_the_page_goes_on(house: Runtime) -> None:
    project, token = a_shop(house, "first", "second")
    at = open_page(token)
    with house.database.writing() as session:
        lead = a_person(session, "lea@example.org", project=project, role=Role.LEAD)
        record = session.get_one(Record, 1)
        record.status = RecordStatus.REJECTED
        queueing.close_items(session, queueing.queue_task(session, project.id or 0), [1])
        session.commit()
        assert lead.account_id
    press(at, "Approve")
    assert "somebody else" in at.session_state["notices"][0][1]
    assert "About second" in words_of(at)
    assert statuses(house) == ["rejected", "pending"]


def test_who_comes_back_after_a_while_is_not_shown_what_was_decided_meanwhile(
    house: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, token = a_shop(house, "first", "second")
    at = open_page(token)
    assert "About first" in words_of(at)
    with house.database.writing() as session:
        lead = a_person(session, "lea@example.org", project=project, role=Role.LEAD)
        wanted = RecordFilter(text="1")
        here = {"actor": lead, "project_id": project.id or 0, "record_filter": wanted}
        bulk_decide(session=session, **here, decision="reject", reason="old")
    monkeypatch.setattr(reviewdesk, "AWAY_SECONDS", 0.0)
    at.run()
    assert statuses(house) == ["rejected", "pending"]
    assert "About second" in words_of(at)


def test_personal_data_is_masked_first_or_said_to_be_none(house: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviewdesk, "REPEAT_SECONDS", 0.0)
    _, token = a_shop(house, "mail joe.miller@example.org", "call shop@example.org")
    at = open_page(token)
    assert not [found for found in at.button if found.label == "Approve"]
    press(at, "Mask and approve")
    assert statuses(house) == ["approved", "pending"]
    with house.database.reading() as session:
        assert "joe.miller" not in session.get_one(Record, 1).prompt
    press(at, "It is none")
    at.text_input[0].set_value("Our own address")
    press(at, "It is no personal data")
    press(at, "Approve")
    assert statuses(house) == ["approved", "approved"]


def test_hostile_text_is_only_ever_shown_as_text(house: Runtime) -> None:
    _, token = a_shop(house, HOSTILE, "second", role=Role.LEAD)
    at = open_page(token)
    for mode in ("Edit", "Reject"):
        press(at, mode)
        assert "<script>" not in shown(at)
        assert "![x]" not in shown(at)
        assert "$$x" not in shown(at)
    assert "<script>" in words_of(at)


def test_a_record_chosen_elsewhere_is_taken_up(house: Runtime) -> None:
    _, token = a_shop(house, "first", "second")
    at = open_page(token, review_record=2)
    assert "About second" in words_of(at)


def test_records_alike_are_shown_side_by_side_and_can_be_worked_on_alone(house: Runtime) -> None:
    _, token = a_shop(house, "first", "second", "third")
    with house.database.writing() as session:
        for record in session.exec(select(Record).where(col(Record.id) > 1)):
            record.cluster = "c"
            session.add(record)
        session.commit()
    at = open_page(token)
    assert "About first" in words_of(at)
    at.toggle[0].set_value(True).run()
    assert not at.exception
    assert "About second" in words_of(at)
    assert "About third" in words_of(at)


def test_a_comment_stays_with_the_record(house: Runtime) -> None:
    _, token = a_shop(house, "first")
    at = open_page(token)
    at.text_area[0].set_value("Ask the warehouse")
    press(at, "Comment")
    assert "Ask the warehouse" in words_of(at)


def test_a_rater_is_told_that_the_page_is_not_for_them(house: Runtime) -> None:
    _, token = a_shop(house, "first", role=Role.RATER)
    at = open_page(token)
    assert "Your role does not open this page" in at.warning[0].value
    assert not at.button


def test_an_empty_queue_says_what_to_do(house: Runtime) -> None:
    _, token = a_shop(house)
    assert "Nothing is left" in open_page(token).success[0].value


def test_a_task_of_chosen_records_is_a_queue_to_choose_with_its_guidelines(house: Runtime) -> None:
    project, token = a_shop(house, "first", "second", "third")
    with house.database.writing() as session:
        lead = a_person(session, "lead@example.org", project=project, role=Role.LEAD)
        task = tasking.create_task(
            session=session,
            actor=lead,
            project_id=project.id or 0,
            kind=TaskKind.LABEL,
            name=HOSTILE,
            selection=Selection(records=RecordFilter(slice_key="channel", slice_value="second")),
            guidelines=f"Mind the *tone*. {HOSTILE}",
        )
    at = open_page(token)
    assert "About first" in words_of(at)
    at.selectbox(key=f"review-queue-{project.id}").set_value(task.id).run()
    assert not at.exception
    assert "About second" in words_of(at)
    assert "![x]" not in shown(at), "No picture is fetched for the guidelines."
    press(at, "Approve")
    assert statuses(house) == ["pending", "approved", "pending"]
    assert "Nothing is left for you in this task" in shown(at)
    at.selectbox(key=f"review-queue-{project.id}").set_value(0).run()
    assert "About first" in words_of(at)


def test_a_task_that_is_closed_meanwhile_gives_way_to_the_standing_queue(house: Runtime) -> None:
    project, token = a_shop(house, "first")
    with house.database.writing() as session:
        lead = a_person(session, "lead@example.org", project=project, role=Role.LEAD)
        here: dict[str, Any] = {"session": session, "actor": lead, "project_id": project.id or 0}
        task = tasking.create_task(**here, kind=TaskKind.LABEL)
    at = open_page(token)
    at.selectbox(key=f"review-queue-{project.id}").set_value(task.id).run()
    with house.database.writing() as session:
        tasking.change_status(**{**here, "session": session}, task_id=task.id or 0, status=TaskStatus.CLOSED)
    at.run()
    assert not at.exception
    assert len(at.selectbox) == 0
    press(at, "Approve")
    assert statuses(house) == ["approved"]
