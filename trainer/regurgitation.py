"""Whether a model repeats single rows of what it learned: planted secrets, and word-for-word copies in its answers.

Exposure (Carlini et al. 2019) is log2|R| - log2 rank, where R is the space that a canary's secret was drawn from and the rank
is the secret's place among all of R by the model's loss. The rank is known in two ways, and the better one is told. Among
`AMONG` other secrets drawn from R it shows up to log2(AMONG + 1) bits, and no further. And where the model says the canary with
the probability p, no more than 1/p answers can be as likely, so the rank is 1/p at most: -log2 p bits are what is left to
guess. A secret that means nothing to the model has an exposure of 1.4 on average; one that it knows by heart has log2|R|.
A canary is extracted when the greedy answer to its question holds the secret.

A copy is an answer with `GRAM` words in a row that stand in a learned answer, and neither in the question nor in the reference.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainer.contract import MANIFEST, ConfigError, Decoding, read_json
from trainer.figures import ratio_bounds, wilson, words
from trainer.generate import generate
from trainer.model import Loaded, LoadedReader
from trainer.rows import BadData, Message, Row
from trainer.voices import answer_losses

AMONG, GRAM, SHOWN = 127, 8, 50
_LINKED = 5
_LONGEST = 48


@dataclass(frozen=True, slots=True)
class Canary:
    """A planted row as the manifest tells it."""

    id: str
    prompt: list[Message]
    opening: str
    secret: str
    closing: str

    def row(self, secret: str) -> Row:
        """The row with this secret in its place."""
        answer: Message = {"role": "assistant", "content": f"{self.opening}{secret}{self.closing}"}
        return Row(self.id, (*self.prompt, answer), 1.0, {})


@dataclass(frozen=True, slots=True)
class Nest:
    """The canaries of one snapshot, and the space of their secrets: numbers of so many digits."""

    canaries: tuple[Canary, ...]
    digits: int

    @property
    def space(self) -> int:
        """How many secrets there could have been."""
        return 10**self.digits

    def others(self, canary: Canary) -> list[str]:
        """Secrets that it might as well have had, the same ones for every model."""
        draw = random.Random(f"{canary.id}\x00{canary.secret}")  # noqa: S311  a sample, not a secret
        drawn = draw.sample(range(self.space), min(AMONG + 1, self.space))
        return [text for value in drawn if (text := f"{value:0{self.digits}d}") != canary.secret][:AMONG]


def find_nest(folder: Path) -> Nest | None:
    """The canaries that a snapshot's manifest names; None where there are none. Raises BadData."""
    try:
        told = read_json(folder / MANIFEST).get("canaries") if (folder / MANIFEST).exists() else None
        if not told or not told["rows"]:
            return None
        made = [Canary(one["id"], one["messages"], one["opening"], one["secret"], one["closing"]) for one in told["rows"]]
        return Nest(tuple(made), int(told["digits"]))
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise BadData(f"{folder / MANIFEST}: what it tells of canaries cannot be read ({error}).") from error


def look_for(nest: Nest, loaded: Loaded | LoadedReader) -> dict[str, Any]:
    """Extraction and exposure of every canary in one model."""
    prompts = [canary.prompt for canary in nest.canaries]
    said = generate(loaded, prompts, Decoding(max_new_tokens=_LONGEST))
    rows: list[dict[str, Any]] = []
    for canary, answer in zip(nest.canaries, said, strict=True):
        others = nest.others(canary)
        own, *rest = answer_losses(loaded, [canary.row(secret) for secret in (canary.secret, *others)])
        if own is None:
            continue
        better = sum(loss is not None and loss.total < own.total for loss in rest)
        exposure = exposure_of(own.total, among=len(others), better=better, space=nest.space)
        rows.append({"id": canary.id, "extracted": canary.secret in answer.text, "exposure": exposure, "text": answer.text})
    if not rows:
        return {}
    count, extracted, bits = len(rows), sum(bool(one["extracted"]) for one in rows), [float(one["exposure"]) for one in rows]
    bounds = {"extracted": wilson(extracted, count), "exposure": _mean_bounds(bits)}
    return {
        "extracted": extracted / count,
        "extracted_n": count,
        "exposure": sum(bits) / count,
        "exposure_n": count,
        "canaries": rows,
        "intervals": {name: list(found) for name, found in bounds.items() if found is not None},
    }


def exposure_of(nats: float, *, among: int, better: int, space: int) -> float:
    """Bits of a secret whose answer has this negative log-likelihood and is less likely than `better` of `among` others."""
    by_rank = math.log2((among + 1) / (better + 1))
    return max(by_rank, math.log2(space) - nats / math.log(2))


def _mean_bounds(values: Sequence[float]) -> tuple[float, float] | None:
    return ratio_bounds(np.array(values), np.ones(len(values)))


def grams(text: str) -> set[tuple[str, ...]]:
    """Every run of `GRAM` words of a text."""
    found = words(text)
    return {tuple(found[start : start + GRAM]) for start in range(len(found) - GRAM + 1)}


def find_copies(answers: Sequence[tuple[Row, str]], learned: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The share of answers that hold a copy, and the first of them with the ids of the rows that they repeat."""
    new = []
    for row, text in answers:
        given = [grams(message["content"]) for message in row.messages]
        new.append(grams(text).difference(*given))
    wanted = set().union(*new) if new else set()
    holders: dict[tuple[str, ...], list[str]] = {}
    for name, answer in learned:
        for gram in grams(answer) & wanted:
            known = holders.setdefault(gram, [])
            if len(known) < _LINKED and name not in known:
                known.append(name)
    found = []
    for (row, text), own in zip(answers, new, strict=True):
        if hits := own & holders.keys():
            said = next(gram for gram in _in_order(text) if gram in hits)
            found.append({"id": row.id, "text": " ".join(said), "rows": holders[said]})
    n = len(answers)
    bounds = wilson(len(found), n)
    return {
        "copied": len(found) / n if n else None,
        "copied_n": n,
        "copies": found[:SHOWN],
        "intervals": {"copied": list(bounds)} if bounds else {},
    }


def _in_order(text: str) -> Iterable[tuple[str, ...]]:
    said = words(text)
    return (tuple(said[start : start + GRAM]) for start in range(len(said) - GRAM + 1))
