"""Topics: what the questions are about, as a map; and which subjects are thin against what comes in."""

from __future__ import annotations

import streamlit as st

from backend.curation import topic_queries
from backend.vocabulary import Action
from pages.components import kept_counts
from pages.components.coverage_view import show_coverage
from pages.components.links import link_to
from pages.components.notices import guarded
from pages.components.topic_view import show_map, show_one, show_search, show_table
from pages.components.visit import Visit, require


def main() -> None:
    """The whole page."""
    visit = require(Action.VIEW_RECORDS)
    st.title("Topics")
    st.text(
        "What customers ask about, found by the words that their questions share. A topic is a slice: filter records, draw "
        "tasks and compare models by it."
    )
    topics, coverage = st.tabs(["Topics", "Coverage"], key="topics-tab", on_change="rerun")
    if coverage.open:
        with coverage, guarded():
            show_coverage(visit)
    else:
        with topics, guarded():
            show_topics(visit)


def show_topics(visit: Visit) -> None:
    """The first tab, or what to do while there are no topics."""
    found = kept_counts.topics(visit)
    if not len(found.table):
        teach(visit, found)
        return
    show_search(visit, found)
    show_map(visit, found)
    show_one(visit, found)
    st.subheader("All topics")
    show_table(found)


def teach(visit: Visit, found: topic_queries.Overview) -> None:
    """What topics are good for, and the next step."""
    if found.is_too_small:
        st.info(
            f"Topics need at least {topic_queries.LEAST} records; there are {found.records:,}. Import more first.",
            icon=":material/upload_file:",
        )
        link_to("imports", "Import", icon="upload_file")
        return
    st.info(
        f"No topics yet. {found.records:,} records can be sorted into groups that share their words. You give the groups "
        "names, merge what belongs together, and see which subjects have too few approved answers.",
        icon=":material/category:",
    )
    show_search(visit, found)
    if not visit.may(Action.BULK_REVIEW) and found.looking is None:
        st.caption("A lead of the project can start the search.")


main()
