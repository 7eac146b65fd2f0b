"""The decisions of the review page, each a button with its key beside it."""

from __future__ import annotations

import streamlit as st

from backend.review.leases import Lease
from backend.review.queries import RecordDetail
from pages.components import reviewdesk as desk
from pages.components.keys import one_press_one_act
from pages.components.review_forms import show_dismiss_form, show_words_form
from pages.components.visit import Visit

BUTTONS = (
    ("edit", "Edit", "E", "edit"),
    ("reject", "Reject", "X", "cancel"),
    ("flag", "Flag", "F", "flag"),
    ("skip", "Skip", "S", "skip_next"),
)


def show_actions(visit: Visit, hand: desk.Hand, lease: Lease, detail: RecordDetail) -> None:
    """Every decision with its key."""
    number, editing = detail.head, hand.mode == "edit"  # what is typed is not what would be approved
    held = f"{lease.slot_id}-{lease.fence}"
    if desk.personal(detail):
        st.warning("It holds personal data. Mask it before you approve.", icon=":material/lock:")
        st.button(
            "Mask and approve", type="primary", icon=":material/visibility_off:", shortcut="M", width="stretch",
            disabled=editing, key=f"mask-{held}", on_click=desk.press_mask, args=(visit, lease, detail),
        )  # fmt: skip
        st.button(
            "It is none", icon=":material/lock_open:", shortcut="N", width="stretch", key=f"dismiss-{held}",
            on_click=desk.open_form, args=(hand, lease, "dismiss"),
        )  # fmt: skip
        if hand.mode == "dismiss":
            show_dismiss_form(visit, lease, detail)
    elif desk.poor(detail):
        st.warning("Its file says that this answer is bad. Edit it: write a better one.", icon=":material/thumb_down:")
    else:
        st.button(
            "Approve", type="primary", icon=":material/check:", shortcut="A", width="stretch", disabled=editing,
            key=f"approve-{held}-{number}", on_click=desk.press_approve, args=(visit, lease, number),
        )  # fmt: skip
    for mode, label, key, icon in BUTTONS:
        st.button(
            label, icon=f":material/{icon}:", shortcut=key, width="stretch", key=f"{mode}-{held}",
            on_click=desk.open_form, args=(hand, lease, mode),
        )  # fmt: skip
        if hand.mode == mode and mode != "edit":
            show_words_form(visit, lease, detail, mode)
    show_undo(visit, hand)
    key = f"remark-{detail.id}"
    with st.expander("Leave a comment", icon=":material/chat:"):
        st.text_area("For whoever looks at it next", key=key, max_chars=2000)
        st.button("Comment", key=f"comment-{detail.id}", on_click=desk.press_comment, args=(visit, detail.id, key))
    one_press_one_act()


def show_undo(visit: Visit, hand: desk.Hand) -> None:
    """The way back."""
    if not hand.done:
        return
    last = hand.done[-1]
    st.button(
        f"Undo: {last.record_id} {desk.WORDS[last.act]}", icon=":material/undo:", shortcut="U", width="stretch",
        key=f"undo-{len(hand.done)}-{last.record_id}", on_click=desk.press_undo, args=(visit, last),
    )  # fmt: skip
