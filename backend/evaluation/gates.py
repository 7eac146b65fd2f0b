"""The gate: what a candidate must show before it may take the current version's place.

Pure: a `Gate` and `Evidence` in, a `GateResult` out. A candidate is compared with its baseline, the version that it would
replace. Each check ends in one of four outcomes; "not enough evidence" is not "fails": judging more may settle it.

How the win rate is counted: a win is 1, a tie and "both bad" are half, a loss is 0. Judgements of one question by several
raters are averaged first, and the interval counts questions: two raters on one question are not two independent trials.
The interval is Wilson's, so that ten wins of ten are not a certainty (lower bound .7225).

Not promised: that a passed gate makes a good model. It says that the evidence asked for is there.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

from backend.errors import InvalidInput
from backend.evaluation import safeguards
from backend.evaluation.checks import GateCheck as GateCheck
from backend.evaluation.checks import Outcome as Outcome
from backend.evaluation.safeguards import SAFEGUARDS, Guards
from backend.statistics.intervals import newcombe, wilson
from backend.statistics.results import Estimate


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure of the test report: its name for people, whether more is better, and by how much it may fall behind."""

    title: str
    more_is_better: bool
    tolerance: float


METRICS: Mapping[str, Metric] = {
    "exact_match": Metric("Exact match", True, 0.02),
    "rouge_l": Metric("ROUGE-L", True, 0.02),
    "bleu": Metric("BLEU", True, 2.0),
    "loss": Metric("Loss", False, 0.1),
}
"""What a gate may ask of the test report. Exact match and ROUGE-L go from 0 to 1, BLEU from 0 to 100, loss is in nats."""


