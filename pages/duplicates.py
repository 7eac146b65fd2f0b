"""Duplicates: records that repeat each other, and records that contradict each other."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from backend.curation.duplicate_queries import Overview
from backend.vocabulary import Action
from pages.components import kept_counts
from pages.components.contradiction_view import show_contradictions
from pages.components.duplicate_view import show_curve, show_pairs
from pages.components.links import link_to
from pages.components.notices import guarded
from pages.components.resolution_form import show_resolutions
from pages.components.visit import Visit, require


def main() -> None:
    """The whole page."""
    visit = require(Action.VIEW_RECORDS)
    st.title("Duplicates")
    st.text("What is said twice counts twice in what a model learns. Keep one of each, and settle which answer is right.")
    found = kept_counts.duplicates(visit)
    if not found.compared:
        teach(visit, found)
        return
    show_counts(found)
    clusters, contradictions = st.tabs(["Repeats", "Contradictions"], key="duplicates-tab", on_change="rerun")
    if contradictions.open:
        with contradictions, guarded():
            show_contradictions(visit)
    else:
        with clusters, guarded():
            show_clusters(visit, found)


def teach(visit: Visit, found: Overview) -> None:
    """What the page is for, and the next step."""
    if not found.records:
        st.info("There is no record yet. Import some first; those that repeat each other are shown here.")
        link_to("imports", "Import a file", icon="upload_file")
        return
    st.info(
        f"{found.records:,} records wait to be compared. The check finds exact repeats, questions that are nearly the same, "
        "and answers that contradict each other. Nothing is changed by it: you decide here.",
        icon=":material/content_copy:",
    )
    if visit.may(Action.REVIEW):
        link_to("cleaning", "Run the checks “Duplicates” and “Contradictions”", icon="cleaning_services")


def show_counts(found: Overview) -> None:
    """The figures at the top."""
    figures = (
        ("Records compared", found.compared, f"Of {found.records:,}. The others wait for the next run of the checks."),
        ("Exact repeats", found.exact, "Open: equal to an earlier record but for case, width and white space."),
        ("Near duplicates", found.near, "Open: the customer says nearly the same as in an earlier record."),
        ("Contradictions", found.contradictions, "Pairs of records that answer the same question differently."),
        ("Groups", found.clusters, "Records that are alike. A group is never torn apart between training and test set."),
    )
    with st.container(horizontal=True):
        for title, value, meaning in figures:
            st.metric(title, f"{value:,}", help=meaning, width=165)


def show_clusters(visit: Visit, found: Overview) -> None:
    """The threshold explorer, pairs around it, and what can be done about all of them."""
    if not found.curve["records"].iloc[0]:
        st.success("No record is like another one. Nothing is to be done here.", icon=":material/done_all:")
        return
    st.subheader("From which similarity on is it a repeat?")
    explore(visit, found.curve)
    if visit.may(Action.BULK_REVIEW):
        show_resolutions(visit)


@st.fragment
def explore(visit: Visit, curve: pd.DataFrame) -> None:
    """The slider draws only this anew, not what counts the whole project."""
    show_pairs(visit, show_curve(curve))


main()
