"""Recipes: the trainer's own fields, in and out."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import InvalidInput
from backend.training.recipes import (
    BASIC,
    DECIDED_ELSEWHERE,
    default_recipe,
    fields,
    objectives_for,
    of_config,
    parse_assignments,
    to_config,
    why_not_from,
)
from trainer.contract import EMBEDDED, OBJECTIVES, ROW_KINDS, TrainConfig


def test_every_field_of_the_trainer_is_in_the_form_or_decided_elsewhere_and_explained() -> None:
    names = [field.name for field in fields()]
    assert set(names) | DECIDED_ELSEWHERE == {spec.name for spec in dataclasses.fields(TrainConfig)}
    assert tuple(names[: len(BASIC)]) == BASIC
    assert all(field.help and field.label for field in fields())


def test_the_defaults_are_the_trainers_for_the_embedded_model_and_gentler_for_others() -> None:
    assert to_config({}, data="d", threads=1) == TrainConfig(data="d")
    other = to_config({"base_model": "Qwen/Qwen3-0.6B"}, data="d", threads=2)
    assert (other.learning_rate, other.epochs, other.threads) == (2e-4, 3, 2)
    assert to_config({"base_model": "Qwen/Qwen3-0.6B", "epochs": 9}, data="d", threads=1).epochs == 9


def test_an_objective_has_its_own_fields_defaults_and_choices() -> None:
    names = {objective: {field.name for field in fields(objective)} for objective in OBJECTIVES}
    assert "beta" in names["dpo"]
    assert "beta" not in names["sft"] | names["classification"]
    assert [objective for objective, found in names.items() if "desirable_weight" in found] == ["kto"]
    best = next(field for field in fields("classification") if field.name == "best_metric")
    assert best.choices == ("loss", "accuracy", "macro_f1")
    assert default_recipe(objective="dpo")["learning_rate"] < default_recipe()["learning_rate"]
    for objective in OBJECTIVES:
        assert to_config({"objective": objective}, data="d", threads=1).objective == objective


def test_a_snapshot_offers_what_fits_it_and_refuses_the_rest() -> None:
    assert list(objectives_for("preferences")) == ["dpo", "orpo", "reward"]
    assert [to_config({}, data="d", threads=1, kind=kind).objective for kind in ROW_KINDS] == [
        "sft",
        "dpo",
        "kto",
        "classification",
    ]
    with pytest.raises(InvalidInput, match=r"this snapshot holds sft\. Choose sft, seq2seq"):
        to_config({"objective": "dpo"}, data="d", threads=1, kind="sft")
    with pytest.raises(InvalidInput, match="objective must be one of"):
        to_config({"objective": "magic"}, data="d", threads=1, kind="sft")


recipes = st.fixed_dictionaries(
    {},
    optional={
        "epochs": st.integers(1, 50),
        "lora_rank": st.integers(1, 64),
        "learning_rate": st.floats(1e-6, 1.0),
        "lora_dropout": st.floats(0, 0.9),
        "schedule": st.sampled_from(["cosine", "linear", "constant"]),
        "base_model": st.sampled_from([EMBEDDED, "org/model"]),
        "revision": st.none() | st.just("abc"),
    },
)


@given(recipes)
def test_a_recipe_survives_the_config_and_being_typed(recipe: dict[str, Any]) -> None:
    config = to_config(recipe, data="d", threads=1)
    assert to_config(of_config(config.to_json()), data="d", threads=1) == config
    typed = parse_assignments(f"{name}={'' if value is None else value}" for name, value in recipe.items())
    assert to_config(typed, data="d", threads=1) == config


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ({"epochs": "many"}, "epochs must be a number"),
        ({"epochs": 1.5}, "epochs must be a whole number"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"epochs": True}, "epochs must be a number"),
        ({"epochs": float("inf")}, "epochs must be a number"),
        ({"learning_rate": -1}, "learning_rate must be above 0"),
        ({"learning_rate": None}, "learning_rate must be a number"),
        ({"adapter": "magic"}, "adapter must be one of lora, rslora"),
        ({"precision": "bf16", "device": "cpu"}, "use 'fp32' or 'auto'"),
        ({"data": "/etc"}, "has no field data"),
        ({"base_model": "a\x00b"}, "not a name"),
        ({"lora_targets": ["q"]}, "lora_targets must be a text"),
    ],
)
def test_what_cannot_be_is_refused_by_name(recipe: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        to_config(recipe, data="d", threads=1)


def test_an_assignment_needs_a_sign_of_equality() -> None:
    with pytest.raises(InvalidInput, match="not of the form"):
        parse_assignments(["epochs"])


def test_the_default_recipe_is_a_recipe() -> None:
    assert default_recipe().keys() == {field.name for field in fields()}


@pytest.mark.parametrize(
    ("before", "objective", "whole", "why"),
    [
        ("", "sft", False, ""),
        ("sft", "dpo", False, ""),
        ("sft", "reward", True, ""),
        ("sft", "reward", False, "Start it from its base model"),
        ("sft", "seq2seq", True, "Start it from its base model"),
        ("reward", "reward", False, ""),
        ("seq2seq", "seq2seq", True, ""),
        ("reward", "dpo", False, "can only go on with it"),
        ("seq2seq", "sft", True, "can only go on with it"),
        ("classification", "classification", True, "those of its own snapshot"),
    ],
)
def test_a_run_goes_on_only_from_a_model_of_its_kind(before: str, objective: str, whole: bool, why: str) -> None:
    told = why_not_from(before, objective, whole=whole)
    assert why in told
    assert bool(told) == bool(why)
