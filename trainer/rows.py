"""Reads the rows of a snapshot folder, of every kind that `trainer.contract` describes, and says what is wrong with a bad one.

Standard library only. A row of any kind has messages, of which the last is the answer (a preference row's is the chosen one);
only a row of the kind "labels" may end otherwise. Many training rows are not kept in memory: they are read through once, and
each again whenever it is asked for (`RowFile`). Not promised: that validation and test rows, which are kept, fit into memory.
"""

from __future__ import annotations

import json
import mmap
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, overload

from trainer.contract import OBJECTIVES, SPLITS

ROLES = ("system", "user", "assistant")
LARGE = 20_000
"""Training rows from which on they stay in their file; fewer are faster in memory."""

Message = dict[str, str]


class BadData(ValueError):
    """A snapshot that cannot be trained on; the message names the file and line and says what is wrong."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a split. `rejected`, `desirable` and `label` are there in rows of their kind."""

    id: str
    messages: tuple[Message, ...]
    weight: float
    metadata: dict[str, str]
    rejected: str = ""
    desirable: bool | None = None
    label: str = ""
    group: str = ""
    """What it may not be parted from: rows of one group are in one split."""

    @property
    def prompt(self) -> list[Message]:
        """The conversation without its reference answer."""
        return list(self.messages[:-1])

    @property
    def reference(self) -> str:
        """The reference answer."""
        return self.messages[-1]["content"]


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a file, and where it stands there."""

    text: str
    place: str
    number: int
    start: int
    """Its first byte."""
    size: int


class RowFile(Sequence[Row]):
    """The rows of a file, each read again when it is asked for. Fill it with `add` while the file is read, then use it."""

    def __init__(self, path: Path, objective: str) -> None:
        self.path, self._objective = path, objective
        self._starts, self._sizes, self._numbers = array("q"), array("q"), array("q")
        self._bytes: mmap.mmap | None = None

    def add(self, line: _Line) -> None:
        """The line's row is the next one."""
        self._starts.append(line.start)
        self._sizes.append(line.size)
        self._numbers.append(line.number)

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(len(self)))]
        place = at + len(self) if at < 0 else at
        if not 0 <= place < len(self):
            raise IndexError(at)
        if self._bytes is None:
            with self.path.open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        start = self._starts[place]
        line = self._bytes[start : start + self._sizes[place]]
        return _row(_decoded(line, self.path), f"{self.path.name} line {self._numbers[place]}", self._objective)


def read_rows(folder: Path, objective: str) -> dict[str, Sequence[Row]]:
    """The rows that an objective needs, by split; many training rows are a `RowFile`. Raises BadData, also for rows of another
    kind than it learns from, and for rows that validation or test share with what is learned.
    """
    _file_of(folder, SPLITS[0])
    held = {split: read_split(folder, split, objective) for split in SPLITS[1:]}
    return {SPLITS[0]: _read_train(folder, objective, held), **held}


def _read_train(folder: Path, objective: str, held: dict[str, list[Row]]) -> Sequence[Row]:
    groups = {row.group for rows in held.values() for row in rows if row.group}
    texts = {_text(row) for rows in held.values() for row in rows}
    file, kept = RowFile(_file_of(folder, SPLITS[0]), objective), list[Row]()
    learned_groups, learned_texts = set[str](), set[tuple[str, ...]]()
    for line in _lines(folder, SPLITS[0]):
        row = _row(line.text, line.place, objective)
        if row.group in groups:
            learned_groups.add(row.group)
        if texts and (text := _text(row)) in texts:
            learned_texts.add(text)
        file.add(line)
        if len(file) < LARGE:
            kept.append(row)
        else:
            kept.clear()
    _refuse_leaks(held, learned_groups, learned_texts)
    return kept if len(file) < LARGE else file


