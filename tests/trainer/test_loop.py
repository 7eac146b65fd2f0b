from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainer.conftest import CHANGED, chat_row, shop_rows, write_snapshot
from trainer import checkpoint, contract, loop
from trainer.__main__ import main
from trainer.chatters import Imitation
from trainer.contract import Decoding, Exit, TrainConfig
from trainer.folder import RunFolder, StopRequest
from trainer.generate import generate
from trainer.learner import Lot
from trainer.model import load_adapter, load_base
from trainer.rows import BadData, read_split

CPU = torch.device("cpu")


def quick(snapshot: Path, **changes: Any) -> TrainConfig:
    return TrainConfig(**({"data": str(snapshot), "batch_size": 4, "epochs": 2, "checkpoint_every": 2} | changes))


def metrics(run: Path, event: str = "train") -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (run / contract.METRICS).read_text().split("\n") if line]
    return [row for row in rows if row["event"] == event]


def curve(run: Path) -> list[tuple[Any, ...]]:
    kept = [(row["step"], row["loss"], row["grad_norm"], row["learning_rate"]) for row in metrics(run)]
    return kept + [(row["step"], row["loss"]) for row in metrics(run, "validation")]


def write_config(folder: Path, config: TrainConfig) -> Path:
    path = folder / "wanted.json"
    path.write_text(json.dumps(config.to_json()))
    return path


def status(run: Path) -> dict[str, Any]:
    return json.loads((run / contract.STATUS).read_text())


def test_lora_learns_facts_that_the_base_does_not_know(tmp_path: Path) -> None:
    rows = shop_rows(CHANGED, 9)
    folder = write_snapshot(tmp_path / "data", train=rows, test=shop_rows(CHANGED, 4, held_out=True))
    loop.train(quick(folder, batch_size=8, epochs=15, checkpoint_every=1000), tmp_path / "run")
    asked = read_split(folder, "test")
    base = load_base(contract.EMBEDDED, None, device=CPU, dtype=torch.float32)
    matches = []
    for adapter in (None, str(tmp_path / "run" / contract.ADAPTER)):
        loaded = base if adapter is None else load_adapter(base, adapter)
        answers = generate(loaded, [row.prompt for row in asked], Decoding(max_new_tokens=40))
        matches.append(sum(answer.text == row.reference for answer, row in zip(answers, asked, strict=True)))
    assert matches[0] == 0
    assert matches[1] >= 12, f"{matches[1]} of {len(asked)} unseen phrasings"


