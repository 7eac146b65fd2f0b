"""The product as it is started for people: the Procfile's commands as real processes, on free ports, in a folder of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

ROOT = Path(__file__).resolve().parents[1]
PROCFILE = dict(
    line.split(": ", 1) for line in (ROOT / "Procfile").read_text(encoding="utf-8").splitlines() if line and line[0] != "#"
)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Stack:
    """Running processes over one data folder."""

    data: Path
    environ: dict[str, str]
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    logs: dict[str, IO[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, name: str) -> None:
        """Start one line of the Procfile in a process group of its own."""
        self.logs[name] = (self.data / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            ["bash", "-c", "exec " + PROCFILE[name]],
            cwd=ROOT,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=self.logs[name],
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End one process and wait for it."""
        process = self.processes.pop(name)
        if process.poll() is None:
            os.killpg(process.pid, how)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(15)
        self.logs.pop(name).close()

    def log(self, name: str) -> str:
        """What a process has printed so far."""
        return (self.data / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def wait_for(self, name: str, path: str = "/_stcore/health", port: int | None = None, seconds: float = 180) -> float:
        """Seconds until the process answers 200 at `path`."""
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            if self.processes[name].poll() is not None:
                raise RuntimeError(f"{name} ended:\n{self.log(name)}")
            try:
                if httpx.get(f"http://127.0.0.1:{port or self.port}{path}", timeout=2).status_code == 200:
                    return time.monotonic() - started
            except httpx.HTTPError:
                pass  # not up yet; the loop's limit ends this
            time.sleep(0.05)
        raise RuntimeError(f"{name} did not answer in {seconds} s:\n{self.log(name)}")

    def setup_link(self) -> str:
        """The one-time link that the first start printed."""
        found = re.search(r"http\S+/setup\?token=\S+", self.log("web"))
        if found is None:
            raise RuntimeError(f"No set-up link:\n{self.log('web')}")
        return found.group()

    def command(self, *arguments: str) -> str:
        """Run `python -m backend …` on this stack's data; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "backend", *arguments],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout


@contextmanager
def stack(data: Path, *names: str, **environ: str) -> Iterator[Stack]:
    """Start the named processes (web is waited for), and end every one of them afterwards."""
    port, engine_port = free_port(), free_port()
    made = Stack(
        data,
        {
            **{key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "TOUCHSTONE_URL")},
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
            "TOUCHSTONE_DATA": str(data),
            "TOUCHSTONE_PORT": str(port),
            "TOUCHSTONE_ENGINE_PORT": str(engine_port),
            "PYTHONUNBUFFERED": "1",
            **environ,
        },
        port,
    )
    try:
        for name in names:
            made.start(name)
        if "web" in names:
            made.wait_for("web")
        yield made
    finally:
        for name in list(made.processes):
            made.stop(name)
