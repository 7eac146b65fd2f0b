"""What a stretch of a benchmark cost in processor time, and how busy the machine was with everything else.

Waiting times depend on who else is on the machine; processor time per operation hardly does. So both are told.
"""

from __future__ import annotations

import time
from typing import Any

import psutil


class Burden:
    """From its making until `told`."""

    def __init__(self, web: psutil.Process) -> None:
        self._web = web
        self._before = self._now()

    def told(self, operations: int) -> dict[str, Any]:
        """Milliseconds of the web process and of the clients (this process) per operation; busy cores, all together."""
        web, clients, busy, at = (after - before for after, before in zip(self._now(), self._before, strict=True))
        return {
            "web_cpu_ms_each": round(web / operations * 1000, 2),
            "clients_cpu_ms_each": round(clients / operations * 1000, 2),
            "cores_busy": {"web": round(web / at, 2), "all": round(busy / at, 2), "of": psutil.cpu_count()},
        }

    def _now(self) -> tuple[float, float, float, float]:
        web, machine = self._web.cpu_times(), psutil.cpu_times()
        busy = sum(machine) - machine.idle - getattr(machine, "iowait", 0.0)
        return web.user + web.system, time.process_time(), busy, time.monotonic()
