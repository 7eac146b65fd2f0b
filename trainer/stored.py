"""Many lessons in memory-mapped files: five bytes a token instead of some forty-four as Python's numbers.

They lie in the run's folder, under a name that says what they were made of (the rows' hash, the objective, the tokenizer and
its template, the greatest length), so a run that goes on opens them instead of making them anew, and so does a search's next
trial. What is damaged or of other rows is made anew; a finished run or search removes them.

Not promised: that several machines that share no folder make them once.
"""

from __future__ import annotations

import contextlib
import copy
import fcntl
import hashlib
import itertools
import json
import logging
import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy
import torch

from trainer import checkpoint, contract
from trainer.codecs import CODECS, KINDS
from trainer.lessons import Lesson, trained_tokens

log = logging.getLogger("trainer")

_FORMAT = 1
"""Goes up when the files below, or how rows become tokens, change."""
_ABOUT, _LOCK = "about.json", ".lock"
_TOKENS, _MARKS, _STARTS, _NUMBERS, _IDS, _ID_STARTS = "tokens", "marks", "starts", "numbers", "ids", "id_starts"
_WEIGHT, _DROPPED, _LENGTH, _READ, _TRAINED = range(5)
_COMMON = 5
"""Numbers that every lesson has; those of its kind come after them."""


class Stored(Sequence[Lesson]):
    """Lessons of one kind, each read back when it is asked for."""

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        self.key, self.too_long, self.digest = about["key"], about["too_long"], about["digest"]
        self._kind = KINDS[about["kind"]]
        self._codec = CODECS[self._kind]
        self._tokens, self._marks = _mapped(folder / _TOKENS, numpy.int32), _mapped(folder / _MARKS, numpy.bool_)
        self._starts = _mapped(folder / _STARTS, numpy.int64)
        self._numbers = _mapped(folder / _NUMBERS, numpy.float64).reshape(-1, _COMMON + self._codec.numbers)
        self._ids, self._id_starts = _mapped(folder / _IDS, numpy.uint8), _mapped(folder / _ID_STARTS, numpy.int64)
        self._reference: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, at: int) -> Lesson: ...
    @overload
    def __getitem__(self, at: slice) -> list[Lesson]: ...
    def __getitem__(self, at: int | slice) -> Lesson | list[Lesson]:
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(len(self)))]
        place = at + len(self) if at < 0 else at
        if not 0 <= place < len(self):
            raise IndexError(at)
        weight, dropped, _, _, _, *numbers = self._numbers[place].tolist()
        lesson = self._codec.together(self._id(place), self._parts(place), weight, int(dropped), numbers)
        if self._reference is None:
            return lesson
        return replace(lesson, reference=tuple(self._reference[place].tolist()))  # type: ignore[type-var]

    def _id(self, place: int) -> str:
        return bytes(self._ids[self._id_starts[place] : self._id_starts[place + 1]]).decode(errors="surrogatepass")

    def _parts(self, place: int) -> list[tuple[tuple[int, ...], tuple[bool, ...]]]:
        first, texts = place * self._codec.texts, self._codec.texts
        bounds = self._starts[first : first + texts + 1].tolist()
        parts = [slice(start, end) for start, end in itertools.pairwise(bounds)]
        marks = [tuple(self._marks[part].tolist()) if self._codec.marked else () for part in parts]
        return [(tuple(self._tokens[part].tolist()), mark) for part, mark in zip(parts, marks, strict=True)]

    def referring(self, values: torch.Tensor) -> Stored:
        """The same lessons with what the starting model thought of them [lessons, 2]."""
        other = copy.copy(self)
        other._reference = values
        return other

    def column(self, number: int) -> list[int]:
        """One of the numbers that every lesson has, of all of them."""
        return [int(value) for value in self._numbers[:, number].tolist()]


def _mapped(path: Path, kind: Any) -> numpy.ndarray:
    return numpy.memmap(path, dtype=kind, mode="r") if path.stat().st_size else numpy.empty(0, dtype=kind)


# --- what lists of lessons and stored ones are asked ---


def lengths(lessons: Sequence[Lesson]) -> list[int]:
    """The length that batches go by, of each."""
    return lessons.column(_LENGTH) if isinstance(lessons, Stored) else [lesson.length for lesson in lessons]


def token_counts(lessons: Sequence[Lesson]) -> list[int]:
    """Tokens that the model reads for each."""
    return lessons.column(_READ) if isinstance(lessons, Stored) else [lesson.token_count for lesson in lessons]


def trained_counts(lessons: Sequence[Lesson]) -> list[int]:
    """Tokens of each that carry loss."""
    return lessons.column(_TRAINED) if isinstance(lessons, Stored) else [trained_tokens(lesson) for lesson in lessons]


def shortened(lessons: Sequence[Lesson]) -> int:
    """How many lost turns because they were too long."""
    dropped = lessons.column(_DROPPED) if isinstance(lessons, Stored) else [lesson.dropped_turns for lesson in lessons]
    return sum(turns > 0 for turns in dropped)


