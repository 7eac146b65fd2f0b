"""What should not have come along with a text, or is missing from it: broken encoding, HTML, placeholders, boilerplate,
empty and cut-off answers, answers that echo the question. Pure.

A proposal replaces exactly its span; None where a person has to decide. Signatures and HTML are looked for in what users say
as well, for a chatbot should not learn to expect them; what is missing only in what the assistant says. The modules that find
each say what they do not promise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from backend.conversations import ASSISTANT, SYSTEM, USER, Message
from backend.detectors.boilerplate import asks_for_writing, find_boilerplate
from backend.detectors.checks import Context, Seen
from backend.detectors.endings import cut_off, echoes, is_empty
from backend.detectors.findings import Finding
from backend.detectors.markup import find_markup, talks_of_code
from backend.detectors.of_late import of_late
from backend.detectors.placeholders import find_placeholders, is_nothing
from backend.detectors.repair import find_faults
from backend.vocabulary import FindingKind

DETECTOR, VERSION = "leftovers", "1"
KINDS = frozenset(
    {
        FindingKind.ENCODING, FindingKind.MARKUP, FindingKind.PLACEHOLDER, FindingKind.BOILERPLATE, FindingKind.TRUNCATED,
        FindingKind.ECHO,
    }
)  # fmt: skip
SLICES: frozenset[str] = frozenset()


def look(batch: Sequence[Sequence[Message]], context: Context) -> list[Seen]:
    """What each conversation has too much or too little of."""
    return [Seen(findings=tuple(_in_conversation(messages))) for messages in batch]


def _in_conversation(messages: Sequence[Message]) -> Iterator[Finding]:
    instructions = "\n".join(message.content for message in messages if message.role != ASSISTANT)
    of_code, of_letters = talks_of_code(instructions), asks_for_writing(instructions)
    for place, message in enumerate(messages):
        text = message.content
        look_through = _known_leftovers if message.role == ASSISTANT else _leftovers
        for finding in look_through(text, of_code, of_letters, message.role != SYSTEM):
            yield replace(finding, message=place)
        if message.role == ASSISTANT:
            asked = next((earlier.content for earlier in reversed(messages[:place]) if earlier.role == USER), "")
            yield from _missing(text, asked, place)


def _leftovers(text: str, of_code: bool, of_letters: bool, is_said: bool) -> tuple[Finding, ...]:
    """What should not have come along with a text, as of a first message."""
    faults = find_faults(text)
    found = [*faults]
    if not of_code:
        if not faults or find_markup(faults[0].proposal or ""):  # the repair decodes character codes as well
            found += _markup(text)
        found += [_finding(FindingKind.PLACEHOLDER, 0, start, end, 0.9, why) for start, end, why in find_placeholders(text)]
    if is_said:
        found += _boilerplate(text, of_letters)
    return tuple(found)


_known_leftovers = of_late(_leftovers)


def _markup(text: str) -> Iterator[Finding]:
    if found := find_markup(text):
        start, end, cleaned, why = found
        empty = is_empty(text[:start] + cleaned + text[end:])
        yield _finding(FindingKind.MARKUP, 0, start, end, 0.95, why, None if empty else cleaned)


def _boilerplate(text: str, is_wanted: bool) -> Iterator[Finding]:
    found = find_boilerplate(text, is_wanted=is_wanted)
    rest, position = "", 0
    for start, end, _ in found:
        rest, position = rest + text[position:start], end
    proposal = None if is_empty(rest + text[position:]) else ""
    for start, end, why in found:
        yield _finding(FindingKind.BOILERPLATE, 0, start, end, 0.9, why, proposal)


def _missing(text: str, asked: str, place: int) -> Iterator[Finding]:
    """At most one finding: an answer that is empty is not cut off as well."""
    if is_empty(text):
        yield _finding(FindingKind.TRUNCATED, place, 0, len(text), 1.0, "The answer holds no words.")
    elif is_nothing(text):
        yield _finding(FindingKind.PLACEHOLDER, place, 0, len(text), 0.9, "The answer only says that there is none.")
    elif echoes(text, asked):
        yield _finding(FindingKind.ECHO, place, 0, len(text), 1.0, "The answer only repeats the question.")
    elif found := cut_off(text):
        yield _finding(FindingKind.TRUNCATED, place, found[0], len(text), 0.8, found[1])


def _finding(
    kind: FindingKind, message: int, start: int, end: int, score: float, why: str, proposal: str | None = None
) -> Finding:
    return Finding(
        kind=kind, message=message, start=start, end=end, score=score, detector=DETECTOR, version=VERSION, proposal=proposal,
        why=why,
    )  # fmt: skip
