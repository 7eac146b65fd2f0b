"""Reads about mitigations of bias: by what records can be told apart, and what was done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.curation.auditing import slice_keys
from backend.curation.labels import SLICE, Label, of_answers, of_people
from backend.store.accounts import Account
from backend.store.curation import Mitigation
from backend.store.records import Approval, Record
from backend.vocabulary import DETECTED, Action, MitigationKind


@dataclass(frozen=True, slots=True)
class Done:
    """A mitigation as the page lists it. `can_undo`: nothing of its kind came after it, and it is in force."""

    id: int
    kind: MitigationKind
    options: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str
    by: str
    at: datetime
    undone_at: datetime | None
    can_undo: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand: records that can be trained on, and those that do not count plainly."""

    approved: int
    weighted: int
    copied: int
    left_out: int
    later: int
    """Approved after the newest mitigation in force, so that it does not know them."""


def group_labels(session: Session, *, actor: Actor, project_id: int) -> list[Label]:
    """By what groups can be told apart."""
    keys = slice_keys(session, actor=actor, project_id=project_id)
    named = [
        Label(SLICE + key, key.removeprefix(DETECTED) + (" (detected)" if key.startswith(DETECTED) else "")) for key in keys
    ]
    return [*named, *of_people()]


def outcome_labels(session: Session, *, actor: Actor, project_id: int) -> list[Label]:
    """What should not hang on the group: what became of the answer, or any other slice."""
    return [*of_answers(), *group_labels(session, actor=actor, project_id=project_id)]


def history(session: Session, *, actor: Actor, project_id: int, limit: int = 50) -> list[Done]:
    """What was done, the newest first; without what undoing puts back."""
    check(actor, Action.VIEW_RESULTS, project_id)
    query = (
        select(Mitigation, Account.email)
        .outerjoin(Account, col(Account.id) == col(Mitigation.created_by))
        .where(Mitigation.project_id == project_id)
        .order_by(col(Mitigation.id).desc())
        .limit(limit)
    )
    seen: set[MitigationKind] = set()
    found = []
    for row, email in session.exec(query):
        free = row.undone_at is None and (row.kind is MitigationKind.COUNTERFACTUALS or row.kind not in seen)
        if row.undone_at is None:
            seen.add(row.kind)
        before = {key: value for key, value in row.before.items() if key != "put_back"}
        found.append(Done(row.id or 0, row.kind, row.options, before, row.after, row.reason, email or "system", row.created_at,
                          row.undone_at, free))  # fmt: skip
    return found


def standing(session: Session, *, actor: Actor, project_id: int) -> Standing:
    """How the approved records count now."""
    check(actor, Action.VIEW_RESULTS, project_id)
    approved: list[Any] = [Record.project_id == project_id, col(Record.approved_revision_id).is_not(None)]

    def number(*conditions: Any) -> int:
        return int(session.exec(select(func.count()).select_from(Record).where(*approved, *conditions)).one())

    last = session.exec(
        select(func.max(Mitigation.created_at)).where(
            Mitigation.project_id == project_id,
            col(Mitigation.undone_at).is_(None),
            Mitigation.kind != MitigationKind.COUNTERFACTUALS,
        )
    ).one()
    later = number(_approved_since(last)) if last is not None else 0
    return Standing(number(), number(Record.weight != 1.0), number(Record.copies > 1), number(Record.copies == 0), later)


def _approved_since(moment: Any) -> Any:
    newer = select(Approval.record_id).where(
        col(Approval.created_at) > moment, Approval.revision_id == col(Record.approved_revision_id)
    )
    return col(Record.id).in_(newer)
