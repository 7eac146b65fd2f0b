"""Answers that disagree are told apart from answers that are worded otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.detectors.contradictions import Disagreement, disagree, same_question, stands_alone


@pytest.mark.parametrize(
    ("question", "first", "second", "here", "there"),
    [
        ("How long may I return it?", "Return it within 30 days.", "You can return it within 14 days.", "30 days", "14 days"),
        ("What is the fee?", "The fee is $1,200.50.", "A fee of $1200 applies.", "$1200.5", "$1200"),
        ("When are you open?", "We open at 9 am.", "We open at 10 am.", "9 am", "10 am"),
        ("Which days?", "Our store opens on Monday.", "Our store opens on Sunday.", "Monday", "Sunday"),
        ("How big is the discount?", "A discount of 10 percent.", "The discount is 15%.", "10%", "15%"),
        ("¿Cuánto tarda?", "El envío tarda tres días.", "El envío tarda 5 días.", "3 days", "5 days"),
        ("Do you ship abroad?", "Yes, we do.", "No, only here.", "yes", "no"),
    ],
)
def test_another_amount_day_or_verdict_is_a_disagreement(question: str, first: str, second: str, here: str, there: str) -> None:
    found = disagree(question, first, second)
    assert found == Disagreement(here, there)
    assert disagree(question, second, first) == found.turned
    assert found.words(12) == f"{here} here, {there} in record 12"


@pytest.mark.parametrize(
    ("question", "first", "second"),
    [
        ("How do I cancel my order?", "You can cancel within 2 hours.", "Orders cannot be cancelled once they are placed."),
        ("Do you have discount codes?", "Use the code HELLO10 at checkout.", "We have no discount codes at the moment."),
        ("Can I return a sofa?", "You can return a sofa in its box.", "A sofa can't be returned."),
    ],
)
def test_what_one_answer_denies_and_the_other_says_is_a_disagreement(question: str, first: str, second: str) -> None:
    assert disagree(question, first, second)


@pytest.mark.parametrize(
    ("question", "first", "second"),
    [
        ("How long may I return it?", "Return it within 30 days.", "You have thirty days to return it."),
        ("How long may I return it?", "Return it within 30 days.", "Return it within 30 days; a refund takes 5 days."),
        ("How long may I return it?", "Return it within 30 days.", "Send it back to us in its box, with the receipt."),
        ("Do you ship to 30303?", "We ship to 30303.", "Yes, delivery takes 2 days."),
        ("Do you ship abroad?", "No appointment is needed to ship abroad.", "Yes, we ship abroad."),
        ("Can I return it?", "You can return it if it does not fit.", "You can return it."),
        ("Is there a code?", "Use the code HELLO10.", "Use the code SPRING15."),
        ("What does it cost?", "The rug costs $1,000.", "The rug costs 1000 dollars."),
    ],
)
def test_another_wording_or_a_further_fact_is_none(question: str, first: str, second: str) -> None:
    assert disagree(question, first, second) is None


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_no_text_breaks_it_and_both_sides_see_the_same(question: str, first: str, second: str) -> None:
    found = disagree(question, first, second)
    assert disagree(question, second, first) == (found.turned if found else None)
    assert disagree(question, first, first) is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("What is the return period?", "hi, what's the return period please"),
        ("Is shipping avilable to 31401?", "is shipping available to 31401"),
        ("Can I cancel my order?", "How do I cancel an order?"),
    ],
)
def test_politeness_and_slips_make_no_other_question(first: str, second: str) -> None:
    assert same_question(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Do you ship to zip code 30303?", "Do you ship to zip code 31401?"),
        ("How tall is the Inman lamp?", "How tall is the Ansley lamp?"),
        ("When do you ship?", "Where do you ship?"),
        ("Can I return it opened?", "Can I not return it opened?"),
        ("hi", "hello"),
    ],
)
def test_another_number_name_or_denial_makes_another_question(first: str, second: str) -> None:
    assert not same_question(first, second)


def test_a_question_that_leans_on_the_talk_does_not_stand_alone() -> None:
    assert stands_alone("How do I cancel an order?")
    assert not stands_alone("Can someone assemble it?")
    assert not stands_alone("And the price?")
