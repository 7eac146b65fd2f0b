"""A Ray cluster of this machine alone: a head that takes jobs, and a second node that runs them.

Every process of it carries a mark in its environment, by which it is ended; other clusters of the machine are left alone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from backend.jobs.ray_head import HeadAway, HttpHead

_MARK = "TOUCHSTONE_TEST_CLUSTER"
_SMALL = ["--object-store-memory", "80000000", "--node-ip-address", "127.0.0.1", "--disable-usage-stats", "--block"]
_STARTED = "Ray runtime started"
_ANY_WORKER_PORT = ["--min-worker-port", "0", "--max-worker-port", "0"]


class Cluster:
    """Head and node, with a token; both can be killed and started again at the same address. The head runs nothing unless it
    is given processors.
    """

    def __init__(self, *, head_processors: int = 0) -> None:
        self._head_processors = head_processors
        self.token, self._mark = secrets.token_hex(24), secrets.token_hex(8)
        self._folder = Path(tempfile.mkdtemp(prefix="ray-"))  # short: sockets lie in it
        self._port, self._jobs, self._clients = free_ports(3)
        self.address = f"http://127.0.0.1:{self._jobs}"
        self.joined = f"127.0.0.1:{self._port}"
        """Where a program that runs on the cluster joins it."""
        self._printed: list[Path] = []
        self._head: subprocess.Popen[bytes] | None = None
        self._second: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start both, and wait until the head takes jobs."""
        head = ["--head", "--port", str(self._port), "--num-cpus", str(self._head_processors), "--temp-dir", str(self._folder)]
        head += ["--dashboard-host", "127.0.0.1", "--dashboard-port", str(self._jobs)]
        self._head = self._node(*head, "--ray-client-server-port", str(self._clients))
        until = time.monotonic() + 150
        while True:
            try:
                HttpHead(self.address, self.token).greet()
                break
            except HeadAway:
                assert self._head.poll() is None, self.said()
                assert time.monotonic() < until, self.said()
                time.sleep(0.5)
        self._second = self.add_node()

    def add_node(self) -> subprocess.Popen[bytes]:
        """Start one more node with room for one process, and wait until it is there: of two that start at once one may take the
        other's socket.
        """
        node = self._node("--address", self.joined, "--num-cpus", "1")
        until = time.monotonic() + 150
        while _STARTED not in self._printed[-1].read_text(errors="replace"):
            assert node.poll() is None, self.said()
            assert time.monotonic() < until, self.said()
            time.sleep(0.2)
        return node

    def kill_head(self) -> None:
        """Kill the head with all that it started, as when its machine goes down, and see the other node end by itself."""
        assert self._head is not None
        assert self._second is not None
        os.killpg(self._head.pid, signal.SIGKILL)
        self._head.wait()
        self._second.wait(timeout=120)

    def end(self) -> None:
        """End every process of this cluster, and no other."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(_MARK) == self._mark:
                    process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def said(self) -> str:
        """The last of what each node printed."""
        return "\n".join(path.read_text(errors="replace")[-2000:] for path in self._printed)

    def _node(self, *arguments: str) -> subprocess.Popen[bytes]:
        agent, agent_grpc, metrics, environments = map(str, free_ports(4))
        ports = ["--dashboard-agent-listen-port", agent, "--dashboard-agent-grpc-port", agent_grpc]
        ports += ["--metrics-export-port", metrics, "--runtime-env-agent-port", environments]
        program = Path(sys.executable).with_name("ray")
        given = {_MARK: self._mark, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}
        given |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1", "RAY_gcs_rpc_server_reconnect_timeout_s": "5"}
        given["RAY_raylet_start_wait_time_s"] = "150"  # of a busy machine
        given["RAY_worker_niceness"] = "0"  # beside other tests they would hardly get a turn
        kept = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
        self._printed.append(self._folder / f"printed-{len(self._printed)}")
        with self._printed[-1].open("wb") as printed:
            return subprocess.Popen(
                [str(program), "start", *arguments, *ports, *_ANY_WORKER_PORT, *_SMALL],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                env=kept | given,
                cwd="/",
                start_new_session=True,
            )


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