def _refuse_leaks(held: dict[str, list[Row]], learned_groups: set[str], learned_texts: set[tuple[str, ...]]) -> None:
    """A figure on rows that were learned from would be a lie: groups and equal texts stay on one side."""
    for split, rows in held.items():
        groups = sorted({row.group for row in rows} & learned_groups)
        if groups:
            raise BadData(
                f"{split}.jsonl shares {len(groups)} groups with train.jsonl (such as {groups[0]!r}): conversations and near "
                "duplicates must be in one split. Freeze the snapshot anew."
            )
        same = [row.id for row in rows if _text(row) in learned_texts]
        if same:
            raise BadData(
                f"{split}.jsonl has {len(same)} rows that are in train.jsonl as well (such as {same[0]!r}), so its figures "
                "would be too good. Freeze the snapshot anew."
            )


def _text(row: Row) -> tuple[str, ...]:
    return (*(f"{message['role']}: {message['content']}" for message in row.messages), row.rejected, row.label)


def read_split(folder: Path, split: str, objective: str = "sft") -> list[Row]:
    """The rows of one split, in file order. Raises BadData with file and line for the first bad one."""
    return [_row(line.text, line.place, objective) for line in _lines(folder, split)]


def _file_of(folder: Path, split: str) -> Path:
    path = folder / f"{split}.jsonl"
    if not path.exists():
        raise BadData(f"{path} is missing: a snapshot folder has train.jsonl, validation.jsonl and test.jsonl.")
    return path


def _lines(folder: Path, split: str) -> Iterator[_Line]:
    """The lines of a split that say something, one at a time."""
    path = _file_of(folder, split)
    number, start = 1, 0
    try:
        with path.open("rb") as file:
            for whole in file:
                # A line may end with a carriage return, alone or before the line feed, as Python's own text files have it.
                for piece in whole.removesuffix(b"\n").removesuffix(b"\r").split(b"\r"):
                    text = _decoded(piece, path)
                    if text.strip():
                        yield _Line(text, f"{path.name} line {number}", number, start, len(piece))
                    number += 1
                    start += len(piece) + 1
                start = file.tell()
    except OSError as error:
        raise BadData(f"{path} cannot be read as UTF-8 text: {error}") from error


def _decoded(line: bytes, path: Path) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise BadData(f"{path} cannot be read as UTF-8 text: {error}") from error