def _explained(text: str, default: Any) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A project's conditions. The defaults ask for a modest blind comparison and for no measure to fall behind visibly."""

    minimum_comparisons: int = _explained("Blind judgements of the candidate against the version it would replace.", 20)
    minimum_raters: int = _explained("Different people among those who judged.", 2)
    win_rate_at_least: float = _explained("The lower end of the win rate's 95% interval; 0.5 means shown to be better.", 0.5)
    minimum_rows: int = _explained("Test questions that both versions answered.", 10)
    metric_worse: dict[str, float] = field(
        default_factory=lambda: {name: metric.tolerance for name, metric in METRICS.items()},
        metadata={"help": "By how much a measure may be worse than the version to be replaced; one left out is not checked."},
    )
    guard_worse: dict[str, float] = field(
        default_factory=lambda: dict(safeguards.DEFAULTS),
        metadata={"help": "By how much a safeguard's figure may be worse; one left out is not checked."},
    )
    slice_worse: float = _explained("By how much any slice's exact match, or its win rate below one half, may be worse.", 0.15)
    slice_minimum: int = _explained("Slices with fewer questions than this are not checked.", 10)

    def __post_init__(self) -> None:
        for name in ("minimum_comparisons", "minimum_raters", "minimum_rows", "slice_minimum"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise InvalidInput(f"{name} must be a whole number of 0 or more.")
        for name in ("win_rate_at_least", "slice_worse"):
            if not _is_number(getattr(self, name)) or not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(f"{name} must be between 0 and 1.")
        _check_allowed("metric_worse", self.metric_worse, {name: metric.title for name, metric in METRICS.items()})
        _check_allowed("guard_worse", self.guard_worse, {name: one.title for name, one in SAFEGUARDS.items()})

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict; `from_json` of it gives an equal gate."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self:
        """The gate in a project's settings; None or missing fields mean the defaults. Raises InvalidInput."""
        known = {spec.name for spec in dataclasses.fields(cls)}
        if unknown := sorted(set(value or {}) - known):
            raise InvalidInput(f"A gate has no {', '.join(unknown)}; it has {', '.join(sorted(known))}.")
        return cls(**(value or {}))


def _check_allowed(name: str, values: object, titles: Mapping[str, str]) -> None:
    """Raises InvalidInput unless the values are allowed differences of what there is."""
    if not isinstance(values, dict):
        raise InvalidInput(f"{name} must map measures to numbers.")
    for key, value in values.items():
        if key not in titles:
            raise InvalidInput(f"{name} knows {', '.join(titles)}; there is no measure called {str(key)[:40]!r}.")
        if not _is_number(value) or value < 0:
            raise InvalidInput(f"How much worse {titles[key]} may be must be 0 or more.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One rater's answer to one blind comparison: 1 for the candidate, 0 for the baseline, one half for neither."""

    question_id: int
    rater_id: int | None
    score: float
    slices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One measure over the same `n` test questions for both."""

    name: str
    n: int
    baseline: float
    candidate: float
    note: str = ""
    """How the two were made comparable, in a sentence for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowScore:
    """Whether each of the two answered one test question exactly (1 or 0)."""

    baseline: float
    candidate: float
    slices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known of a candidate against its baseline."""

    judgements: tuple[Judgement, ...] = ()
    measured: tuple[Measured, ...] = ()
    rows: tuple[RowScore, ...] = ()
    seen_in_training: int = 0
    """Test questions that the candidate was trained on. What it answers to those shows nothing."""
    guards: Guards = field(default_factory=Guards)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """Every check, in the order in which a lead reads them."""

    checks: tuple[GateCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed and nothing lacks evidence."""
        return not self.open_checks

    @property
    def open_checks(self) -> tuple[GateCheck, ...]:
        """The checks that keep the candidate back."""
        return tuple(check for check in self.checks if check.outcome in (Outcome.FAILED, Outcome.NOT_ENOUGH))

    @property
    def unchecked(self) -> tuple[GateCheck, ...]:
        """The checks that had nothing to go by. They keep no candidate back, and are no sign that it is good."""
        return tuple(check for check in self.checks if check.outcome is Outcome.NOTHING)

    @property
    def verdict(self) -> Outcome:
        """FAILED when any check failed, else NOT_ENOUGH when any lacks evidence, else PASSED."""
        outcomes = {check.outcome for check in self.checks}
        return next((worst for worst in (Outcome.FAILED, Outcome.NOT_ENOUGH) if worst in outcomes), Outcome.PASSED)

    def to_json(self) -> dict[str, Any]:
        """As it is stored with a decision."""
        return {"verdict": str(self.verdict), "checks": [dataclasses.asdict(check) for check in self.checks]}


def evaluate(gate: Gate, evidence: Evidence) -> GateResult:
    """Hold the evidence against the gate."""
    return GateResult(
        checks=(
            _enough_comparisons(gate, evidence),
            _enough_raters(gate, evidence),
            _win_rate(gate, evidence),
            _unseen(evidence),
            *_metrics(gate, evidence),
            *safeguards.hold(gate.guard_worse, evidence.guards),
            _slices_exact(gate, evidence),
            _slices_won(gate, evidence),
        )
    )


def _enough_comparisons(gate: Gate, evidence: Evidence) -> GateCheck:
    n, items = len(evidence.judgements), len({judgement.question_id for judgement in evidence.judgements})
    missing = gate.minimum_comparisons - n
    return GateCheck(
        name="comparisons",
        title="Enough blind comparisons",
        needed=f"at least {gate.minimum_comparisons}",
        measured=f"{n} judgements of {items} questions",
        outcome=Outcome.NOT_ENOUGH if missing > 0 else Outcome.PASSED,
        sentence=f"{missing} more judgements are needed." if missing > 0 else f"{n} judgements were made.",
        n=n,
        value=float(n),
    )


def _enough_raters(gate: Gate, evidence: Evidence) -> GateCheck:
    n = len({judgement.rater_id for judgement in evidence.judgements})
    missing = gate.minimum_raters - n
    return GateCheck(
        name="raters",
        title="Enough raters",
        needed=f"at least {gate.minimum_raters}",
        measured=str(n),
        outcome=Outcome.NOT_ENOUGH if missing > 0 else Outcome.PASSED,
        sentence=f"{missing} more people have to judge." if missing > 0 else f"{n} different people judged.",
        n=n,
        value=float(n),
    )


def _win_rate(gate: Gate, evidence: Evidence) -> GateCheck:
    check = partial(
        GateCheck, name="win_rate", title="Win rate", needed=f"lower end of the interval at least {gate.win_rate_at_least:.2f}"
    )
    won, n = _won(evidence.judgements)
    interval = wilson(won, n)
    if not isinstance(interval, Estimate):
        return check(measured="not judged yet", outcome=Outcome.NOT_ENOUGH, sentence="Nobody has compared the two yet.")
    rate, low, high = interval.value, interval.low, interval.high
    if low >= gate.win_rate_at_least:
        outcome, sentence = Outcome.PASSED, f"The true win rate is likely above {low:.2f}, which is enough."
    elif high < gate.win_rate_at_least:
        outcome, sentence = Outcome.FAILED, f"The true win rate is likely below {high:.2f}: the candidate is worse."
    else:
        outcome = Outcome.NOT_ENOUGH
        sentence = f"The true win rate may lie anywhere from {low:.2f} to {high:.2f}; judging more questions narrows that."
    measured = f"{rate:.2f} ({low:.2f} to {high:.2f}) over {n} questions"
    return check(measured=measured, outcome=outcome, sentence=sentence, n=n, value=rate, low=low, high=high)


def _won(judgements: Iterable[Judgement]) -> tuple[float, int]:
    """(points won, questions): judgements of one question are averaged first."""
    by_question: dict[int, list[float]] = defaultdict(list)
    for judgement in judgements:
        by_question[judgement.question_id].append(judgement.score)
    return math.fsum(math.fsum(scores) / len(scores) for scores in by_question.values()), len(by_question)


def _unseen(evidence: Evidence) -> GateCheck:
    n, seen = len(evidence.rows), evidence.seen_in_training
    return GateCheck(
        name="unseen",
        title="Tested on questions that it did not learn from",
        needed="none in training",
        measured=f"{seen} of {n} questions" if n else "not evaluated yet",
        outcome=Outcome.FAILED if seen else Outcome.PASSED if n else Outcome.NOT_ENOUGH,
        sentence=(
            f"It was trained on {seen} of its test questions. Evaluate it on its own snapshot's test split."
            if seen
            else "No test question was in its training set."
            if n
            else "Evaluate it against the version that it would replace."
        ),
        n=n,
        value=float(seen),
    )


def _metrics(gate: Gate, evidence: Evidence) -> Iterator[GateCheck]:
    found = {measured.name: measured for measured in evidence.measured}
    for name, metric in METRICS.items():
        if name in gate.metric_worse:
            yield _metric(name, metric, gate, found.get(name))


def _metric(name: str, metric: Metric, gate: Gate, found: Measured | None) -> GateCheck:
    allowed = gate.metric_worse[name]
    check = partial(GateCheck, name=f"metric_{name}", title=f"{metric.title} holds", needed=f"at most {allowed:g} worse")
    if found is None or found.n < max(1, gate.minimum_rows):
        n = 0 if found is None else found.n
        return check(
            measured=f"{n} questions" if found else "not evaluated yet",
            outcome=Outcome.NOT_ENOUGH,
            sentence=f"At least {max(1, gate.minimum_rows)} test questions must be answered by both versions.",
            n=n,
        )
    gain = (found.candidate - found.baseline) * (1 if metric.more_is_better else -1)
    low, high = _difference(name, found)
    failed = gain < -allowed - 1e-12
    way = "better" if gain > 0 else "worse" if gain < 0 else "the same"
    size = "" if gain == 0 else f"{abs(gain):.3g} "
    more = f", more than the {allowed:g} allowed" if failed else ""
    return check(
        measured=f"{found.baseline:.3f} → {found.candidate:.3f} over {found.n} questions",
        outcome=Outcome.FAILED if failed else Outcome.PASSED,
        sentence=f"{metric.title} is {size}{way}{more}. {found.note}".rstrip(),
        n=found.n,
        value=gain,
        low=low,
        high=high,
    )


def _difference(name: str, found: Measured) -> tuple[float | None, float | None]:
    """Newcombe's interval of the gain, for the one measure that is a proportion."""
    if name != "exact_match":
        return None, None
    interval = newcombe(round(found.candidate * found.n), found.n, round(found.baseline * found.n), found.n)
    return (interval.low, interval.high) if isinstance(interval, Estimate) else (None, None)


def _slices_exact(gate: Gate, evidence: Evidence) -> GateCheck:
    drops = {}
    for key, rows in _by_slice(evidence.rows):
        if len(rows) >= max(1, gate.slice_minimum):
            drops[key] = (math.fsum(row.baseline - row.candidate for row in rows) / len(rows), len(rows))
    return _slice_check("slices_exact_match", "No slice's exact match falls", gate, drops, "worse in")


def _slices_won(gate: Gate, evidence: Evidence) -> GateCheck:
    drops = {}
    for key, judgements in _by_slice(evidence.judgements):
        won, n = _won(judgements)
        if n >= max(1, gate.slice_minimum):
            drops[key] = (0.5 - won / n, n)
    return _slice_check("slices_win_rate", "No slice loses the comparison", gate, drops, "below one half in")


def _slice_check(name: str, title: str, gate: Gate, drops: Mapping[str, tuple[float, int]], how: str) -> GateCheck:
    check = partial(GateCheck, name=name, title=title, needed=f"at most {gate.slice_worse:g} worse")
    if not drops:
        return check(
            measured="no slice is large enough",
            outcome=Outcome.NOTHING,
            sentence=f"No slice has {max(1, gate.slice_minimum)} questions yet, so none was checked.",
        )
    worst = max(drops, key=lambda key: drops[key][0])
    drop, n = drops[worst]
    failing = sorted(key for key, (size, _n) in drops.items() if size > gate.slice_worse + 1e-12)
    named = ", ".join(failing[:5]) + (f" and {len(failing) - 5} more" if len(failing) > 5 else "")
    return check(
        measured=f"{len(drops)} slices; the weakest is {worst}: {0.0 - drop:+.2f} over {n} questions",
        outcome=Outcome.FAILED if failing else Outcome.PASSED,
        sentence=f"More than {gate.slice_worse:g} {how} {named}." if failing else "Every slice that is large enough holds.",
        n=n,
        value=0.0 - drop,
    )


def _by_slice(rows: Iterable[Any]) -> Iterator[tuple[str, list[Any]]]:
    """(key: value, rows) for every metadata key and value."""
    found: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        for key, value in row.slices.items():
            found[f"{key}: {value}"].append(row)
    yield from sorted(found.items())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
