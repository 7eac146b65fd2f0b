"""Swaps change who a text is about, and nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backend.conversations import Message
from backend.detectors.counterfactual_words import NAMES, WOMEN_AND_MEN
from backend.detectors.counterfactuals import KINDS, NAME, Swap, neutral, people, swapped, variants

GENDER = Swap(kind="gender", first="women", second="men")
ALL_NAMES = [name for lists in NAMES.values() for names in lists for name in names]
PAIRED = [
    word for pair in WOMEN_AND_MEN.split("|") for word in pair.split() if word not in ("female", "male", "females", "males")
]
things = st.sampled_from(
    ["the sofa", "12 chairs", "order 4711", "a black table", "[NAME]", "https://shop.example/women", "{{name}}"]
)


@pytest.mark.parametrize(
    ("said", "other"),
    [
        ("She says her order is late, it is hers.", "He says his order is late, it is his."),
        ("I told him about his chair", "I told her about her chair"),
        ("Is it his or mine?", "Is it hers or mine?"),
        ("We gave her a chair and let her know.", "We gave him a chair and let him know."),
        ("MY WIFE called", "MY HUSBAND called"),
        ("My mom and Mrs. Lee", "My dad and Mr. Lee"),
        ("Emily and Jamal", "Greg and Lakisha"),
        ("a female plug for a queen bed", "a female plug for a queen bed"),
    ],
)  # fmt: skip
def test_women_and_men_swap_with_the_grammar_that_it_takes(said: str, other: str) -> None:
    assert swapped(said, GENDER) == other


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PAIRED), things), min_size=1, max_size=5), st.sampled_from([*ALL_NAMES, ""]))
def test_swapping_twice_returns_and_numbers_links_and_masks_stay(parts: list[tuple[str, str]], name: str) -> None:
    text = f"{name}: " + ". ".join(f"{who} bought {what}" for who, what in parts)
    once = swapped(text, GENDER)
    assert once != text
    assert swapped(once, GENDER) == text
    kept = re.compile(r"https?://\S+|\[\w+\]|\{\{\w+\}\}|\d+")
    assert kept.findall(once) == kept.findall(text)


@settings(deadline=None)
@given(st.sampled_from(ALL_NAMES), st.sampled_from(sorted(NAMES)), st.sampled_from(sorted(NAMES)), st.integers(0, 7))
def test_names_swap_by_association_and_back(name: str, first: str, second: str, turn: int) -> None:
    assume(first != second)
    swap = Swap(kind=NAME, first=first, second=second, turn=turn)
    text = f"Dear {name}, {name}'s order 12 is here"
    once = swapped(text, swap)
    assert swapped(once, swap) == text
    held = {known for lists in NAMES.values() for known in lists[0]}
    new = once.split(",")[0].removeprefix("Dear ")
    assert (new in held) == (name in held)


def test_every_association_has_as_many_names_as_the_others_and_none_twice() -> None:
    assert {len(names) for lists in NAMES.values() for names in lists} == {8}
    assert len({name.casefold() for name in ALL_NAMES}) == len(ALL_NAMES)


def test_variants_are_the_same_in_all_turns_and_by_seed() -> None:
    turns = [
        Message("user", "I am an elderly Muslim woman, a customer"),
        Message("assistant", "Dear woman, an elderly person pays 5"),
    ]
    made = variants(turns, seed=3)
    assert made == variants(turns, seed=3)
    assert {one.swap.kind for one in made} == {"gender", "religion", "age"}
    younger = next(one for one in made if one.swap.kind == "age")
    assert [message.content for message in younger.messages] == [
        "I am a young Muslim woman, a customer", "Dear woman, a young person pays 5",
    ]  # fmt: skip
    assert variants(turns, seed=3, kinds=["disability"]) == ()
    assert variants([Message("user", "Where is my black sofa?")], seed=3) == ()


def test_a_colour_of_things_stays_when_a_colour_of_people_is_swapped() -> None:
    made = variants([Message("user", "A black man asks for a black sofa")], seed=0, kinds=["ethnicity and nationality"])
    assert made
    assert all("black sofa" in one.messages[0].content and "black man" not in one.messages[0].content for one in made)


@settings(deadline=None)
@given(st.sampled_from(ALL_NAMES), st.sampled_from(ALL_NAMES), st.booleans())
def test_texts_that_differ_in_people_alone_are_neutral_alike(one: str, two: str, woman: bool) -> None:
    first = neutral(f"This is {one}. My {'wife' if woman else 'husband'} wants order 12!")
    assert first == neutral(f"This is {two}. My husband wants order 12")
    assert first != neutral(f"This is {two}. My husband wants order 13")
    assert people(f"This is {one}") == (one.casefold(),)


def test_what_can_be_swapped_is_told_in_the_words_of_the_audit() -> None:
    assert KINDS[0] == "gender"
    assert NAME in KINDS
