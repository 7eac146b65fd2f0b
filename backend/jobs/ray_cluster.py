"""The way to a Ray cluster: the one that RAY_ADDRESS names, or one of this machine alone that ends with the work.

Ray is an extra (`requirements-cluster.txt`), loaded only here and only when it is asked for. Promised: this program's modules
are sent to the nodes, which need the requirements alone; nothing is reported to Ray's makers by a cluster that is started here.
A cluster that wants a token gets it from RAY_AUTH_MODE=token and RAY_AUTH_TOKEN, which Ray reads itself, and which must be the
same wherever a node or this program is started.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import backend
from backend.errors import ServiceUnavailable

_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


def _own_token() -> dict[str, str]:
    """For a cluster of this process alone; Ray would leave one in the home folder."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


@contextmanager
def cluster() -> Iterator[Any]:
    """The module `ray.data`, connected; the connection ends with the block. Raises ServiceUnavailable."""
    alone = not os.environ.get("RAY_ADDRESS")
    for name, value in {**_QUIET, **(_own_token() if alone else {})}.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ServiceUnavailable("Ray is not installed here. Run: pip install -r requirements-cluster.txt") from error
    package = str(Path(next(iter(backend.__path__))))
    try:
        ray.init(
            runtime_env={"py_modules": [package], "excludes": ["**/__pycache__/**"]},
            include_dashboard=False if alone else None,
            log_to_driver=False,
            logging_level=logging.WARNING,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ServiceUnavailable(
            "There is no Ray cluster to be reached. RAY_ADDRESS must name its head (empty for this machine alone), and "
            "RAY_AUTH_MODE and RAY_AUTH_TOKEN must be what its nodes were started with."
        ) from error
    try:
        logging.getLogger("ray.data").setLevel(logging.ERROR)  # it warns of what is asked for below
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        yield ray.data
    finally:
        ray.shutdown()
