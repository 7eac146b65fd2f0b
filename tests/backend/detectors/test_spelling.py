from __future__ import annotations

import pytest

from backend.conversations import ASSISTANT, USER, Message
from backend.detectors import spelling
from backend.detectors.checks import Context
from backend.detectors.findings import Finding, apply


def found(answer: str, question: str = "What is wrong with my order?", words: frozenset[str] = frozenset()) -> list[Finding]:
    messages = [Message(USER, question), Message(ASSISTANT, answer)]
    (one,) = spelling.look([messages], Context(product_words=words))
    assert {finding.kind for finding in one.findings} <= spelling.KINDS
    return list(one.findings)


def test_misspelled_words_of_an_answer_get_a_proposal() -> None:
    text = "You will recieve the refnd untill Friday, the delivry occured teh day before."
    assert apply(text, found(text)) == "You will receive the refund until Friday, the delivery occurred the day before."
    assert "“recieve”" in found(text)[0].why


def test_what_customers_mistype_is_kept() -> None:
    assert not found("It ships today, thank you for waiting.", question="I did not recieve my ordre, plase help")


@pytest.mark.parametrize(
    "fine",
    [
        "Ask Jonh Smiht, who lives near the Grossbeeren park.",
        "Write to recieve@shop.example or see shop.example/recieve and `recieve` with code recieve2.",
        "The colour of our favourite catalogue was cancelled, the centre's programme is organised in metres.",
        "The chatbots of our webinar use smartphones, subfolders and unresponsive logins.",
        "Dear [NAME], {{recieve}} it is.",
        "It translates to «buen viaje», have fun.",
    ],
)
def test_names_addresses_code_and_british_words_are_left(fine: str) -> None:
    assert not found(fine)


def test_product_words_are_spelled_right() -> None:
    text = "The new cabinnet is in our shop."
    assert [finding.proposal for finding in found(text)] == ["cabinet"]
    assert not found(text, words=frozenset({"oak cabinnet"}))


def test_a_word_that_a_text_repeats_is_one_of_its_terms() -> None:
    assert not found("A cabinnet is a chest. Each cabinnet has doors. Buy a cabinnet today.")


def test_answers_in_other_languages_are_not_looked_at() -> None:
    assert not found(
        "Ihre Rückerstattung wurde heute veranlasst und komt in fünf Tagen.", question="Wo ist mein Geld geblieben?"
    )


def test_a_text_has_at_most_so_many_findings() -> None:
    words = ["recieve", "untill", "becuase", "seperate", "adress", "beleive"]
    text = "We know that they " + " and ".join(f"{word} the {other}" for word in words for other in words for _ in range(2))
    assert len(found(text)) <= spelling.MOST