def _object(line: str, place: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadData(f"{place}: not JSON ({error}).") from error
    if not isinstance(value, dict):
        raise BadData(f"{place}: needs an object with a list of messages.")
    return value


def read_questions(folder: Path, split: str) -> list[Row]:
    """The questions of one split with their reference answers, for an evaluation: each once, whatever the rows' kind.

    Rows with labels name their question's `record` and its approved answer as `reference`; without one it is the chosen
    answer, or one with a thumb up.
    """
    found: dict[str, Row] = {}
    for line in _lines(folder, split):
        value, place = _object(line.text, line.place), line.place
        if value.get("canary") is True:
            continue
        kind = _kind(value)
        if kind == "labels":
            raise BadData(f"{place}: rows with classes have no answers to compare with. Evaluate on another snapshot.")
        name = next(name for name, objective in OBJECTIVES.items() if objective.rows == kind)
        row = _row(line.text, place, name)
        reference = value.get("reference")
        if isinstance(reference, str) and reference.strip():
            row = replace(row, messages=(*row.messages[:-1], {"role": "assistant", "content": reference}))
        elif row.desirable is False:
            continue
        found.setdefault(str(value.get("record", row.id)), replace(row, id=str(value.get("record", row.id))))
    return list(found.values())


def read_answers(folder: Path, split: str) -> Iterator[tuple[str, str]]:
    """Every answer of a split that is learned or preferred, with the id of its row, or of the record that it is of."""
    for line in _lines(folder, split):
        value, place = _object(line.text, line.place), line.place
        messages = _messages(value.get("messages", []), place)
        messages += _messages(value.get("chosen", []), place)
        name = str(value.get("record", value.get("id", place)))
        yield from ((name, message["content"]) for message in messages if message["role"] == "assistant")


def read_prompts(path: Path) -> list[tuple[str, list[Message]]]:
    """The further prompts of an evaluation, by id. Raises BadData."""
    found: dict[str, list[Message]] = {}
    for line in _lines(path.parent, path.stem):
        value, place = _object(line.text, line.place), line.place
        name, messages = str(value.get("id", "")), list(_messages(value.get("messages"), place))
        if not name or name in found or not messages or messages[-1]["role"] != "user":
            raise BadData(f"{place}: needs an id of its own and messages that end with a question.")
        found[name] = messages
    return list(found.items())


def _row(line: str, place: str, objective: str) -> Row:
    value = _object(line, place)
    wanted, given = OBJECTIVES[objective].rows, _kind(value)
    if given != wanted:
        fitting = " or ".join(name for name, known in OBJECTIVES.items() if known.rows == given)
        raise BadData(
            f"{place}: the objective '{objective}' learns from rows of the kind '{wanted}', and this one is of the kind "
            f"'{given}'. Train on it with {fitting}, or freeze a snapshot of the kind '{wanted}'."
        )
    read: dict[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
        "sft": _sft,
        "preferences": _preference,
        "thumbs": _thumb,
        "labels": _label,
    }
    return Row(**_common(value, place), **read[wanted](value, place))


def _kind(value: dict[str, Any]) -> str:
    if "chosen" in value or "rejected" in value:
        return "preferences"
    if "desirable" in value:
        return "thumbs"
    return "labels" if "label" in value else "sft"


def _common(value: dict[str, Any], place: str) -> dict[str, Any]:
    weight = value.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
        raise BadData(f"{place}: weight must be a number of 0 or more; it is {weight!r}.")
    metadata = value.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise BadData(f"{place}: metadata must be an object.")
    texts = {str(key): str(text) for key, text in metadata.items()}
    group = str(value.get("group") or "")
    return {"id": str(value.get("id", place)), "weight": float(weight), "metadata": texts, "group": group}


def _sft(value: dict[str, Any], place: str) -> dict[str, Any]:
    return {"messages": _answered(_messages(value.get("messages"), place), place)}


def _preference(value: dict[str, Any], place: str) -> dict[str, Any]:
    prompt = _messages(value.get("prompt"), place)
    chosen, rejected = (_messages(value.get(name), place) for name in ("chosen", "rejected"))
    if [message["role"] for message in (*chosen, *rejected)] != ["assistant", "assistant"]:
        raise BadData(f"{place}: chosen and rejected must be a list of one assistant message each.")
    return {"messages": _answered((*prompt, *chosen), place), "rejected": rejected[0]["content"]}


def _thumb(value: dict[str, Any], place: str) -> dict[str, Any]:
    if not isinstance(value["desirable"], bool):
        raise BadData(f"{place}: desirable must be true or false; it is {value['desirable']!r}.")
    return {"messages": _answered(_messages(value.get("messages"), place), place), "desirable": value["desirable"]}


def _label(value: dict[str, Any], place: str) -> dict[str, Any]:
    if not isinstance(value["label"], str) or not value["label"].strip():
        raise BadData(f"{place}: label must be a text; it is {value['label']!r}.")
    given = value.get("messages")
    if given is None:
        given = [{"role": "user", "content": value.get("text")}]
    messages = _messages(given, place)
    if not any(message["content"].strip() for message in messages):
        raise BadData(f"{place}: there is no text to sort into a class.")
    return {"messages": messages, "label": value["label"].strip()}


def _messages(value: Any, place: str) -> tuple[Message, ...]:
    if not isinstance(value, list):
        raise BadData(f"{place}: needs an object with a list of messages.")
    return tuple(_message(message, place) for message in value)


def _answered(messages: tuple[Message, ...], place: str) -> tuple[Message, ...]:
    roles = [message["role"] for message in messages]
    if not roles or roles[-1] != "assistant":
        raise BadData(f"{place}: the last message must be the assistant's answer.")
    if "user" not in roles:
        raise BadData(f"{place}: there is no user message to answer.")
    return messages


def _message(message: Any, place: str) -> Message:
    if not isinstance(message, dict) or message.get("role") not in ROLES or not isinstance(message.get("content"), str):
        raise BadData(f"{place}: a message needs a role ({', '.join(ROLES)}) and a text as content.")
    if message["role"] == "assistant" and not message["content"].strip():
        raise BadData(f"{place}: an assistant message is empty.")
    try:
        message["content"].encode()
    except UnicodeEncodeError as error:
        raise BadData(f"{place}: the text holds half a surrogate pair, which no tokenizer can read.") from error
    return {"role": message["role"], "content": message["content"]}
