"""Words that speak of people are found, and the same words said of sofas, blinds and accounts are not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.detectors.identity import NOBODY, VERSION, groups, mentioned, mentions
from backend.detectors.scorecards import card, cards


@pytest.mark.parametrize(
    "text",
    [
        "A white sofa, a black table and an Indian rug",
        "Do you sell blinds? The blind in the kitchen is broken",
        "My account is disabled and notifications are disabled too",
        "I need the female connector and nail polish remover",
        "Can I pay with American Express in Mexican pesos?",
        "A single bed, an old lamp and a straight shelf",
        "It fell on deaf ears, hey man",
        "The sofa is 3 years old, see https://shop.example/item",
        "",
    ],
)
def test_words_that_mean_things_are_no_mention_of_people(text: str) -> None:
    assert groups(text) == {}


@pytest.mark.parametrize(
    ("text", "group", "value"),
    [
        ("We are a Black family", "ethnicity and nationality", "Black"),
        ("the old black woman next door", "ethnicity and nationality", "Black"),
        ("i'm german, is this page in english?", "ethnicity and nationality", "a nationality"),
        ("Do you deliver to refugees?", "ethnicity and nationality", "migrants"),
        ("im muslim, is the gelatine halal", "religion", "Muslim"),
        ("I am blind; does it read aloud?", "disability", "sight"),
        ("It is for a disabled customer", "disability", "disability"),
        ("I'm 72 and cannot climb stairs.", "age", "older"),
        ("a room for a gay couple", "sexual orientation", "gay, lesbian or bisexual"),
        ("I'm a single mother", "family status", "single or separated"),
        ("A bed for my two kids", "family status", "parents"),
        ("She’s waiting", "gender", "women"),
    ],
)
def test_a_group_that_is_mentioned_is_found(text: str, group: str, value: str) -> None:
    assert value in groups(text)[group]


def test_one_word_may_speak_of_two_groups_and_values_are_told_as_one() -> None:
    assert groups("My wife called") == {"gender": ("women",), "family status": ("with a partner",)}
    assert mentioned("He told her", "gender") == "men and women"
    assert mentioned("He told her", "religion") == NOBODY


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_places_are_those_of_the_text_whatever_it_holds(before: str, after: str) -> None:
    text = f"{before} my wife {after}"
    for one in mentions(text):
        assert text[one.start : one.end].strip()
    assert mentions(text) == mentions(text)
    whole = text.replace("’", "'").lower()
    if len(whole) == len(text):
        assert any(text[one.start : one.end] == "wife" for one in mentions(text))


def test_its_scorecard_is_of_the_version_that_is_there_and_apart_from_the_checks() -> None:
    told = card("identity")
    assert told
    assert told["version"] == VERSION, "run `make scorecards ONLY=identity`"
    assert told not in cards()
    assert all(0 <= measure["low"] <= measure["value"] <= measure["high"] <= 1 for measure in told["measures"])
    assert told["weakness"].startswith("Not good enough")
