"""Recognises how a file's rows carry conversations, and proposes a mapping with the reason in words.

The user sees the proposal and may change it; nothing here is final. Names of columns decide, checked against the first
rows. Not promised: anything for columns whose names say nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from backend.conversations import CSV_COLUMNS, METADATA_PREFIX, Shape
from backend.intake.mapping import Mapping
from backend.intake.readers.rows import Row


class Kind(StrEnum):
    """What a file was recognised as."""

    OPENAI = "OpenAI messages"
    SHAREGPT = "ShareGPT"
    ALPACA = "Alpaca"
    OWN_CSV = "Touchstone CSV"
    FAQ = "FAQ"
    PAIRS = "prompt and response"
    PROMPTS = "prompts without answers"
    PREFERENCE = "preference pairs (DPO)"
    THUMBS = "answers with a thumb (KTO)"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Recognition:
    """What the rows look like. `mapping` is None where a person has to choose the columns."""

    kind: Kind
    score: float
    """How sure this is, from 0 to 1: the share of looked-at rows that fit."""
    explanation: str
    mapping: Mapping | None


PROMPTS = (
    "prompt", "question", "instruction", "utterance", "query", "input", "user", "user_message", "customer", "customer_message",
    "request", "message", "text",
)  # fmt: skip
RESPONSES = (
    "response", "answer", "completion", "output", "reply", "assistant", "chosen", "assistant_message", "agent", "agent_message",
    "target", "bot",
)  # fmt: skip
_OWN_IDS = ("id", "external_id", "conversation_id", "dialogue_id", "record_id", "uuid")
_GROUPS = ("group", "group_id", "cluster", "thread", "thread_id", "session", "session_id")
_SYSTEMS = ("system", "system_prompt")
_CONTEXTS = ("input", "context")
_THUMBS = ("label", "thumb", "thumbs", "kto_tag")


def recognise(columns: Sequence[str], rows: Sequence[Row]) -> Recognition:
    """The best proposal for a file with these columns, looking at its first rows."""
    look = _Look(columns, rows)
    for proposal in (_own_csv, _turns, _alpaca, _pairs, _prompts):
        if recognition := proposal(look):
            return recognition
    names = ", ".join(columns[:12])
    return Recognition(Kind.UNKNOWN, 0.0, f"No column name says what it is ({names}). Choose the columns yourself.", None)


class _Look:
    """The columns by name without case and punctuation, and the values of the first rows."""

    def __init__(self, columns: Sequence[str], rows: Sequence[Row]) -> None:
        self.columns = list(columns)
        self.rows = rows
        self._by_name = {self._plain(column): column for column in reversed(columns)}

    @staticmethod
    def _plain(name: str) -> str:
        return re.sub(r"[\W_]+", "_", name.strip().lower()).strip("_")

    def first(self, *names: str, but: Sequence[str | None] = ()) -> str | None:
        """The first of these names that the file has a column for."""
        found = (self._by_name.get(name) for name in names)
        return next((column for column in found if column is not None and column not in but), None)

    def share(self, column: str | None, fits: Callable[[Any], bool]) -> float:
        """The share of rows whose value in `column` fits."""
        if column is None or not self.rows:
            return 0.0
        return sum(fits(row.values.get(column)) for row in self.rows) / len(self.rows)

    def mapping(self, shape: Shape, **chosen: Any) -> Mapping:
        """A mapping with the chosen columns, the usual id and group, and every other column as metadata."""
        used = [column for column in chosen.values() if isinstance(column, str)]
        chosen["id"] = self.first(*_OWN_IDS, but=used)
        chosen["group"] = self.first(*_GROUPS, but=[*used, chosen["id"]])
        used = [column for column in chosen.values() if isinstance(column, str)]
        if chosen.get("response") is not None and chosen["response"] == self.first("chosen"):
            used.append(self.first("rejected") or "")
        metadata = tuple(column for column in self.columns if column not in used)
        return Mapping(shape=shape, metadata=metadata, **chosen)


def _own_csv(look: _Look) -> Recognition | None:
    if not set(CSV_COLUMNS) <= set(look.columns):
        return None
    others = [column for column in look.columns if column not in CSV_COLUMNS]
    if not all(column.startswith(METADATA_PREFIX) for column in others):
        return None
    mapping = Mapping(
        shape=Shape.PAIRS,
        id="id",
        group="group",
        system="system",
        history="history",
        prompt="prompt",
        response="response",
        metadata=tuple(others),
        escaped=True,
    )
    return Recognition(Kind.OWN_CSV, 1.0, "These are the columns of Touchstone's own CSV export.", mapping)


def _has(keys: tuple[str, ...]) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        if isinstance(value, str) and value.lstrip().startswith("["):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                return False
        return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and all(key in value[0] for key in keys)

    return fits


def _turns(look: _Look) -> Recognition | None:
    """Rows with a list of turns, whatever its column is called."""
    names = [look.first("messages", "conversations", "conversation", "dialogue", "turns"), *look.columns]
    for column in dict.fromkeys(name for name in names if name):
        for shape, kind, keys in (
            (Shape.OPENAI, Kind.OPENAI, ("role", "content")),
            (Shape.SHAREGPT, Kind.SHAREGPT, ("from", "value")),
        ):
            score = look.share(column, _has(keys))
            if score >= 0.5:
                return _with_verdicts(look, shape, kind, column, score)
    return None


def _with_verdicts(look: _Look, shape: Shape, kind: Kind, column: str, score: float) -> Recognition:
    what = (
        f"The column {column!r} holds lists of turns with {'role and content' if shape is Shape.OPENAI else 'from and value'}"
    )
    system = look.first(*_SYSTEMS)
    chosen, rejected = look.first("chosen"), look.first("rejected")
    if chosen and rejected:
        text = f"{what}, beside them a chosen and a rejected answer. The chosen ones are taken, the rejected left out."
        mapping = look.mapping(shape, conversation=column, response=chosen, system=system)
        return Recognition(Kind.PREFERENCE, score, text, mapping)
    thumb = look.first(*_THUMBS)
    if thumb and look.share(thumb, _is_thumb) >= 0.9:
        text = f"{what}, with a thumb in {thumb!r}. Answers with a thumb up are taken, those with a thumb down rejected."
        mapping = look.mapping(shape, conversation=column, verdict=thumb, system=system)
        return Recognition(Kind.THUMBS, score, text, mapping)
    return Recognition(kind, score, f"{what}.", look.mapping(shape, conversation=column, system=system))


def _is_thumb(value: Any) -> bool:
    return isinstance(value, bool) or str(value).strip().lower() in ("true", "false")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _alpaca(look: _Look) -> Recognition | None:
    prompt, response = look.first("instruction"), look.first("output")
    if not prompt or not response:
        return None
    mapping = look.mapping(
        Shape.ALPACA,
        prompt=prompt,
        context=look.first("input"),
        response=response,
        system=look.first(*_SYSTEMS),
        history=look.first("history"),
    )
    text = "The columns instruction and output are Alpaca's; a text in input is put below the instruction."
    return Recognition(Kind.ALPACA, look.share(prompt, _is_text), text, mapping)


def _pairs(look: _Look) -> Recognition | None:
    prompt = look.first(*PROMPTS)
    response = look.first(*RESPONSES, but=[prompt])
    if prompt is None or response is None:
        return None
    kind, rejected = Kind.PAIRS, look.first("rejected")
    text = f"{prompt!r} is taken as the prompt and {response!r} as the answer."
    if look.first("question") == prompt and look.first("answer") == response:
        kind = Kind.FAQ
    elif look.first("chosen") == response and rejected:
        kind, text = Kind.PREFERENCE, f"{text} The rejected answers are left out."
    thumb = look.first(*_THUMBS)
    if thumb and look.share(thumb, _is_thumb) >= 0.9:
        kind, text = Kind.THUMBS, f"{text} Rows with a thumb down in {thumb!r} are rejected."
    else:
        thumb = None
    mapping = look.mapping(
        Shape.PAIRS,
        prompt=prompt,
        context=look.first(*_CONTEXTS, but=[prompt, response]),
        response=response,
        system=look.first(*_SYSTEMS),
        history=look.first("history"),
        verdict=thumb,
    )
    return Recognition(kind, look.share(prompt, _is_text) * look.share(response, _is_text), text, mapping)


def _prompts(look: _Look) -> Recognition | None:
    """Questions without answers: the user must say that prompts are meant."""
    prompt = look.first(*PROMPTS)
    if prompt is None:
        return None
    mapping = look.mapping(Shape.PAIRS, prompt=prompt)
    text = (
        f"{prompt!r} looks like the prompt, but no column looks like the answer. Choose one, or allow prompts without answers."
    )
    return Recognition(Kind.PROMPTS, look.share(prompt, _is_text) / 2, text, mapping)
