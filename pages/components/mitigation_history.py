"""What was done about imbalances, with the report before and after and a way back."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from backend.curation import mitigating, mitigation_queries
from backend.curation.mitigation_queries import Done
from backend.vocabulary import MitigationKind
from pages.components import charts
from pages.components.links import link_to
from pages.components.notices import attempt, plain, tell
from pages.components.visit import Visit

KINDS = {
    MitigationKind.REWEIGHING: "Reweigh",
    MitigationKind.RESAMPLING: "Repeat or leave out",
    MitigationKind.COUNTERFACTUALS: "Copies about somebody else",
}
_SHARE = st.column_config.NumberColumn(format="percent")


def show_history(visit: Visit) -> None:
    """Everything that was done, the newest first."""
    with visit.reading() as session:
        listed = mitigation_queries.history(session, actor=visit.actor, project_id=visit.project_id)
    if not listed:
        st.text("Nothing was done yet. A preview changes nothing; what you apply is listed here and can be undone.")
    for one in listed:
        state = "undone" if one.undone_at else "in force"
        with st.expander(plain(f"{KINDS[one.kind]}: {_subject(one)} · {state}"), icon=_icon(one)):
            st.text(f"By {one.by}, {one.at:%d %b %Y, %H:%M} UTC." + (f" {one.reason}" if one.reason else ""))
            compared(one.before, one.after, key=f"done-{one.id}")
            if one.kind is MitigationKind.COUNTERFACTUALS and not one.undone_at:
                link_to("review", "Review them", icon="rate_review")
            if one.can_undo:
                st.button("Undo", icon=":material/undo:", key=f"mitigation-undo-{one.id}", on_click=attempt,
                          args=(_undo, visit, one.id), help=_undone_how(one))  # fmt: skip
            elif not one.undone_at:
                st.caption("Something of the same kind was applied after this; undo that first.")


def compared(before: dict[str, Any], after: dict[str, Any], *, key: str) -> None:
    """Two reports side by side."""
    if "mentions" in after:
        _mentions(before, after, key)
        return
    if after.get("gap") is not None:
        st.text(f"The widest gap between groups: {before['gap']:.1%} before, {after['gap']:.1%} after.")
    if "rows" in after:
        st.text(f"Rows for training: {before['rows']:,} before, {after['rows']:,} after.")
    held = {row["slice"]: row for row in before["slices"]}
    rows = []
    for row in after["slices"]:
        old = held.get(row["slice"], {"share": 0.0, "outcomes": {}})
        cells = {"group": row["slice"], "records": row["records"], "share before": old["share"], "share after": row["share"]}
        for outcome in row["outcomes"] or {}:
            cells |= {f"{outcome}: before": old["outcomes"].get(outcome, 0.0), f"{outcome}: after": row["outcomes"][outcome]}
        rows.append(cells)
    frame = pd.DataFrame(rows)
    numbers = dict.fromkeys([name for name in frame.columns if frame[name].dtype.kind == "f"], _SHARE)
    charts.show_table(frame, key=f"{key}-groups", columns=numbers, names=[name for name in frame.columns if ":" in name])
    if "cells" in after:
        with st.expander("The weights", icon=":material/scale:"):
            cells_frame = pd.DataFrame(after["cells"]).rename(columns={"slice": "group"})
            number = st.column_config.NumberColumn(format="%.3f")
            charts.show_table(cells_frame, key=f"{key}-cells", columns={"weight": number})


def _mentions(before: dict[str, Any], after: dict[str, Any], key: str) -> None:
    """How often groups of people are mentioned by customers."""
    held = {(row["group"], row["value"]): row["records"] for row in before["mentions"]}
    rows = [
        (row["group"], row["value"], held.get((row["group"], row["value"]), 0), row["records"]) for row in after["mentions"]
    ]
    frame = pd.DataFrame(rows, columns=["group", "mentioned", "records before", "records with the copies"])
    st.text("How many conversations mention whom, once all copies are approved:")
    charts.show_table(frame, key=f"{key}-mentions")
    if swaps := after.get("swaps"):
        st.text("Swapped: " + ", ".join(f"{kind} {count:,} times" for kind, count in sorted(swaps.items())) + ".")


def _subject(one: Done) -> str:
    if one.kind is MitigationKind.COUNTERFACTUALS:
        return f"{one.after.get('made', 0):,} copies"
    by = str(one.options["slice_by"]).partition(":")[2]
    outcome = str(one.options["outcome"]).partition(":")[2]
    return f"{by} and {outcome}" if one.kind is MitigationKind.REWEIGHING else by


def _icon(one: Done) -> str:
    return ":material/undo:" if one.undone_at else ":material/check_circle:"


def _undone_how(one: Done) -> str:
    if one.kind is MitigationKind.COUNTERFACTUALS:
        return "Removes the copies that nobody has worked on; the others stay."
    return "Puts back what the records counted before."


def _undo(visit: Visit, mitigation_id: int) -> None:
    with visit.writing() as session:
        changes = mitigating.undo(session=session, actor=visit.actor, project_id=visit.project_id, mitigation_id=mitigation_id)
    tell("success", f"Undone: {changes:,} records. Snapshots that were frozen meanwhile stay as they are.")
