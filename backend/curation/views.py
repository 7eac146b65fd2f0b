"""What families saw in a batch of records, saved: findings, slices, and the mark that they saw it. Nothing here commits."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, overload

from sqlalchemy import bindparam, update
from sqlmodel import Session, col, select

from backend.conversations import Message, messages_from_json
from backend.curation.looking import Views
from backend.detectors.checks import Family, Seen
from backend.detectors.findings import Finding
from backend.detectors.personal import without_stand_ins
from backend.store.checked import mark
from backend.store.findings import Looked, merge_findings, stand_ins_of
from backend.store.records import Record
from backend.vocabulary import Check, FindingKind

MOST_OF_A_KIND = 200
"""Findings of one kind that are kept of a record at a time; of personal data all are."""

Checks = frozenset[Check]


@dataclass(frozen=True, slots=True)
class Read:
    """A record as it was handed out to be looked at."""

    record_id: int
    revision_id: int
    head: int
    messages: list[dict[str, str]]
    due: Checks


class Keeper:
    """Saves what these families, in these versions, saw in a project's records."""

    def __init__(self, project_id: int, families: Mapping[Check, Family], by: Mapping[Check, str]) -> None:
        self._project_id = project_id

        def kinds(checks: Checks) -> frozenset[FindingKind]:
            return frozenset[FindingKind]().union(*(families[check].KINDS for check in checks))

        def slices(checks: Checks) -> frozenset[str]:
            return frozenset[str]().union(*(families[check].SLICES for check in checks))

        # records of a batch are mostly alike, so each of these is worked out a few times a run
        self._kinds: Callable[[Checks], frozenset[FindingKind]] = cache(kinds)
        self._slices: Callable[[Checks], frozenset[str]] = cache(slices)
        self._mark = cache(lambda checked, head, checks: mark(checked, head, {check: by[check] for check in checks}))

    def keep(self, session: Session, batch: Sequence[Read], views: Views) -> Counter[FindingKind]:
        """Save what was seen in those records whose text is still the same; returns the new findings by kind."""
        ids = [one.record_id for one in batch]
        held = select(Record.id, Record.head, Record.checked, Record.slices).where(col(Record.id).in_(ids))
        locked = held.order_by(col(Record.id)).with_for_update(key_share=True)
        there = {row[0]: row for row in session.exec(locked)}
        stand_ins = stand_ins_of(session, self._project_id, ids)
        looked: list[Looked] = []
        rows: list[dict[str, Any]] = []
        for one, seen in zip(batch, views, strict=True):
            _, head, checked, slices = there.get(one.record_id, (0, 0, "", {}))
            if head == one.head:
                looked.append(self._looked(one, seen, stand_ins.get(one.record_id, set())))
                rows.append(self._row(one, seen, checked, slices))
        found = merge_findings(session, self._project_id, looked)
        _update(session, rows)
        return found

    def _looked(self, one: Read, seen: Mapping[Check, Seen], stand_ins: set[str]) -> Looked:
        messages = _Stored(one.messages)
        found: list[Finding] = []
        for check, view in seen.items():
            if check is Check.PERSONAL:
                found += without_stand_ins(messages, view.findings, stand_ins)
            else:
                found += _bounded(view.findings)
        return Looked(
            record_id=one.record_id, revision_id=one.revision_id, number=one.head, messages=messages, found=found,
            kinds=self._kinds(one.due),
        )  # fmt: skip

    def _row(self, one: Read, seen: Mapping[Check, Seen], checked: str, slices: Mapping[str, Any]) -> dict[str, Any]:
        """What becomes of the record: its mark and, where they change, its slices."""
        row = {"row_id": one.record_id, "checked": self._mark(checked, one.head, one.due)}
        old = self._slices(one.due)
        fresh = {name: value for name, value in slices.items() if name not in old}
        for view in seen.values():
            fresh.update(view.slices)
        return row if fresh == slices else {**row, "slices": fresh}


class _Stored(Sequence[Message]):
    """Messages as they are stored, made when one is asked for: in most records nothing is found."""

    def __init__(self, stored: Sequence[Mapping[str, str]]) -> None:
        self._stored = stored

    def __len__(self) -> int:
        return len(self._stored)

    @overload
    def __getitem__(self, place: int) -> Message: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Message, ...]: ...

    def __getitem__(self, place: int | slice) -> Message | tuple[Message, ...]:
        if isinstance(place, slice):
            return messages_from_json(self._stored[place])
        return Message(self._stored[place]["role"], self._stored[place]["content"])


def _bounded(findings: Sequence[Finding]) -> Sequence[Finding]:
    """The first of each kind."""
    if len(findings) <= MOST_OF_A_KIND:
        return findings
    by_kind: dict[FindingKind, list[Finding]] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    return [finding for alike in by_kind.values() for finding in alike[:MOST_OF_A_KIND]]


def _update(session: Session, rows: list[dict[str, Any]]) -> None:
    """Past the object mapper, because there are many."""
    session.flush()
    record = Record.__table__  # type: ignore[attr-defined]
    for size, alike in itertools.groupby(sorted(rows, key=len), key=len):
        columns = ("checked", "slices")[: size - 1]
        changed = update(record).where(record.c.id == bindparam("row_id")).values({name: bindparam(name) for name in columns})
        session.connection().execute(changed, list(alike))
