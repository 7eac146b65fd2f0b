"""Plotly figures, and the frame around every one: the chart, the table behind it, its CSV. See also `judgement_charts`.

Figures have transparent backgrounds and take the colours and the font of the theme (`theme="streamlit"`), so that light
and dark both fit. Plotly is imported when the first figure is made, not with the page. Labels that people typed are
escaped, because Plotly reads some HTML in them. Each function takes a DataFrame and the names of its columns, and builds
the same figure once (see `drawn`): what it returns is shown, not changed.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from backend.conversations import escape_cell
from pages.components.drawn import drawn

CLEAR = "rgba(0,0,0,0)"
GOOD, POOR, MUTED, MAIN = "#3f6f9f", "#b5523b", "#8a8f98", "#3f6f9f"
"""Tones that keep at least 3:1 against both backgrounds, for marks whose colour carries a meaning. Blue is good and brown
is poor: the two are told apart by all who do not see red and green as others do."""
FAINT = "rgba(128,134,145,0.28)"
GROUP_TONES = (MAIN, "#b07d12", "#2f8a63", "#b5523b", "#7d5ba6", "#5b8a94")
HEIGHT = 320


def label(text: object, length: int = 48) -> str:
    """Text as a Plotly label: shortened, and read as text."""
    plain = str(text)
    return html.escape(plain if len(plain) <= length else plain[: length - 1] + "…")


def as_csv(frame: pd.DataFrame) -> bytes:
    """The table as UTF-8 CSV whose cells no spreadsheet runs as a formula."""
    safe = frame.map(lambda cell: escape_cell(cell) if isinstance(cell, str) else cell)
    return safe.to_csv(index=False, header=[escape_cell(str(name)) for name in frame.columns]).encode()


def show_chart(
    figure: Any,
    frame: pd.DataFrame,
    *,
    key: str,
    columns: Mapping[str, Any] | None = None,
    names: Collection[str] = (),
    on_click: Callable[[int], None] | None = None,
) -> None:
    """A figure with the table behind it and its CSV. The table is made when somebody opens it.

    `on_click` is a callback for a click on one of the figure's marks; it gets the mark's place.
    """
    show_figure(figure, key=key, on_click=on_click)
    behind = st.expander("The table behind this chart", icon=":material/table:", key=f"{key}-behind", on_change="rerun")
    if behind.open:
        with behind:
            show_table(frame, key=key, columns=columns, names=names)


def show_figure(figure: Any, *, key: str, on_click: Callable[[int], None] | None = None) -> None:
    """A figure alone, for where its table stands beside it."""
    name = f"{key}-chart"

    def clicked() -> None:
        points = st.session_state[name].selection.points
        if points and on_click is not None:
            on_click(int(points[0]["point_index"]))

    st.plotly_chart(
        figure,
        width="stretch",
        theme="streamlit",
        key=name,
        config={"displayModeBar": False},
        on_select=clicked if on_click is not None else "ignore",
        selection_mode="points",
    )


def show_table(frame: pd.DataFrame, *, key: str, columns: Mapping[str, Any] | None = None, names: Collection[str] = ()) -> None:
    """A table and its CSV. Columns get plain titles, but for `names`, which people gave; moments are to the minute in UTC."""
    config = {str(name): _column(str(name), frame[name], named=name in names) for name in frame.columns}
    for name, given in (columns or {}).items():
        title = name if name in names else _title(name)
        config[name] = {**given, "label": given.get("label") or title} if isinstance(given, dict) else given
    st.dataframe(frame, width="stretch", hide_index=True, column_config=config)
    file_name = re.sub(r"[^\w.-]+", "-", key, flags=re.ASCII) + ".csv"  # a key may hold a metadata name
    st.download_button(
        "Download as CSV",
        lambda: as_csv(frame),
        file_name=file_name,
        mime="text/csv",
        icon=":material/download:",
        key=f"{key}-csv",
        on_click="ignore",
    )


def _title(name: str) -> str:
    return (name[:1].upper() + name[1:]).replace("_", " ")


def _column(name: str, values: pd.Series, *, named: bool) -> Any:
    title = name if named else _title(name)
    if isinstance(values.dtype, pd.DatetimeTZDtype) or values.dtype.kind == "M":
        return st.column_config.DatetimeColumn(title, format="D MMM YYYY, HH:mm", timezone="UTC")
    return st.column_config.Column(title)


@drawn
def bars(
    frame: pd.DataFrame,
    *,
    x: str,
    y: Sequence[str],
    stacked: bool = True,
    sideways: bool = False,
    names: Mapping[str, str] | None = None,
) -> Any:
    """One bar a row and column of `y`; `names` are the legend's words. Days are written as such; `sideways` for long names."""
    import plotly.graph_objects as go

    titles, places = names or {}, texts(frame[x])
    figure = go.Figure()
    for column in y:
        along = {"x": frame[column], "y": places, "orientation": "h"} if sideways else {"x": places, "y": frame[column]}
        figure.add_trace(go.Bar(**along, name=label(titles.get(column, column))))
    figure.update_layout(barmode="stack" if stacked else "group", showlegend=len(y) > 1, bargap=0.35)
    if sideways:
        figure.update_yaxes(type="category", autorange="reversed")
        return framed(figure, height=max(HEIGHT, 80 + 30 * len(frame)))
    figure.update_xaxes(type="category", nticks=8, tickangle=0)
    return framed(figure)


