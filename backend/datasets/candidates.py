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
from backend.detectors.personal import find_in_conversations, without_stand_ins
from backend.detectors.privacy import DEFAULT, PrivacyRules
from backend.vocabulary import MadeBy

_BATCH = 500


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
    is_looked_through: bool = False
    """Whether the search for personal data saw this very text by the rules as they are now; its findings say it all then."""

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


def _with_new_personal_data(
    candidates: Sequence[Candidate],
    dismissed: Mapping[int, set[str]],
    rules: PrivacyRules,
    stand_ins: Mapping[int, set[str]],
) -> set[int]:
    """The records of those candidates whose text holds personal data that nobody has dismissed. Many are searched together."""
    records: set[int] = set()
    for start in range(0, len(candidates), _BATCH):
        batch = candidates[start : start + _BATCH]
        for one, found in zip(batch, find_in_conversations([one.messages for one in batch], rules), strict=True):
            left = without_stand_ins(one.messages, found, stand_ins.get(one.record_id, ()))
            known = dismissed.get(one.record_id, ())
            if any(one.messages[f.message].content[f.start : f.end] not in known for f in left):
                records.add(one.record_id)
    return records


def select(
    candidates: Sequence[Candidate],
    *,
    open_findings: Collection[int],
    dismissed: Mapping[int, set[str]],
    rules: PrivacyRules = DEFAULT,
    stand_ins: Mapping[int, set[str]] | None = None,
) -> Selection:
    """Sort candidates out. `open_findings` are record ids; `dismissed` maps a record id to texts ruled not personal.

    Texts are searched when they are imported and cleaned. One that was not searched as it is, by the rules as they are, is
    searched here.
    """
    rows: list[Candidate] = []
    personal: list[int] = []
    first: dict[str, int] = {}
    duplicates: dict[int, int] = {}
    unseen = [one for one in candidates if not one.is_looked_through and one.record_id not in open_findings]
    found = _with_new_personal_data(unseen, dismissed, rules, stand_ins or {})
    for candidate in sorted(candidates, key=lambda c: (c.follows, c.record_id)):
        if candidate.record_id in open_findings or candidate.record_id in found:
            personal.append(candidate.record_id)
        elif (kept := first.setdefault(candidate.content_hash, candidate.record_id)) != candidate.record_id:
            duplicates[candidate.record_id] = kept
        else:
            rows.append(candidate)
    rows.sort(key=lambda row: row.record_id)
    return Selection(tuple(rows), tuple(sorted(personal)), dict(sorted(duplicates.items())))


def members(rows: Sequence[Candidate], alike: Mapping[int, int] | None = None) -> list[Member]:
    """The rows with what ties them: conversation, near-duplicate cluster, equal question, equal text but for case and space;
    and synthetic ones with what they were made of. `alike` ties what was edited since it was compared (`likeness.tied`).
    """
    near = alike or {}
    return [
        Member(
            row.record_id,
            (
                f"record:{row.record_id}",
                f"group:{row.group}" if row.group else "",
                f"cluster:{row.cluster}" if row.cluster else "",
                f"alike:{near[row.record_id]}" if row.record_id in near else "",
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
