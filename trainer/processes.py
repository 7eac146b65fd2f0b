"""Starts the processes of one run, and says how it ended: by torchrun on this machine, by Ray Train past it.

This process computes nothing. It passes a wish to stop on, writes why the run failed, and, where memory ran out in one of
the processes, starts them again with batches read in twice as many parts.

Not promised: that a machine of the cluster which goes away is replaced; the run fails then, and goes on when it is tried again.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer import contract, member
from trainer.contract import ConfigError, Exit, TrainConfig
from trainer.folder import RunFolder, on_signals, write_json

log = logging.getLogger("trainer")
ROOT = Path(__file__).resolve().parents[1]


class Failed(Exception):
    """A run of several processes failed: with which exit code, kind (as in `error.json`) and message."""

    def __init__(self, code: Exit, kind: str, message: str) -> None:
        super().__init__(message)
        self.code, self.kind = code, kind


@dataclass(frozen=True, slots=True)
class End:
    """How one process of a run ended."""

    code: Exit
    kind: str
    message: str


Start = Callable[[TrainConfig, Sequence[str], dict[str, str], Path], None]
"""Starts the processes with the program's arguments and more environment, and returns when they have ended."""


def train_together(config: TrainConfig, out: Path, *, resume: bool, start: Start | None = None) -> dict[str, Any]:
    """Trains with the processes that the config asks for, and returns what `result.json` holds. Raises Failed, also for a run
    that was stopped, and ConfigError where there is no cluster for several machines.
    """
    if start is None:
        start = _by_ray if config.nodes > 1 else _by_torchrun
    if start is _by_ray and not os.environ.get("RAY_ADDRESS"):
        raise ConfigError("nodes above 1 needs a Ray cluster: set RAY_ADDRESS, or TOUCHSTONE_LAUNCHER=ray for the worker.")
    run, parts = RunFolder(out), 1
    write_json(out / contract.CONFIG, config.to_json())
    while True:
        arguments = ["resume", str(out)] if resume else ["run", "--config", str(out / contract.CONFIG), "--out", str(out)]
        # A signal becomes the file that every process looks for.
        stopping = on_signals(lambda number, frame: (out / contract.STOP).touch())
        with _ends(out if config.nodes > 1 else None) as ends, stopping:
            start(config, arguments, {member.ENDS: str(ends), member.PARTS: str(parts)}, out)
            end = worst(read_ends(ends), config.members)
        if end.code is Exit.OK:
            return contract.read_json(out / contract.RESULT)
        if end.code is not Exit.OUT_OF_MEMORY or parts * config.members >= config.batch_size:
            raise Failed(end.code, end.kind, end.message)
        parts, resume = parts * 2, True
        log.warning("out of memory in one process: batches are read in %d parts from now on", parts)
        run.metric("memory", step=0, parts=parts)


@contextmanager
def _ends(shared: Path | None) -> Iterator[Path]:
    """A folder for what the processes leave about their ends: one that every machine sees, or of this machine's own, so that a
    full disk does not keep them from saying so."""
    if shared is None:
        with tempfile.TemporaryDirectory(prefix="touchstone-") as own:
            yield Path(own)
        return
    ends = (shared / contract.ENDS).resolve()
    shutil.rmtree(ends, ignore_errors=True)
    ends.mkdir()
    try:
        yield ends
    finally:
        shutil.rmtree(ends, ignore_errors=True)


def read_ends(folder: Path) -> list[End]:
    """What the processes left about their ends."""
    found = []
    for path in sorted(folder.glob("*.json")):
        told = contract.read_json(path)
        found.append(End(Exit(told["code"]), str(told["kind"]), str(told["message"])))
    return found


def worst(ends: Sequence[End], members: int) -> End:
    """How the run ended: as the process that failed first of itself; one that was lost says nothing."""
    failed = [end for end in ends if end.code not in (Exit.OK, Exit.STOPPED)]
    for end in failed:
        if end.code is not Exit.CRASH:  # one that crashed may have done so because another had gone
            return end
    if len(ends) < members:
        lost = members - len(ends)
        message = f"{lost} of the run's {members} processes ended without a word; the log may say why. Resume goes on."
        return End(Exit.CRASH, "crash", message)
    if failed:
        return failed[0]
    return next((end for end in ends if end.code is Exit.STOPPED), ends[0])


def _by_torchrun(config: TrainConfig, arguments: Sequence[str], given: dict[str, str], out: Path) -> None:
    """Its own exit code is left alone: the processes say how they ended."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "1", "--max-restarts", "0"]
    # The processes find each other by files: torchrun's servers would listen to the whole network.
    command += ["--rdzv-backend", "c10d", "--rdzv-conf", "store_type=file"]
    command += ["--rdzv-endpoint", given[member.ENDS] + "/rendezvous"]
    command += ["--nproc-per-node", str(config.processes), "-m", "trainer", *arguments]
    given = given | {member.STARTER: str(os.getpid())}
    environment = os.environ | given | {"OMP_NUM_THREADS": str(config.threads), "PYTHONPATH": _path()}
    environment["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    if "lo" in (name for _, name in socket.if_nameindex()):
        environment = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"} | environment
    subprocess.run(command, env=environment, check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr)  # noqa: S603


def _path() -> str:
    return os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)


def _by_ray(config: TrainConfig, arguments: Sequence[str], given: dict[str, str], out: Path) -> None:
    try:
        import ray
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer
    except ImportError as error:
        raise ConfigError("nodes above 1 needs Ray on every machine: pip install -r requirements-cluster.txt.") from error
    from trainer.world import BACKEND

    # Paths are the same on every machine, as for the Ray launcher; so is the program.
    ray.init(ignore_reinit_error=True, runtime_env={"env_vars": {"PYTHONPATH": _path()}})
    gpu = config.device != "cpu" and ray.cluster_resources().get("GPU", 0) > 0
    trainer = TorchTrainer(
        member.train_in_ray,
        train_loop_config={"arguments": list(arguments), "environment": given},
        torch_config=TorchConfig(backend=BACKEND if gpu else "gloo"),
        scaling_config=ScalingConfig(num_workers=config.members, use_gpu=gpu, placement_strategy="SPREAD"),
        run_config=RunConfig(
            name="ray", storage_path=str((out / contract.CLUSTER).resolve()), failure_config=FailureConfig(max_failures=0)
        ),
    )
    try:
        trainer.fit()
    except Exception as error:  # noqa: BLE001  whatever it was, the processes say how they ended
        log.warning("Ray Train: %s", " ".join(str(error).split())[:500])
    finally:
        ray.shutdown()
        shutil.rmtree(out / contract.CLUSTER, ignore_errors=True)
