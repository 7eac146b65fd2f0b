"""A conversation from a file, made ready to be stored: its revisions, and what was found in them.

Pure. The text as it came is always revision 1; a repair and a mask are revisions of their own, so that nothing is changed
in silence and everything can be undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.conversations import USER, Conversation, Message, content_hash, fault
from backend.detectors import personal, repair
from backend.detectors.duplicates import duplicate_key
from backend.detectors.findings import Finding, apply
from backend.detectors.privacy import DEFAULT, PrivacyRules
from backend.intake.conversations import Imported
from backend.intake.readers.rows import EXCERPT, Rejected
from backend.vocabulary import FindingKind

ID_MAX = 200
"""Characters that the tables hold of an id, and of a group."""


@dataclass(frozen=True, slots=True)
class Version:
    """One revision to be."""

    messages: tuple[Message, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """A finding, the index of the version that it stands on, and that of the version that fixed it, if one did."""

    finding: Finding
    version: int
    fixed_in: int | None = None
    changes: tuple[str, ...] = ()
    """What a repair changed, in words."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A record to be."""

    line: int
    conversation: Conversation
    versions: tuple[Version, ...]
    found: tuple[Found, ...]
    key: str
    """Equal for exact duplicates, by the newest text."""

    @property
    def hashes(self) -> list[str]:
        """The content hash of each version."""
        return [content_hash(version.messages) for version in self.versions]

    @property
    def newest(self) -> Conversation:
        """The conversation with its newest text."""
        return Conversation(self.versions[-1].messages)


def draft(imported: Imported, *, mask: bool, text_max: int, rules: PrivacyRules = DEFAULT) -> Draft | Rejected:
    """The record to be, repaired, and masked where that was asked for; or why there can be none."""
    conversation = imported.conversation
    versions = [Version(conversation.messages, "")]
    found: list[Found] = []
    repaired, faults = _repair(conversation.messages)
    if reason := _refusal(conversation, text_max) or fault(repaired, answer=False):
        return Rejected(imported.line, reason, _excerpt(conversation))
    if faults:
        changes = dict.fromkeys(change for item in faults for change in item.changes)
        versions.append(Version(repaired, f"Repaired on import: {', '.join(changes)}"))
        found += faults
    personal_data = personal.find_in_messages(repaired, rules)
    if mask and personal_data:
        versions.append(Version(mask_messages(repaired, personal_data), "Personal data masked on import"))
    fixed_in = len(versions) - 1 if mask else None
    stands_on = len(versions) - 2 if mask and personal_data else len(versions) - 1
    found += [Found(finding, stands_on, fixed_in) for finding in personal_data]
    return Draft(imported.line, conversation, tuple(versions), tuple(found), duplicate_key(versions[-1].messages))


def _repair(messages: Sequence[Message]) -> tuple[tuple[Message, ...], list[Found]]:
    """The messages repaired, and a fixed finding for each that was changed."""
    repaired, found = [], []
    for index, message in enumerate(messages):
        result = repair.repair(message.content)
        repaired.append(Message(message.role, result.text))
        if result.changes:
            finding = Finding(
                kind=FindingKind.ENCODING,
                message=index,
                start=0,
                end=len(message.content),
                score=1.0,
                detector=repair.DETECTOR,
                version=repair.VERSION,
                proposal=result.text,
            )
            found.append(Found(finding, 0, 1, result.changes))
    return tuple(repaired), found


def mask_messages(messages: Sequence[Message], findings: Sequence[Finding]) -> tuple[Message, ...]:
    """The messages with every finding's span replaced by its proposal."""
    return tuple(
        Message(message.role, apply(message.content, [finding for finding in findings if finding.message == index]))
        for index, message in enumerate(messages)
    )


def _refusal(conversation: Conversation, text_max: int) -> str | None:
    for position, message in enumerate(conversation.messages, start=1):
        if len(message.content) > text_max:
            return f"message {position} has {len(message.content):,} characters; at most {text_max:,} are taken"
    for what, value in (("id", conversation.external_id), ("group", conversation.group)):
        if value is not None and len(value) > ID_MAX:
            return f"the {what} has {len(value):,} characters; at most {ID_MAX} are taken"
    return None


def _excerpt(conversation: Conversation) -> str:
    return conversation.messages[-1].content[:EXCERPT]


def customer_words(messages: Sequence[Message]) -> str:
    """What the customer says: the text by which near duplicates are found.

    Answers are left out: an FAQ's answer repeats word for word under quite different questions.
    """
    return "\n".join(message.content for message in messages if message.role == USER)
