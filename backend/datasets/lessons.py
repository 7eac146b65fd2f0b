"""What a snapshot of each kind would hold: approved records, or the labels on their questions, as lines. Pure.

A label's line names the rows that it comes from, and repeats the approved answer as `reference`, which evaluations compare
with whatever people preferred.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.conversations import ASSISTANT
from backend.datasets.candidates import Candidate, Selection
from backend.datasets.judgements import Class, Preference, Sources, Thumb
from backend.vocabulary import SnapshotKind

Line = dict[str, Any]
Clean = Callable[[int, str], bool]
"""Whether a text may stand beside a record: it holds no personal data."""


@dataclass(frozen=True, slots=True)
class Harvest:
    """What would be frozen: the records with their lines, what is left out by reason, and what the manifest tells."""

    lines: Mapping[int, Sequence[Line]]
    records: tuple[Candidate, ...]
    left_out: Mapping[str, Sequence[int]]
    duplicates: Mapping[int, int]
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Rows, over all records."""
        return sum(len(lines) for lines in self.lines.values())


def of_answers(selection: Selection) -> Harvest:
    """Approved conversations, a line each."""
    lines = {row.record_id: [{"messages": _json(row)}] for row in selection.rows}
    left = {"personal data": selection.personal}
    return Harvest(lines, selection.rows, left, selection.duplicates, {"kind": SnapshotKind.SFT.value})


def of_preferences(
    selection: Selection, preferences: Iterable[Preference], clean: Clean
) -> tuple[dict[int, list[Line]], Sources]:
    """Pairs of answers, in the order given, each pair once."""
    rows, sources = {row.record_id: row for row in selection.rows}, Sources()
    lines: dict[int, list[Line]] = defaultdict(list)
    seen: set[tuple[int, frozenset[str]]] = set()
    for one in preferences:
        pair = (one.record_id, frozenset((one.chosen, one.rejected)))
        if pair in seen or not all(clean(one.record_id, text) for text in (one.chosen, one.rejected)):
            continue
        seen.add(pair)
        row = rows[one.record_id]
        line = {"prompt": _json(row)[:-1], "chosen": [_answer(one.chosen)], "rejected": [_answer(one.rejected)]}
        lines[one.record_id].append(line | _origin(row, one.sources))
        sources.add(one.sources)
    return lines, sources


def of_thumbs(selection: Selection, thumbs: Iterable[Thumb], clean: Clean) -> tuple[dict[int, list[Line]], Sources]:
    """Answers with a verdict."""
    rows, sources = {row.record_id: row for row in selection.rows}, Sources()
    lines: dict[int, list[Line]] = defaultdict(list)
    for thumb in thumbs:
        if not clean(thumb.record_id, thumb.text):
            continue
        row = rows[thumb.record_id]
        line = {"messages": [*_json(row)[:-1], _answer(thumb.text)], "desirable": thumb.desirable}
        lines[thumb.record_id].append(line | _origin(row, thumb.sources))
        sources.add(thumb.sources)
    return lines, sources


def of_classes(selection: Selection, classes: Iterable[Class], clean: Clean) -> tuple[dict[int, list[Line]], Sources]:
    """Questions, or questions with an answer, with the class that people chose."""
    rows, sources = {row.record_id: row for row in selection.rows}, Sources()
    lines: dict[int, list[Line]] = defaultdict(list)
    for one in classes:
        if one.text and not clean(one.record_id, one.text):
            continue
        row = rows[one.record_id]
        messages = [*_json(row)[:-1], *([_answer(one.text)] if one.text else [])]
        lines[one.record_id].append({"messages": messages, "label": one.label} | _origin(row, one.sources))
        sources.add(one.sources)
    return lines, sources


def of_labels(selection: Selection, key: str) -> tuple[dict[int, list[Line]], tuple[int, ...]]:
    """Questions with the class that their metadata names, and the records that name none."""
    named = {row.record_id: str(row.slices.get(key, "")).strip() for row in selection.rows}
    lines = {row.record_id: [{"messages": _json(row)[:-1], "label": named[row.record_id]}] for row in selection.rows}
    without = tuple(record_id for record_id, label in named.items() if not label)
    return {record_id: made for record_id, made in lines.items() if named[record_id]}, without


def harvest(
    selection: Selection, lines: Mapping[int, Sequence[Line]], left_out: Mapping[str, Iterable[int]], told: Mapping[str, Any]
) -> Harvest:
    """Labels on the records that have any."""
    records = tuple(row for row in selection.rows if lines.get(row.record_id))
    return Harvest(
        lines={row.record_id: lines[row.record_id] for row in records},
        records=records,
        left_out={reason: tuple(sorted(ids)) for reason, ids in sorted(left_out.items())},
        duplicates={left: kept for left, kept in selection.duplicates.items() if lines.get(kept)},
        told=told,
    )


def _json(row: Candidate) -> list[dict[str, str]]:
    return [message.to_json() for message in row.messages]


def _answer(text: str) -> dict[str, str]:
    return {"role": ASSISTANT, "content": text}


def _origin(row: Candidate, sources: Sequence[Mapping[str, int]]) -> Line:
    noted = Sources()
    noted.add(sources)
    return {"reference": row.messages[-1].content, "from": {name: sorted(ids) for name, ids in sorted(noted.ids.items())}}
