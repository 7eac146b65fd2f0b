"""What a run measured: its figures on the rows that it did not learn from, and what a classifier took for what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from backend.evaluation.version_queries import named_figures, title_of
from pages.components.charts import show_table
from pages.components.notices import counted


def show_measured(objective: str, test: Mapping[str, Any], validation: Mapping[str, Any], *, key: str) -> None:
    """The objective's own figures on the test rows; on the validation rows where the test rows were not measured."""
    measured = test or validation
    shown = named_figures(objective, measured)
    if not shown:
        st.caption("It measured nothing: its snapshot had neither test nor validation rows.")
        return
    where = f"{counted(test['rows'], 'test row')}, which it never saw" if test else "the validation rows, at its best step"
    st.text(f"On {where}")
    names = list(shown)
    for start in range(0, len(names), 4):
        for column, name in zip(st.columns(4), names[start : start + 4], strict=False):
            column.metric(title_of(name), f"{shown[name]:.3f}", border=True)
    confusion = measured.get("confusion")
    if confusion:
        table = pd.DataFrame(confusion["matrix"], columns=confusion["classes"]).assign(truly=confusion["classes"])
        with st.expander("What was taken for what", icon=":material/grid_on:"):
            st.caption("A row for each class as people named it, a column for each as the model did.")
            show_table(table[["truly", *confusion["classes"]]], key=f"confusion-{key}", names=confusion["classes"])
