"""What one process holds: its settings and its database handle. The entry points make it; nothing below asks for it.

`current()` is for pages, which Streamlit runs without arguments: it returns what `start` made, or makes it from the
process's environment on first use (a page opened by `streamlit run` or AppTest).
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from backend.settings import Settings
from backend.store.database import Database


@dataclass(frozen=True, slots=True)
class Runtime:
    """Settings and database of this process."""

    settings: Settings
    database: Database


_lock = threading.Lock()
_runtimes: dict[Settings, Runtime] = {}
_VARIABLES = [spec.metadata["variable"] for spec in dataclasses.fields(Settings)]
_seen: dict[tuple[str | None, ...], Runtime] = {}


def start(environ: Mapping[str, str], *, migrate: bool = True) -> Runtime:
    """The runtime for this environment, made once; the schema is brought up to date when it is made."""
    settings = Settings.from_env(environ)
    with _lock:
        if settings not in _runtimes:
            settings.data.mkdir(parents=True, exist_ok=True)
            database = Database(settings.database)
            if migrate:
                database.migrate()
            _runtimes[settings] = Runtime(settings, database)
        return _runtimes[settings]


def current() -> Runtime:
    """The runtime of this process. Pages ask at every look, so the environment is parsed again only when it differs."""
    seen = tuple(map(os.environ.get, _VARIABLES))
    known = _seen.get(seen)
    if known is None or known.settings not in _runtimes:
        known = _seen[seen] = start(os.environ)
    return known


def forget(runtime: Runtime) -> None:
    """Drop a runtime whose folder goes away."""
    with _lock:
        _runtimes.pop(runtime.settings, None)
