from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.conversations import ASSISTANT, USER, Message
from backend.detectors import voice
from backend.detectors.checks import Context, Voice
from backend.detectors.findings import apply
from backend.detectors.rules import TextRules, as_setting, rules_of
from backend.errors import InvalidInput

FORBIDDEN = (("cheap", "good value"), ("no problem", "of course"), ("guys", ""), ("can't", "cannot"), ("!!", "!"))


def said(text: str, rules: Voice) -> str:
    return apply(text, voice.find_in_answer(text, rules))


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("It is cheap.", "It is good value."),
        ("Cheap and CHEAP, no\n problem", "Good value and GOOD VALUE, of course"),
        ("A cheapskate is not cheaper", "A cheapskate is not cheaper"),
        ("We can’t!!", "We cannot!"),
        ("Hello guys", "Hello guys"),
    ],
)
def test_forbidden_words_give_way_to_preferred_ones_in_their_case(text: str, better: str) -> None:
    assert said(text, Voice(forbidden=FORBIDDEN)) == better


def test_a_forbidden_word_without_a_better_one_is_left_to_people() -> None:
    (finding,) = voice.find_in_answer("Hello guys", Voice(forbidden=FORBIDDEN))
    assert finding.proposal is None
    assert finding.why == "Answers of this project do not say “guys”."


def test_the_longest_phrase_counts() -> None:
    rules = Voice(forbidden=(("no", "not"), ("no problem at all", "gladly"), ("no problem", "of course")))
    assert said("no problem at all", rules) == "gladly"


def test_only_the_assistant_is_held_to_it_and_required_words_only_in_the_last_answer() -> None:
    turns = [Message(USER, "cheap?"), Message(ASSISTANT, "cheap"), Message(USER, "ok"), Message(ASSISTANT, "It is.")]
    (one,) = voice.look([turns], Context(voice=Voice(forbidden=FORBIDDEN, required=("Your team", "Yours"))))
    assert [(finding.message, finding.start, finding.end) for finding in one.findings] == [(1, 0, 5), (3, 0, 6)]
    assert "“Your team”, “Yours”" in one.findings[1].why
    turns[-1] = Message(ASSISTANT, "It is. Your team")
    assert len(voice.look([turns], Context(voice=Voice(required=("your team",))))[0].findings) == 0


def test_what_is_too_long_is_marked_from_the_first_word_too_many() -> None:
    text = "one two three four"
    (finding,) = voice.find_in_answer(text, Voice(longest=3))
    assert text[finding.start : finding.end] == "four"
    assert not voice.find_in_answer(text, Voice(longest=4))
    assert voice.find_in_answer("a b c", Voice(longest=2))


def test_a_project_without_rules_finds_nothing() -> None:
    assert not voice.look([[Message(USER, "x"), Message(ASSISTANT, "cheap " * 900)]], Context())[0].findings


words = st.text(alphabet="abcdef '", min_size=1, max_size=12)


@given(st.lists(st.tuples(words, words), max_size=4), st.frozensets(words, max_size=3), st.integers(0, 5000))
def test_rules_are_read_as_they_were_stored(forbidden: list[tuple[str, str]], product: frozenset[str], longest: int) -> None:
    given_rules = TextRules(languages=("en",), product_words=product, voice=Voice(forbidden=tuple(forbidden), longest=longest))
    try:
        kept = as_setting(given_rules)
    except InvalidInput:
        return
    assert as_setting(rules_of({"text_rules": kept})) == kept


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        (TextRules(languages=("xx",)), "no language"),
        (TextRules(voice=Voice(longest=-1)), "longest answer"),
        (TextRules(voice=Voice(forbidden=(("cheap", "a"), ("Cheap", "b")))), "twice"),
        (TextRules(voice=Voice(forbidden=(("cheap", "low"), ("low", "fair")))), "forbidden itself"),
        (TextRules(voice=Voice(forbidden=((" ", "low"),))), "instead of"),
        (TextRules(product_words=frozenset({"x" * 90})), "80 characters"),
        (TextRules(voice=Voice(required=tuple(str(n) for n in range(30)))), "At most 20"),
    ],
)
def test_rules_that_cannot_be_kept_to_are_refused_with_what_to_change(rules: TextRules, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        as_setting(rules)


def test_nothing_chosen_asks_for_nothing() -> None:
    assert rules_of(None) == rules_of({}) == rules_of({"text_rules": "broken"}) == TextRules()
