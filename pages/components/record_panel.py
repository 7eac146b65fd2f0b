"""What can be done to one record on the records page: take it up, comment, withdraw, restore, link to an FAQ."""

from __future__ import annotations

import streamlit as st

from backend.review import amending
from backend.review.faq_queries import faq_choices
from backend.review.queries import RecordDetail
from backend.review.revisions import MOST_REASON
from backend.vocabulary import Action, RecordStatus
from pages.components.links import link_to
from pages.components.notices import attempt, tell
from pages.components.record_card import show_heading, show_more, show_text
from pages.components.visit import Visit


def show_panel(visit: Visit, detail: RecordDetail) -> None:
    """The record with its actions."""
    with st.container(border=True):
        show_heading(detail)
        if visit.may(Action.REVIEW):
            with st.container(horizontal=True, vertical_alignment="center"):
                _actions(visit, detail)
        show_text(detail, key="records-text-of")
        show_more(detail, key=f"records-{detail.id}")


def _actions(visit: Visit, detail: RecordDetail) -> None:
    if st.button("Review it", type="primary", icon=":material/rate_review:", key=f"take-up-{detail.id}"):
        st.session_state["review_record"] = detail.id
        st.switch_page("review.py")
    here = {"project_id": visit.project_id, "record_id": detail.id, "actor": visit.actor}
    if detail.status in (RecordStatus.APPROVED, RecordStatus.REJECTED) or detail.approved_number is not None:
        with st.popover("Withdraw the ruling", icon=":material/undo:"), st.form(f"withdraw-{detail.id}", border=False):
            st.text("The record waits for review again. Lineage lists the models that learned from it.")
            st.text_input("Why?", key=f"withdraw-why-{detail.id}", max_chars=MOST_REASON)
            st.form_submit_button("Withdraw", type="primary", on_click=attempt, args=(_withdraw, visit, here))
    if len(detail.revisions) > 1:
        with st.popover("Restore a revision", icon=":material/history:"), st.form(f"restore-{detail.id}", border=False):
            st.text("Its text becomes the newest revision, and waits for review.")
            older = [revision.number for revision in detail.revisions[1:]]
            st.selectbox("Revision", older, key=f"restore-number-{detail.id}")
            st.text_input("Why?", key=f"restore-why-{detail.id}", max_chars=MOST_REASON)
            st.form_submit_button("Restore", type="primary", on_click=attempt, args=(_restore, visit, here, detail.head))
    with st.popover("Comment", icon=":material/chat:"), st.form(f"remark-{detail.id}", border=False):
        st.text_area("For whoever looks at it next", key=f"remark-text-{detail.id}", max_chars=MOST_REASON)
        st.form_submit_button("Comment", type="primary", on_click=attempt, args=(_comment, visit, here))
    with visit.reading() as session:
        faqs = faq_choices(session, visit.actor, visit.project_id)
    if faqs:
        with st.popover("Link to an FAQ", icon=":material/link:"), st.form(f"cite-{detail.id}", border=False):
            st.text("You are told here when the FAQ's answer changes.")
            st.selectbox("FAQ", list(faqs), format_func=lambda faq_id: faqs[faq_id], key=f"cite-faq-{detail.id}")
            st.form_submit_button("Link", type="primary", on_click=attempt, args=(_cite, visit, here))
    if visit.may(Action.VIEW_DASHBOARD):
        link_to("lineage", "Lineage", icon="account_tree")


def _withdraw(visit: Visit, here: dict) -> None:
    with visit.writing() as session:
        amending.withdraw(session=session, **here, reason=_words(f"withdraw-why-{here['record_id']}"))
    tell("success", "Withdrawn. The record waits for review again; Lineage lists the models that learned from it.")


def _restore(visit: Visit, here: dict, based_on: int) -> None:
    number = st.session_state[f"restore-number-{here['record_id']}"]
    why = _words(f"restore-why-{here['record_id']}")
    with visit.writing() as session:
        revision = amending.restore(session=session, **here, number=number, based_on=based_on, reason=why)
    tell("success", f"Revision {number} is restored as revision {revision.number}. It waits for review.")


def _comment(visit: Visit, here: dict) -> None:
    key = f"remark-text-{here['record_id']}"
    with visit.writing() as session:
        amending.comment(session=session, **here, text=_words(key))
    st.session_state[key] = ""


def _cite(visit: Visit, here: dict) -> None:
    with visit.writing() as session:
        amending.cite(session=session, **here, faq_id=st.session_state[f"cite-faq-{here['record_id']}"])
    tell("success", "Linked. When that answer changes, the FAQ's page names this record.")


def _words(key: str) -> str:
    return str(st.session_state.get(key) or "")
