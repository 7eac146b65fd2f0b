"""An engine of one's own, for as long as a command needs one: a child on a free port that serves the models folder."""

from __future__ import annotations

import secrets
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from backend.engine import Engine
from backend.errors import ServiceUnavailable
from backend.jobs.launcher import Launch, LocalLauncher
from backend.settings import Settings

PATIENCE = 120.0
"""Seconds until the engine has to answer."""


@contextmanager
def engine_of_ones_own(settings: Settings) -> Iterator[Engine]:
    """An engine that is up and answers; ended afterwards. Raises ServiceUnavailable when it does not come up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher, nonce = LocalLauncher(settings), secrets.token_hex(16)
    arguments = ("serve", "--models", str(settings.models), "--port", str(port))
    folder = settings.runs / f"engine-{nonce[:8]}"
    child = launcher.start(Launch(arguments=arguments, folder=folder, nonce=nonce, title="an engine for a command"))
    engine, until = Engine(f"http://127.0.0.1:{port}"), time.monotonic() + PATIENCE
    try:
        while True:
            try:
                engine.models()
                break
            except ServiceUnavailable:
                if time.monotonic() > until or not launcher.is_alive(child):
                    raise
                time.sleep(0.25)
        yield engine
    finally:
        launcher.end(child, signal.SIGTERM)
        launcher.exit_code(child)
