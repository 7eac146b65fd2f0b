"""Two people edit one record or one FAQ: whoever saves second sees both texts, what differs, and chooses. Nothing is lost."""

from __future__ import annotations

import pytest
from sqlmodel import col, select
from streamlit.testing.v1 import AppTest

from backend.runtime import Runtime
from backend.store.records import Faq, FaqRevision, RecordRevision
from backend.vocabulary import FaqState
from pages.components import reviewdesk
from tests.pages import test_faqs, test_review


def differs(at: AppTest, op: str, text: str) -> bool:
    """Whether a word diff on the page says that `text` is only in theirs (delete) or only in yours (insert)."""
    return f'"{op}", "{text}"' in test_review.words_of(at).replace("\\", "")


@pytest.fixture(autouse=True)
def _patient_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviewdesk, "REPEAT_SECONDS", 0.0)


def a_stale_record(house: Runtime) -> AppTest:
    project, token = test_review.a_shop(house, "first")
    at = test_review.press(test_review.open_page(token), "Edit")
    at.text_area[1].set_value("It ships in two days")
    at.text_input[0].set_value("Mine").run()
    with house.database.writing() as session:
        test_review._somebody_else_edits(session, project, "It ships in five days")
    return test_review.press(at, "Save")


def answers(house: Runtime) -> list[str]:
    with house.database.reading() as session:
        query = select(RecordRevision).order_by(col(RecordRevision.number))
        return [revision.messages[-1]["content"] for revision in session.exec(query)]


def test_the_second_to_save_a_record_sees_word_by_word_what_differs(house: Runtime) -> None:
    at = a_stale_record(house)
    assert differs(at, "delete", "five")
    assert differs(at, "insert", "two")
    assert answers(house) == ["About first", "It ships in five days"]


def test_keeping_their_record_saves_nothing_and_shows_theirs(house: Runtime) -> None:
    at = test_review.press(a_stale_record(house), "Keep theirs")
    assert "It ships in five days" in test_review.words_of(at)
    assert "It ships in two days" not in test_review.words_of(at)
    assert answers(house) == ["About first", "It ships in five days"]
    at = test_review.press(at, "Edit")
    assert at.text_area[1].value == "It ships in five days"


def a_stale_faq(house: Runtime) -> tuple[AppTest, int]:
    project, ann = test_faqs.a_shop(house, "first")
    bob = test_faqs.another(house, project)
    faq_id = test_faqs.an_faq(house, project)
    mine, theirs = test_faqs.open_faq(ann, faq_id), test_faqs.open_faq(bob, faq_id)
    for at, answer in ((mine, "Yes, of wool."), (theirs, "Yes, of cotton.")):
        at.text_area(key=f"faq-draft-{faq_id}-1-answer").set_value(answer)
        at.text_input(key=f"faq-draft-{faq_id}-1-why").set_value("why")
    test_faqs.press(theirs, "Propose the change")
    test_faqs.press(mine, "Propose the change")
    return mine, faq_id


def test_the_second_to_save_an_faq_sees_word_by_word_what_differs(house: Runtime) -> None:
    at, _ = a_stale_faq(house)
    assert differs(at, "delete", "cotton")
    assert differs(at, "insert", "wool")


def test_keeping_their_faq_saves_nothing_and_shows_theirs(house: Runtime) -> None:
    at, faq_id = a_stale_faq(house)
    test_faqs.press(at, "Keep theirs")
    assert at.text_area(key=f"faq-draft-{faq_id}-2-answer").value == "Yes, of cotton."
    assert [answer for answer, _ in test_faqs.revisions(house)] == ["Yes.", "Yes, of cotton."]


def test_a_third_change_meanwhile_shows_both_texts_again(house: Runtime) -> None:
    at, faq_id = a_stale_faq(house)
    test_faqs.press(at, "Edit mine on top of theirs")
    at.text_input(key=f"faq-draft-{faq_id}-2-why").set_value("why").run()
    with house.database.writing() as session:
        newest = FaqRevision(faq_id=faq_id, number=3, question="Is it wool?", answer="Yes, of silk.", state=FaqState.PROPOSED)
        session.add(newest)
        session.get_one(Faq, faq_id).head = 3
        session.commit()
    test_faqs.press(at, "Propose the change")
    assert differs(at, "delete", "silk")
    assert differs(at, "insert", "wool")
    assert [answer for answer, _ in test_faqs.revisions(house)] == ["Yes.", "Yes, of cotton.", "Yes, of silk."]
