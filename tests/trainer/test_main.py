from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from trainer.__main__ import classify, main
from trainer.contract import Exit


def test_help_needs_no_torch() -> None:
    code = "import sys\nfrom trainer.__main__ import main\n"
    code += "try: main(['run', '--help'])\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "--config" in done.stdout


@pytest.mark.parametrize("command", ["base", "shop", "plan", "run", "resume", "evaluate", "generate", "serve"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert len(capsys.readouterr().out) > 100


@pytest.mark.parametrize(
    ("config", "kind", "reason"),
    [
        ("{", "bad_config", "cannot be read"),
        ('{"data": ""}', "bad_config", "data must name"),
        ('{"data": "x", "speed": 9}', "bad_config", "speed"),
        ('{"data": "x", "epochs": 0}', "bad_config", "epochs"),
        ('{"data": "/nowhere"}', "bad_data", "train.jsonl is missing"),
        ('{"data": "x", "base_model": "nobody/nothing"}', "bad_model", "folder"),
        ('{"data": "x", "initial_adapter": "/nowhere"}', "bad_model", "adapter"),
        ('{"data": "x", "lora_targets": "nonsense"}', "bad_model", "lora_targets"),
        ('{"data": "x", "objective": "dpo"}', "bad_data", "kind 'preferences'"),
        ('{"data": "x", "objective": "dpo", "best_metric": "accuracy"}', "bad_config", "preference_accuracy"),
        ('{"data": "x", "adapter": "full", "initial_adapter": "y"}', "bad_config", "lora"),
    ],
)
def test_bad_input_is_refused_with_a_reason(
    tmp_path: Path,
    snapshot: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    config: str,
    kind: str,
    reason: str,
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    path = tmp_path / "config.json"
    path.write_text(config.replace('"x"', json.dumps(str(snapshot))))
    assert main(["run", "--config", str(path), "--out", str(tmp_path / "run")]) == Exit.BAD_INPUT
    said = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert said["error"] == kind
    assert reason in said["message"]
    if kind != "bad_config":
        assert json.loads((tmp_path / "run" / "error.json").read_text()) == {"kind": kind, "message": said["message"]}


def test_a_folder_with_a_run_in_it_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "config.json").write_text('{"data": "x"}')
    assert main(["run", "--config", str(tmp_path / "config.json"), "--out", str(tmp_path / "run")]) == Exit.BAD_INPUT
    assert "resume" in capsys.readouterr().err


def test_errors_of_the_machine_have_their_own_exit_codes() -> None:
    with pytest.raises(RuntimeError) as too_large:
        torch.empty(2**58, dtype=torch.uint8)
    assert classify(too_large.value)[0] == Exit.OUT_OF_MEMORY
    assert classify(torch.OutOfMemoryError("CUDA out of memory"))[0] == Exit.OUT_OF_MEMORY
    assert classify(MemoryError())[:2] == (Exit.OUT_OF_MEMORY, "out_of_memory")
    assert classify(OSError(28, "No space left on device"))[:2] == (Exit.DISK_FULL, "disk_full")
    code, kind, message = classify(KeyError("secret /path"))
    assert (code, kind) == (Exit.CRASH, "crash")
    assert "secret" not in message


def test_generate_prints_one_json_line_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--prompt", "Do you ship to zip code 30303?"]) == Exit.OK
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["text"] == "Please enter zip code 30303 at checkout to see whether we ship to you."


def test_plan_says_what_a_run_would_do(snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"data": str(snapshot), "batch_size": 4, "epochs": 2}))
    assert main(["plan", "--config", str(tmp_path / "config.json")]) == Exit.OK
    plan = json.loads(capsys.readouterr().out)
    assert (plan["rows"], plan["validation_rows"], plan["steps"], plan["stop_token"]) == (20, 4, 10, "<|end|>")
    assert plan["estimated_seconds"] > 0
    assert plan["estimated_peak_memory_bytes"] > 1e8
    assert (plan["stop_token_trained"], plan["rows_shortened"]) == (True, 0)
    assert 0 < plan["trained_share"] < 1
    assert plan["example"][-1]["trained"]
    assert plan["example"][-1]["text"].endswith("<|end|>")
