"""From originals to what could be added to them: typed as customers do, in other words, joined. Pure.

Only what the customer says is changed; the answer is carried over as it was approved. The same originals, method and seed
give the same variations, whatever else is in the list.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from backend.conversations import SYSTEM, USER, Message
from backend.curation import phrases, slips
from backend.vocabulary import MadeBy

BETWEEN = ("", "", "Thanks. ", "Ok, thank you. ", "Thanks! ", "Great. ")
"""What customers say before they ask the next thing."""


@dataclass(frozen=True, slots=True)
class Original:
    """A record to make others from, with the number of the revision that was looked at."""

    record_id: int
    number: int
    messages: tuple[Message, ...]
    slices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What could be added: the conversation, what it is made of, and the texts to look at side by side."""

    record_id: int
    number: int
    before: str
    after: str
    messages: tuple[Message, ...]
    others: tuple[tuple[int, int], ...] = ()
    """(record, revision) of the further records that it was joined from."""


def vary(originals: Sequence[Original], method: MadeBy, *, each: int, seed: int, alike: str = "") -> list[Proposal]:
    """Up to `each` variations of every original. `alike` is the slice whose value joined records share."""
    if method is MadeBy.JOINED:
        return list(_joined(originals, alike, each, seed))
    makers: dict[MadeBy, Callable[[Original, int, int], Iterator[Proposal]]] = {
        MadeBy.TYPOS: _typed,
        MadeBy.LOWER_CASE: _lowered,
        MadeBy.REPHRASED: _rephrased,
    }
    return [made for original in originals for made in makers[method](original, each, seed)]


def reworded(original: Original, question: str) -> Proposal:
    """The original with another last question."""
    place = max(index for index, message in enumerate(original.messages) if message.role == USER)
    messages = list(original.messages)
    before = messages[place].content
    messages[place] = replace(messages[place], content=question)
    return Proposal(original.record_id, original.number, before, question, tuple(messages))


def _rephrased(original: Original, each: int, seed: int) -> Iterator[Proposal]:
    found = phrases.rephrased(_question(original), f"{seed}:{original.record_id}")
    return (reworded(original, text) for text, _ in zip(found, range(each), strict=False))


def _typed(original: Original, each: int, seed: int) -> Iterator[Proposal]:
    seen = {original.messages}
    for number in range(each):
        made = _customer(original, lambda text, n=number: slips.with_typos(text, f"{seed}:{original.record_id}:{n}:{text}"))  # type: ignore[misc]
        if made.messages not in seen:
            seen.add(made.messages)
            yield made


def _lowered(original: Original, each: int, seed: int) -> Iterator[Proposal]:
    made = _customer(original, slips.lower_case)
    if made.messages != original.messages:
        yield made


def _customer(original: Original, change: Callable[[str], str]) -> Proposal:
    """The original with every turn of the customer changed."""
    messages = tuple(
        replace(message, content=change(message.content)) if message.role == USER else message for message in original.messages
    )
    before, after = ("\n".join(m.content for m in said if m.role == USER) for said in (original.messages, messages))
    return Proposal(original.record_id, original.number, before, after, messages)


def _question(original: Original) -> str:
    return next(message.content for message in reversed(original.messages) if message.role == USER)


def _joined(originals: Sequence[Original], alike: str, each: int, seed: int) -> Iterator[Proposal]:
    """Two or three exchanges of like customers in one conversation; the last one's answer is what is taught."""
    pools: dict[tuple[str, str], list[Original]] = defaultdict(list)
    for original in originals:
        turns = [message for message in original.messages if message.role != SYSTEM]
        value = original.slices.get(alike, "") if alike else ""
        if len(turns) == 2 and (value or not alike):
            system = original.messages[0].content if original.messages[0].role == SYSTEM else ""
            pools[value, system].append(original)
    for (_, system), pool in sorted(pools.items()):
        ordered = sorted(pool, key=lambda one: hashlib.sha256(f"{seed}:{one.record_id}".encode()).hexdigest())
        for place, last in enumerate(ordered):
            dice = random.Random(f"{seed}:{last.record_id}")  # noqa: S311  an order, not a secret
            for number in range(min(each, len(ordered) - 1)):
                before = [ordered[(place + number + step) % len(ordered)] for step in range(1, dice.choice((2, 3)))]
                parts = [*(one for one in before if one is not last), last]
                if len({_question(part).casefold() for part in parts}) == len(parts):
                    yield _conversation(parts, system, dice)


def _conversation(parts: Sequence[Original], system: str, dice: random.Random) -> Proposal:
    messages = [Message(SYSTEM, system)] if system else []
    for place, part in enumerate(parts):
        asked, answer = part.messages[-2], part.messages[-1]
        messages += [replace(asked, content=(dice.choice(BETWEEN) if place else "") + asked.content), answer]
    last = parts[-1]
    said = "\n".join(message.content for message in messages if message.role == USER)
    others = tuple((part.record_id, part.number) for part in parts[:-1])
    return Proposal(last.record_id, last.number, _question(last), said, tuple(messages), others)
