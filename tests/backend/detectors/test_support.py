from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.conversations import Message
from backend.detectors.checks import Context
from backend.detectors.content import content, negated, quantities
from backend.detectors.findings import Finding
from backend.detectors.support import base_of, look

FAQS = (
    ("What warranty do you give?", "All furniture has a five-year warranty, everything else two years."),
    ("How long do I have to return an item?", "You can return unused items within 60 days for a full refund."),
    ("Do you offer express shipping?", "Yes, express delivery takes one business day and costs $19."),
    ("Which colors does the Decatur sofa come in?", "The Decatur sofa comes in sage, rust and cream."),
    ("Do you ship to zip code 30303?", "Yes, we ship to zip code 30303. Delivery takes 2 to 3 business days."),
    ("Do you ship to zip code 99501?", "Sorry, we do not ship to zip code 99501 yet. We cannot reach Alaska."),
    ("Can I order fabric swatches?", "We send you up to five fabric swatches for free."),
    ("Do lamps come with a bulb?", "Every lamp comes with a warm white LED bulb."),
    ("Where is your showroom?", "Our showroom is at 214 Juniper Yard in Atlanta, Georgia."),
)


def found(question: str, answer: str) -> list[Finding]:
    (seen,) = look([[Message("user", question), Message("assistant", answer)]], Context(faqs=FAQS))
    return list(seen.findings)


@pytest.mark.parametrize(
    ("question", "answer", "why"),
    [
        (
            "What warranty do I get?",
            "Every item has a ten-year warranty.",
            "says ten-year; the FAQ says five-year and two years",
        ),
        (
            "what is the return period?",
            "You can return items within 14 days of delivery.",
            "says 14 days; the FAQ says 60 days",
        ),
        ("Do you have express shipping", "We do not offer express delivery at the moment.", "negates"),
        ("Do you deliver to zip code 99501?", "Yes, we ship to zip code 99501 in four days.", "FAQ negates"),
        ("do you have the decatur sofa in cream", "The Decatur sofa comes in gray and navy.", "lists other things"),
        ("Can I get fabric swatches?", "Fabric swatches cost $5 each.", "says $5; the FAQ says for free"),
        ("Do I have to buy a bulb for the lamp", "Light bulbs are sold separately.", "opposite"),
        ("Where is the showroom?", "Our showroom is at 214 Juniper Yard in Boston.", "names boston; the FAQ names atlanta"),
        (
            "Hello, I bought a table from you last year. My wife likes it! Do you have express shipping? Anna",
            "We do not offer express delivery.",
            "negates",
        ),
        ("how quick is it?", "Yes, express delivery takes one business day and costs $29.", "says $29; the FAQ says $19"),
    ],
)
def test_what_differs_is_said(question: str, answer: str, why: str) -> None:
    (finding,) = found(question, answer)
    assert why in finding.why
    assert (finding.start, finding.end, finding.message) == (0, len(answer), 1)
    assert finding.proposal in dict(FAQS).values()


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How long can I return things?", "Within 60 days."),
        ("What warranty is there?", "Two years, and five years on furniture."),
        ("Do you offer express shipping?", "Yes! It is 24 hours and costs 19 dollars."),
        ("Do you ship to 30303?", "Yes, we do. It takes 2 or 3 days."),
        ("Can I order swatches?", "Yes, five of them, free of charge."),
        ("Which payment methods do you accept?", "We accept 25 cards."),
        ("¿Cuánto tiempo tengo para devolver?", "Puede devolver los artículos en 90 días."),
        ("Is delivery quick?", "Yes, express delivery takes one business day and costs $19."),
        ("", ""),
    ],
)
def test_the_same_in_other_words_and_what_no_faq_is_about_are_left_alone(question: str, answer: str) -> None:
    assert found(question, answer) == []


def test_every_answer_of_a_conversation_is_looked_at() -> None:
    messages = [
        Message("user", "What warranty do you give?"), Message("assistant", "A warranty of nine years."),
        Message("user", "Do lamps come with a bulb?"), Message("assistant", "Every lamp comes with a bulb."),
    ]  # fmt: skip
    (seen,) = look([messages], Context(faqs=FAQS))
    assert [finding.message for finding in seen.findings] == [1]


def test_without_faqs_nothing_is_found_and_the_base_is_made_once() -> None:
    assert not look([[Message("user", "Warranty?"), Message("assistant", "Nine years.")]], Context())[0].findings
    assert base_of(FAQS) is base_of(tuple(FAQS))


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("a five-year warranty", [(1825, "days")]),
        ("2 to 3 business days", [(2, "days"), (3, "days")]),
        ("within 2 weeks", [(14, "days")]),
        ("24 hours", [(1, "days")]),
        ("from 9 am to 7 pm", [(9, "o'clock"), (19, "o'clock")]),
        ("$5.95, or free", [(5.95, "$"), (0, "$")]),
        ("1,200 dollars", [(1200, "$")]),
        ("63, 84 and 96 inches", [(63, "inch"), (84, "inch"), (96, "inch")]),
        ("use the code HELLO10", []),
        ("feel free to write", []),
    ],
)
def test_quantities_are_read_with_what_they_count(text: str, counted: list[tuple[float, str]]) -> None:
    assert [(one.value, one.unit) for one in quantities(text)] == counted


def test_negations_reach_what_they_are_about() -> None:
    assert {"deliv", "expr"} <= negated("We do not offer express delivery at the moment.")
    assert negated("Yes. No problem, you don't have to pay.") == set()


def test_forms_of_a_word_meet() -> None:
    assert content("returned") == content("returning") == content("the returns")


@given(st.text(max_size=120), st.text(max_size=120))
def test_an_answer_from_the_faqs_is_never_found_whatever_was_asked(question: str, answer: str) -> None:
    for _, said in FAQS:
        assert found(question, said) == []
    assert len(found(question, answer)) <= 1
