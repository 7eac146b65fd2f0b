"""Findings that name another record, brought in line with what was found. Nothing here commits.

A finding that a person closed stays closed; one that an edit had made untrue is open again when it is true again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from backend.store.base import now
from backend.store.bulk import add_rows
from backend.store.records import Finding
from backend.vocabulary import FindingKind, FindingStatus

_TELL_APART = ("of", "other", "why")
"""Two findings of one kind and record with the same of these are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """What a record is to another; `detail` says to which."""

    kind: FindingKind
    detector: str
    version: str
    detail: dict[str, Any]
    score: float = 1.0
    message: int = 0
    end: int = 0

    def is_said_by(self, row: Finding) -> bool:
        """Whether the finding says this."""
        return row.kind is self.kind and all(row.detail.get(key) == self.detail.get(key) for key in _TELL_APART)


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """A record by its revision `revision_id`, and everything of these kinds that holds of it now."""

    record_id: int
    revision_id: int
    head: int
    relations: Sequence[Relation] = field(default=())


def keep(session: Session, project_id: int, related: Sequence[Related], kinds: Collection[FindingKind]) -> Counter[str]:
    """Add, update and close findings of these kinds; returns how many are new, by kind."""
    held: dict[int, list[Finding]] = defaultdict(list)
    ids = [one.record_id for one in related]
    query = select(Finding).where(col(Finding.record_id).in_(ids), col(Finding.kind).in_(kinds)).order_by(col(Finding.id))
    for row in session.exec(query):
        held[row.record_id].append(row)
    new = []
    at = now()
    for one in related:
        said = set()
        for row in held[one.record_id]:
            relation = next((relation for relation in one.relations if relation.is_said_by(row)), None)
            if relation is not None:
                said.add(id(relation))
                _update(row, one, relation)
            elif row.status is FindingStatus.OPEN:
                row.status, row.detail = FindingStatus.FIXED, {**row.detail, "gone_in": one.head}
        new += [_row(project_id, one, relation, at) for relation in one.relations if id(relation) not in said]
    session.flush()
    add_rows(session, Finding, new)
    return Counter(str(row["kind"]) for row in new)


def _update(row: Finding, one: Related, relation: Relation) -> None:
    if row.status is FindingStatus.FIXED and "gone_in" in row.detail:
        row.status, row.closed_by, row.detail = FindingStatus.OPEN, None, {}
    if row.status is FindingStatus.OPEN and (row.detail, row.revision_id) != (relation.detail, one.revision_id):
        row.detail, row.score, row.revision_id = relation.detail, relation.score, one.revision_id
        row.message, row.end = relation.message, relation.end


def _row(project_id: int, one: Related, relation: Relation, at: datetime) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "record_id": one.record_id,
        "revision_id": one.revision_id,
        "kind": relation.kind,
        "message": relation.message,
        "start": 0,
        "end": relation.end,
        "score": relation.score,
        "detector": relation.detector,
        "version": relation.version,
        "proposal": None,
        "detail": relation.detail,
        "status": FindingStatus.OPEN,
        "closed_by": None,
        "created_at": at,
    }
