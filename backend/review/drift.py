"""Whether a rater's answers to gold, or to hidden repeats, have become worse. Pure.

The last answers (LAST at most, FEWEST at least) are compared with those before them, and with a floor. Both comparisons
ask whether Wilson's 95% interval of the last ones lies below the other value as a whole, so that a few unlucky answers
raise no notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.review.grading import is_right
from backend.statistics.intervals import wilson
from backend.statistics.results import Estimate

LAST = 20
FEWEST = 10
FLOOR = 0.6
"""Below this share a rater is reported whatever went before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A fall that chance does not explain. `earlier` is the share before, None where it is the floor that was missed."""

    recent: Estimate
    earlier: float | None
    floor: float

    @property
    def sentence(self) -> str:
        """In words."""
        now = f"{self.recent.value:.0%} of the last {self.recent.n} right"
        if self.earlier is not None:
            return f"{now}, {self.earlier:.0%} before"
        return f"{now}, which is below {self.floor:.0%}"


def fallen(scores: Sequence[float], *, seen: int = 0, floor: float = FLOOR) -> Drift | None:
    """The fall in scores that are given in order of time; None where there is none, or too little to tell.

    The first `seen` scores were looked at by a lead before: they count as what went before alone.
    """
    start = max(seen, len(scores) - LAST)
    recent = [is_right(score) for score in scores[start:]]
    before = [is_right(score) for score in scores[:start]]
    if len(recent) < FEWEST:
        return None
    share = wilson(sum(recent), len(recent), method="share right among the last answers, Wilson")
    if not isinstance(share, Estimate):
        return None
    if len(before) >= FEWEST and share.high < sum(before) / len(before):
        return Drift(recent=share, earlier=sum(before) / len(before), floor=floor)
    return Drift(recent=share, earlier=None, floor=floor) if share.high < floor else None
