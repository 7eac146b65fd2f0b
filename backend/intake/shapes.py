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
from typing import Any, NamedTuple

from backend.conversations import CSV_COLUMNS, METADATA_PREFIX, USER, Shape, metadata_text, parse_turns
from backend.errors import InvalidInput
from backend.intake.conversations import thumb_of
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
    SURVEY = "answers with ratings (survey)"
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
_THUMBS = (
    "label", "thumb", "thumbs", "kto_tag", "verdict", "rating", "score", "stars", "csat", "satisfaction", "feedback", "helpful",
)  # fmt: skip
_MARKS = (5, 7, 10, 100)
"""The highest marks that ratings usually have."""


def recognise(columns: Sequence[str], rows: Sequence[Row]) -> Recognition:
    """The best proposal for a file with these columns, looking at its first rows."""
    look = _Look(columns, rows)
    for proposal in (_own_csv, _turns, _alpaca, _pairs, _prompts):
        if recognition := proposal(look):
            return recognition
    names = ", ".join(columns[:12])
    return Recognition(Kind.UNKNOWN, 0.0, f"No column name says what it is ({names}). Choose the columns yourself.", None)


class Verdict(NamedTuple):
    """A column that judges answers; `best` as in a mapping."""

    column: str
    best: int
    words: str


def _mark(value: Any) -> float | None:
    try:
        return float(metadata_text(value).strip().replace(",", "."))
    except ValueError:
        return None


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

    def verdict(self, *, but: Sequence[str | None]) -> Verdict | None:
        """The column that judges the answers: yes or no throughout, or marks up to a usual highest one."""
        for name in _THUMBS:
            column = self.first(name, but=but)
            if column is None:
                continue
            if self.share(column, _is_thumb) >= 0.9:
                return Verdict(column, 0, f"a verdict in {column!r}")
            marks = [mark for row in self.rows if (mark := _mark(row.values.get(column))) is not None]
            if name != "label" and len(marks) >= 0.5 * len(self.rows) > 0 and min(marks) >= 1 and 1 < max(marks) <= _MARKS[-1]:
                best = next(most for most in _MARKS if max(marks) <= most)
                return Verdict(column, best, f"marks from 1 to {best} in {column!r}")
        return None

    def mapping(self, shape: Shape, **chosen: Any) -> Mapping:
        """A mapping with the chosen columns, the usual id and group, and every other column as metadata."""
        used = [column for column in chosen.values() if isinstance(column, str)]
        chosen["id"] = self.first(*_OWN_IDS, but=used)
        chosen["group"] = self.first(*_GROUPS, but=[*used, chosen["id"]])
        used = [column for column in chosen.values() if isinstance(column, str)]
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
        text = f"{what}, beside them a chosen and a rejected answer. {_PREFERRED}"
        response = chosen if chosen != column else None  # some files write the prompt into both lists
        mapping = look.mapping(shape, conversation=column, response=response, rejected=rejected, system=system)
        return Recognition(Kind.PREFERENCE, score, text, mapping)
    response = look.first(*RESPONSES, but=[column]) if look.share(column, _asks) >= 0.5 else None
    if thumb := look.verdict(but=[column, response]):
        text = f"{what}, with {thumb.words}. {_JUDGED}"
        mapping = look.mapping(
            shape, conversation=column, response=response, verdict=thumb.column, best=thumb.best, system=system
        )
        return Recognition(Kind.THUMBS, score, text, mapping)
    mapping = look.mapping(shape, conversation=column, response=response, system=system)
    return Recognition(kind, score, f"{what}{f', and {response!r} the answer' if response else ''}.", mapping)


_PREFERRED = "The chosen ones become the records' answers; which one was preferred is kept, to learn from."
_JUDGED = "The verdicts are kept, to learn from; an answer that is called bad waits for a better one."


def _asks(value: Any) -> bool:
    """Whether a list of turns ends with the user, so that its answer must stand elsewhere."""
    try:
        turns = parse_turns(value)
    except InvalidInput:
        return False
    return bool(turns) and turns[-1].role == USER


def _is_thumb(value: Any) -> bool:
    return thumb_of(value, 0) is not None


def _is_answer(value: Any) -> bool:
    return _is_text(value) or isinstance(value, dict | list)


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
    text = f"{prompt!r} is taken as the prompt and {response!r} as the answer."
    rejected = look.first("rejected") if look.first("chosen") == response else None
    thumb = look.verdict(but=[prompt, response])
    if rejected:
        kind, text, thumb = Kind.PREFERENCE, f"{text} {_PREFERRED}", None
    elif thumb:
        kind, text = Kind.THUMBS if thumb.best == 0 else Kind.SURVEY, f"{text} There is {thumb.words}. {_JUDGED}"
    else:
        kind = Kind.FAQ if look.first("question") == prompt and look.first("answer") == response else Kind.PAIRS
    mapping = look.mapping(
        Shape.PAIRS,
        prompt=prompt,
        context=look.first(*_CONTEXTS, but=[prompt, response]),
        response=response,
        system=look.first(*_SYSTEMS),
        history=look.first("history"),
        rejected=rejected,
        verdict=thumb.column if thumb else None,
        best=thumb.best if thumb else 0,
    )
    return Recognition(kind, look.share(prompt, _is_text) * look.share(response, _is_answer), text, mapping)


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
