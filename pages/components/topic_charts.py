"""The map of topics and the forest of coverage. As `charts`: transparent, in the theme's font, labels escaped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pages.components.charts import FAINT, MUTED, POOR, framed, label, texts, whiskers

TONES = (
    "#4c83b6", "#c08a1e", "#3c9a70", "#c4654e", "#8d6bb5", "#4d9aa6", "#b5618f", "#7d8f2f", "#6a79c9", "#a8743f",
)  # fmt: skip
"""Each at least 3:1 against both backgrounds. Neighbours on the map may share one; the names tell them apart."""
_NAMED = 14
_HEIGHT = 520


def topic_map(frame: pd.DataFrame, *, topics: Sequence[str], chosen: str = "", dark: bool = False) -> Any:
    """One point a record, coloured by topic, greyed but for the `chosen` one; the largest topics are named where they lie.

    `frame` has topic, x, y, question; `topics` are the names, the largest first. Names have a ground of their own, in the
    tones of a `dark` or a light page, because they stand on the points.
    """
    import plotly.graph_objects as go

    tones = {name: TONES[place % len(TONES)] for place, name in enumerate(topics)}
    colors = [FAINT if chosen and name != chosen else tones.get(name, MUTED) for name in frame["topic"]]
    figure = go.Figure(
        go.Scattergl(
            x=frame["x"],
            y=frame["y"],
            mode="markers",
            marker={"size": 7, "color": colors, "opacity": 0.8, "line": {"width": 0}},
            customdata=[[label(name), label(text, 110)] for name, text in zip(frame["topic"], frame["question"], strict=True)],
            hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}<extra></extra>",
        )
    )
    ink, paper = ("#f3efe6", "rgba(23,27,35,0.72)") if dark else ("#23262b", "rgba(255,253,248,0.78)")
    look = {"font": {"size": 12, "color": ink}, "bgcolor": paper, "borderpad": 2, "yshift": 14}
    for name in [chosen] if chosen else list(topics)[:_NAMED]:
        spots = frame[frame["topic"] == name]
        if len(spots):
            x, y = _heart(spots)
            figure.add_annotation(x=x, y=y, text=f"<b>{label(name, 30)}</b>", showarrow=False, **look)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor=None)
    figure.update_layout(showlegend=False, dragmode="pan")
    return framed(figure, height=_HEIGHT)


def _heart(spots: pd.DataFrame) -> tuple[float, float]:
    """Where most of a topic lies: of its points the one nearest to their medians."""
    x, y = spots["x"].median(), spots["y"].median()
    nearest = int(((spots["x"] - x) ** 2 + (spots["y"] - y) ** 2).to_numpy().argmin())
    return float(spots["x"].iloc[nearest]), float(spots["y"].iloc[nearest])


def against(frame: pd.DataFrame, *, name: str) -> Any:
    """Two marks a row with their intervals: the share of the chats and the share of the approved records.

    Columns: `name`, "chats", "chats low", "chats high", "approved", "approved low", "approved high".
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    # set apart a little, so that the whiskers of one row do not lie on each other
    for column, title, tone, step in (
        ("chats", "of the chats", POOR, -0.15),
        ("approved", "of the approved records", TONES[0], 0.15),
    ):
        figure.add_trace(
            go.Scatter(
                x=frame[column],
                y=[place + step for place in range(len(frame))],
                name=title,
                mode="markers",
                marker={"size": 10, "color": tone},
                error_x={**whiskers(frame, column, f"{column} low", f"{column} high"), "color": tone},
                hovertemplate="%{x:.1%} " + title + "<extra></extra>",
            )
        )
    figure.update_xaxes(tickformat=".0%", rangemode="tozero")
    figure.update_yaxes(
        tickvals=list(range(len(frame))), ticktext=texts(frame[name]), range=[len(frame) - 0.5, -0.5], zeroline=False
    )
    return framed(figure, height=max(180, 90 + 38 * len(frame)))
