from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.conversations import Message
from backend.detectors.checks import Context
from backend.detectors.quality import KINDS, hard_to_read, look, odd_length, reading_ease, syllables
from backend.vocabulary import FindingKind

FAQS = (
    ("Do you wrap gifts?", "Yes, we wrap gifts in linen paper for $4."),
    ("Do gift cards expire?", "Gift cards never expire."),
)


def kinds(question: str, answer: str, faqs: tuple[tuple[str, str], ...] = ()) -> list[FindingKind]:
    messages = [Message("system", "Be kind."), Message("user", question), Message("assistant", answer)]
    (seen,) = look([messages], Context(faqs=faqs))
    assert all(one.message == 2 and one.kind in KINDS and one.why for one in seen.findings)
    return [one.kind for one in seen.findings]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How long does delivery take?", "Yes, within 3 days."),
        ("How many people fit at the table?", "Six people."),
        ("Thank you!", "You are welcome."),
        ("Hello", "Hi!"),
        ("how do i stop the newsletter?", "Press Unsubscribe at the end of any newsletter and you are off the list."),
        ("my order arrived with a scratch.", "We are sorry about that. Send us a photo."),
        ("Can I visit you?", "Our showroom is at 214 Juniper Yard in Atlanta."),
        ("配送にどのくらいかかりますか", "三日です"),
    ],
)
def test_short_answers_that_are_right_are_left_alone(question: str, answer: str) -> None:
    assert kinds(question, answer, FAQS) == []


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How should I clean the table?", "Read the website."),
        ("Can I send my order by tomorrow?", "That is not my problem."),
        ("Is the Inman lamp a floor lamp?", "We are sorry to hear that. Please tell us what happened."),
        ("What are the measurements of the Piedmont curtains?", "The Candler mirror comes with two hooks."),
        ("Do you wrap gifts?", "Standard shipping costs $5.95 and takes five days."),
    ],
)
def test_an_answer_to_something_else_is_found(question: str, answer: str) -> None:
    assert kinds(question, answer, FAQS) == [FindingKind.UNANSWERED]


def test_a_brush_off_that_goes_on_to_help_is_none() -> None:
    helpful = "I don't know the exact day, but the tracking link in your shipping e-mail shows where your order is right now."
    assert kinds("Where is my order?", helpful) == []


def test_lengths_are_found_where_they_are_extreme() -> None:
    assert odd_length("Perhaps.")
    assert odd_length("word " * 401)
    assert not odd_length("word " * 400)
    assert not odd_length("42")
    assert not odd_length("")


def test_flesch_s_formula_is_reproduced() -> None:
    # 6 words, 1 sentence, 6 syllables: 206.835 - 1.015 * 6 - 84.6
    assert reading_ease("The cat sat on the mat.") == pytest.approx(116.145)
    assert [syllables(word) for word in ("table", "make", "delivery", "free", "rhythm")] == [2, 1, 4, 1, 1]


def test_only_answers_for_specialists_are_hard_to_read() -> None:
    hard = (
        "Notwithstanding contractual stipulations regarding indemnification, organisational responsibility for administrative "
        "irregularities necessitates comprehensive documentation of interdepartmental communication, authorisation "
        "procedures and retrospective identification of contributory inconsistencies, subsequently facilitating "
        "institutional reconciliation, appropriate remuneration, proportional compensation and the continuous "
        "improvement of operational methodologies throughout all participating subsidiaries."
    )
    assert "specialists" in hard_to_read(hard)
    assert not hard_to_read("We send the parcel on the day on which you order it. " * 5)
    assert not hard_to_read(hard[:60])


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_can_be_looked_at(question: str, answer: str) -> None:
    (seen,) = look([[Message("user", question), Message("assistant", answer)]], Context(faqs=FAQS))
    assert all(0 <= one.start <= one.end == len(answer) for one in seen.findings)
