"""Which items a task asks about, drawn from all that fit. Pure: the same seed draws the same.

Questions are drawn first, whatever was answered to them, so that what raters say holds for all questions. Then come the
answers: each one (to rate), two (to compare), or three to five (to rank). Where more versions take part than an item
shows, they meet each other equally often, as far as the questions that they answered allow. Which side a response stands
on is not drawn here but when a rater gets the item.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice
from typing import NamedTuple, TypeVar

from backend.errors import InvalidInput
from backend.review.selections import Selection
from backend.vocabulary import TaskKind

REFERENCE = "reference"
"""The contestant that stands for the answer that was approved, or imported, as the right one."""
RANKED = range(3, 6)
"""How many responses a ranking may show."""

T = TypeVar("T", bound=Hashable)


class Answer(NamedTuple):
    """What one contestant said to a question. A reference answer may be no response yet; then `response_id` is None."""

    question: int
    contestant: str
    response_id: int | None
    text: str


Pool = Mapping[int, Mapping[str, Answer]]
"""question (a record's id) → contestant → answer"""


@dataclass(frozen=True, slots=True)
class Draw:
    """What a task will hold. `identical` counts what is left out because the texts are equal: nobody needs to look at it."""

    found: int
    """Questions that could have been drawn."""
    questions: int
    """Questions that were drawn."""
    items: tuple[tuple[Answer, ...], ...]
    identical: int = 0
    strata: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """value → (found, drawn), where the sample is stratified."""

    @property
    def meetings(self) -> dict[tuple[str, str], int]:
        """How often each two contestants meet in an item."""
        return dict(Counter(pair for item in self.items for pair in _pairs(item)))


def draw_questions(strata: Mapping[T, str], selection: Selection) -> list[T]:
    """As many of the questions as were asked for, shuffled; each question is given with its stratum.

    Where the sample is stratified: as many of each stratum as its share is, or equally many of each as far as they reach.
    """
    shuffled = list(strata)
    random.Random(selection.seed).shuffle(shuffled)  # noqa: S311 - a reproducible sample, not a secret
    if selection.size is None or selection.size >= len(shuffled):
        return shuffled
    if not selection.stratify:
        return shuffled[: selection.size]
    left = quotas(Counter(strata.values()), selection.size, equal=selection.equal)
    drawn = []
    for question in shuffled:
        if left[strata[question]]:
            left[strata[question]] -= 1
            drawn.append(question)
    return drawn


def quotas(counts: Mapping[str, int], size: int, *, equal: bool = False) -> dict[str, int]:
    """How many of `size` each stratum gets; no more than it has. They add up to `size`, or to all that there are."""
    size = min(size, sum(counts.values()))
    if not equal:
        exact = {name: size * count / sum(counts.values()) for name, count in counts.items()}
        given = {name: int(share) for name, share in exact.items()}
        by_rest = sorted(counts, key=lambda name: (given[name] - exact[name], name))
        for name in by_rest[: size - sum(given.values())]:
            given[name] += 1
        return given
    given, left, open_strata = dict.fromkeys(counts, 0), size, sorted(counts, key=lambda name: (counts[name], name))
    while open_strata:
        name = open_strata.pop(0)  # the smallest first: what it cannot fill goes to the larger ones
        given[name] = min(counts[name], left // (len(open_strata) + 1))
        left -= given[name]
    return given


def draw_items(kind: TaskKind, pool: Pool, strata: Mapping[int, str], selection: Selection) -> Draw:
    """The items of a task to rate, compare or rank, from the questions that enough of the contestants answered.

    `strata` names each question's stratum. Raises InvalidInput.
    """
    contestants = selection.contestants
    needed = _needed(kind, contestants, selection.ranked)
    together = 1 if kind is TaskKind.RATE else needed
    able = {question: _of(answers, contestants) for question, answers in pool.items()}
    able = {question: answers for question, answers in able.items() if len(answers) >= needed}
    in_stratum = {question: strata.get(question, "") for question in able}
    drawn = draw_questions(in_stratum, selection)
    answered = [able[question] for question in drawn]
    dice = random.Random(selection.seed + 1)  # noqa: S311
    each = {TaskKind.RATE: None, TaskKind.COMPARE: selection.pairs_per_question}.get(kind, 1)
    sets = _balanced(answered, together, each, dice)
    dice.shuffle(sets)  # no order tells which version an answer is from, and a question's items stand apart
    if kind is TaskKind.RANK:
        sets = [tuple(dice.sample(one, together)) for one in sets]  # of equal texts, the lot says which one stays
    items = sets if together == 1 else [_distinct(one) for one in sets]
    shown = tuple(item for item in items if len(item) >= min(together, RANKED.start))
    return Draw(
        found=len(able),
        questions=len(drawn),
        items=shown,
        identical=len(items) - len(shown),
        strata=in_strata(in_stratum, drawn) if selection.stratify else {},
    )


def in_strata(strata: Mapping[T, str], drawn: Collection[T]) -> dict[str, tuple[int, int]]:
    """value → (found, drawn)"""
    found, taken = Counter(strata.values()), Counter(strata[question] for question in drawn)
    return {name: (found[name], taken[name]) for name in sorted(found)}


def is_settled(answers: Mapping[str, Answer], contestants: Sequence[str]) -> bool:
    """Whether all contestants gave the same answer, so that there is nothing to judge between them."""
    return len({answer.text.strip() for answer in _of(answers, contestants)}) == 1


def without(pool: Pool, asked: Collection[int], contestants: Sequence[str], settled: int) -> dict[int, Mapping[str, Answer]]:
    """The questions that were not `asked` yet, without `settled` of those that all answered alike: they were counted before."""
    left = {question: answers for question, answers in pool.items() if question not in asked}
    alike = (question for question, answers in left.items() if is_settled(answers, contestants))
    for question in list(islice(alike, settled)):
        del left[question]
    return left


def _needed(kind: TaskKind, contestants: Sequence[str], ranked: int) -> int:
    """How many of the contestants must have answered a question for it to be drawn."""
    if len(set(contestants)) != len(contestants):
        raise InvalidInput("Choose different versions: a version cannot be compared with itself.")
    if kind is TaskKind.LABEL:
        raise InvalidInput("Records are chosen by themselves, not by who answered them.")
    if not contestants:
        raise InvalidInput("Choose whose answers are judged.")
    if kind is TaskKind.RATE:
        return len(contestants)
    if kind is TaskKind.COMPARE:
        if len(contestants) < 2:
            raise InvalidInput("A comparison needs at least two versions, or a version and the reference answer.")
        return 2
    if ranked not in RANKED or len(contestants) < ranked:
        raise InvalidInput("A ranking shows three to five answers, so choose at least that many versions.")
    return ranked


def _of(answers: Mapping[str, Answer], contestants: Sequence[str]) -> list[Answer]:
    return [answers[name] for name in contestants if name in answers]


def _balanced(
    answered: Sequence[Sequence[Answer]], together: int, each: int | None, dice: random.Random
) -> list[tuple[Answer, ...]]:
    """For each question `each` groups (None: all) of `together` answers, so that all meet each other equally often.

    The group whose members have met least is taken; of those, the one whose members were taken least, then by lot.
    """
    met: Counter[tuple[str, str]] = Counter()
    taken: Counter[str] = Counter()
    chosen = []
    for answers in answered:
        if len(answers) == together:
            chosen.append(tuple(answers))
            met.update(_pairs(answers))
            continue
        groups = list(combinations(answers, together))
        if each is None or each >= len(groups):
            chosen += groups
            continue
        dice.shuffle(groups)
        for _ in range(each):
            group = min(groups, key=lambda one: (sum(met[pair] for pair in _pairs(one)), sum(taken[a.contestant] for a in one)))
            groups.remove(group)
            met.update(_pairs(group))
            taken.update(answer.contestant for answer in group)
            chosen.append(group)
    return chosen


def _pairs(group: Sequence[Answer]) -> list[tuple[str, str]]:
    return list(combinations(sorted(answer.contestant for answer in group), 2))


def _distinct(group: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """Each text once."""
    texts = {answer.text.strip(): answer for answer in reversed(group)}
    return group if len(texts) == len(group) else tuple(answer for answer in group if answer in texts.values())
