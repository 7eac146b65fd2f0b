"""The FAQ page: proposing, ruling, conflicts, history, records that rest on an FAQ, hostile text."""

from __future__ import annotations

import pytest
from sqlmodel import col, select
from streamlit.testing.v1 import AppTest

from backend.access.sessions import open_session
from backend.runtime import Runtime
from backend.store.accounts import Account
from backend.store.records import Faq, FaqCitation, FaqRevision, Project
from backend.vocabulary import FaqState, Role
from tests.factories import a_person
from tests.pages.test_records import notice, submit
from tests.pages.test_review import HOSTILE, a_shop, open_page, press, shown, statuses, words_of


def an_faq(
    house: Runtime, project: Project, *, question: str = "Is it wool?", answer: str = "Yes.", by: int | None = None
) -> int:
    with house.database.writing() as session:
        faq = Faq(project_id=project.id or 0, key=f"faq-{question[:40]}", topic="Materials", approved=1)
        session.add(faq)
        session.flush()
        text = FaqRevision(
            faq_id=faq.id or 0, number=1, question=question, answer=answer, state=FaqState.APPROVED, author_id=by
        )
        session.add(text)
        session.commit()
        return faq.id or 0


def open_faq(token: str, faq_id: int) -> AppTest:
    at = open_page(token, "faqs")
    at.query_params["faq"] = str(faq_id)
    at.run()
    assert not at.exception
    return at


def another(house: Runtime, project: Project, role: Role = Role.EXPERT) -> str:
    with house.database.writing() as session:
        bob = a_person(session, "bob@example.org", project=project, role=role)
        token = open_session(session, account_id=bob.account_id or 0, hours=1)
        session.commit()
    return token


def revisions(house: Runtime) -> list[tuple[str, str]]:
    with house.database.reading() as session:
        found = session.exec(select(FaqRevision).order_by(col(FaqRevision.number)))
        return [(revision.answer, revision.state.value) for revision in found]


def test_a_change_is_proposed_by_one_expert_and_approved_by_another(house: Runtime) -> None:
    project, ann = a_shop(house, "first")
    bob = another(house, project)
    faq_id = an_faq(house, project)
    at = open_faq(ann, faq_id)
    at.text_area(key=f"faq-draft-{faq_id}-1-answer").set_value("No, cotton.")
    at.text_input(key=f"faq-draft-{faq_id}-1-why").set_value("New supplier").run()
    press(at, "Propose the change")
    assert revisions(house) == [("Yes.", "approved"), ("No, cotton.", "proposed")]
    press(open_faq(ann, faq_id), "Approve")
    assert revisions(house)[1] == ("No, cotton.", "proposed")
    theirs = open_faq(bob, faq_id)
    assert "No, cotton" in words_of(theirs)
    press(theirs, "Approve")
    assert revisions(house)[1] == ("No, cotton.", "approved")


def test_a_rejection_needs_a_reason_which_its_author_sees(house: Runtime) -> None:
    project, ann = a_shop(house, "first")
    faq_id = an_faq(house, project)
    at = open_faq(ann, faq_id)
    at.text_area(key=f"faq-draft-{faq_id}-1-answer").set_value("No.")
    at.text_input(key=f"faq-draft-{faq_id}-1-why").set_value("why").run()
    press(at, "Propose the change")
    theirs = open_faq(another(house, project), faq_id)
    submit(theirs, "Reject")
    assert "Please give a reason" in notice(theirs)
    theirs.text_input(key=f"faq-reject-why-{faq_id}").set_value("It is wool")
    submit(theirs, "Reject")
    assert revisions(house)[1] == ("No.", "rejected")
    assert any("It is wool" in caption.value for caption in open_faq(ann, faq_id).caption)


def test_a_stale_change_shows_both_texts_and_is_proposed_on_top(house: Runtime) -> None:
    project, ann = a_shop(house, "first")
    bob = another(house, project)
    faq_id = an_faq(house, project)
    mine, theirs = open_faq(ann, faq_id), open_faq(bob, faq_id)
    for at, answer in ((mine, "My answer"), (theirs, "Their answer")):
        at.text_area(key=f"faq-draft-{faq_id}-1-answer").set_value(answer)
        at.text_input(key=f"faq-draft-{faq_id}-1-why").set_value("why")
    press(theirs, "Propose the change")
    press(mine, "Propose the change")
    assert "Their answer" in words_of(mine)
    assert "My answer" in words_of(mine)
    press(mine, "Edit mine on top of theirs")
    assert mine.text_area(key=f"faq-draft-{faq_id}-2-answer").value == "My answer"
    mine.text_input(key=f"faq-draft-{faq_id}-2-why").set_value("why").run()
    press(mine, "Propose the change")
    assert [answer for answer, _ in revisions(house)] == ["Yes.", "Their answer", "My answer"]
    at = open_faq(ann, faq_id)
    at.text_input(key=f"faq-restore-why-{faq_id}").set_value("The first was right")
    at.selectbox(key=f"faq-restore-number-{faq_id}").select(1)
    submit(at, "Restore")
    assert revisions(house)[-1] == ("Yes.", "proposed")


def test_records_that_rest_on_an_faq_are_listed_and_sent_back(house: Runtime) -> None:
    project, ann = a_shop(house, "first", "second")
    faq_id = an_faq(house, project)
    with house.database.writing() as session:
        session.add(FaqCitation(faq_id=faq_id, record_id=2))
        session.commit()
    at = open_faq(ann, faq_id)
    assert list(at.dataframe[1].value["open"]) == ["/records?record=2"]
    at.text_input(key=f"faq-flag-why-{faq_id}").set_value("It is cotton now")
    submit(at, "Flag them")
    assert statuses(house) == ["pending", "flagged"]


def test_the_first_faq_is_written_on_the_empty_page(house: Runtime) -> None:
    _, ann = a_shop(house, "first")
    at = open_page(ann, "faqs")
    assert "There is no FAQ yet" in at.info[0].value
    at.text_input(key="faq-new-question").set_value("Is it wool?")
    at.text_area(key="faq-new-answer").set_value("Yes.")
    at.text_input(key="faq-new-topic").set_value("Materials")
    submit(at, "Propose it")
    assert revisions(house) == [("Yes.", "proposed")]
    assert list(at.dataframe[0].value["state"]) == ["Waiting"]


def test_hostile_text_is_only_ever_shown_as_text(house: Runtime) -> None:
    project, ann = a_shop(house, "first")
    with house.database.reading() as session:
        account = session.exec(select(Account.id)).one()
    faq_id = an_faq(house, project, question=HOSTILE, answer=HOSTILE, by=account)
    at = open_faq(ann, faq_id)
    assert "<script>" in words_of(at)
    for sign in ("<script>", "![x]", "$$x"):
        assert sign not in shown(at)


@pytest.mark.parametrize(("role", "opens"), [(Role.RATER, False), (Role.EXPERT, True), (Role.LEAD, True)])
def test_the_page_opens_for_who_may_edit_faqs(house: Runtime, role: Role, opens: bool) -> None:
    project, token = a_shop(house, "first", role=role)
    an_faq(house, project)
    at = open_page(token, "faqs")
    assert bool(at.dataframe) is opens
    assert bool(at.warning) is not opens
