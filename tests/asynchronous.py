"""Runs a coroutine to its end from a test. It promises nothing about the thread: it is one of its own.

A worker that has run a browser test has a running event loop in its main thread (Playwright's synchronous interface keeps
one), and `asyncio.run` refuses to start there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def finish(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """The coroutine's result, or its exception."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()
