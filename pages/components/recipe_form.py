"""The recipe as a form: the trainer's own fields with their explanations, the ones that most runs need first."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.training import recipes
from backend.training.recipes import Field
from pages.components.notices import plain

EMBEDDED = recipes.default_recipe()["base_model"]


def choose_base_model() -> str:
    """The base model. It stands outside the form, because the other fields' defaults follow it."""
    own = st.segmented_control(
        "Base model",
        ["embedded", "other"],
        format_func={"embedded": f"{EMBEDDED} (ships with Touchstone)", "other": "Another model"}.__getitem__,
        default="embedded",
        required=True,
        key="recipe_base",
    )
    if own == "embedded":
        return EMBEDDED
    typed = st.text_input(
        "Model",
        placeholder="Qwen/Qwen3-0.6B",
        help="A Hugging Face id, which is fetched when the run starts, or a folder on the worker's machine.",
        key="recipe_model",
    )
    return typed.strip()


def show_fields(base_model: str) -> None:
    """Every field but the base model; to be called inside a form."""
    defaults = recipes.default_recipe(base_model)
    shown = [field for field in recipes.fields() if field.name != "base_model"]
    columns = st.columns(2)
    for place, field in enumerate(field for field in shown if field.basic):
        with columns[place % 2]:
            _widget(field, defaults[field.name], base_model)
    with st.expander("More settings", icon=":material/tune:"):
        columns = st.columns(2)
        for place, field in enumerate(field for field in shown if not field.basic):
            with columns[place % 2]:
                _widget(field, defaults[field.name], base_model)


def chosen_recipe(base_model: str) -> dict[str, Any]:
    """What stands in the form."""
    names = [field.name for field in recipes.fields() if field.name != "base_model"]
    return {"base_model": base_model} | {
        name: st.session_state[_key(name, base_model)] for name in names if _key(name, base_model) in st.session_state
    }


def _key(name: str, base_model: str) -> str:
    return f"recipe_{'own' if base_model == EMBEDDED else 'other'}_{name}"


def _widget(field: Field, default: Any, base_model: str) -> None:
    key, text = _key(field.name, base_model), plain(field.help)
    if field.kind == "choice":
        st.selectbox(field.label, field.choices, field.choices.index(default), help=text, key=key)
    elif field.kind == "int":
        least = None if field.minimum is None else int(field.minimum)
        st.number_input(field.label, min_value=least, value=default, step=1, help=text, key=key)
    elif field.kind == "float":
        step = default / 10 or 0.01
        st.number_input(field.label, min_value=0.0, value=float(default), step=step, format="%g", help=text, key=key)
    else:
        st.text_input(field.label, default or "", help=text, max_chars=500, key=key)
