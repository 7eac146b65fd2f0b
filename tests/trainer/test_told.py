"""Configs from JSON: each field has the type that it says, and what is refused is named with what would do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trainer.__main__ import main
from trainer.contract import ConfigError, Decoding, EvaluateConfig, Exit, TrainConfig
from trainer.spaces import SearchConfig

WHOLE = "must be a whole number, written without a point"


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("epochs", "1.5", f"epochs {WHOLE}; it is 1.5"),
        ("epochs", "2.0", f"epochs {WHOLE}; it is 2.0"),
        ("epochs", '"3"', f"epochs {WHOLE}; it is '3'"),
        ("batch_size", "true", f"batch_size {WHOLE}; it is True"),
        ("batch_size", "null", f"batch_size {WHOLE}; it is None"),
        ("seed", '"a"', f"seed {WHOLE}; it is 'a'"),
        ("seed", str(2**70), r"seed must be below 2\*\*63"),
        ("seed", "-1", "seed must be at least 0"),
        ("weight_decay", "NaN", "weight_decay must be a finite number; it is nan"),
        ("learning_rate", "1e999", "learning_rate must be a finite number; it is inf"),
        ("learning_rate", "1" + "0" * 400, "learning_rate must be a finite number; it is 10+…"),
        ("lora_dropout", "false", "lora_dropout must be a finite number; it is False"),
        ("data", "5", "data must be a text; it is 5"),
        ("data", "null", "data must be a text; it is None"),
        ("schedule", "[]", r"schedule must be a text; it is \[\]"),
        ("revision", "7", "revision must be a text or null; it is 7"),
    ],
)
def test_a_field_of_the_wrong_type_is_named_with_what_would_do(field: str, value: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        TrainConfig.from_json(json.loads(f'{{"{field}": {value}}}'))


def test_a_config_is_the_same_after_its_file_and_a_whole_rate_is_a_number() -> None:
    config = TrainConfig(data="x", weight_decay=0.1, seed=2**63 - 1, revision="main")
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert TrainConfig.from_json({"weight_decay": 1, "revision": None}) == TrainConfig(weight_decay=1.0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"limit": 0}, "limit must be at least 1, or left out"),
        ({"limit": 2.0}, f"limit {WHOLE} or null; it is 2.0"),
        ({"data": 5}, "data must be a text"),
        ({"models": [{"label": 3}]}, "label must be a text"),
        ({"models": [{}]}, "label is missing"),
        ({"decoding": {"top_p": "all"}}, "top_p must be a finite number"),
    ],
)
def test_an_evaluation_is_held_to_its_types_too(changes: dict[str, Any], reason: str) -> None:
    asked = {"data": "x", "models": [{"label": "base"}], "decoding": {"temperature": 1}, "limit": None}
    assert EvaluateConfig.from_json(EvaluateConfig.from_json(asked).to_json()).decoding == Decoding(temperature=1.0)
    with pytest.raises(ConfigError, match=reason):
        EvaluateConfig.from_json(asked | changes)


def test_a_search_among_numbers_too_large_to_be_any_is_refused() -> None:
    with pytest.raises(ConfigError, match="learning_rate takes numbers"):
        SearchConfig.from_json({"config": {"data": "x"}, "space": {"learning_rate": {"choices": [10**400]}}})


@pytest.mark.parametrize("temperature", ["nan", "inf", "-1"])
def test_a_temperature_that_nothing_can_be_drawn_at_is_refused(temperature: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--prompt", "Hi", f"--temperature={temperature}"]) == Exit.BAD_INPUT
    said = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert said["error"] == "bad_config"
    assert said["message"].startswith("temperature must be 0 (greedy) or more")
