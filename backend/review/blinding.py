"""Which response of a comparison a rater sees on the left. Pure: counts and a random bit in, a side out.

Promised: for one rater the two sides differ by at most one after any number of draws, and at every even count the next
side cannot be foreseen. The bit comes from the caller (`secrets`), so that no seed that anybody can read decides it.
"""

from __future__ import annotations

from backend.vocabulary import Verdict


def draw(*, swapped: int, straight: int, bit: int) -> bool:
    """Whether to show the second response on the left, given how often that was done (`swapped`) and not (`straight`)."""
    if swapped == straight:
        return bool(bit)
    return swapped < straight


def sides(*, first: int, second: int, swapped: bool) -> tuple[int, int]:
    """(left, right) as the rater sees them."""
    return (second, first) if swapped else (first, second)


def winner(verdict: Verdict, *, left: int, right: int) -> int | None:
    """The response that a verdict prefers; None for a tie and for both bad."""
    if verdict is Verdict.LEFT:
        return left
    return right if verdict is Verdict.RIGHT else None
