"""A conversation from a file, made ready to be stored: its revisions, what was found in them, the judgement that came with it.

Pure, and of plain values, because drafts are made in other processes and lie in a file until the whole import is known to be
good. The text as it came is always revision 1; a repair and a mask are revisions of their own, so that nothing is changed in
silence and everything can be undone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from backend.conversations import USER, Conversation, Message, content_hash, fault
from backend.detectors import personal, repair
from backend.detectors.duplicates import duplicate_key
from backend.detectors.findings import Finding
from backend.detectors.findings import apply as replaced
from backend.detectors.privacy import DEFAULT, PrivacyRules
from backend.detectors.stand_ins import StandIns
from backend.intake.conversations import Imported, Label
from backend.intake.readers.rows import EXCERPT, Rejected
from backend.vocabulary import FindingKind, Thumb

ID_MAX = 200
"""Characters that the tables hold of an id, and of a group."""
KEY_BYTES = 16
POOR, POOR_VERSION = "imported-verdict", "1"
POOR_WORDS = "The file says that this answer is bad; write a better one."


class Version(NamedTuple):
    """One revision to be."""

    messages: list[dict[str, str]]
    content_hash: str
    reason: str


class Found(NamedTuple):
    """A finding, the index of the version that it stands on, and that of the version that fixed it, if one did."""

    finding: Finding
    version: int
    fixed_in: int | None = None
    changes: tuple[str, ...] = ()
    """What a repair changed, in words."""
    stand_in: bool = False
    """Whether the finding's proposal is a stand-in, which reads like the real thing."""


Original = tuple[FindingKind, str, str]
"""What was found, the words, and their stand-in."""


class Draft(NamedTuple):
    """A record to be."""

    line: int
    external_id: str
    group: str
    slices: dict[str, str]
    versions: tuple[Version, ...]
    prompt: str
    answer: str
    found: tuple[Found, ...]
    key: bytes
    """Equal for exact duplicates, by the newest text."""
    label: Label | None = None
    originals: tuple[Original, ...] = ()
    """What stand-ins took the place of, also in the label."""


class Ready(NamedTuple):
    """A conversation that can become a record, repaired."""

    imported: Imported
    messages: tuple[Message, ...]
    repairs: list[Found]


class Making(NamedTuple):
    """How drafts are made."""

    text_max: int
    rules: PrivacyRules = DEFAULT
    mask: bool = False
    stand_ins: StandIns | None = None
    """Put in place of personal data instead of masks."""


def drafts(conversations: Sequence[Imported], making: Making, search: personal.Search | None = None) -> list[Draft | Rejected]:
    """For each conversation the record to be, repaired, and masked where that was asked for; or why there can be none.
    `search` is one by the same rules that remembers earlier conversations.
    """
    ready = [_ready(imported, making.text_max) for imported in conversations]
    search = search or personal.Search(making.rules)
    found = iter(search([one.messages for one in ready if isinstance(one, Ready)]))
    return [one if isinstance(one, Rejected) else _draft(one, next(found), making) for one in ready]


def _ready(imported: Imported, text_max: int) -> Ready | Rejected:
    conversation = imported.conversation
    repaired, found = _repair(conversation.messages)
    if reason := _refusal(imported, text_max) or fault(repaired, answer=False):
        return Rejected(imported.line, reason, conversation.messages[-1].content[:EXCERPT])
    return Ready(imported, repaired, found)


def _draft(ready: Ready, findings: list[Finding], making: Making) -> Draft:
    imported, repaired, found = ready
    conversation = imported.conversation
    texts = [(conversation.messages, "")]
    if found:
        changes = dict.fromkeys(change for item in found for change in item.changes)
        texts.append((repaired, f"Repaired on import: {', '.join(changes)}"))
    originals: list[Original] = []
    newest, personal_data = _personal(repaired, findings, len(texts) - 1, making, originals)
    if newest != repaired:
        texts.append((newest, "Personal data masked on import"))
    found += personal_data
    label = _clean_label(imported.label, making, originals) if imported.label else None
    if label is not None and label.thumb is Thumb.DOWN:
        found.append(_poor_answer(newest, len(texts) - 1))
    head = Conversation(newest)
    return Draft(
        imported.line,
        conversation.external_id or "",
        conversation.group or "",
        dict(conversation.metadata),
        tuple(Version([one.to_json() for one in messages], content_hash(messages), why) for messages, why in texts),
        head.prompt,
        head.answer or "",
        tuple(found),
        bytes.fromhex(duplicate_key(newest))[:KEY_BYTES],
        label,
        tuple(originals),
    )


