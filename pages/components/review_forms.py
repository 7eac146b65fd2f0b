"""The forms of the review page: editing a text, giving a reason, choosing between two texts."""

from __future__ import annotations

import streamlit as st

from backend.conversations import Message
from backend.review.leases import Lease
from backend.review.queries import RecordDetail
from backend.review.revisions import MOST_REASON, as_text
from pages.components import reviewdesk as desk
from pages.components.collisions import show_collision
from pages.components.conversation import LABELS
from pages.components.keys import focus_on
from pages.components.visit import Visit
from pages.components.worddiff import show_diff

FORMS = {
    "reject": ("Why is it rejected?", "Reject", "For example: the price is wrong", "cancel"),
    "flag": ("What is doubtful?", "Flag", "For example: is this still our policy?", "flag"),
    "skip": ("Why do you skip it?", "Skip", "For example: not my field", "skip_next"),
}


def show_dismiss_form(visit: Visit, lease: Lease, detail: RecordDetail) -> None:
    """The reason why what was found is no personal data."""
    with st.form(f"form-dismiss-{lease.item_id}", border=True):
        example = "For example: our own hotline"
        st.text_input("Why is it none?", key=desk.words_key(lease, "dismiss"), max_chars=MOST_REASON, placeholder=example)
        focus_on(desk.words_key(lease, "dismiss"), "dismiss")
        st.form_submit_button(
            "It is no personal data", icon=":material/lock_open:", on_click=desk.press_dismiss, args=(visit, lease, detail)
        )


def show_words_form(visit: Visit, lease: Lease, detail: RecordDetail, what: str) -> None:
    """The reason for a rejection, a flag or a skip."""
    question, button, example, icon = FORMS[what]
    with st.form(f"form-{what}-{lease.item_id}", border=True):
        st.text_input(question, key=desk.words_key(lease, what), max_chars=MOST_REASON, placeholder=example)
        focus_on(desk.words_key(lease, what), what)
        st.form_submit_button(
            button,
            type="primary",
            icon=f":material/{icon}:",
            on_click=desk.press_with_words,
            args=(visit, lease, detail.head, what),
        )


def show_edit_form(visit: Visit, hand: desk.Hand, lease: Lease, detail: RecordDetail) -> None:
    """Every turn to edit, the reason, and what has changed so far."""
    st.caption("Your draft is kept with this record, also when you look at another page.")
    draft = [
        Message(message.role, _turn(detail, index, message, visit.settings.text_max_chars))
        for index, message in enumerate(detail.messages)
    ]
    focus_on(desk.draft_key(detail.id, detail.head, len(detail.messages) - 1), f"edit-{detail.id}-{detail.head}")
    before, after = as_text(detail.messages), as_text(draft)
    if before != after:
        show_diff(before, after, key=f"draft-diff-{detail.id}", before_name="before", after_name="your draft")
    st.text_input(
        "Why do you change it?",
        key=desk.words_key(lease, "edit"),
        max_chars=MOST_REASON,
        placeholder="For example: delivery takes two days now",
        persist_state="session",
    )
    held = f"{lease.slot_id}-{lease.fence}"
    with st.container(horizontal=True):
        st.button(
            "Save", icon=":material/save:", key=f"save-{held}", on_click=desk.press_save, args=(visit, lease, detail, False)
        )
        st.button(
            "Save and approve", type="primary", icon=":material/done_all:", key=f"save-approve-{held}",
            on_click=desk.press_save, args=(visit, lease, detail, True),
        )  # fmt: skip
        st.button("Close", key=f"close-{held}", on_click=desk.open_form, args=(hand, lease, "edit"))


def _turn(detail: RecordDetail, index: int, message: Message, most: int) -> str:
    key = desk.draft_key(detail.id, detail.head, index)
    lines = message.content.count("\n") + len(message.content) // 90
    if key not in st.session_state:
        st.session_state[key] = message.content
    label = f"{LABELS.get(message.role, 'Message')} (message {index + 1})"
    height = min(480, max(80, 32 + 26 * (lines + 1)))
    return st.text_area(label, key=key, height=height, max_chars=most, persist_state="session") or ""


def show_record_collision(hand: desk.Hand, collision: desk.Collision) -> None:
    """Both texts of a record, and the choice."""
    show_collision(collision.theirs, collision.yours, key=f"record-{collision.record_id}")
    with st.container(horizontal=True):
        st.button(
            "Edit mine on top of theirs", type="primary", icon=":material/merge:", key="keep-mine",
            on_click=desk.keep_mine, args=(hand, collision),
        )  # fmt: skip
        st.button("Keep theirs", icon=":material/check:", on_click=desk.keep_theirs, args=(hand,), key="keep-theirs")
