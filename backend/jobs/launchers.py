"""Which launcher the settings ask for. What only a cluster needs is imported only for one."""

from __future__ import annotations

from backend.errors import InvalidInput
from backend.jobs.launcher import Launcher, LocalLauncher
from backend.settings import Settings


def configured(settings: Settings) -> Launcher:
    """The launcher of TOUCHSTONE_LAUNCHER. Raises InvalidInput naming the setting that cannot be used."""
    if settings.launcher == "local":
        return LocalLauncher(settings)
    if settings.launcher == "ray":
        from backend.jobs.ray_head import HttpHead, job_server
        from backend.jobs.ray_launcher import RayLauncher

        return RayLauncher(settings, HttpHead(job_server(settings), settings.ray_token))
    raise InvalidInput(f"TOUCHSTONE_LAUNCHER must be 'local' or 'ray'; it is {settings.launcher!r}.")
