"""Which response a rater sees where, in a comparison or a ranking. Pure: what was shown and chance in, places out.

Promised, for one rater and between two versions: each stands left as often as right, but for one, and at every even count
the next side cannot be foreseen. With more versions each is put where it stood less often, so that the counts stay within
a few of each other however the pairs come. Chance comes from the caller (`secrets`), so that no seed that anybody can read
decides it.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from backend.vocabulary import Verdict


@dataclass(slots=True)
class Shown:
    """What one rater saw where so far in one task. Versions by number; 0 is what no version wrote."""

    faced: Counter[tuple[int, int]] = field(default_factory=Counter)
    """(version on the left, version on the right) → how often."""
    swapped: int = 0
    straight: int = 0
    placed: Counter[tuple[int, int]] = field(default_factory=Counter)
    """(version, place from the left) → how often, in rankings."""

    def side(self, first: int, second: int, *, bit: int) -> bool:
        """Draw whether the second response stands on the left, and remember it.

        The version that stood left less often goes there; where both did alike, these two against each other count, then
        all draws together, then the bit.
        """
        leans = self._left_more(second) - self._left_more(first) or self.faced[second, first] - self.faced[first, second]
        even = first == second or not leans
        swapped = draw(swapped=self.swapped, straight=self.straight, bit=bit) if even else leans < 0
        self.note_sides(first, second, swapped)
        return swapped

    def note_sides(self, first: int, second: int, swapped: bool, times: int = 1) -> None:
        """Remember comparisons that were shown before."""
        self.faced[sides(first=first, second=second, swapped=swapped)] += times
        self.swapped += times if swapped else 0
        self.straight += 0 if swapped else times

    def order(self, responses: Sequence[tuple[int, int]], *, chance: random.Random) -> list[int]:
        """Draw the order of a ranking's (response, its version) pairs, and remember it; returns the responses.

        Among the orders that put the versions where they stood least often, one is drawn.
        """
        orders = list(itertools.permutations(responses))
        costs = [sum(self.placed[version, place] for place, (_, version) in enumerate(order)) for order in orders]
        least = min(costs)
        drawn = chance.choice([order for order, cost in zip(orders, costs, strict=True) if cost == least])
        self.note_order([version for _, version in drawn])
        return [response for response, _ in drawn]

    def note_order(self, versions: Sequence[int]) -> None:
        """Remember a ranking that was shown before, by the versions from left to right."""
        self.placed.update((version, place) for place, version in enumerate(versions))

    def _left_more(self, version: int) -> int:
        """How much more often the version stood left than right."""
        return sum(
            times * ((left == version) - (right == version)) for (left, right), times in self.faced.items() if left != right
        )


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
