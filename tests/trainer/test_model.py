"""Base models and adapters: what fits together, and what must not load without a word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from trainer.contract import BASE, EMBEDDED, TrainConfig
from trainer.model import BadModel, Loaded, fingerprint, load_adapter, load_base, load_for_training, name_base


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """An untrained adapter of the embedded model."""
    trained = load_for_training(TrainConfig(data="none", lora_rank=2))
    trained.model.save_pretrained(tmp_path / "adapter")
    name_base(trained, tmp_path / "adapter")
    return tmp_path / "adapter"


def test_an_adapter_loads_on_the_weights_that_it_was_trained_on(mini: Loaded, adapter: Path) -> None:
    assert load_adapter(mini, str(adapter)).fingerprint == mini.fingerprint


def test_an_adapter_of_other_base_weights_is_refused_with_what_to_do(mini: Loaded, adapter: Path) -> None:
    with torch.no_grad():
        mini.model.model.layers[2].mlp.up_proj.weight.mul_(1.01)
    mini.fingerprint = fingerprint(mini.model)
    with pytest.raises(BadModel, match="other base weights"):
        load_adapter(mini, str(adapter))


def test_an_adapter_whose_note_is_damaged_is_refused_and_one_without_passes(mini: Loaded, adapter: Path) -> None:
    (adapter / BASE).write_text("{")
    with pytest.raises(BadModel, match="damaged"):
        load_adapter(mini, str(adapter))
    (adapter / BASE).write_text(json.dumps({}))
    with pytest.raises(BadModel, match="damaged"):
        load_adapter(mini, str(adapter))
    (adapter / BASE).unlink()
    load_adapter(mini, str(adapter))


def test_the_fingerprint_is_the_same_in_both_precisions(mini: Loaded) -> None:
    half = load_base(EMBEDDED, None, device=torch.device("cpu"), dtype=torch.bfloat16)
    assert half.fingerprint == mini.fingerprint