@drawn
def lines(frame: pd.DataFrame, *, x: str, y: Sequence[str], share: bool = False, names: Mapping[str, str] | None = None) -> Any:
    """One line a column of `y`, with a mark at each value; `share` is for values from 0 to 1, in per cent."""
    import plotly.graph_objects as go

    titles, places = names or {}, texts(frame[x])
    traces = [
        go.Scatter(x=places, y=frame[column], name=label(titles.get(column, column)), mode="lines+markers", marker={"size": 9})
        for column in y
    ]
    figure = go.Figure(traces)
    figure.update_layout(showlegend=len(y) > 1)
    figure.update_xaxes(type="category", nticks=8, tickangle=0)
    if share:
        figure.update_yaxes(range=[-0.02, 1.05], tickformat=".0%")
    return framed(figure)


@drawn
def curves(frame: pd.DataFrame, *, x: str, y: Sequence[str], names: Mapping[str, str] | None = None) -> Any:
    """One thin line a column of `y`. Where a column has values at some steps only, they are joined and marked."""
    import plotly.graph_objects as go

    titles = names or {}
    figure = go.Figure()
    for column in y:
        known = frame[[x, column]].dropna()
        mode = "lines" if len(known) > 60 else "lines+markers"
        figure.add_scatter(x=known[x], y=known[column], name=label(titles.get(column, column)), mode=mode)
    figure.update_layout(showlegend=len(y) > 1)
    figure.update_xaxes(title=x)
    return framed(figure, height=260)


@drawn
def points(frame: pd.DataFrame, *, x: str, y: str, hover: str, magnitude: bool = False) -> Any:
    """One mark a row; `hover` is the column with what is told of it. `magnitude` spreads x by its logarithm."""
    import plotly.graph_objects as go

    marks = go.Scatter(
        x=texts(frame[x]) if frame[x].dtype == object else frame[x], y=frame[y], mode="markers",
        marker={"size": 10, "color": MAIN}, hovertext=[label(text, 200) for text in frame[hover]], hoverinfo="text",
    )  # fmt: skip
    figure = framed(go.Figure(marks))
    figure.update_xaxes(title=label(x.replace("_", " ")), type="log" if magnitude else None)
    figure.update_yaxes(title=label(y.replace("_", " ")))
    return figure


