"""Shows conversations to families of checks on a Ray cluster: the records go out as Parquet, what was seen comes back as Arrow.

The same `Look` looks at them as in the helpers of one machine (`backend.jobs.crew`), so the findings are the same, in the same
order. Promised: a few ten thousand records are on their way at a time, and their files go away. Not promised: that it works
where the nodes cannot read the data folder; on several machines it lies on storage that they share.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from backend.curation.looking import Look, Shown, Views
from backend.detectors.checks import Seen
from backend.detectors.findings import Finding
from backend.jobs.ray_cluster import cluster
from backend.vocabulary import Check, FindingKind

AT_A_TIME = 100
"""Pieces that go out together."""
IN_A_FILE = 2
"""Pieces in a file, which one task of the cluster looks at."""
FOLDER = "ray"
_TEXT = pa.string()
_SHOWN = pa.schema([("place", pa.int64()), ("messages", _TEXT), ("checks", pa.list_(_TEXT))])
_FINDING = pa.struct(
    [
        ("kind", _TEXT), ("message", pa.int64()), ("start", pa.int64()), ("end", pa.int64()), ("score", pa.float64()),
        ("detector", _TEXT), ("version", _TEXT), ("proposal", _TEXT), ("why", _TEXT),
    ]
)  # fmt: skip
_SLICE = pa.struct([("name", _TEXT), ("value", _TEXT)])
_SEEN = pa.struct([("check", _TEXT), ("findings", pa.list_(_FINDING)), ("slices", pa.list_(_SLICE))])
_SEEN_BY_ALL = pa.schema([("place", pa.int64()), ("views", pa.list_(_SEEN))])

Pieces = Iterable[Sequence[Shown]]


def looked(work: Callable[[Sequence[Shown]], Views], pieces: Pieces, *, data: Path) -> Generator[Views, None, None]:
    """`work(piece)` for each piece, in their order. `data` is the data folder."""
    rest = iter(pieces)
    first = list(itertools.islice(rest, 1))
    if not first:
        return
    rest = itertools.chain(first, rest)
    parent = data / FOLDER
    parent.mkdir(parents=True, exist_ok=True)
    with cluster() as ray_data:
        while some := list(itertools.islice(rest, AT_A_TIME)):
            folder = Path(tempfile.mkdtemp(dir=parent))
            try:
                _write(folder, some)
                files = sorted(map(str, folder.glob("*.parquet")))
                shown = ray_data.from_items(
                    files, override_num_blocks=len(files)
                )  # `read_parquet` would make one task of small ones
                seen = shown.map_batches(Looking(work), batch_size=None, batch_format="pyarrow")
                with closing(_views(seen.iter_batches(batch_size=None, batch_format="pyarrow"))) as views:
                    for piece in some:
                        yield list(itertools.islice(views, len(piece)))
                    if next(views, None) is not None:  # which also tells Ray that all was taken
                        raise RuntimeError("More came back from the cluster than went out.")
            finally:
                shutil.rmtree(folder, ignore_errors=True)


def look_on_ray(data: Path) -> Callable[[Look, Pieces], Generator[Views, None, None]]:
    """`looked` for a data folder."""
    return lambda work, pieces: looked(work, pieces, data=data)


class Looking:
    """What a task of the cluster does with a table of one column, the paths of files with records."""

    def __init__(self, work: Callable[[Sequence[Shown]], Views]) -> None:
        self._work = work

    def __call__(self, files: pa.Table) -> pa.Table:
        """A row of views for each record."""
        table = pa.concat_tables([pq.read_table(path) for path in files.column(0).to_pylist()])
        batch = [
            (messages, frozenset(map(Check, checks)))
            for messages, checks in zip(table["messages"].to_pylist(), table["checks"].to_pylist(), strict=True)
        ]
        views = [[_to_plain(check, seen) for check, seen in one.items()] for one in self._work(batch)]
        return pa.table({"place": table["place"], "views": views}, schema=_SEEN_BY_ALL)


def _write(folder: Path, pieces: Sequence[Sequence[Shown]]) -> None:
    places = itertools.count()
    together = IN_A_FILE if len(pieces) == AT_A_TIME else 1
    for number, begin in enumerate(range(0, len(pieces), together)):
        rows = [
            {
                "place": next(places),
                "messages": messages,
                "checks": sorted(check.value for check in wanted),
            }
            for piece in pieces[begin : begin + together]
            for messages, wanted in piece
        ]
        pq.write_table(pa.Table.from_pylist(rows, schema=_SHOWN), folder / f"{number:06d}.parquet")


def _views(tables: Iterable[pa.Table]) -> Generator[dict[Check, Seen], None, None]:
    """What was seen in each record, in the order in which they went out."""
    place = 0
    for table in tables:
        for row in table.to_pylist():
            if row["place"] != place:
                raise RuntimeError(f"Record {place} of a batch came back as {row['place']}.")
            place += 1
            yield {Check(seen["check"]): _from_plain(seen) for seen in row["views"]}


def _to_plain(check: Check, seen: Seen) -> dict[str, Any]:
    names = [field.name for field in _FINDING]
    return {
        "check": check.value,
        "findings": [{name: getattr(finding, name) for name in names} for finding in seen.findings],
        "slices": [{"name": name, "value": value} for name, value in seen.slices],
    }


def _from_plain(seen: Mapping[str, Any]) -> Seen:
    return Seen(
        findings=tuple(Finding(**{**one, "kind": FindingKind(one["kind"])}) for one in seen["findings"]),
        slices=tuple((one["name"], one["value"]) for one in seen["slices"]),
    )
