"""Several processes of one run, for real: they learn what one does, share the model, and start, stop and fail together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file

from tests.trainer.conftest import write_t5
from tests.trainer.test_learning import folder_of
from tests.trainer.test_loop import metrics, quick, write_config
from trainer import contract, loop, member
from trainer.contract import OBJECTIVES, ConfigError, Exit, TrainConfig
from trainer.folder import Refused, held
from trainer.processes import End, Failed, train_together, worst
from trainer.world import ALONE

ROOT = Path(__file__).resolve().parents[2]


def configs(tmp_path: Path) -> dict[str, TrainConfig]:
    """Each objective, one way or the other of sharing the model. The last batch has one row, so one process has none."""
    t5 = Path(write_t5(tmp_path / "t5"))
    told = contract.read_json(t5 / "config.json")
    (t5 / "config.json").write_text(json.dumps(told | {"dropout_rate": 0.0}))
    ways = {"sft": ("ddp", "fsdp"), "dpo": ("ddp",), "orpo": ("fsdp",), "kto": ("ddp", "fsdp"), "reward": ("fsdp",)}
    ways |= {"classification": ("ddp",), "seq2seq": ("ddp",)}
    made = {}
    for objective, strategies in ways.items():
        data = folder_of(tmp_path / objective, OBJECTIVES[objective].rows)
        lines = (data / "train.jsonl").read_text().splitlines(keepends=True)
        (data / "train.jsonl").write_text("".join(lines[:19]))
        config = quick(data, objective=objective, epochs=1, batch_size=3, accumulation=2, learning_rate=5e-4)
        if objective == "seq2seq":
            config = replace(config, base_model=str(t5), adapter="full", max_length=64)
        made |= {f"{objective}-{strategy}": replace(config, strategy=strategy) for strategy in strategies}
    return made


@pytest.mark.slow
def test_two_processes_learn_what_one_does_whatever_the_objective_and_however_the_model_is_shared(tmp_path: Path) -> None:
    wanted = configs(tmp_path)
    (tmp_path / "runs.json").write_text(json.dumps({name: config.to_json() for name, config in wanted.items()}))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--nnodes", "1"]
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", str(tmp_path / "rendezvous"), "--rdzv-conf", "store_type=file"]
    command += ["-m", "tests.trainer.two_processes", str(tmp_path)]
    given = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    given[member.ENDS] = str(tmp_path)  # where they meet
    ended = subprocess.run(command, env=os.environ | given, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert ended.returncode == 0, ended.stderr[-6000:]
    for name, config in wanted.items():
        loop.train(config, tmp_path / f"{name}-alone", among=ALONE)
        together, alone = metrics(tmp_path / name), metrics(tmp_path / f"{name}-alone")
        assert [row["step"] for row in together] == [row["step"] for row in alone]
        for figure in ("loss", "grad_norm"):
            assert [row[figure] for row in together] == pytest.approx([row[figure] for row in alone], rel=2e-3), (name, figure)
        kept = contract.MODEL if config.adapter == "full" else contract.ADAPTER
        (weights,) = (tmp_path / name / kept).glob("*.safetensors")
        (others,) = (tmp_path / f"{name}-alone" / kept).glob("*.safetensors")
        first, second = load_file(weights), load_file(others)
        assert first.keys() == second.keys()
        for key, weight in first.items():
            assert (weight - second[key]).abs().max() < 5e-4, (name, key)
        told, known = (contract.read_json(tmp_path / run / contract.RESULT) for run in (name, f"{name}-alone"))
        assert told["best_validation_loss"] == pytest.approx(known["best_validation_loss"], rel=2e-3), name
        assert told["validation"].keys() == known["validation"].keys()
        assert told["processes"] == 2


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "trainer", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, stderr=(folder / "printed").open("a"), stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def until_step(run: Path, step: int, child: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 180
    while not (run / contract.METRICS).exists() or metrics(run)[-1:] == [] or metrics(run)[-1]["step"] < step:
        assert child.poll() is None, (run.parent / "printed").read_text()[-3000:]
        assert time.monotonic() < end, (run.parent / "printed").read_text()[-3000:]
        time.sleep(0.1)


def members_of(child: subprocess.Popen[str]) -> list[psutil.Process]:
    below = psutil.Process(child.pid).children(recursive=True)
    return [process for process in below if "torch.distributed.run" not in process.cmdline() and "trainer" in process.cmdline()]


@pytest.mark.slow
def test_a_lost_process_ends_the_run_which_goes_on_stops_when_asked_and_ends_in_one_process(tmp_path: Path) -> None:
    data, run = folder_of(tmp_path, "sft"), tmp_path / "run"
    config = quick(data, epochs=60, batch_size=4, processes=2, checkpoint_every=5, measured_answers=0)
    path = write_config(tmp_path, config)
    child = start(tmp_path, "run", "--config", str(path), "--out", str(run))
    until_step(run, 7, child)
    listening = [one.laddr.ip for process in members_of(child) for one in process.net_connections() if one.status == "LISTEN"]
    assert set(listening) <= {"127.0.0.1", "::1"}
    members_of(child)[1].kill()
    assert child.wait(timeout=120) == Exit.CRASH
    assert "Resume goes on" in contract.read_json(run / contract.ERROR)["message"]

    child = start(tmp_path, "resume", str(run))
    until_step(run, 20, child)
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=120) == Exit.STOPPED, (tmp_path / "printed").read_text()[-3000:]
    assert contract.read_json(run / contract.STATUS)["state"] == "stopped"
    steps = [row["step"] for row in metrics(run)]
    assert steps == list(range(1, len(steps) + 1)), "nothing twice, nothing left out"

    shorter = replace(config, processes=1, epochs=60)
    (run / contract.CONFIG).write_text(json.dumps(shorter.to_json()))
    (run / contract.STOP).unlink(missing_ok=True)
    child = start(tmp_path, "resume", str(run))
    until_step(run, len(steps) + 2, child)
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=120) == Exit.STOPPED


@pytest.mark.slow
def test_with_the_one_that_started_them_the_processes_end_and_nobody_else_trains_there_meanwhile(tmp_path: Path) -> None:
    config = quick(folder_of(tmp_path, "sft"), epochs=200, batch_size=4, processes=2, measured_answers=0)
    child = start(tmp_path, "run", "--config", str(write_config(tmp_path, config)), "--out", str(tmp_path / "run"))
    until_step(tmp_path / "run", 1, child)
    processes = members_of(child)
    assert len(processes) == 2
    with pytest.raises(Refused, match="Another process trains"), held(tmp_path / "run", patience=0.1):
        pass
    child.kill()  # it alone, and not its group
    child.wait(timeout=30)
    gone, living = psutil.wait_procs(processes, timeout=30)
    assert not living
    assert len(gone) == 2
    with held(tmp_path / "run", patience=10):
        pass


def leave(folder: str, *codes: int) -> None:
    for rank, code in enumerate(codes):
        told = {"code": code, "kind": "out_of_memory" if code == Exit.OUT_OF_MEMORY else "", "message": "said"}
        (Path(folder) / f"{rank}.json").write_text(json.dumps(told))


def test_when_memory_runs_out_in_one_process_all_start_again_with_smaller_parts(tmp_path: Path) -> None:
    tried: list[tuple[str, str]] = []

    def starting(config: TrainConfig, arguments: object, given: dict[str, str], out: Path) -> None:
        assert isinstance(arguments, list)
        tried.append((arguments[0], given[member.PARTS]))
        if len(tried) < 3:
            leave(given[member.ENDS], Exit.OUT_OF_MEMORY)  # torchrun has ended the other one
            return
        leave(given[member.ENDS], Exit.OK, Exit.OK)
        (out / contract.RESULT).write_text("{}")

    config = TrainConfig(data="somewhere", batch_size=16, processes=2)
    assert train_together(config, tmp_path / "run", resume=False, start=starting) == {}
    assert tried == [("run", "1"), ("resume", "2"), ("resume", "4")]
    assert [row["parts"] for row in metrics(tmp_path / "run", "memory")] == [2, 4]

    tried.clear()
    with pytest.raises(Failed, match="said") as failed:
        train_together(replace(config, batch_size=2), tmp_path / "small", resume=False, start=starting)
    assert failed.value.code is Exit.OUT_OF_MEMORY
    assert len(tried) == 1


def test_a_run_ends_as_the_process_that_failed_of_itself() -> None:
    ok, stopped = End(Exit.OK, "", ""), End(Exit.STOPPED, "stopped", "stopped")
    crash, bad = End(Exit.CRASH, "crash", "connection lost"), End(Exit.BAD_INPUT, "bad_data", "line 3")
    assert worst([crash, bad], 2) == bad
    assert worst([ok, crash], 2) == crash == worst([crash, ok], 2)
    assert worst([stopped, stopped], 2) == stopped
    assert worst([ok, ok], 2) == ok
    lost = worst([ok], 2)
    assert lost.code is Exit.CRASH
    assert "without a word" in lost.message


def test_several_machines_need_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(ConfigError, match="Ray cluster"):
        train_together(TrainConfig(data="somewhere", nodes=2), tmp_path / "run", resume=False)


def test_a_batch_has_a_conversation_for_each_process() -> None:
    with pytest.raises(ConfigError, match="batch_size must be at least 8"):
        TrainConfig(batch_size=4, processes=8)
    with pytest.raises(ConfigError, match="qlora"):
        TrainConfig(strategy="fsdp", adapter="qlora")
