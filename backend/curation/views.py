"""What families saw in a batch of records, saved: findings, slices, and the mark that they saw it. Nothing here commits."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, overload

from sqlalchemy import String, bindparam, cast, select, update
from sqlmodel import Session

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

_ALIKE = 5
"""Records of which the same becomes from which on one statement says so of all of them."""
_RECORD = Record.__table__  # type: ignore[attr-defined]

Checks = frozenset[Check]
_Changes = dict[tuple[str, str], list[int]]
"""The ids of the records that get this mark and these slices (JSON; "" where theirs stay)."""


@dataclass(frozen=True, slots=True)
class Read:
    """A record as it was handed out to be looked at."""

    record_id: int
    revision_id: int
    head: int
    messages: str
    """The JSON that is stored."""
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
        self._fresh = lambda slices, checks, given: _fresh(slices, self._slices(checks), given)
        self._mark = cache(lambda checked, head, checks: mark(checked, head, {check: by[check] for check in checks}))

    def keep(self, session: Session, batch: Sequence[Read], views: Views) -> Counter[FindingKind]:
        """Save what was seen in those records whose text is still the same; returns the new findings by kind."""
        ids = [one.record_id for one in batch]
        held = select(_RECORD.c.id, _RECORD.c.head, _RECORD.c.checked, cast(_RECORD.c.slices, String))
        locked = held.where(_RECORD.c.id.in_(ids)).order_by(_RECORD.c.id).with_for_update(key_share=True)
        there = {row[0]: row for row in session.connection().execute(locked)}
        stand_ins = stand_ins_of(session, self._project_id, ids)
        looked: list[Looked] = []
        changes: _Changes = defaultdict(list)
        for one, seen in zip(batch, views, strict=True):
            _, head, checked, slices = there.get(one.record_id, (0, 0, "", ""))
            if head == one.head:
                looked.append(self._looked(one, seen, stand_ins.get(one.record_id, set())))
                given = tuple(pair for view in seen.values() for pair in view.slices)
                changes[self._mark(checked, head, one.due), self._fresh(slices, one.due, given)].append(one.record_id)
        found = merge_findings(session, self._project_id, looked)
        _update(session, changes)
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


@lru_cache(maxsize=4096)
def _fresh(slices: str, old: frozenset[str], given: tuple[tuple[str, str], ...]) -> str:
    """The slices once what was `old` gives way to what is given, as JSON; "" where they stay as they are."""
    held = json.loads(slices)
    fresh = {name: value for name, value in held.items() if name not in old} | dict(given)
    return json.dumps(fresh) if fresh != held else ""


class _Stored(Sequence[Message]):
    """Messages as they are stored, made when one is asked for: in most records nothing is found."""

    def __init__(self, stored: str) -> None:
        self._json = stored

    @cached_property
    def _stored(self) -> list[dict[str, str]]:
        held: list[dict[str, str]] = json.loads(self._json)
        return held

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


def _update(session: Session, changes: _Changes) -> None:
    """Past the object mapper, because there are many, and most of them alike."""
    session.flush()
    connection = session.connection()
    few: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for (checked, slices), ids in changes.items():
        values = {"checked": checked, **({"slices": json.loads(slices)} if slices else {})}
        if len(ids) < _ALIKE:
            few[bool(slices)] += [{"row_id": one, **values} for one in ids]
        else:
            connection.execute(update(_RECORD).where(_RECORD.c.id.in_(ids)).values(values))
    for rows in filter(None, few.values()):
        names = [name for name in rows[0] if name != "row_id"]
        changed = update(_RECORD).where(_RECORD.c.id == bindparam("row_id"))
        connection.execute(changed.values({name: bindparam(name) for name in names}), rows)