def refer(lessons: Sequence[Lesson], values: torch.Tensor) -> Sequence[Lesson]:
    """The lessons with what the starting model thought of them [lessons, 2]."""
    if isinstance(lessons, Stored):
        return lessons.referring(values)
    told = zip(lessons, values.tolist(), strict=True)
    return [replace(lesson, reference=tuple(pair)) for lesson, pair in told]  # type: ignore[type-var]


# --- making and keeping them ---


def key_of(rows: Path, *, objective: str, signature: str, length: int) -> str:
    """The name of what is made of a file of rows by an objective, a format with this signature and a greatest length."""
    with rows.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    told = json.dumps([_FORMAT, content, objective, signature, length])
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def shelf_of(out: Path) -> Path:
    """Where a run's lessons are kept: in its folder, or in that of the search which it is a trial of, for all trials."""
    return next((folder for folder in (out, *out.parents[:2]) if (folder / contract.SEARCH).exists()), out)


def keep(out: Path | None, key: str, made: Callable[[], Iterable[Lesson | None]]) -> Stored:
    """The lessons of this name: those that are kept for a run in `out`, or else what `made` makes, those of a weight. Without
    a folder they are gone with the process, however it ends.
    """
    if out is None:
        with tempfile.TemporaryDirectory() as passing:
            _write(Path(passing) / key, key, made())
            return Stored(Path(passing) / key)  # Its files stay as long as they are open.
    shelf = shelf_of(out)
    folder = shelf / contract.LESSONS / key
    with _alone(folder.parent):
        if not _is_sound(folder, key):
            if shelf == out:
                _remove_others(folder)
            _write(folder, key, made())
    return Stored(folder)


def forget(out: Path) -> None:
    """Removes what is kept in the folder of a run or a search."""
    shutil.rmtree(out / contract.LESSONS, ignore_errors=True)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Within, no other process of this run is here."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_sound(folder: Path, key: str) -> bool:
    if not folder.exists():
        return False
    try:
        checkpoint.verify(folder)
        if json.loads((folder / _ABOUT).read_text(encoding="utf-8"))["key"] == key:
            log.info("the rows were tokenised before")
            return True
        reason = f"{folder} holds other rows."
    except checkpoint.Damaged as error:
        reason = str(error)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"{folder} is damaged: {error}"
    log.warning("%s They are tokenised anew.", reason)
    return False


def _remove_others(folder: Path) -> None:
    for other in folder.parent.iterdir():
        if other.is_dir() and other != folder:
            shutil.rmtree(other)


def _write(folder: Path, key: str, made: Iterable[Lesson | None]) -> None:
    def fill(target: Path) -> None:
        with contextlib.ExitStack() as files:
            writer = _Writer(target, files)
            for lesson in made:
                writer.add(lesson)
        writer.close(key)

    checkpoint.write_whole(folder, fill)


class _Writer:
    """Writes lessons into a folder, one after another. Their bounds and numbers are in memory until the end."""

    def __init__(self, folder: Path, files: contextlib.ExitStack) -> None:
        self._folder = folder
        self._tokens, self._marks, self._ids = (
            files.enter_context((folder / name).open("wb")) for name in (_TOKENS, _MARKS, _IDS)
        )
        self._starts, self._id_starts, self._numbers = array("q", [0]), array("q", [0]), array("d")
        self._kind: type | None = None
        self._too_long = 0

    def add(self, lesson: Lesson | None) -> None:
        """One more. None counts as too long; what has no weight is left out."""
        if lesson is None:
            self._too_long += 1
            return
        if lesson.weight <= 0:
            return
        self._kind = type(lesson)
        parts, numbers = CODECS[self._kind].apart(lesson)
        for tokens, marks in parts:
            self._tokens.write(numpy.asarray(tokens, dtype=numpy.int32).tobytes())
            self._marks.write(numpy.asarray(marks, dtype=numpy.bool_).tobytes())
            self._starts.append(self._starts[-1] + len(tokens))
        common = (lesson.weight, lesson.dropped_turns, lesson.length, lesson.token_count, trained_tokens(lesson))
        self._numbers.extend((*common, *numbers))
        name = lesson.id.encode(errors="surrogatepass")
        self._ids.write(name)
        self._id_starts.append(self._id_starts[-1] + len(name))

    def close(self, key: str) -> None:
        """Writes the rest, once the files are closed."""
        for name, values in ((_STARTS, self._starts), (_ID_STARTS, self._id_starts), (_NUMBERS, self._numbers)):
            with (self._folder / name).open("wb") as file:
                values.tofile(file)
        found = hashlib.sha256()
        for name in (_TOKENS, _MARKS, _STARTS, _NUMBERS, _IDS, _ID_STARTS):
            with (self._folder / name).open("rb") as file:
                found.update(hashlib.file_digest(file, "sha256").digest())
        kind = self._kind.__name__ if self._kind else next(iter(KINDS))
        about = {"key": key, "kind": kind, "too_long": self._too_long, "digest": found.hexdigest()}
        (self._folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