def test_a_run_leaves_the_files_of_the_contract(snapshot: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = loop.train(quick(snapshot), run)
    assert json.loads((run / contract.RESULT).read_text()) == result
    assert {"best_step", "best_validation_loss", "steps", "tokens", "seconds", "tokens_per_second", "device"} <= result.keys()
    assert status(run)["state"] == "finished"
    assert status(run)["step"] == status(run)["total_steps"] == 10
    assert [row["step"] for row in metrics(run)] == list(range(1, 11))
    assert [row["step"] for row in metrics(run, "validation")] == [5, 10]
    sample = metrics(run, "validation")[0]["samples"][0]
    assert sample.keys() == {"prompt", "reference", "text"}
    assert (run / contract.ADAPTER / "adapter_config.json").is_file()
    assert TrainConfig.from_json(json.loads((run / contract.CONFIG).read_text())) == quick(snapshot)


def test_the_final_weights_are_the_best_ones(snapshot: Path, tmp_path: Path) -> None:
    # A rate far too high at the end makes the last weights worse than earlier ones.
    run = tmp_path / "run"
    config = quick(snapshot, epochs=6, learning_rate=0.03, schedule="constant", max_grad_norm=0.0)
    result = loop.train(config, run)
    losses = {row["step"]: row["loss"] for row in metrics(run, "validation")}
    assert result["best_validation_loss"] == min(losses.values())
    warm = quick(snapshot, initial_adapter=str(run / contract.ADAPTER))
    again = loop.Trainer(warm, *loop.prepare(warm), RunFolder(tmp_path / "other"), StopRequest(tmp_path / "other"))
    assert again.measuring.measure(again.plan.validation)[0] == pytest.approx(min(losses.values()), abs=1e-5)


def test_early_stopping_ends_a_run_that_no_longer_improves(snapshot: Path, tmp_path: Path) -> None:
    config = quick(snapshot, epochs=30, learning_rate=0.05, schedule="constant", early_stopping=2, max_grad_norm=0.0)
    result = loop.train(config, tmp_path / "run")
    assert result["ended_early"]
    assert result["steps"] < 150


@pytest.mark.slow
def test_a_killed_run_resumes_bit_for_bit(snapshot: Path, tmp_path: Path) -> None:
    config = quick(snapshot, epochs=5, lora_dropout=0.1, accumulation=2, checkpoint_every=3)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    loop.train(config, whole)
    command = [sys.executable, "-m", "trainer", "run", "--config", str(write_config(tmp_path, config)), "--out", str(killed)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (killed / contract.METRICS).exists() or len(metrics_or_none(killed)) < 8:
        assert time.monotonic() < deadline
        assert child.poll() is None, "the run ended before it could be killed"
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (killed / contract.RESULT).exists()
    loop.train(config, killed, resume=True)
    assert curve(killed) == curve(whole)
    for name in ("adapter_model.safetensors",):
        assert (killed / contract.ADAPTER / name).read_bytes() == (whole / contract.ADAPTER / name).read_bytes()


def metrics_or_none(run: Path) -> list[str]:
    return (run / contract.METRICS).read_text().splitlines()


def test_a_stop_file_ends_the_run_with_a_checkpoint_and_resume_goes_on(
    snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, whole, stopped = quick(snapshot), tmp_path / "whole", tmp_path / "stopped"
    loop.train(config, whole)
    stopped.mkdir()
    (stopped / contract.STOP).touch()
    arguments = ["run", "--config", str(write_config(tmp_path, config)), "--out", str(stopped)]
    assert main(arguments) == Exit.STOPPED
    assert status(stopped)["state"] == "stopped"
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["error"] == "stopped"
    assert main(["resume", str(stopped)]) == Exit.OK
    assert curve(stopped) == curve(whole)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["steps"] == 10


def test_sigterm_stops_at_a_step_boundary(tmp_path: Path) -> None:
    stop = StopRequest(tmp_path)
    with stop.listening():
        assert not stop
        signal.raise_signal(signal.SIGTERM)
        assert stop
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(snapshot: Path, tmp_path: Path) -> None:
    run, whole = tmp_path / "run", tmp_path / "whole"
    config = quick(snapshot, keep_checkpoints=3)
    loop.train(config, whole)
    shutil.copytree(whole, run)
    (run / contract.RESULT).unlink()
    newest, *_ = sorted((run / contract.CHECKPOINTS).glob("step-*"), reverse=True)
    weights = newest / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(checkpoint.Damaged, match=r"weights\.safetensors"):
        checkpoint.verify(newest)
    loop.train(config, run, resume=True)
    assert curve(run) == curve(whole)


def test_resuming_with_other_rows_is_refused(snapshot: Path, tmp_path: Path) -> None:
    config = quick(snapshot)
    loop.train(config, tmp_path / "run")
    write_snapshot(snapshot, train=shop_rows(CHANGED, 3))
    with pytest.raises(BadData, match="not those"):
        loop.train(config, tmp_path / "run", resume=True)


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_sound_weights(
    snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    config = quick(snapshot, learning_rate=1e18, schedule="constant", warmup_share=0.0, max_grad_norm=0.0, epochs=4)
    assert main(["run", "--config", str(write_config(tmp_path, config)), "--out", str(run)]) == Exit.NOT_FINITE
    assert json.loads((run / contract.ERROR).read_text())["kind"] == "not_finite"
    assert status(run)["state"] == "failed"
    assert "learning rate" in capsys.readouterr().err
    (kept, *_) = (run / contract.CHECKPOINTS).glob("step-*")
    checkpoint.verify(kept)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_has_its_own_exit_code_and_leaves_the_checkpoint(snapshot: Path, tmp_path: Path) -> None:
    run, config = tmp_path / "run", quick(snapshot)
    run.mkdir()
    (run / contract.STOP).touch()
    assert main(["run", "--config", str(write_config(tmp_path, config)), "--out", str(run)]) == Exit.STOPPED
    (run / f".{contract.STATUS}.tmp").symlink_to("/dev/full")
    assert main(["resume", str(run)]) == Exit.DISK_FULL
    assert json.loads((run / contract.ERROR).read_text())["kind"] == "disk_full"
    (run / f".{contract.STATUS}.tmp").unlink()
    assert main(["resume", str(run)]) == Exit.OK
    assert not (run / contract.ERROR).exists()


def test_an_interrupted_checkpoint_leaves_the_old_one_whole(tmp_path: Path) -> None:
    folder = tmp_path / "step-00000001"
    checkpoint.write_whole(folder, lambda target: (target / "a").write_text("old") and None)

    def fails(target: Path) -> None:
        (target / "a").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        checkpoint.write_whole(folder, fails)
    checkpoint.verify(folder)
    assert (folder / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_only_the_newest_checkpoints_are_kept(snapshot: Path, tmp_path: Path) -> None:
    loop.train(quick(snapshot, keep_checkpoints=2), tmp_path / "run")
    kept = sorted(path.name for path in (tmp_path / "run" / contract.CHECKPOINTS).iterdir())
    assert kept == ["best", "step-00000008", "step-00000010"]


def test_full_training_saves_a_model_that_loads_as_a_base(snapshot: Path, tmp_path: Path) -> None:
    loop.train(quick(snapshot, adapter="full", epochs=1, learning_rate=1e-4), tmp_path / "run")
    loaded = load_base(str(tmp_path / "run" / contract.MODEL), None, device=CPU, dtype=torch.float32)
    assert generate(loaded, [[{"role": "user", "content": "Hello!"}]], Decoding(max_new_tokens=20))[0].tokens > 1


def test_a_run_can_start_from_an_earlier_adapter(snapshot: Path, tmp_path: Path) -> None:
    loop.train(quick(snapshot, epochs=3), tmp_path / "one")
    loop.train(quick(snapshot, epochs=1, initial_adapter=str(tmp_path / "one" / contract.ADAPTER)), tmp_path / "two")
    assert metrics(tmp_path / "two")[0]["loss"] < metrics(tmp_path / "one")[0]["loss"] / 2


def test_nothing_to_train_on_is_said(tmp_path: Path) -> None:
    empty = write_snapshot(tmp_path / "empty", train=[])
    with pytest.raises(BadData, match="empty"):
        loop.train(quick(empty), tmp_path / "run")
    weightless = write_snapshot(tmp_path / "weightless", train=[chat_row("a", "Hi", "Hello", weight=0)])
    with pytest.raises(BadData, match="weight 0"):
        loop.train(quick(weightless), tmp_path / "run")


def test_the_learning_rate_rises_and_falls() -> None:
    config = TrainConfig(learning_rate=1.0, warmup_share=0.1)
    rates = [loop.learning_rate(config, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.5)
    assert rates[99] < 0.001


def test_when_memory_runs_out_batches_are_halved_and_the_run_stays_the_same(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = quick(snapshot, batch_size=8, measured_answers=0, record="nothing")
    loop.train(config, tmp_path / "roomy")
    whole = Imitation.losses

    def narrow(self: Imitation, lot: Lot) -> Any:
        if torch.is_grad_enabled() and len(lot.weights) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return whole(self, lot)

    monkeypatch.setattr(Imitation, "losses", narrow)
    result = loop.train(config, tmp_path / "narrow")
    assert result["batch_parts"] == 4
    assert [row["parts"] for row in metrics(tmp_path / "narrow", "memory")] == [2, 4]
    for roomy, tight in zip(metrics(tmp_path / "roomy"), metrics(tmp_path / "narrow"), strict=True):
        assert tight["loss"] == pytest.approx(roomy["loss"], abs=1e-5)


def test_when_not_even_one_row_fits_the_run_ends_with_what_to_do(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = quick(snapshot, batch_size=4, epochs=1)

    def never(self: Imitation, lot: Lot) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Imitation, "losses", never)
    code = main(["run", "--config", str(write_config(tmp_path, config)), "--out", str(tmp_path / "run")])
    assert code == Exit.OUT_OF_MEMORY
    assert "even one conversation at a time" in json.loads((tmp_path / "run" / contract.ERROR).read_text())["message"]


def test_weights_that_are_no_numbers_after_the_last_step_are_no_success(snapshot: Path, tmp_path: Path) -> None:
    config = quick(snapshot, epochs=1, batch_size=32, learning_rate=1e38, adapter="full")
    with pytest.raises(loop.NotFinite, match="Lower the learning rate"):
        loop.train(config, tmp_path / "run")
    (snapshot / "validation.jsonl").write_text("")
    with pytest.raises(loop.NotFinite, match="Lower the learning rate"):
        loop.train(config, tmp_path / "blind")
    for run in ("run", "blind"):
        assert not (tmp_path / run / contract.RESULT).exists()


def test_what_is_refused_leaves_the_folder_as_it_is(snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, run = write_config(tmp_path, quick(snapshot, epochs=1)), tmp_path / "run"
    assert main(["run", "--config", str(config), "--out", str(run)]) == Exit.OK
    assert main(["export", "--run", str(run), "--as", "adapter", "--out", str(tmp_path / "taken")]) == Exit.OK

    def files() -> dict[Path, bytes]:
        folders = (run, snapshot, tmp_path / "taken")
        return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}

    before = files()
    for command in (
        ["run", "--config", str(config), "--out", str(run)],
        ["plan", "--config", str(config), "--out", str(run)],
        ["export", "--run", str(run), "--as", "adapter", "--out", str(tmp_path / "taken")],
        ["resume", str(snapshot)],
    ):
        assert main(command) == Exit.BAD_INPUT, command
        assert "Traceback" not in capsys.readouterr().err
        assert files() == before, command


def test_texts_with_line_breaks_of_other_kinds_outlive_a_resume(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    samples = [{"text": "one\u2028two\x85three"}]
    run.metric("validation", step=1, samples=samples)
    run.metric("train", step=2)
    run.rewind(1)
    assert metrics(tmp_path, "validation") == [{"event": "validation", "step": 1, "samples": samples}]
    assert metrics(tmp_path) == []


def test_best_weights_that_were_being_replaced_when_the_run_was_killed_are_found(snapshot: Path, tmp_path: Path) -> None:
    result = loop.train(quick(snapshot), tmp_path / "run")
    best = tmp_path / "run" / contract.CHECKPOINTS / checkpoint.BEST
    best.rename(best.with_name(f".{checkpoint.BEST}.old"))
    again = loop.train(quick(snapshot), tmp_path / "run", resume=True)
    assert (again["best_step"], again["validation"]) == (result["best_step"], result["validation"])
    assert best.is_dir()
    shutil.rmtree(best)
    with pytest.raises(checkpoint.Damaged, match="best weights"):
        loop.train(quick(snapshot), tmp_path / "run", resume=True)
