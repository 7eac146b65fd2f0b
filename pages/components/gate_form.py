"""The form in which a lead sets the project's gate."""

from __future__ import annotations

import dataclasses

import streamlit as st

from backend.evaluation.gates import METRICS, Gate
from backend.evaluation.promoting import set_gate
from backend.evaluation.safeguards import SAFEGUARDS
from pages.components.notices import attempt, tell
from pages.components.visit import Visit

_HELP = {spec.name: spec.metadata["help"] for spec in dataclasses.fields(Gate)}


def show_gate_form(visit: Visit, gate: Gate) -> None:
    """The gate's fields; a measure that is not chosen is not checked."""
    with st.form("gate", border=False):
        left, right = st.columns(2)
        left.number_input(
            "Blind judgements, at least", 0, 100_000, gate.minimum_comparisons, help=_HELP["minimum_comparisons"], key="gate_n"
        )
        right.number_input("Raters, at least", 0, 1000, gate.minimum_raters, help=_HELP["minimum_raters"], key="gate_raters")
        left.number_input(
            "Win rate's lower end, at least",
            0.0,
            1.0,
            gate.win_rate_at_least,
            0.05,
            help=_HELP["win_rate_at_least"],
            key="gate_rate",
        )
        right.number_input(
            "Test questions, at least", 0, 100_000, gate.minimum_rows, help=_HELP["minimum_rows"], key="gate_rows"
        )
        left.number_input(
            "A slice may be worse by", 0.0, 1.0, gate.slice_worse, 0.05, help=_HELP["slice_worse"], key="gate_slice"
        )
        right.number_input(
            "Questions that make a slice", 0, 100_000, gate.slice_minimum, help=_HELP["slice_minimum"], key="gate_slice_n"
        )
        st.multiselect(
            "Measures that must hold",
            list(METRICS),
            [name for name in METRICS if name in gate.metric_worse],
            format_func=lambda name: METRICS[name].title,
            help=_HELP["metric_worse"],
            key="gate_measures",
        )
        for column, (name, metric) in zip(st.columns(len(METRICS)), METRICS.items(), strict=True):
            column.number_input(
                f"{metric.title} may be worse by",
                0.0,
                None,
                gate.metric_worse.get(name, metric.tolerance),
                metric.tolerance / 2,
                key=f"gate_{name}",
                format="%.3f",
            )
        _safeguards(gate)
        st.form_submit_button("Save the gate", icon=":material/save:", on_click=_save, args=(visit,))


def _safeguards(gate: Gate) -> None:
    st.multiselect(
        "Safeguards",
        list(SAFEGUARDS),
        [name for name in SAFEGUARDS if name in gate.guard_worse],
        format_func=lambda name: SAFEGUARDS[name].title,
        help=_HELP["guard_worse"],
        key="gate_guards",
    )
    columns = st.columns(2)
    for place, (name, one) in enumerate(SAFEGUARDS.items()):
        columns[place % 2].number_input(
            f"{one.title}: may be worse by",
            0.0,
            None,
            gate.guard_worse.get(name, one.tolerance),
            one.tolerance / 2,
            help=one.help,
            key=f"gate_guard_{name}",
            format="%.3f",
        )


def _save(visit: Visit) -> None:
    chosen = st.session_state

    def save() -> Gate:
        gate = Gate(
            minimum_comparisons=chosen.gate_n,
            minimum_raters=chosen.gate_raters,
            win_rate_at_least=chosen.gate_rate,
            minimum_rows=chosen.gate_rows,
            metric_worse={name: chosen[f"gate_{name}"] for name in chosen.gate_measures},
            guard_worse={name: chosen[f"gate_guard_{name}"] for name in chosen.gate_guards},
            slice_worse=chosen.gate_slice,
            slice_minimum=chosen.gate_slice_n,
        )
        with visit.writing() as session:
            return set_gate(session=session, actor=visit.actor, project_id=visit.project_id, gate=gate)

    if attempt(save):
        tell("success", "The gate is saved. It holds from the next decision on.")
