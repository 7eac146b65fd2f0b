"""Which subjects are thin among the approved records, measured by what comes in, or by a target where nothing comes in. Pure.

A subject is a topic, or a value of some metadata. Against chats: of the approved records as many as of the chats should be
about it, and at least `target`. Promised: what is asked for does not rest on the luck of few chats: it is reckoned by the
lower end of the interval of the chats' share. Not promised: that records in these shares teach best; it is a list of where to
look first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from backend.statistics.intervals import benjamini_hochberg, newcombe, proportions_p_value, wilson
from backend.statistics.results import Estimate

TARGET = 20
"""Approved records that every subject should have."""
SURE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How often a subject came in, and how its answers were received."""

    chats: int = 0
    thumbs: int = 0
    down: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the project has about a subject."""

    approved: int = 0
    pending: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """One subject. Shares and their intervals are None where there is nothing to take a share of."""

    subject: str
    chats: int
    chat_share: tuple[float, float, float] | None
    """Value, low, high."""
    approved: int
    approved_share: tuple[float, float, float] | None
    pending: int
    missing: int
    """Approved records that it lacks."""
    is_thin: bool
    """Rarer among the approved records than among the chats beyond chance, or short of the target."""
    down_share: tuple[float, float, float] | None
    thumbs: int


def cover(asked: Mapping[str, Asked], held: Mapping[str, Held], *, target: int = TARGET) -> list[Cover]:
    """The subjects, those that lack most first. Chances are corrected for looking at all of them (Benjamini-Hochberg)."""
    subjects = sorted({*asked, *held})
    chats = sum(one.chats for one in asked.values())
    approved = sum(one.approved for one in held.values())
    none, nothing = Asked(), Held()
    known = [(subject, asked.get(subject, none), held.get(subject, nothing)) for subject in subjects]
    tests = [proportions_p_value(ask.chats, chats, own.approved, approved) for _, ask, own in known]
    chances = benjamini_hochberg([1.0 if test is None else test for test in tests])
    rows = [
        _covered(subject, ask, own, chats=chats, approved=approved, target=target, chance=chance)
        for (subject, ask, own), chance in zip(known, chances, strict=True)
    ]
    return sorted(rows, key=lambda row: (-row.missing, -row.chats, row.approved, row.subject))


def _covered(subject: str, ask: Asked, own: Held, *, chats: int, approved: int, target: int, chance: float) -> Cover:
    share, ours = _interval(ask.chats, chats), _interval(own.approved, approved)
    gap = newcombe(ask.chats, chats, own.approved, approved)
    rarer = isinstance(gap, Estimate) and gap.low > 0 and chance <= SURE
    wanted = target if ask.chats or not chats else 0
    if rarer and share:
        wanted = max(wanted, math.ceil(share[1] * approved))
    missing = max(0, wanted - own.approved)
    return Cover(
        subject=subject, chats=ask.chats, chat_share=share, approved=own.approved, approved_share=ours, pending=own.pending,
        missing=missing, is_thin=missing > 0, down_share=_interval(ask.down, ask.thumbs), thumbs=ask.thumbs,
    )  # fmt: skip


def _interval(hits: int, n: int) -> tuple[float, float, float] | None:
    found = wilson(hits, n)
    return (found.value, found.low, found.high) if isinstance(found, Estimate) else None
