"""CSV files of ratings from elsewhere: their columns, answers and comparisons. No database.

Encoding (UTF-8, UTF-16 with its mark, else Windows-1252), byte order mark and separator are found out; blank cells are
missing. Whatever cannot be taken is refused with the row and what would do: nothing is dropped in silence.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from backend.errors import InvalidInput, NotFound, UnreadableFile

SEPARATORS = ",;\t|"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_LONGEST_CELL = 100_000_000


@dataclass(frozen=True, slots=True)
class Sheet:
    """Some columns of a file, cells stripped, None where blank. `numbers` are the lines on which the rows begin."""

    columns: dict[str, list[str | None]]
    lines: list[int]

    def rows(self, *names: str) -> Iterable[tuple[int, tuple[str | None, ...]]]:
        """Line and cells of each row."""
        return zip(self.lines, zip(*(self.columns[name] for name in names), strict=True), strict=True)


def read_sheet(path: str, wanted: Sequence[str], missing: Iterable[str] = ()) -> Sheet:
    """The wanted columns of a file, or of standard input for "-". `missing` are further texts that mean a blank cell."""
    name = "The input" if path == "-" else path
    text = _decode(_content(path), name)
    if len(set(wanted)) < len(wanted):
        raise InvalidInput(f"A column is named twice: {', '.join(wanted)}.")
    csv.field_size_limit(_LONGEST_CELL)
    separator, header, skipped = _header(text, wanted, name)
    places = [_place(header, column, name) for column in wanted]
    blanks = {"", *missing}
    columns: list[list[str | None]] = [[] for _ in wanted]
    lines: list[int] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        before = 0
        for number, row in enumerate(reader):
            line, before = before + 1, reader.line_num
            if number < skipped or not any(cell.strip() for cell in row):
                continue
            if any(cell.strip() for cell in row[len(header) :]):
                raise InvalidInput(f"Line {line} of {name} has more cells than there are columns. Is a text not in quotes?")
            lines.append(line)
            for column, place in zip(columns, places, strict=True):
                cell = row[place].strip() if place < len(row) else ""
                column.append(None if cell in blanks else cell)
    except csv.Error as error:
        raise UnreadableFile(f"{name} is not a CSV file that can be read, from line {reader.line_num}.") from error
    return Sheet(dict(zip(wanted, columns, strict=True)), lines)


def _content(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.") from error
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{path} cannot be read. Is it a file, and may you read it?") from error


def _decode(content: bytes, name: str) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    elif b"\0" in content:
        raise UnreadableFile(f"{name} is not a text file. Save it as CSV first.")
    else:
        encodings = ["utf-8-sig", "cp1252", "latin-1"]
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UnreadableFile(f"{name} is in an encoding that is not known. Save it as UTF-8.")


def _header(text: str, wanted: Sequence[str], name: str) -> tuple[str, list[str], int]:
    """(separator, column names, rows up to the header's end): the separator that shows most of the wanted columns."""
    found: list[tuple[tuple[int, int], str, list[str], int]] = []
    for separator in SEPARATORS:
        try:
            for number, row in enumerate(itertools.islice(csv.reader(io.StringIO(text, newline=""), delimiter=separator), 100)):
                cells = [cell.strip() for cell in row]
                # Excel may say first which separator follows.
                if any(cells) and not re.fullmatch(r"sep=.?", text.split("\n", 1)[0].strip() if number == 0 else ""):
                    found.append(((len(set(wanted) & set(cells)), len(cells)), separator, cells, number + 1))
                    break
        except csv.Error:
            continue
    if not found:
        raise UnreadableFile(f"{name} is empty. Its first row must hold the names of the columns.")
    _, separator, cells, skipped = max(found, key=lambda one: one[0])
    return separator, cells, skipped


def _place(header: Sequence[str], column: str, name: str) -> int:
    if header.count(column) > 1:
        raise InvalidInput(f"{name} has {header.count(column)} columns called “{column}”. Rename all but one.")
    if column not in header:
        shown = ", ".join(f"“{one}”" for one in header[:50])
        raise InvalidInput(f"{name} has no column “{column}”. Its columns are {shown}.")
    return header.index(column)


# --- answers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answers:
    """One label for each item and rater, by item then rater, and what the file held besides."""

    by_item: dict[str, dict[str, str]]
    raters: tuple[str, ...]
    lines: dict[tuple[str, str], int]
    duplicates: int
    """Rows that a later row about the same item and rater replaced."""
    missing: int
    """Cells (rows, in the long form) without a label."""
    without_id: int
    """Rows without an item or a rater."""


def long_answers(sheet: Sheet, item: str, rater: str, label: str) -> Answers:
    """One row an answer. Of several about the same item and rater the last counts."""
    by_item: dict[str, dict[str, str]] = {}
    raters: dict[str, None] = {}
    lines: dict[tuple[str, str], int] = {}
    duplicates = missing = without_id = 0
    for line, (of_item, of_rater, given) in sheet.rows(item, rater, label):
        if of_item is None or of_rater is None:
            without_id += 1
        elif given is None:
            missing += 1
        else:
            row = by_item.setdefault(of_item, {})
            duplicates += of_rater in row
            raters[of_rater] = None
            row[of_rater] = given
            lines[of_item, of_rater] = line
    return Answers(by_item, tuple(raters), lines, duplicates, missing, without_id)


def wide_answers(sheet: Sheet, raters: Sequence[str]) -> Answers:
    """One row an item, one column a rater. Items are named by their line."""
    by_item: dict[str, dict[str, str]] = {}
    lines: dict[tuple[str, str], int] = {}
    for line, cells in sheet.rows(*raters):
        row = {rater: cell for rater, cell in zip(raters, cells, strict=True) if cell is not None}
        by_item[str(line)] = row
        lines.update(((str(line), rater), line) for rater in row)
    given = sum(map(len, by_item.values()))
    return Answers(by_item, tuple(raters), lines, 0, len(by_item) * len(raters) - given, 0)


def as_numbers(answers: Answers, level: str) -> dict[str, dict[str, float]]:
    """The labels as numbers; refuses those that are none, with their line."""
    found: dict[str, dict[str, float]] = {}
    for item, row in answers.by_item.items():
        found[item] = {}
        for rater, label in row.items():
            if not is_number(label):
                raise InvalidInput(
                    f"Line {answers.lines[item, rater]}: “{label}” is not a number, and level {level} needs numbers. "
                    "Write ordered words as numbers (1 for the lowest), name a mark for missing answers with --missing, "
                    "or use --level nominal."
                )
            found[item][rater] = float(label)
    return found


def as_names(answers: Answers) -> dict[str, dict[str, str]]:
    """The labels as texts. Where all are numbers, 1 and 1.0 are the same label, called as it came first."""
    labels = dict.fromkeys(label for row in answers.by_item.values() for label in row.values())
    if not all(map(is_number, labels)):
        return answers.by_item
    first: dict[Decimal, str] = {}
    names = {label: first.setdefault(Decimal(label), label) for label in labels}
    return {item: {rater: names[label] for rater, label in row.items()} for item, row in answers.by_item.items()}


def is_number(text: str) -> bool:
    """Whether a cell is a finite number with a decimal point."""
    return _NUMBER.fullmatch(text) is not None and abs(float(text)) < float("inf")


# --- comparisons ------------------------------------------------------------------------------------------------------

TIES = ("tie", "draw", "both_bad", "both bad", "tie (bothbad)")
"""What also counts as a tie, whichever word was given for it."""


@dataclass(frozen=True, slots=True)
class Sides:
    """What the winner column says for each side."""

    left: str
    right: str
    ties: tuple[str, ...]


def outcome_of(line: int, left: str, right: str, winner: str, sides: Sides) -> str:
    """ "left", "right" or "tie". The winner is a side's value, or the name of one of the two."""
    for same in (str.__eq__, _alike):
        for value, outcome in ((sides.left, "left"), (sides.right, "right"), *((tie, "tie") for tie in sides.ties)):
            if same(winner, value):
                return outcome
        for value, outcome in ((left, "left"), (right, "right")):
            if left != right and same(winner, value):
                return outcome
    if winner.casefold() in TIES:
        return "tie"
    raise InvalidInput(
        f"Line {line}: the winner “{winner}” is neither “{sides.left}”, “{sides.right}” nor “{sides.ties[0]}”, nor one of "
        f"“{left}” and “{right}”. Say what the file calls them with --left-value, --right-value and --tie-value."
    )


def _alike(one: str, two: str) -> bool:
    """Equal but for case; or equal numbers (3 and 3.0, as a table program writes a column with gaps)."""
    return one.casefold() == two.casefold() or (is_number(one) and is_number(two) and Decimal(one) == Decimal(two))
