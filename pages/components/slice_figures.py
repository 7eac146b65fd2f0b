"""What the page Bias slices draws: the forest plot, Simpson's alarm, the way from a slice to its records and to a task."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from backend.evaluation import judgements, slicing
from backend.vocabulary import FindingKind
from pages.components import charts
from pages.components.links import link_to
from pages.components.notices import plain
from pages.components.slice_titles import slice_title
from pages.components.visit import Visit

_OF_RECORDS = {"topic", "sentiment", "language", "abuse"}
"""What checks detect in records; everything else that is detected was found in the answers, or is no slice of records."""
NUMBER, ODDS = (st.column_config.NumberColumn(format=written) for written in ("%.3f", "%.2f"))


def show_forest(frame: pd.DataFrame, *, shares: bool, overall: float, key: str) -> None:
    """Each slice with its interval, what stands out, and the table with its CSV."""
    standing, small = frame[frame["stands out"]], int(frame["too small"].sum())
    if len(standing):
        names = ", ".join(f"{row['slice']} ({row['difference to the rest']:+.2f})" for _, row in standing.iterrows())
        st.warning(plain(f"Different from the rest: {names}."), icon=":material/warning:")
    elif small == len(frame):
        st.info("Every slice is too small to test. Judge or evaluate more questions.", icon=":material/hourglass_empty:")
    else:
        st.success("No slice differs from the rest beyond chance.", icon=":material/check_circle:")
    figure = charts.intervals(
        frame, name="slice", value="value", low="low", high="high", faded="too small", reference=overall, share=shares
    )
    numbers = [column for column in frame.columns if frame[column].dtype.kind == "f"]
    slices = frame["slice"].tolist()

    def choose(place: int) -> None:
        st.session_state[f"slice-chosen-{key}"] = slices[place]

    charts.show_chart(figure, frame, key=f"slices-{key}", columns=dict.fromkeys(numbers, NUMBER), on_click=choose)
    method = "Wilson's intervals, Newcombe's for the difference" if shares else "t intervals, Welch's for the difference"
    st.caption(
        f"95% {method}. Several raters of one item are averaged first. The dotted line is the mean of all. With many slices "
        "some differ by chance alone, so p-values are adjusted by Benjamini-Hochberg over the slices that are not small; "
        "“different” means an adjusted p of at most 0.05."
        + (f" Greyed: {small} below the minimum n, shown but not tested." if small else "")
    )


def show_alarm(within: dict[str, list[dict[str, Any]]], key: str, *, least: int, shares: bool) -> None:
    """Whether a difference turns round once another key is held fixed (Simpson's paradox); any second key can be chosen."""
    if not within:
        return
    st.subheader("Does it hold within other groups?")
    found = slicing.reversals(within, min_n=least)
    for row in found[:5]:
        st.warning(
            plain(
                f"{row['slice']}: over all the data its odds against the rest are {_odds(row['crude'])}, but within the groups "
                f"of {slice_title(row['by'])} they are {_odds(row['pooled'])}. The difference comes from the mixture."
            ),
            icon=":material/crisis_alert:",
        )
    if not found:
        st.success(f"No difference turns round within the groups of {len(within)} other keys.", icon=":material/check_circle:")
    second = st.selectbox("Hold fixed", list(within), key=f"slice-second-{key}", format_func=slice_title)
    what = "success" if shares else "a value above the median"
    rows = [(row["slice"], row["n"], *_cells(row["crude"]), *_cells(row["pooled"]), row["alarm"], row["reason"])
            for row in within[second]]  # fmt: skip
    names = ["over all", "over all low", "over all high", "held fixed", "held fixed low", "held fixed high"]
    frame = pd.DataFrame(rows, columns=["slice", "n", *names, "differs", "why"]).astype(dict.fromkeys(names, float))
    charts.show_table(
        frame, key=f"within-{key}-{second}", columns=dict.fromkeys(names, st.column_config.NumberColumn(format="%.2f"))
    )
    st.caption(f"Odds of {what}, slice against rest: over all, and pooled within the groups (Mantel-Haenszel, 95% intervals).")


def _odds(result: dict[str, Any]) -> str:
    return f"{result['value']:.2f} times as high" if result["value"] >= 1 else f"{result['value']:.2f} of theirs"


def _cells(result: dict[str, Any]) -> tuple[Any, Any, Any]:
    return result.get("value"), result.get("low"), result.get("high")


def show_records(visit: Visit, frame: pd.DataFrame, key: str) -> None:
    """From a slice to its records, and to a task that asks about them."""
    st.subheader("Look at a slice")
    name = st.selectbox("Slice (or click on its mark above)", frame["slice"].tolist(), key=f"slice-chosen-{key}")
    address = _address(key, name)
    if address is None:
        st.caption("Records cannot be listed by this: it was measured on the answers, not on the records.")
        return
    with st.container(horizontal=True):
        link_to("records", "Its records", icon="table_rows", address=address)
        link_to("tasks", "A task about them", icon="add_task", address=address)


def _address(key: str, name: str) -> dict[str, str] | None:
    """What the records page is asked for; None where it has no such filter."""
    if not key.startswith(slicing.DETECTED) or key.removeprefix(slicing.DETECTED) in _OF_RECORDS:
        return {"slice_key": key, "slice_value": name}
    for kind in FindingKind:
        if key == slicing.DETECTED + judgements.finding_title(kind) and name == judgements.FOUND:
            return {"finding": str(kind)}
    return None
