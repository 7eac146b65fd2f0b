"""The recipe as a form: the trainer's own fields with their explanations, the ones that most runs need first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from backend.training import recipes
from backend.training.queries import Beginning
from backend.training.recipes import Field
from pages.components.notices import plain

EMBEDDED = recipes.default_recipe()["base_model"]
CHOSEN_BEFORE = frozenset({"base_model", "objective"})
NAMES = {
    "sft": "Imitate (SFT)",
    "seq2seq": "Imitate, read and write apart (T5)",
    "dpo": "Prefer (DPO)",
    "orpo": "Imitate and prefer (ORPO)",
    "kto": "Thumbs (KTO)",
    "reward": "Score (reward model)",
    "classification": "Sort (classifier)",
}
"""What people call the objectives."""


def choose_base_model(kind: str) -> str:
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
    facts = recipes.well_known(kind)
    typed: str | None = st.selectbox(
        "Model",
        list(facts),
        index=None,
        accept_new_options=True,
        placeholder="Choose one, or type a Hugging Face id or a folder",
        help="A Hugging Face id is fetched when the run starts; a folder is one on the worker's machine.",
        key="recipe_model",
    )
    if typed in facts:
        st.caption(plain(facts[typed]))
    return (typed or "").strip()


def choose_objective(kind: str, base_model: str) -> str:
    """What is learned, out of what fits the snapshot. It stands outside the form, because the fields follow it."""
    found = recipes.objectives_for(kind, base_model) or recipes.objectives_for(kind)
    if len(found) == 1:
        (only,) = found
        st.caption(plain(f"{NAMES[only]} {found[only]}."))
        if left := [NAMES[name] for name in recipes.objectives_for(kind) if name not in found]:
            st.caption(plain(f"The snapshot could also teach: {', '.join(left)}. Choose another base model for it."))
        return only
    return st.radio(
        "What it learns",
        list(found),
        format_func=NAMES.__getitem__,
        captions=[f"It {sentence}." for sentence in found.values()],
        key=f"recipe_objective_{kind}",
    )


def choose_start(versions: Mapping[int, Beginning], base_model: str, objective: str) -> int | None:
    """An earlier version that the run goes on from; None for the base model."""
    fitting = {
        key: one.name
        for key, one in versions.items()
        if one.base_model == base_model and not recipes.why_not_from(one.objective, objective, whole=one.whole)
    }
    if not fitting:
        return None
    return st.selectbox(
        "Start from",
        [None, *fitting],
        format_func=lambda key: fitting[key] if key else "The base model as it is",
        help="A version that was trained before goes on learning; its adapter's rank stays.",
        key=f"recipe_start_{objective}",
    )


def show_fields(base_model: str, objective: str) -> None:
    """Every field that the objective has, but for what was chosen before; to be called inside a form."""
    defaults = recipes.default_recipe(base_model, objective)
    shown = [field for field in recipes.fields(objective) if field.name not in CHOSEN_BEFORE]
    columns = st.columns(2)
    for place, field in enumerate(field for field in shown if field.basic):
        with columns[place % 2]:
            _widget(field, defaults[field.name], _key(field.name, base_model, objective))
    with st.expander("More settings", icon=":material/tune:"):
        columns = st.columns(2)
        for place, field in enumerate(field for field in shown if not field.basic):
            with columns[place % 2]:
                _widget(field, defaults[field.name], _key(field.name, base_model, objective))


def chosen_recipe(base_model: str, objective: str) -> dict[str, Any]:
    """What stands in the form."""
    names = [field.name for field in recipes.fields(objective) if field.name not in CHOSEN_BEFORE]
    keys = {name: _key(name, base_model, objective) for name in names}
    typed = {name: st.session_state[key] for name, key in keys.items() if key in st.session_state}
    return {"base_model": base_model, "objective": objective} | typed


def _key(name: str, base_model: str, objective: str) -> str:
    """A field of another base model or objective is another field, with its own default."""
    own = "own" if base_model == EMBEDDED else "other"
    return f"recipe_{own}_{name}" if objective == "sft" else f"recipe_{own}_{objective}_{name}"


def _widget(field: Field, default: Any, key: str) -> None:
    text = plain(field.help)
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
