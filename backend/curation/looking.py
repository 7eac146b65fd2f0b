"""Shows conversations to families of checks, here or in other processes. It knows no database.

Promised: the same batches give the same, however many processes look at them. The processes end with the one that made them,
also when that is killed. Memory is bounded by how many batches the caller hands in at a time.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from types import ModuleType, TracebackType

from backend.conversations import Message, messages_from_json
from backend.detectors.checks import Context, Family, Seen, family
from backend.errors import ServiceUnavailable
from backend.vocabulary import Check

Shown = tuple[list[dict[str, str]], frozenset[Check]]
"""Messages as they are stored, and the families that are to look at them."""
Views = list[dict[Check, Seen]]
"""For each conversation what each of its families saw."""

_told: tuple[Mapping[Check, Family], Context] | None = None
"""What this process looks with; only set in the children of `Lookers`."""


def look(batch: Sequence[Shown], families: Mapping[Check, Family], context: Context) -> Views:
    """What the families see, each in the conversations that it is to look at."""
    conversations = [messages_from_json(messages) for messages, _ in batch]
    views: Views = [{} for _ in batch]
    for check, one in families.items():
        places = [place for place, (_, wanted) in enumerate(batch) if check in wanted]
        mine: list[Sequence[Message]] = [conversations[place] for place in places]
        for place, seen in zip(places, one.look(mine, context) if mine else [], strict=True):
            views[place][check] = seen
    return views


class Lookers:
    """Looks at batches in `workers` processes, or here where there is one. `families` that are loaded modules are loaded
    anew by each process; others are sent to it.
    """

    def __init__(self, families: Mapping[Check, Family], context: Context, *, workers: int) -> None:
        self._families, self._context = families, context
        self._pool: ProcessPoolExecutor | None = None
        if workers > 1:
            named = {check: None if isinstance(one, ModuleType) else one for check, one in families.items()}
            self._pool = ProcessPoolExecutor(
                workers, mp_context=multiprocessing.get_context("spawn"), initializer=_prepare, initargs=(named, context)
            )

    def __enter__(self) -> Lookers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def begin(self, batch: Sequence[Shown]) -> Future[Views]:
        """Have a batch looked at."""
        if self._pool is not None:
            try:
                return self._pool.submit(_look, list(batch))
            except BrokenProcessPool as error:
                raise _ended(error) from error
        done: Future[Views] = Future()
        done.set_result(look(batch, self._families, self._context))
        return done


def views_of(begun: Future[Views], *, seconds: float) -> Views | None:
    """What was seen; None where it takes longer than this many seconds. Raises what looking raised."""
    try:
        return begun.result(timeout=seconds)
    except BrokenProcessPool as error:
        raise _ended(error) from error
    except TimeoutError:
        if begun.done():  # what looked ran into a timeout of its own
            raise
        return None


def _ended(error: BaseException) -> ServiceUnavailable:
    return ServiceUnavailable(
        "A process that looks at records was ended, most likely for want of memory. What was looked at is kept: start the "
        "checks again, with fewer processes (TOUCHSTONE_CLEAN_WORKERS)."
    )


def _prepare(named: Mapping[Check, Family | None], context: Context) -> None:
    """In a new process: load the families, and end with the parent."""
    global _told
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to end
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _told = {check: one or family(check) for check, one in named.items()}, context


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _look(batch: Sequence[Shown]) -> Views:
    assert _told is not None
    return look(batch, *_told)
