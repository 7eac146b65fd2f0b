"""What can be exported, and in which formats. Pure: values in, bytes into a stream out, a batch at a time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from typing import IO, Any

from backend.conversations import Conversation, Shape, escape_cell, to_csv, to_jsonl
from backend.errors import InvalidInput
from backend.vocabulary import SnapshotKind

BATCH = 1000


class What(StrEnum):
    """What is exported."""

    RECORDS = "records"
    """Every record's newest text, whatever its status."""
    APPROVED = "approved"
    """The approved text of every approved record."""
    ANNOTATIONS = "annotations"
    """Every answer of every rater, a row each."""
    PREFERENCES = "preferences"
    """What people said about answers to approved questions: pairs, or verdicts on single answers."""
    SNAPSHOT = "snapshot"
    """What a snapshot froze."""


class Form(StrEnum):
    """How it is written."""

    OPENAI = "openai"
    SHAREGPT = "sharegpt"
    ALPACA = "alpaca"
    DPO = "dpo"
    """Lines of prompt, chosen and rejected, each a list of messages, as TRL takes them."""
    KTO = "kto"
    """Lines of prompt, completion and label (whether it is good)."""
    CSV = "csv"
    PARQUET = "parquet"


CONVERSATIONS = (Form.OPENAI, Form.SHAREGPT, Form.ALPACA, Form.CSV, Form.PARQUET)
FITTING: Mapping[What, tuple[Form, ...]] = {
    What.RECORDS: CONVERSATIONS,
    What.APPROVED: CONVERSATIONS,
    What.ANNOTATIONS: (Form.CSV, Form.PARQUET),
    What.PREFERENCES: (Form.DPO, Form.KTO),
    What.SNAPSHOT: (*CONVERSATIONS, Form.DPO, Form.KTO),
}
"""Which formats have a place for what; the first is what is written where nothing else is asked for."""
OF_SNAPSHOT: Mapping[SnapshotKind, tuple[Form, ...]] = {
    SnapshotKind.SFT: CONVERSATIONS,
    SnapshotKind.PREFERENCES: (Form.DPO,),
    SnapshotKind.THUMBS: (Form.KTO,),
    SnapshotKind.LABELS: (),
}
_SHAPES = {Form.OPENAI: Shape.OPENAI, Form.SHAREGPT: Shape.SHAREGPT, Form.ALPACA: Shape.ALPACA}
MIME = {Form.CSV: "text/csv", Form.PARQUET: "application/vnd.apache.parquet"}


def fitting(what: What, form: Form | None, kind: SnapshotKind | None = None) -> Form:
    """The format to write in. Raises InvalidInput, with what goes, for one that has no place for this."""
    known = FITTING[what] if kind is None else OF_SNAPSHOT[kind]
    if not known:
        raise InvalidInput("Its rows are labels, which these formats have no place for. Its folder holds them as JSONL.")
    chosen = form or known[0]
    if chosen not in known:
        subject = f"A snapshot of the kind {kind.value}" if kind else f"What you chose ({what.value})"
        also = {
            Form.DPO: " Preferences go as dpo.", Form.KTO: " Verdicts on single answers (preferences) go as kto.",
        }.get(chosen, "")  # fmt: skip
        raise InvalidInput(f"{subject} cannot be written as {chosen.value}; it goes as {' or '.join(known)}.{also}")
    return chosen


def file_name(name: str, form: Form) -> str:
    """The file's name with its ending."""
    return f"{name}.{form.value}" if form in (Form.CSV, Form.PARQUET) else f"{name}-{form.value}.jsonl"


def write_conversations(out: IO[bytes], conversations: Iterable[Conversation], form: Form, keys: Collection[str]) -> int:
    """Write them; returns how many. `keys` are all metadata keys that occur."""
    counted = _Counted(conversations)
    if form is Form.PARQUET:
        _write_parquet(out, counted, keys)
        return counted.count
    lines = to_csv(counted, keys=keys) if form is Form.CSV else to_jsonl(counted, _SHAPES[form])
    for line in lines:
        out.write(line.encode())
    return counted.count


def write_lines(out: IO[bytes], lines: Iterable[Mapping[str, Any]]) -> int:
    """JSON objects, one a line; returns how many."""
    count = 0
    for count, line in enumerate(lines, start=1):  # noqa: B007 - the last number is what is returned
        out.write((json.dumps(line, ensure_ascii=False) + "\n").encode())
    return count


def write_table(out: IO[bytes], rows: Iterable[Mapping[str, Any]], columns: Sequence[str], form: Form) -> int:
    """Rows of plain values under these columns; returns how many. Times are in ISO order, lists as JSON text."""
    counted = _Counted(rows)
    if form is Form.CSV:
        _write_csv(out, counted, columns)
        return counted.count
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.string()) for name in columns])
    with pq.ParquetWriter(out, schema) as writer:
        for batch in _batches(counted):
            texts = [[None if (value := row.get(name)) is None else _text(value) for row in batch] for name in columns]
            writer.write_table(pa.Table.from_arrays([pa.array(column, pa.string()) for column in texts], schema=schema))
    return counted.count


def preference_line(line: Mapping[str, Any], form: Form) -> dict[str, Any]:
    """A line of a snapshot of people's judgements as other tools read it."""
    told = {name: line[name] for name in ("id", "metadata") if line.get(name)}
    if form is Form.DPO:
        return told | {name: line[name] for name in ("prompt", "chosen", "rejected")}
    return told | {"prompt": line["messages"][:-1], "completion": line["messages"][-1:], "label": line["desirable"]}


class _Counted:
    """Passes things on and counts them."""

    def __init__(self, things: Iterable[Any]) -> None:
        self._things, self.count = things, 0

    def __iter__(self) -> Iterator[Any]:
        for thing in self._things:
            self.count += 1
            yield thing


def _write_parquet(out: IO[bytes], conversations: Iterable[Conversation], keys: Collection[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    turn = pa.struct([("role", pa.string()), ("content", pa.string())])
    fields = [("id", pa.string()), ("group", pa.string()), ("messages", pa.list_(turn))]
    if keys:
        fields.append(("metadata", pa.struct([(key, pa.string()) for key in sorted(keys)])))
    schema = pa.schema(fields)
    with pq.ParquetWriter(out, schema) as writer:
        for batch in _batches(conversations):
            rows = [
                {
                    "id": one.external_id, "group": one.group, "messages": [message.to_json() for message in one.messages],
                    "metadata": dict(one.metadata),
                }
                for one in batch
            ]  # fmt: skip
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _write_csv(out: IO[bytes], rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([escape_cell(_text(row.get(name))) for name in columns])
    text.flush()
    text.detach()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def _batches(things: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(things)
    while batch := list(islice(rest, BATCH)):
        yield batch
