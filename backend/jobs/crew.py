"""Processes that help the one that made them with pure work. Nothing here knows what is worked on.

Promised: results come in the order of what was given, the same as without helpers; few pieces are on their way at a time, so
that memory does not grow with the work; helpers end with their maker, also when that is killed. Not promised: speed for a
little work, because a helper takes a second to start.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import IO, Any, TypeVar

from backend.errors import ServiceUnavailable

Given = TypeVar("Given")
Made = TypeVar("Made")

_AHEAD = 2
"""Pieces that wait for each helper, so that none is idle while the maker reads on."""
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""There is a helper for each processor already."""
_LENGTH = struct.Struct("<Q")
_LOOK_SECONDS = 1.0


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
    crew = [_Helper(work) for _ in range(workers)]
    idle: SimpleQueue[_Helper] = SimpleQueue()
    for helper in crew:
        idle.put(helper)

    def hand_over(piece: Given) -> Made:
        helper = idle.get()
        try:
            made: Made = helper.do(piece)
            return made
        finally:
            idle.put(helper)

    threads = ThreadPoolExecutor(workers, thread_name_prefix="crew")
    waiting: deque[Future[Made]] = deque()
    try:
        for piece in itertools.chain(first, rest):
            waiting.append(threads.submit(hand_over, piece))
            if len(waiting) > (1 + _AHEAD) * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for helper in crew:
            helper.end()
        threads.shutdown(cancel_futures=True)


class _Helper:
    """A process of its own that works at one piece at a time. It gets frames of pickled bytes, and gives such back.

    It is no child of `multiprocessing`, because that runs the main module again in each, and in the web process that is a
    page.
    """

    def __init__(self, work: Callable[[Any], Any]) -> None:
        path = os.pathsep.join(one or os.getcwd() for one in sys.path)
        self._process = subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, "-m", __spec__.name if __spec__ else __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, **_ONE_THREAD, "PYTHONPATH": path},
        )  # fmt: skip
        self._told = _dumped(work)

    def do(self, piece: Any) -> Any:
        """What `work` makes of the piece, or raises."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            if self._told:
                _send(self._process.stdin, self._told)
                self._told = b""
            _send(self._process.stdin, _dumped(piece))
            went_well, made = pickle.loads(_received(self._process.stdout))  # noqa: S301 - from a process that this one started
        except (OSError, EOFError, ValueError) as error:
            raise ServiceUnavailable(
                "A process that was helping ended, most likely for want of memory. Try again with fewer "
                "(TOUCHSTONE_CLEAN_WORKERS)."
            ) from error
        if not went_well:
            raise made
        return made

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _dumped(thing: Any) -> bytes:
    return pickle.dumps(thing, protocol=pickle.HIGHEST_PROTOCOL)


def _send(stream: IO[bytes], content: bytes) -> None:
    stream.write(_LENGTH.pack(len(content)) + content)
    stream.flush()


def _received(stream: IO[bytes]) -> bytes:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return content


def _help() -> None:
    """What a helper does: work at one piece after another until its maker is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the maker says when to end
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    threading.Thread(target=_end_with_maker, args=(os.getppid(),), daemon=True).start()
    work = pickle.loads(_received(incoming))  # noqa: S301 - from the process that started this one
    while True:
        piece = pickle.loads(_received(incoming))  # noqa: S301 - likewise
        try:
            answer = (True, work(piece))
        except Exception as error:  # noqa: BLE001 - it is raised again by the maker
            answer = (False, error)
        _send(outgoing, _dumped(answer))


def _end_with_maker(maker: int) -> None:
    """Also in the middle of a piece: nobody waits for it any more."""
    while os.getppid() == maker:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    try:
        _help()
    except EOFError:
        sys.exit(0)
