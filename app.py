"""The web process: Streamlit's pages behind the login gate, the login pages, the HTTP API. Nothing else.

Start it with `python app.py` (address and port from the settings), `streamlit run app.py`, or any ASGI server (`app:app`).
"""

from __future__ import annotations

import dataclasses
import gc
import importlib
import math
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route
from streamlit import config

from backend import runtime
from backend.access import exchange, health, oidc, routes
from backend.access.entering import offer_setup
from backend.access.gate import Gate
from backend.access.links import link_address
from backend.access.secrets import Signer, load_key
from backend.access.sessions import resolve
from backend.logs import configure
from backend.serving import api
from backend.vocabulary import LinkPurpose
from pages.components import notices
from pages.components.steady_theme import keep_theme

HERE = Path(__file__).parent
HAND_OVER = 0.001
"""Seconds until a thread lets another have the interpreter. A save lets go of it at every statement and, by the default of
five milliseconds, waits that long to have it back from whoever draws a page meanwhile."""
house = runtime.start(os.environ)
configure(house.settings.log_format)
keep_theme()


def load_sample(token: str) -> None:
    """Load the sample project as the person behind this session."""
    sampling = importlib.import_module("backend.intake.sampling")
    with house.database.writing() as session:
        sampling.load_sample(session=session, actor=resolve(session, token), settings=house.settings)


def import_records(**given: Any) -> Any:
    """What POST /api/records calls; intake is imported when the first records arrive."""
    return importlib.import_module("backend.intake.importing").import_records(**given)


def all_routes() -> list[BaseRoute]:
    """Login pages, single sign-on, health, HTTP API."""
    here = exchange.Desk(house.settings, house.database, Signer(load_key(house.settings.data)), load_sample)
    found = [*routes.routes(here), *oidc.routes(here)]
    found.append(Route("/healthz", health.Health(house.settings, house.database).handle, methods=["GET"]))
    found += api.routes(house.settings, house.database, import_records)
    return found


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[dict[str, Any]]:
    """Say where Touchstone is, and where nobody has an account yet, print the one-time set-up link."""
    settings = house.settings
    if config.is_manually_set("server.port"):  # `streamlit run app.py --server.port …`
        settings = dataclasses.replace(settings, port=config.get_option("server.port"))
    sys.setswitchinterval(HAND_OVER)
    gc.freeze()  # what is loaded by now stays; looking through it for garbage held everybody up for a fifth of a second
    print(f"\n  Touchstone is at {settings.address}\n", flush=True)
    with house.database.writing() as session:
        token = offer_setup(session=session, hours=settings.link_hours)
    if token:
        print("  There is no account yet. Open this link, once, to create the admin account:\n", flush=True)
        print(f"    {link_address(settings, LinkPurpose.SETUP, token)}\n", flush=True)
    yield {}
    house.database.dispose()


app = st.App(
    HERE / "pages" / "_entry.py",
    routes=all_routes(),
    middleware=[Middleware(Gate, settings=house.settings, database=house.database)],
    lifespan=lifespan,
    on_script_error=notices.on_script_error,
)

if __name__ == "__main__":
    app.run(
        config={
            "server.address": house.settings.host,
            "server.port": house.settings.port,
            "server.maxUploadSize": math.ceil(house.settings.import_max_bytes / 2**20),
        }
    )