@drawn
def funnel(frame: pd.DataFrame, *, step: str, count: str) -> Any:
    """Steps from top to bottom, each with its count and its share of the first."""
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Funnel(
            y=texts(frame[step]),
            x=frame[count],
            textinfo="value+percent initial",
            marker={"color": MAIN},
            connector={"line": {"width": 0}, "fillcolor": FAINT},
        )
    )
    return framed(figure)


@drawn
def intervals(
    frame: pd.DataFrame,
    *,
    name: str,
    value: str,
    low: str,
    high: str,
    reference: float | None = None,
    faded: str | None = None,
    share: bool = False,
) -> Any:
    """A forest plot: one row a mark, with its interval and a line at `reference`.

    `faded` names a column of rows to grey; `share` writes the axis in per cent.
    """
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Scatter(
            x=frame[value],
            y=texts(frame[name]),
            mode="markers",
            marker={"size": 10} | ({} if faded is None else {"color": [MUTED if grey else MAIN for grey in frame[faded]]}),
            error_x=whiskers(frame, value, low, high) | ({} if faded is None else {"color": MUTED}),
        )
    )
    if reference is not None:
        figure.add_vline(x=reference, line={"dash": "dot", "color": MUTED})
    if share:
        figure.update_xaxes(tickformat=".0%")
    figure.update_yaxes(autorange="reversed", type="category")
    return framed(figure, height=max(160, 70 + 36 * len(frame)))


def whiskers(frame: pd.DataFrame, value: str, low: str, high: str) -> dict[str, Any]:
    """Error bars from the value to both ends of its interval."""
    above, below = frame[high] - frame[value], frame[value] - frame[low]
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "thickness": 2}


@drawn
def stations(nodes: pd.DataFrame, links: pd.DataFrame, *, columns: Sequence[str]) -> Any:
    """Stations from left to right. `nodes`: name, column (0…), marked. `links`: source, target (row numbers), marked."""
    import plotly.graph_objects as go

    tone = {True: POOR, False: MAIN}
    heights = _spread(nodes)
    figure = go.Figure()
    for link in links.itertuples():
        ends = [int(link.source), int(link.target)]
        line = {"color": POOR if link.marked else MUTED, "width": 2}
        spots = {"x": nodes["column"].iloc[ends], "y": [heights[end] for end in ends]}
        figure.add_trace(go.Scatter(**spots, mode="lines", line=line, hoverinfo="skip"))
    figure.add_trace(
        go.Scatter(
            x=nodes["column"],
            y=heights,
            text=["<br>".join(label(line, 34) for line in str(name).split("\n")) for name in nodes["name"]],
            mode="markers+text",
            textposition="bottom center",
            marker={"size": 18, "color": [tone[bool(marked)] for marked in nodes["marked"]]},
            hovertemplate="%{text}<extra></extra>",
        )
    )
    last = len(columns) - 1
    figure.update_xaxes(
        range=[-0.5, last + 0.5],
        tickvals=list(range(len(columns))),
        ticktext=list(columns),
        side="top",
        showgrid=False,
        zeroline=False,
    )
    figure.update_yaxes(visible=False, range=[min(heights) - 0.9, max(heights) + 0.6])
    figure.update_layout(showlegend=False)
    return framed(figure, height=140 + 80 * int(nodes["column"].value_counts().max()))


def _spread(nodes: pd.DataFrame) -> list[float]:
    """A height for every node: those of a column stand one apart around the middle."""
    sizes = nodes["column"].value_counts()
    order = nodes.groupby("column").cumcount()
    return [float((sizes[column] - 1) / 2 - place) for place, column in zip(order, nodes["column"], strict=True)]


def texts(values: pd.Series) -> list[Any]:
    """Values as places on an axis: names escaped, days written out."""
    return [
        label(value) if isinstance(value, str) else f"{value:%d %b}" if isinstance(value, date) else value for value in values
    ]


def framed(figure: Any, *, height: int = HEIGHT) -> Any:
    """The figure with no background of its own, narrow margins and the legend on top."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 24, "b": 8},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        colorway=list(GROUP_TONES),
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
    )
    return figure
