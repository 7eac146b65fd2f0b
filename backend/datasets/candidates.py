"""What could enter a snapshot now, and what could not and why. Pure: rows in, a selection out.

Only a revision with a living approval is a candidate. A row with personal data in it stays out until the finding is fixed
or dismissed. Of rows with equal texts the one with the lowest id stays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from backend.conversations import Message
from backend.datasets.splits import Member
from backend.detectors.duplicates import duplicate_key
from backend.detectors.personal import find_in_messages
from backend.detectors.privacy import DEFAULT, PrivacyRules


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record's approved revision."""

    record_id: int
    revision_id: int
    revision_number: int
    approval_id: int
    content_hash: str
    messages: tuple[Message, ...]
    slices: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """What enters, and what stays out: ids by reason, and for duplicates the id that stands for them."""

    rows: tuple[Candidate, ...]
    personal: tuple[int, ...]
    duplicates: Mapping[int, int]


def has_new_personal_data(
    messages: Sequence[Message],
    dismissed: Collection[str],
    rules: PrivacyRules = DEFAULT,
    stand_ins: Collection[str] = (),
) -> bool:
    """Whether a text holds personal data that nobody has dismissed as none; `dismissed` are the texts of such findings,
    `stand_ins` what took the place of others.
    """
    found = find_in_messages(messages, rules, stand_ins)
    return any(messages[f.message].content[f.start : f.end] not in dismissed for f in found)


def select(
    candidates: Sequence[Candidate],
    *,
    open_findings: Collection[int],
    dismissed: Mapping[int, set[str]],
    rules: PrivacyRules = DEFAULT,
    stand_ins: Mapping[int, set[str]] | None = None,
) -> Selection:
    """Sort candidates out. `open_findings` are record ids; `dismissed` maps a record id to texts ruled not personal.

    Texts are checked when they are imported; what a person has edited since is checked here again.
    """
    rows: list[Candidate] = []
    personal: list[int] = []
    first: dict[str, int] = {}
    known = stand_ins or {}
    duplicates: dict[int, int] = {}
    for candidate in sorted(candidates, key=lambda c: c.record_id):
        edited = candidate.revision_number > 1
        if candidate.record_id in open_findings or (
            edited
            and has_new_personal_data(
                candidate.messages, dismissed.get(candidate.record_id, set()), rules, known.get(candidate.record_id, ())
            )
        ):
            personal.append(candidate.record_id)
        elif (kept := first.setdefault(candidate.content_hash, candidate.record_id)) != candidate.record_id:
            duplicates[candidate.record_id] = kept
        else:
            rows.append(candidate)
    return Selection(tuple(rows), tuple(personal), duplicates)


def members(rows: Sequence[Candidate]) -> list[Member]:
    """The rows with what ties them: conversation, near-duplicate cluster, equal question, equal text but for case and space."""
    return [
        Member(
            row.record_id,
            (
                f"group:{row.group}" if row.group else "",
                f"cluster:{row.cluster}" if row.cluster else "",
                f"question:{duplicate_key(row.messages[:-1])}",
                f"text:{duplicate_key(row.messages)}",
            ),
        )
        for row in rows
    ]
