"""FAQs: by topic and state; one with its text in force, changes, history and the records that rest on it."""

from __future__ import annotations

import streamlit as st

from backend.review import faq_queries
from backend.vocabulary import Action
from pages.components import faq_card
from pages.components.chosen import chosen, keep_chosen
from pages.components.links import link_to
from pages.components.notices import guarded
from pages.components.visit import Visit, require

TABLE, SHOWN = "faqs-table", "faqs-shown"
STATES = {"approved": "Approved", "change waiting": "Change waiting", "proposed": "Waiting", "rejected": "Rejected"}


def main() -> None:
    """The whole page."""
    visit = require(Action.EDIT_FAQ)
    st.title("FAQs")
    st.caption("The answers that records rest on. A change is proposed by one person and approved by another.")
    with visit.reading() as session:
        topics = faq_queries.topics(session, visit.actor, visit.project_id)
    with st.expander("Write a new FAQ", icon=":material/add:", expanded=not topics):
        faq_card.show_new(visit)
    if not topics:
        st.info("There is no FAQ yet. Write the first one above, or import a file of them.", icon=":material/quiz:")
        link_to("imports", "Import a file", icon="upload_file")
        return
    show_list(visit, topics)
    show_chosen(visit)


def show_list(visit: Visit, topics: list[str]) -> None:
    """The list, narrowed by words and topic."""
    search, topic = st.columns([3, 2])
    words = search.text_input("Search", key="faqs-text", placeholder="In questions and answers")
    chosen = topic.selectbox(
        "Topic", [None, *topics], format_func=lambda t: "All" if t is None else t or "Without a topic", key="faqs-topic"
    )
    with visit.reading() as session:
        frame = faq_queries.list_faqs(session, visit.actor, visit.project_id, text=words or "", topic=chosen)
    if frame.empty:
        st.info("No FAQ fits. Try other words or another topic.", icon=":material/filter_alt_off:")
        return
    waiting = int(frame["state"].isin(["proposed", "change waiting"]).sum())
    st.text(f"{len(frame):,} FAQs, {waiting:,} with a text that waits for approval. Choose one to see it in full.")
    st.session_state[SHOWN] = list(frame["id"])
    st.dataframe(
        frame.assign(state=frame["state"].map(STATES)),
        key=TABLE,
        width="stretch",
        height=min(320, 36 * (len(frame) + 1) + 2),
        hide_index=True,
        on_select=pick,
        selection_mode="single-row",
        column_order=["topic", "question", "state", "revision", "cited_by", "changed"],
        column_config={
            "topic": st.column_config.TextColumn("Topic", width="small"),
            "question": st.column_config.TextColumn("Question", width="large"),
            "state": st.column_config.TextColumn("State", width="small"),
            "revision": st.column_config.NumberColumn("Revision", width="small", format="%d"),
            "cited_by": st.column_config.NumberColumn("Cited by", width="small", format="%d"),
            "changed": st.column_config.DatetimeColumn("Changed", width="small", format="D MMM YYYY"),
        },
    )


def pick() -> None:
    """Callback: the chosen row's FAQ goes into the address."""
    keep_chosen("faq", TABLE, SHOWN)


def show_chosen(visit: Visit) -> None:
    """The FAQ that the address names."""
    asked = chosen("faq")
    if asked is None:
        return
    with guarded(), st.container(border=True):
        with visit.reading() as session:
            detail = faq_queries.faq_detail(session, visit.actor, visit.project_id, asked)
            citing = faq_queries.citing_records(session, visit.actor, visit.project_id, asked)
        faq_card.show_texts(visit, detail)
        doubtful = int(citing["may_need_an_edit"].sum())
        cited = f"Cited by ({len(citing)}{', ' + str(doubtful) + ' may need an edit' if doubtful else ''})"
        edit, past, records = st.tabs(["Edit", f"History ({len(detail.revisions)})", cited])
        with edit:
            faq_card.show_form(visit, detail)
        with past:
            faq_card.show_past(visit, detail)
        with records:
            faq_card.show_citing(visit, detail, citing)


main()
