"""Records: every conversation of the project, filtered; one in full with its history; for leads, one decision on many."""

from __future__ import annotations

import math

import pandas as pd
import streamlit as st

from backend.review import queries
from backend.review.filters import RecordFilter
from backend.vocabulary import Action, RecordStatus
from pages.components.charts import as_csv
from pages.components.chosen import chosen, keep_chosen
from pages.components.conversation import FINDING_WORDS
from pages.components.links import link_to
from pages.components.notices import guarded
from pages.components.record_card import STATUS
from pages.components.record_filters import choose_filter, show_bulk
from pages.components.record_panel import show_panel
from pages.components.visit import Visit, require

TABLE, SHOWN = "records-table", "records-shown"


def main() -> None:
    """The whole page."""
    visit = require(Action.VIEW_RECORDS)
    st.title("Records")
    with visit.reading() as session:
        total = queries.count_records(session, visit.actor, visit.project_id, RecordFilter())
    if not total:
        st.info("There is no record yet. A record is a conversation that ends in a reference answer.", icon=":material/inbox:")
        st.text("A lead imports the first ones from a file; CSV, JSON and JSONL are read.")
        link_to("imports", "Import a file", icon="upload_file")
        return
    wanted = choose_filter(visit)
    with visit.reading() as session:
        count = queries.count_records(session, visit.actor, visit.project_id, wanted)
    show_list(visit, wanted, count, total)
    show_chosen(visit)


def show_list(visit: Visit, wanted: RecordFilter, count: int, total: int) -> None:
    """A page of the list, its download, and the decision on all of it."""
    if not count:
        st.info("No record fits these filters. Take one of them away.", icon=":material/filter_alt_off:")
        return
    pages = math.ceil(count / queries.PAGE)
    words, download, chooser = st.columns([4, 2, 2], vertical_alignment="bottom")
    words.text(f"{count:,} of {total:,} records. Choose one to see it in full.")
    if visit.may(Action.EXPORT):
        download.download_button(
            "Download the list",
            data=lambda: as_csv(read_list(visit, wanted, None, 0)),
            file_name="records.csv",
            mime="text/csv",
            icon=":material/download:",
            key="records-csv",
            on_click="ignore",
        )
    page = chooser.number_input(f"Page of {pages:,}", 1, pages, 1, key=f"records-page-{pages}") if pages > 1 else 1
    frame = read_list(visit, wanted, queries.PAGE, (int(page) - 1) * queries.PAGE)
    st.session_state[SHOWN] = list(frame["id"])
    st.dataframe(
        frame.assign(
            status=[STATUS[RecordStatus(status)][0] for status in frame["status"]],
            findings=[_in_words(kinds) for kinds in frame["findings"]],
        ),
        key=TABLE,
        width="stretch",
        height=min(320, 36 * (len(frame) + 1) + 2),
        hide_index=True,
        on_select=pick,
        selection_mode="single-row",
        column_config={
            "id": st.column_config.NumberColumn("Record", width="small", format="%d"),
            "status": st.column_config.TextColumn("Status", width="small"),
            "question": st.column_config.TextColumn("Last question", width="medium"),
            "answer": st.column_config.TextColumn("Reference answer", width="medium"),
            "revision": st.column_config.NumberColumn("Revision", width="small", format="%d"),
            "source": st.column_config.TextColumn("Import", width="small"),
            "findings": st.column_config.TextColumn("Findings", width="small"),
            "metadata": st.column_config.TextColumn("Metadata", width="medium"),
            "added": st.column_config.DatetimeColumn("Added", width="small", format="D MMM YYYY"),
        },
    )
    if visit.may(Action.BULK_REVIEW):
        with guarded():
            show_bulk(visit, wanted, count)


def _in_words(kinds: str) -> str:
    return ", ".join(FINDING_WORDS[kind] for kind in kinds.split(", ") if kind)


def read_list(visit: Visit, wanted: RecordFilter, limit: int | None, offset: int) -> pd.DataFrame:
    """Rows of the list."""
    with visit.reading() as session:
        return queries.list_records(session, visit.actor, visit.project_id, wanted, limit=limit, offset=offset)


def pick() -> None:
    """Callback: the chosen row's record goes into the address, so that it can be sent to somebody."""
    keep_chosen("record", TABLE, SHOWN)


def show_chosen(visit: Visit) -> None:
    """The record that the address names."""
    asked = chosen("record")
    if asked is None:
        return
    with guarded():
        with visit.reading() as session:
            detail = queries.record_detail(session, visit.actor, visit.project_id, asked)
        show_panel(visit, detail)


main()
