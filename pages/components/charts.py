"""Every Plotly figure, and the frame around it: the chart, the table behind it, its CSV.

Figures have transparent backgrounds and take the colours and the font of the theme (`theme="streamlit"`), so that light
and dark both fit. Plotly is imported when the first figure is made, not with the page. Labels that people typed are
escaped, because Plotly reads some HTML in them. Each function takes a DataFrame and the names of its columns.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from backend.conversations import escape_cell

CLEAR = "rgba(0,0,0,0)"
GOOD, POOR, MUTED, MAIN = "#2f8a63", "#b5523b", "#8a8f98", "#3f6f9f"
"""Tones that keep at least 3:1 against both backgrounds, for marks whose colour carries a meaning."""
FAINT = "rgba(128,134,145,0.28)"
HEIGHT = 320


def label(text: object, length: int = 48) -> str:
    """Text as a Plotly label: shortened, and read as text."""
    plain = str(text)
    return html.escape(plain if len(plain) <= length else plain[: length - 1] + "…")


def as_csv(frame: pd.DataFrame) -> bytes:
    """The table as UTF-8 CSV whose cells no spreadsheet runs as a formula."""
    safe = frame.map(lambda cell: escape_cell(cell) if isinstance(cell, str) else cell)
    return safe.to_csv(index=False).encode()


def show_chart(figure: Any, frame: pd.DataFrame, *, key: str, columns: Mapping[str, Any] | None = None) -> None:
    """A figure with the table behind it and its CSV."""
    st.plotly_chart(figure, width="stretch", theme="streamlit", key=f"{key}-chart", config={"displayModeBar": False})
    with st.expander("The table behind this chart", icon=":material/table:"):
        show_table(frame, key=key, columns=columns)


def show_table(frame: pd.DataFrame, *, key: str, columns: Mapping[str, Any] | None = None) -> None:
    """A table and its CSV."""
    st.dataframe(frame, width="stretch", hide_index=True, column_config=dict(columns or {}))
    st.download_button(
        "Download as CSV", as_csv(frame), file_name=f"{key}.csv", mime="text/csv", icon=":material/download:", key=f"{key}-csv"
    )


def bars(frame: pd.DataFrame, *, x: str, y: Sequence[str], stacked: bool = True, names: Mapping[str, str] | None = None) -> Any:
    """One bar a row and column of `y`; `names` are the legend's words."""
    import plotly.graph_objects as go

    titles = names or {}
    figure = go.Figure([go.Bar(x=_texts(frame[x]), y=frame[column], name=label(titles.get(column, column))) for column in y])
    figure.update_layout(barmode="stack" if stacked else "group", showlegend=len(y) > 1)
    return _framed(figure)


def lines(frame: pd.DataFrame, *, x: str, y: Sequence[str], names: Mapping[str, str] | None = None) -> Any:
    """One line a column of `y`, with a mark at each value."""
    import plotly.graph_objects as go

    titles = names or {}
    traces = [
        go.Scatter(x=_texts(frame[x]), y=frame[column], name=label(titles.get(column, column)), mode="lines+markers")
        for column in y
    ]
    figure = go.Figure(traces)
    figure.update_layout(showlegend=len(y) > 1)
    return _framed(figure)


def funnel(frame: pd.DataFrame, *, step: str, count: str) -> Any:
    """Steps from top to bottom, each with its count and its share of the first."""
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Funnel(
            y=_texts(frame[step]),
            x=frame[count],
            textinfo="value+percent initial",
            connector={"line": {"width": 0}, "fillcolor": FAINT},
        )
    )
    return _framed(figure)


def intervals(frame: pd.DataFrame, *, name: str, value: str, low: str, high: str, reference: float | None = None) -> Any:
    """A forest plot: one row a mark, with its interval and a line at `reference`."""
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Scatter(
            x=frame[value],
            y=_texts(frame[name]),
            mode="markers",
            marker={"size": 10},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": frame[high] - frame[value],
                "arrayminus": frame[value] - frame[low],
                "thickness": 2,
            },
        )
    )
    if reference is not None:
        figure.add_vline(x=reference, line={"dash": "dot", "color": MUTED})
    figure.update_yaxes(autorange="reversed", type="category")
    return _framed(figure, height=max(160, 70 + 36 * len(frame)))


def sankey(nodes: pd.DataFrame, links: pd.DataFrame) -> Any:
    """Flows from left to right. `nodes`: name, column (0…), marked. `links`: source, target (row numbers), value, marked."""
    import plotly.graph_objects as go

    tone = {True: POOR, False: MAIN}
    last = max(1, int(nodes["column"].max()))
    flow = go.Sankey(
        arrangement="snap",
        node={
            "label": [label(name) for name in nodes["name"]],
            "color": [tone[bool(marked)] for marked in nodes["marked"]],
            "x": [min(0.999, max(0.001, column / last)) for column in nodes["column"]],
            "y": _spread(nodes),
            "pad": 18,
            "thickness": 16,
            "line": {"width": 0},
        },
        link={
            "source": links["source"].tolist(),
            "target": links["target"].tolist(),
            "value": links["value"].tolist(),
            "color": ["rgba(181,82,59,0.45)" if marked else FAINT for marked in links["marked"]],
        },
    )
    return _framed(go.Figure(flow), height=max(240, 60 * int(nodes["column"].value_counts().max()) + 80))


def _spread(nodes: pd.DataFrame) -> list[float]:
    """A height for every node: those of a column share it evenly."""
    sizes = nodes["column"].value_counts()
    order = nodes.groupby("column").cumcount()
    return [float((place + 0.5) / sizes[column]) for place, column in zip(order, nodes["column"], strict=True)]


def _texts(values: pd.Series) -> list[Any]:
    return [label(value) if isinstance(value, str) else value for value in values]


def _framed(figure: Any, *, height: int = HEIGHT) -> Any:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 24, "b": 8},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
    )
    return figure
