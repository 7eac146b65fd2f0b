"""Tables that are no text: spreadsheets (XLSX, XLS, ODS) by python-calamine, and Parquet by pyarrow.

Of a workbook every sheet with the header of its largest one is read, one after another; a sheet with other columns is
listed as rejected, never dropped in silence. Formulas are taken by their last value. Not promised: sheets without a header.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from backend.intake.readers.delimited import columns_of
from backend.intake.readers.packed import check_packed
from backend.intake.readers.rows import EXCERPT, Limits, Reading, Rejected, Row, Source, limited

BOOKS = frozenset({"xlsx", "xlsm", "xls", "ods"})
EXTENSIONS = BOOKS | {"parquet"}
_BATCH = 1000


def read_book(source: Source, limits: Limits) -> Reading:
    """Raises UnreadableFile for a workbook that is broken, locked or has no sheet with rows under a header."""
    import python_calamine

    check_packed(source, limits)
    try:
        with source.open() as stream:
            book = python_calamine.CalamineWorkbook.from_filelike(stream)
            sheets = {name: _cells(book.get_sheet_by_name(name).to_python(skip_empty_area=False)) for name in book.sheet_names}
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise source.refuse("cannot be opened as a workbook; it may be broken or locked with a password.") from error
    filled = {name: rows for name, rows in sheets.items() if len(rows) > 1}
    if not filled:
        raise source.refuse("has no sheet with a header and rows under it.")
    largest = max(filled, key=lambda name: len(filled[name]))
    header = filled[largest][0][1]
    columns = columns_of(header)

    def items() -> Iterator[Row | Rejected]:
        for name, rows in filled.items():
            if rows[0][1] == header:
                for line, cells in rows[1:]:
                    yield _row(line, cells, columns, limits)
            else:
                excerpt = " | ".join(rows[0][1])[:EXCERPT]
                yield Rejected(rows[0][0], f"the sheet {name[:60]!r} has other columns than {largest[:60]!r}", excerpt)

    words = f"sheet {largest!r}" if len(filled) == 1 else f"{len(filled)} sheets"
    return Reading("xlsx", words, columns, lambda: limited(items(), source, limits))


def _cells(rows: Sequence[Sequence[Any]]) -> list[tuple[int, list[str]]]:
    """Rows that are not empty with their number in the sheet, counted from 1."""
    texts = ((number, [_text(cell) for cell in row]) for number, row in enumerate(rows, start=1))
    return [(number, cells) for number, cells in texts if any(cell.strip() for cell in cells)]


def _text(cell: Any) -> str:
    """A cell as people see it: whole numbers without a point, dates in ISO order."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    return "" if cell is None else str(cell)


def _row(line: int, cells: list[str], columns: tuple[str, ...], limits: Limits) -> Row | Rejected:
    if any(cell.strip() for cell in cells[len(columns) :]):
        return Rejected(line, f"has more cells than the header's {len(columns)}", " | ".join(cells)[:EXCERPT])
    if (size := sum(map(len, cells))) > limits.max_row_chars:
        return Rejected(line, f"has {size:,} characters; at most {limits.max_row_chars:,} are taken", cells[0][:EXCERPT])
    cells = [*cells, *[""] * (len(columns) - len(cells))]
    return Row(line, dict(zip(columns, cells, strict=False)))


def read_parquet(source: Source, limits: Limits) -> Reading:
    """Raises UnreadableFile for a file that is no Parquet. Lists and structs become lists and objects."""
    import pyarrow
    import pyarrow.parquet

    def opened() -> Any:
        try:
            return pyarrow.parquet.ParquetFile(pyarrow.PythonFile(source.open(), mode="r"))
        except (pyarrow.ArrowException, OSError) as error:
            raise source.refuse("cannot be read as Parquet; it may be broken or cut off.") from error

    file = opened()
    columns = tuple(file.schema_arrow.names)
    if file.metadata.num_rows == 0:
        raise source.refuse("has columns but no rows.")
    if file.metadata.num_rows > limits.max_rows:
        raise source.refuse(f"has more than {limits.max_rows:,} rows. Split it into smaller files.")
    return Reading("parquet", f"{file.metadata.num_rows:,} rows", columns, lambda: _parquet_rows(opened, source, limits))


def _parquet_rows(opened: Callable[[], Any], source: Source, limits: Limits) -> Iterator[Row | Rejected]:
    import pyarrow

    line = 0
    try:
        for batch in opened().iter_batches(batch_size=_BATCH):
            for values in batch.to_pylist():
                line += 1
                size = sum(len(value) for value in values.values() if isinstance(value, str))
                if size > limits.max_row_chars:
                    yield Rejected(line, f"has {size:,} characters; at most {limits.max_row_chars:,} are taken")
                else:
                    yield Row(line, values)
    except (pyarrow.ArrowException, OSError) as error:
        raise source.refuse(f"is broken after row {line:,}.") from error
