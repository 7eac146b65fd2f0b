"""The cheap looks leave nothing out that the patterns behind them would find."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.detectors import boilerplate, markup
from backend.detectors.entities import moments, numbers
from backend.detectors.signs import evened, holds_any

PAIRS = (
    (boilerplate._NOTICE, boilerplate.NOTICE_SIGNS),
    (boilerplate._FOOTER, boilerplate.FOOTER_SIGNS),
    (boilerplate._WANTS_A_TEXT, boilerplate.WRITING_SIGNS),
    (boilerplate._DEVICE, boilerplate.DEVICE_SIGNS),
    (markup._TALKS_OF_CODE, markup.CODE_SIGNS),
    # texts for a pattern that looks ahead cannot be made up
    *((pattern, signs) for pattern, signs, *_ in numbers._NUMBERS if signs and "(?=" not in pattern.pattern),
)
NAMES = [signs[0] for _, signs in PAIRS]


@pytest.mark.parametrize(("pattern", "signs"), PAIRS, ids=NAMES)
def test_whatever_the_pattern_finds_holds_a_sign(pattern: re.Pattern[str], signs: tuple[str, ...]) -> None:
    @settings(max_examples=50, deadline=None)
    @given(st.from_regex(pattern))
    def check(text: str) -> None:
        assert holds_any(evened(text), signs), text

    check()


@pytest.mark.parametrize(("pattern", "signs"), PAIRS, ids=NAMES)
def test_no_sign_is_there_for_nothing(pattern: re.Pattern[str], signs: tuple[str, ...]) -> None:
    assert all(sign == evened(sign) for sign in signs)
    assert not holds_any(evened("Where is my parcel?"), signs)


@settings(max_examples=200, deadline=None)
@given(st.from_regex(moments._DATES, fullmatch=True), st.sampled_from(["", "on ", "since the "]))
def test_whatever_is_a_date_is_looked_at(date: str, before: str) -> None:
    text = before + date
    assert moments._MONTH_BY_NUMBER.search(text) or moments._NUMBERED_DATE.search(text), text


@pytest.mark.parametrize("between", ["", " only", " just", " now", " already", " about"])
@pytest.mark.parametrize("who", ["I am", "I'm", "im", "he is", "she's", "He was", "I WAS", "i will be", "she'll be"])
def test_whatever_is_an_age_is_looked_at(who: str, between: str) -> None:
    said = f"{who}{between} 34, from Rome"
    assert moments._AGE_OF.search(said)
    assert moments._may_hold_an_age(said)


@settings(max_examples=200, deadline=None)
@given(st.from_regex(moments._AGE_OF))
def test_no_age_is_passed_over(text: str) -> None:
    assert moments._may_hold_an_age(text)


def test_a_number_alone_is_no_age() -> None:
    assert not moments._may_hold_an_age("Where are my 34 parcels?")


@settings(max_examples=100, deadline=None)
@given(st.from_regex(numbers._IBAN, fullmatch=True, alphabet=st.characters(codec="ascii")))
def test_whatever_may_be_an_iban_is_looked_at(code: str) -> None:
    assert numbers._IBAN_BEGINS.search(code), code


def test_letters_are_evened_as_patterns_see_them() -> None:
    for letter in map(chr, range(0x80, 0x2200)):
        alike = [plain for plain in "abcdefghijklmnopqrstuvwxyzéö" if re.fullmatch(plain, letter, re.IGNORECASE)]
        assert all(plain in evened(letter) for plain in alike), letter
