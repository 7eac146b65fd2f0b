"""The cheap looks leave nothing out that the patterns behind them would find."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.detectors import boilerplate, markup
from backend.detectors.signs import evened, holds_any

PAIRS = (
    (boilerplate._NOTICE, boilerplate.NOTICE_SIGNS),
    (boilerplate._FOOTER, boilerplate.FOOTER_SIGNS),
    (boilerplate._WANTS_A_TEXT, boilerplate.WRITING_SIGNS),
    (markup._TALKS_OF_CODE, markup.CODE_SIGNS),
)


@pytest.mark.parametrize(("pattern", "signs"), PAIRS, ids=("notice", "footer", "writing", "code"))
def test_whatever_the_pattern_finds_holds_a_sign(pattern: re.Pattern[str], signs: tuple[str, ...]) -> None:
    @settings(max_examples=100, deadline=None)
    @given(st.from_regex(pattern))
    def check(text: str) -> None:
        assert holds_any(evened(text), signs), text

    check()


@pytest.mark.parametrize(("pattern", "signs"), PAIRS, ids=("notice", "footer", "writing", "code"))
def test_no_sign_is_there_for_nothing(pattern: re.Pattern[str], signs: tuple[str, ...]) -> None:
    assert all(sign == evened(sign) for sign in signs)
    assert not holds_any(evened("Where is my parcel?"), signs)


def test_letters_are_evened_as_patterns_see_them() -> None:
    for letter in map(chr, range(0x80, 0x2200)):
        alike = [plain for plain in "abcdefghijklmnopqrstuvwxyzéö" if re.fullmatch(plain, letter, re.IGNORECASE)]
        assert all(plain in evened(letter) for plain in alike), letter
