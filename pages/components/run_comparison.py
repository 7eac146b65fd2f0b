"""Runs beside each other: their validation curves, what was set differently, what came out."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from backend.training import queries
from pages.components.charts import curves, show_table
from pages.components.visit import Visit


def show_comparison(visit: Visit, names: dict[int, str]) -> None:
    """The tab. `names` are all runs of the project."""
    chosen = st.multiselect(
        "Runs to compare", list(names), format_func=lambda key: names[key], max_selections=6, key="compared_runs"
    )
    if len(chosen) < 2:
        st.info("Choose two or more runs: their validation curves, what was set differently, what came out.")
        return
    with visit.reading() as session:
        table, points = queries.compare(session, visit.actor, visit.settings, chosen)
    if not points.empty:
        wide = pd.pivot_table(points, index="step", columns="run", values="validation_loss").reset_index()
        st.text("Validation loss")
        runs = [column for column in wide.columns if column != "step"]
        st.plotly_chart(curves(wide, x="step", y=runs), width="stretch", theme="streamlit", key="compared_curves")
    show_table(table, key="compared", names=list(table.columns)[1:])
