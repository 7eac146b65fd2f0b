"""What every statistic returns: an estimate with its interval, or in words why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with the interval that covers the true one with `confidence`, from `n` observations."""

    value: float
    low: float
    high: float
    n: int
    method: str
    confidence: float = CONFIDENCE

    @property
    def estimable(self) -> bool:
        """Always true; the other kind of result is `NotEstimable`."""
        return True

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f}, n = {self.n})"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotEstimable:
    """Why there is no estimate, in words for a reader. `value` is what was observed where at least that is known."""

    reason: str
    n: int
    method: str
    value: float | None = None

    @property
    def estimable(self) -> bool:
        """Always false; the other kind of result is `Estimate`."""
        return False

    def __str__(self) -> str:
        return f"not estimable: {self.reason}"


Result = Estimate | NotEstimable


def normal_quantile(confidence: float) -> float:
    """How many standard errors a two-sided normal interval reaches to each side."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def t_quantile(confidence: float, freedom: float) -> float:
    """The same for Student's t."""
    from scipy.special import stdtrit  # type: ignore[import-untyped]  # a quarter second that most processes never need

    return float(stdtrit(freedom, 0.5 + confidence / 2))


def f_quantile(confidence: float, above: float, below: float) -> float:
    """The upper end of a two-sided interval of the F distribution."""
    from scipy.special import fdtri

    return float(fdtri(above, below, 0.5 + confidence / 2))


def t_p_value(t: float, freedom: float) -> float:
    """The two-sided p-value of a t statistic."""
    from scipy.special import stdtr

    return float(2 * stdtr(freedom, -abs(t)))


def normal_p_value(z: float) -> float:
    """The two-sided p-value of a z statistic."""
    return 2 * NormalDist().cdf(-abs(z))
