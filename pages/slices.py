"""Bias slices: one measure cut by what is known of the questions; what differs, and what only seems to."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.evaluation import figures, slicing
from backend.vocabulary import Action
from pages.components import slice_figures
from pages.components.figure_view import figure, show_age, state_of
from pages.components.links import link_to
from pages.components.notices import guarded
from pages.components.slice_titles import slice_title
from pages.components.visit import Visit, require

MISSING = (
    "Flagged as abusive: swearing and insults in English, by a word model. Hatred in polite words passes it. Languages and "
    "topics come from imported columns."
)


def main() -> None:
    """The whole page."""
    visit = require(Action.VIEW_RESULTS)
    st.title("Bias slices")
    st.write("Does the chatbot serve everybody alike? One measure, cut by what is known about the questions.")
    with guarded():
        show(visit)


def show(visit: Visit) -> None:
    """The choices, then the measure cut by the chosen key."""
    state = state_of(visit)
    index = figure(visit, state, figures.INDEX)
    measures = index.value["measures"] if index else []
    if not measures:
        show_age(visit, state, index)
        if state.live or index:
            st.info(
                "There is nothing to cut yet: no rating, no comparison, no evaluation.", icon=":material/stacked_bar_chart:"
            )
            link_to("tasks", "Make a rating or comparison task", icon="assignment")
        return
    first, second, third, fourth = st.columns([4, 3, 3, 2])
    titles = [measure["title"] for measure in measures]
    title = first.selectbox("Measure", titles, key="slice-measure", help=MISSING)
    measure = measures[titles.index(title)]
    version = second.selectbox("Model version", measure["versions"], key="slice-version")
    found = figure(visit, state, figures.SLICES, figures.slice_subject(measure["key"], version))
    show_age(visit, state, found)
    if found is None:
        return
    keys = found.value["keys"]
    if not keys:
        st.info("Nothing is known of these questions by which they could be cut.", icon=":material/label_off:")
        st.write("Import records with columns such as language, channel or customer segment; they become slices.")
        return
    key = third.selectbox("By", list(keys), key="slice-key", format_func=slice_title)
    least = fourth.number_input(
        "Fewest records", 2, 1000, 20, key="slice-min", help="Smaller slices are greyed and not tested."
    )
    show_cut(visit, measure, found.value, key, int(least))


def show_cut(visit: Visit, measure: dict[str, Any], value: dict[str, Any], key: str, least: int) -> None:
    """The forest plot with what stands out, the alarm, and the way to a slice's records."""
    cut = value["keys"][key]
    frame = slicing.slice_table(cut["rows"], min_n=least)
    slice_figures.show_forest(frame, shares=measure["shares"], overall=value["overall"], key=key)
    slice_figures.show_alarm(cut["within"], key, least=least, shares=measure["shares"])
    slice_figures.show_records(visit, frame, key)


main()