def _personal(
    messages: tuple[Message, ...], findings: list[Finding], version: int, making: Making, originals: list[Original]
) -> tuple[tuple[Message, ...], list[Found]]:
    """The messages, masked where that was asked for, and what was found in them. Taking a span away can lay bare another:
    that one stays open.
    """
    if not making.mask or not findings:
        return messages, [Found(finding, version) for finding in findings]
    findings = _replacing(findings, messages, making, originals)
    masked = mask_messages(messages, findings)
    said = [finding.proposal or "" for finding in findings] if making.stand_ins else []
    left = personal.find_in_messages(masked, making.rules, said)
    gone = [Found(finding, version, version + 1, stand_in=making.stand_ins is not None) for finding in findings]
    return masked, [*gone, *(Found(finding, version + 1) for finding in left)]


def _replacing(
    findings: Sequence[Finding], messages: Sequence[Message], making: Making, originals: list[Original]
) -> list[Finding]:
    """The findings with stand-ins as their proposals where the project wants those; what they stand for goes to `originals`."""
    if making.stand_ins is None:
        return list(findings)
    texts = [messages[finding.message].content[finding.start : finding.end] for finding in findings]
    made = [making.stand_ins.of(finding.kind, text) for finding, text in zip(findings, texts, strict=True)]
    originals += [(finding.kind, text, said) for finding, text, said in zip(findings, texts, made, strict=True)]
    return [dataclasses.replace(finding, proposal=said) for finding, said in zip(findings, made, strict=True)]


def _repair(messages: Sequence[Message]) -> tuple[tuple[Message, ...], list[Found]]:
    """The messages repaired, and a fixed finding for each that was changed."""
    repaired, found = [], []
    for index, message in enumerate(messages):
        result = repair.repair(message.content)
        repaired.append(Message(message.role, result.text) if result.changes else message)
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
        Message(message.role, replaced(message.content, [finding for finding in findings if finding.message == index]))
        for index, message in enumerate(messages)
    )


def _clean_label(label: Label, making: Making, originals: list[Original]) -> Label | None:
    """Repaired, and always without personal data: nobody looks through the texts of a label before it teaches. None where
    nothing is left to tell the two answers apart.
    """
    answer, rejected = (_clean(text, making, originals) for text in (label.answer, label.rejected))
    if label.thumb is None and (not rejected.strip() or rejected == answer):
        return None
    return Label(answer, rejected, label.thumb)


def _clean(text: str, making: Making, originals: list[Original]) -> str:
    message = (Message(USER, repair.repair(text).text),)
    findings = _replacing(personal.find_in_messages(message, making.rules), message, making, originals)
    return mask_messages(message, findings)[0].content if findings else message[0].content


def _poor_answer(messages: Sequence[Message], version: int) -> Found:
    finding = Finding(
        kind=FindingKind.POOR_ANSWER,
        message=len(messages) - 1,
        start=0,
        end=len(messages[-1].content),
        score=1.0,
        detector=POOR,
        version=POOR_VERSION,
        why=POOR_WORDS,
    )
    return Found(finding, version)


def _refusal(imported: Imported, text_max: int) -> str | None:
    conversation = imported.conversation
    for position, message in enumerate(conversation.messages, start=1):
        if len(message.content) > text_max:
            return f"message {position} has {len(message.content):,} characters; at most {text_max:,} are taken"
    if imported.label and len(imported.label.rejected) > text_max:
        return f"the rejected answer has {len(imported.label.rejected):,} characters; at most {text_max:,} are taken"
    for what, value in (("id", conversation.external_id), ("group", conversation.group)):
        if value is not None and len(value) > ID_MAX:
            return f"the {what} has {len(value):,} characters; at most {ID_MAX} are taken"
    return None
