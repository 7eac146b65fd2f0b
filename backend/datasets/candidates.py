"""What could enter a snapshot now, and what could not and why. Pure: rows in, a selection out.

Only a revision with a living approval is a candidate. A row with personal data in it stays out until the finding is fixed
or dismissed. Of rows with equal texts the one with the lowest id stays, people's own before synthetic and general ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from backend.conversations import SYSTEM, USER, Message
from backend.datasets.splits import Member
from backend.detectors.duplicates import duplicate_key
from backend.detectors.personal import find_in_messages
from backend.detectors.privacy import DEFAULT, PrivacyRules
from backend.vocabulary import MadeBy


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
    weight: float = 1.0
    copies: int = 1
    made_by: MadeBy = MadeBy.PEOPLE
    made_of: tuple[int, ...] = ()
    """The records that a synthetic one was made of."""
    is_general: bool = False
    """Whether it is general talk, not the project's own subject."""

    @property
    def is_synthetic(self) -> bool:
        """Whether it was made from other records."""
        return self.made_by is not MadeBy.PEOPLE

    @property
    def follows(self) -> bool:
        """Whether it goes where other records lead, and only into train: what is synthetic or general."""
        return self.is_synthetic or self.is_general


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
    for candidate in sorted(candidates, key=lambda c: (c.follows, c.record_id)):
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
    rows.sort(key=lambda row: row.record_id)
    return Selection(tuple(rows), tuple(sorted(personal)), dict(sorted(duplicates.items())))


def members(rows: Sequence[Candidate]) -> list[Member]:
    """The rows with what ties them: conversation, near-duplicate cluster, equal question, equal text but for case and space;
    and synthetic ones with what they were made of.
    """
    return [
        Member(
            row.record_id,
            (
                f"record:{row.record_id}",
                f"group:{row.group}" if row.group else "",
                f"cluster:{row.cluster}" if row.cluster else "",
                f"question:{duplicate_key(row.messages[:-1])}",
                f"text:{duplicate_key(row.messages)}",
                *(_origins(row) if row.is_synthetic else ()),
            ),
        )
        for row in rows
    ]


def _origins(row: Candidate) -> Iterator[str]:
    """What ties a synthetic row: its originals, and every question in it, which may be a whole record's question."""
    yield from (f"record:{key}" for key in row.made_of)
    opening = [message for message in row.messages[:1] if message.role == SYSTEM]
    for message in row.messages:
        if message.role == USER:
            yield f"question:{duplicate_key([message])}"
            if opening:
                yield f"question:{duplicate_key([*opening, message])}"
