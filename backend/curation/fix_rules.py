"""Rules that say which findings a bulk is about, as "all markup" or "all boilerplate that is surer than .9"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, or_
from sqlmodel import col

from backend.store.records import Finding, Record, RecordRevision
from backend.vocabulary import PERSONAL_FINDINGS, FindingKind, FindingStatus

JUDGED = frozenset({FindingKind.UNSUPPORTED, FindingKind.SPELLING, FindingKind.CONTRADICTION})
"""Kinds whose proposal may be the wrong one of two: the FAQ can be out of date, the odd word a product's name. Somebody looks
at each; no bulk takes them.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Findings of these kinds, at least this sure, of this detector ("" for any), from this import (None for all)."""

    kinds: frozenset[FindingKind]
    min_score: float = 0.0
    detector: str = ""
    source_id: int | None = None


def open_by(rule: Rule, project_id: int) -> tuple[Any, ...]:
    """The open findings that a rule means. Where it names an import, `Record` has to be joined."""
    conditions: list[Any] = [
        Finding.project_id == project_id,
        Finding.status == FindingStatus.OPEN,
        col(Finding.kind).in_(rule.kinds),
        col(Finding.score) >= rule.min_score,
    ]
    if rule.detector:
        conditions.append(Finding.detector == rule.detector)
    if rule.source_id is not None:
        conditions.append(Record.source_id == rule.source_id)
    return tuple(conditions)


def can_be_fixed() -> Any:
    """Whether a machine can fix the finding: it says what would stand in its place, and stands on the newest text (findings
    of personal data always do). `Record` and `RecordRevision` have to be joined.
    """
    newest = or_(col(Finding.kind).in_(PERSONAL_FINDINGS), col(RecordRevision.number) == col(Record.head))
    return and_(has_fix(), newest)


def has_fix() -> Any:
    """Whether the finding says what would stand in its place."""
    return and_(col(Finding.proposal).is_not(None), col(Finding.end) > col(Finding.start))


def can_be_fixed_in_bulk() -> Any:
    """Whether it can be fixed without anybody looking at it."""
    return and_(can_be_fixed(), col(Finding.kind).not_in(JUDGED))
