"""Processes that help the one that made them with pure work. Nothing here knows what is worked on.

Promised: results come in the order of what was given, the same as without helpers; few pieces are on their way at a time, so
that memory does not grow with the work; helpers end with their maker, also when that is killed. Not promised: speed for a
little work, because a helper takes a second to start.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any, TypeVar

from backend.errors import ServiceUnavailable

Given = TypeVar("Given")
Made = TypeVar("Made")

_AHEAD = 2
"""Pieces that wait for each helper, so that none is idle while the maker reads on."""
_work: Callable[[Any], Any] | None = None
"""What this process does; only set in helpers."""


def helpers(wanted: int) -> int:
    """How many processes work: as many as are wanted; 0 means one for each processor that may be used."""
    return wanted or len(os.sched_getaffinity(0))


def in_order(
    work: Callable[[Given], Made], pieces: Iterable[Given], *, workers: int, alone: int
) -> Generator[Made, None, None]:
    """`work(piece)` for each piece. The first `alone` pieces are done here; only for more are helpers started.

    What `work` raises comes out; a helper that was ended from outside is ServiceUnavailable. `work` and pieces are pickled.
    """
    rest = iter(pieces)
    for piece in itertools.islice(rest, alone if workers > 1 else None):
        yield work(piece)
    first = list(itertools.islice(rest, 1))
    if not first:
        return
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_prepare, initargs=(work,))
    waiting: deque[Future[Made]] = deque()
    try:
        for piece in itertools.chain(first, rest):
            waiting.append(pool.submit(_do, piece))
            if len(waiting) > (1 + _AHEAD) * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise ServiceUnavailable(
            "A process that was helping ended, most likely for want of memory. Nothing was saved; try again with fewer "
            "(TOUCHSTONE_CLEAN_WORKERS)."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _prepare(work: Callable[[Any], Any]) -> None:
    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the maker says when to end
    threading.Thread(target=_end_with_maker, daemon=True).start()
    _work = work


def _end_with_maker() -> None:
    maker = multiprocessing.parent_process()
    if maker is not None:
        wait([maker.sentinel])
        os._exit(1)


def _do(piece: Any) -> Any:
    assert _work is not None
    return _work(piece)
