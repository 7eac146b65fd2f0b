"""Plotly figures of judgements: forest plots in groups, verdicts, the matrix of who beat whom, distributions, progress.

They keep to the frame of `charts`: no background of their own, tones for light and dark, labels that are read as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pages.components.charts import CLEAR, FAINT, GOOD, GROUP_TONES, MAIN, MUTED, POOR, framed, label, texts, whiskers
from pages.components.drawn import drawn

MIDDLE = "#6d7480"
"""Between poor and good on the matrix; white words keep 4.5:1 on all three."""
LOST, WON = "#9c3f2a", "#2f5f93"


@drawn
def grouped_intervals(frame: pd.DataFrame, *, name: str, group: str, value: str, low: str, high: str) -> Any:
    """A forest plot with one colour a group: each name's marks stand beneath each other."""
    import plotly.graph_objects as go

    groups = list(dict.fromkeys(frame[group]))
    figure = go.Figure()
    for place, one in enumerate(groups):
        rows = frame[frame[group] == one]
        names = list(dict.fromkeys(frame[name]))
        shift = (place - (len(groups) - 1) / 2) * 0.6 / len(groups)
        heights = [names.index(row) + shift for row in rows[name]]
        figure.add_scatter(
            x=rows[value],
            y=heights,
            name=label(one),
            mode="markers",
            marker={"size": 10, "color": GROUP_TONES[place % len(GROUP_TONES)]},
            error_x=whiskers(rows, value, low, high),
            customdata=texts(rows[name]),
            hovertemplate="%{customdata}: %{x:.2f}<extra>%{fullData.name}</extra>",
        )
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=[label(one) for one in names], autorange="reversed")
    figure.update_layout(showlegend=True)
    return framed(figure, height=max(200, 90 + 26 * len(names) * (len(groups) + 1)))


@drawn
def verdicts(*, wins: int, ties: int, both_bad: int, losses: int) -> Any:
    """One bar from won to lost, with what lies between."""
    import plotly.graph_objects as go

    parts = (("Won", wins, GOOD), ("Tied", ties, MUTED), ("Both bad", both_bad, FAINT), ("Lost", losses, POOR))
    figure = go.Figure(
        [
            go.Bar(
                x=[count],
                y=[""],
                name=title,
                orientation="h",
                marker={"color": tone},
                hovertemplate=f"{title}: {count}<extra></extra>",
            )
            for title, count, tone in parts
            if count
        ]
    )
    figure.update_layout(barmode="stack", showlegend=True)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return framed(figure, height=110).update_layout(legend_traceorder="normal")


@drawn
def matrix(frame: pd.DataFrame) -> Any:
    """Who beat whom: a row's win rate against each column, from 0 to 1. What is unknown stays empty."""
    import plotly.graph_objects as go

    words = [["" if pd.isna(cell) else f"{cell:.0%}" for cell in row] for row in frame.to_numpy()]
    rows, columns = ([label(name, 28) for name in names] for names in (frame.index, frame.columns))
    scale = [[0.0, LOST], [0.5, MIDDLE], [1.0, WON]]
    heat = go.Heatmap(
        z=frame.to_numpy(dtype=float),
        x=columns,
        y=rows,
        zmin=0,
        zmax=1,
        colorscale=scale,
        text=words,
        texttemplate="%{text}",
        textfont={"color": "#ffffff", "size": 14},
        hovertemplate="%{y} against %{x}: %{text}<extra></extra>",
        hoverongaps=False,
        xgap=3,
        ygap=3,
        colorbar={"tickformat": ".0%", "thickness": 12, "title": {"text": "Win rate"}},
    )
    figure = go.Figure(heat)
    figure.update_xaxes(side="top", type="category", showgrid=False, title="against")
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return framed(figure, height=120 + 52 * len(frame)).update_layout(margin_t=70)


@drawn
def shares(frame: pd.DataFrame, *, name: str, part: str, value: str) -> Any:
    """One bar a name, grouped by part; values from 0 to 1."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for place, one in enumerate(dict.fromkeys(frame[part])):
        rows = frame[frame[part] == one]
        tone = {"color": GROUP_TONES[place % len(GROUP_TONES)]}
        figure.add_trace(go.Bar(x=rows[value], y=texts(rows[name]), name=label(one), orientation="h", marker=tone))
    figure.update_layout(barmode="group", showlegend=frame[part].nunique() > 1)
    figure.update_xaxes(tickformat=".0%", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", type="category")
    return framed(figure, height=max(180, 90 + 22 * len(frame)))


@drawn
def done(frame: pd.DataFrame, *, name: str, parts: Sequence[tuple[str, str]]) -> Any:
    """How far things are: one bar a row, its parts (column, title) one after the other in shares of their sum."""
    import plotly.graph_objects as go

    total = frame[[column for column, _ in parts]].sum(axis=1).replace(0, 1)
    figure = go.Figure()
    for (column, title), tone in zip(parts, (MAIN, "#b07d12", FAINT), strict=False):
        hover = [f"{title}: {count:,}" for count in frame[column]]
        bar = go.Bar(x=frame[column] / total, y=texts(frame[name]), name=title, orientation="h", marker={"color": tone})
        figure.add_trace(bar.update(customdata=hover, hovertemplate="%{customdata}<extra></extra>"))
    figure.update_layout(barmode="stack", showlegend=True, bargap=0.4)
    figure.update_xaxes(tickformat=".0%", range=[0, 1])
    figure.update_yaxes(autorange="reversed", type="category")
    return framed(figure, height=100 + 40 * len(frame)).update_layout(legend_traceorder="normal", plot_bgcolor=CLEAR)
