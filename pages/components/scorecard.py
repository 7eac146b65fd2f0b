"""How good a detector is on named data, and what it is not good enough for."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from pages.components.notices import plain

HEADLINES = 4
"""Measures that are drawn large; all of them are in the table."""
_WHOLE = 100
"""From here on decimals say nothing."""
_MEASURES = {
    "Measure": st.column_config.TextColumn(width=400),
    "Value": st.column_config.TextColumn(width=150),
    "95% interval": st.column_config.TextColumn(width=120),
    "Goal": st.column_config.TextColumn(width=110),
    "Counted over": st.column_config.NumberColumn(format="localized", width=90),
}
_SHARE = {"precision", "recall", "f1", "f2", "right", "low", "high"}
"""Columns of details that are shares where they are numbers."""


def show_scorecard(card: dict[str, Any]) -> None:
    """The weakness first, then the figures with their intervals and goals, then when and how they were measured."""
    st.warning(plain(card["weakness"]), icon=":material/warning:")
    columns = st.columns(HEADLINES)
    for place, measure in zip(columns, card["measures"], strict=False):
        place.metric(plain(measure["name"]), told(measure), label_visibility="collapsed")
        place.caption(plain(measure["name"]), help=plain(_bounds(measure)))
    with st.expander("All figures", icon=":material/table_chart:"):
        st.dataframe(measures_table(card["measures"]), hide_index=True, width="stretch", column_config=_MEASURES)
        if card.get("details"):
            rows = pd.DataFrame(card["details"])
            st.dataframe(rows, hide_index=True, width="stretch", column_config=_columns(rows))
    version = f"detector version {card['version']}"
    st.caption(plain(f"Measured on {card['date']} by “{card['command']}”, {version}, on {card['data']}."))


def measures_table(measures: list[dict[str, Any]]) -> pd.DataFrame:
    """One row a measure, in words."""
    rows = [
        {
            "Measure": one["name"],
            "Value": told(one),
            "95% interval": _interval(one),
            "Goal": _goal(one),
            "Counted over": one["n"],
        }
        for one in measures
    ]
    return pd.DataFrame(rows)


def told(measure: dict[str, Any]) -> str:
    """The value as people read it."""
    return _number(measure["value"], measure.get("unit", ""))


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "not known"
    if not unit:
        return f"{value:.1%}"
    return f"{value:,.0f} {unit}" if abs(value) >= _WHOLE else f"{value:,.3g} {unit}"


def _interval(measure: dict[str, Any]) -> str:
    if "low" not in measure:
        return ""
    return f"{_number(measure['low'], measure.get('unit', ''))} to {_number(measure['high'], measure.get('unit', ''))}"


def _goal(measure: dict[str, Any]) -> str:
    if "goal" not in measure:
        return ""
    sign = "≤" if measure.get("at_most") else "≥"
    met = measure["value"] <= measure["goal"] if measure.get("at_most") else measure["value"] >= measure["goal"]
    return f"{sign} {_number(measure['goal'], measure.get('unit', ''))}, {'met' if met else 'missed'}"


def _bounds(measure: dict[str, Any]) -> str:
    interval, goal = _interval(measure), _goal(measure)
    parts = [f"95% interval {interval}" if interval else "", f"goal {goal}" if goal else "", f"counted over {measure['n']:,}"]
    return "; ".join(part for part in parts if part)


def _columns(rows: pd.DataFrame) -> dict[str, Any]:
    titles = {name: name[:1].upper() + name[1:] for name in map(str, rows.columns)}
    return {
        name: st.column_config.NumberColumn(title, format="percent") if name in _SHARE else st.column_config.Column(title)
        for name, title in titles.items()
    }
