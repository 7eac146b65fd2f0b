"""/healthz: whether the database and the engine answer. It names no versions, addresses or secrets."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import text
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from backend.errors import ServiceUnavailable
from backend.settings import Settings
from backend.store.database import Database

KEEP_SECONDS = 5.0


def engine_answers(settings: Settings, *, timeout: float = 1.0) -> bool:
    """Whether the engine's address answers at all; any answer below 500 counts."""
    import httpx

    headers = {"authorization": f"Bearer {settings.engine_key}"} if settings.engine_key else {}
    try:
        return httpx.get(f"{settings.engine}/v1/models", headers=headers, timeout=timeout, trust_env=False).status_code < 500
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def database_answers(database: Database) -> bool:
    """Whether the database answers a query."""
    try:
        with database.reading() as session:
            session.execute(text("SELECT 1"))
    except ServiceUnavailable:
        return False
    return True


class Health:
    """The handler. Answers are kept for a few seconds, so that asking often costs the engine nothing."""

    def __init__(self, settings: Settings, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._until = 0.0
        self._last: tuple[bool, bool] = (False, False)

    async def handle(self, request: Request) -> Response:
        """200 where the database answers, else 503; the engine's state is told beside it."""
        database, engine = await run_in_threadpool(self._look)
        words = {True: "ok", False: "away"}
        return JSONResponse(
            {"status": words[database], "database": words[database], "engine": words[engine]}, 200 if database else 503
        )

    def _look(self) -> tuple[bool, bool]:
        if self._clock() >= self._until:
            self._last = (database_answers(self._database), engine_answers(self._settings))
            self._until = self._clock() + KEEP_SECONDS
        return self._last
