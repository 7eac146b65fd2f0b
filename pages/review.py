"""Review records: one at a time, each with everything known about it, decided by key or by mouse."""

from __future__ import annotations

import streamlit as st

from backend.review.leases import Lease
from backend.review.queries import RecordDetail, queue_counts, record_detail, record_of
from backend.review.task_queries import label_queues
from backend.vocabulary import Action
from pages.components import reviewdesk as desk
from pages.components.conversation import show_conversation
from pages.components.guidelines import show_guidelines
from pages.components.links import link_to
from pages.components.notices import guarded
from pages.components.record_card import show_heading, show_more, show_text
from pages.components.review_actions import show_actions, show_undo
from pages.components.review_forms import show_edit_form, show_record_collision
from pages.components.visit import Visit, require


def main() -> None:
    """The whole page."""
    visit = require(Action.REVIEW)
    st.title("Review records")
    hand = desk.hand_of(visit)
    choose_queue(visit, hand)
    if (wanted := st.session_state.pop("review_record", None)) is not None:
        desk.take_up(visit, hand, wanted)
    show_counts(visit, hand)
    lease = desk.fill(visit, hand)
    if lease is None:
        show_nothing_left(visit, hand)
        return
    with visit.reading() as session:
        detail = record_of(session, visit.actor, visit.project_id, lease)
    left, right = st.columns([5, 2], gap="large")
    with left:
        show_record(visit, hand, lease, detail)
    with right:
        show_actions(visit, hand, lease, detail)
    keep_alive(visit, hand)


def choose_queue(visit: Visit, hand: desk.Hand) -> None:
    """The standing queue, or one of the tasks of chosen records; nothing to choose where there is no such task."""
    with visit.reading() as session:
        choices = {one.task_id: one for one in label_queues(session, actor=visit.actor, project_id=visit.project_id)}
    if hand.queue is not None:  # closed, paused or no longer this person's
        hand.queue = choices.get(hand.queue.task_id)
    if not choices:
        return
    names = {0: "Everything that waits", **{key: f"{one.name} ({one.waiting_text} left)" for key, one in choices.items()}}
    key = f"review-queue-{visit.project_id}"
    if st.session_state.get(key) not in names:
        st.session_state[key] = 0
    st.session_state[key] = hand.queue.task_id if hand.queue else 0
    st.selectbox(
        "Queue",
        list(names),
        format_func=names.__getitem__,
        key=key,
        on_change=desk.change_queue,
        args=(visit, hand, choices, key),
        width=420,
    )
    if hand.queue and hand.queue.guidelines:
        with st.expander("Guidelines", icon=":material/menu_book:"):
            show_guidelines(hand.queue.guidelines)


def show_counts(visit: Visit, hand: desk.Hand) -> None:
    """How much waits and what was done, and the choice of what to work on."""
    with visit.reading() as session:
        counts = queue_counts(session, visit.actor, visit.project_id)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.badge(f"{counts.waiting:,} waiting", icon=":material/hourglass_empty:", color="gray")
        if counts.flagged:
            st.badge(f"{counts.flagged:,} of them flagged", icon=":material/flag:", color="orange")
        st.badge(f"{counts.yours_today:,} decided by you today", icon=":material/done_all:", color="green")
        if hand.queue is None:
            st.toggle(
                "Repeated records only", key="review_duplicates", on_change=desk.narrow, args=(visit, hand, "review_duplicates")
            )


def show_nothing_left(visit: Visit, hand: desk.Hand) -> None:
    """What to do when nothing waits."""
    if hand.queue is not None:
        st.success("Nothing is left for you in this task. Choose another queue above.", icon=":material/done_all:")
    elif hand.only is not None:
        st.info("No repeated record waits. Switch the filter off to go on with the others.", icon=":material/content_copy:")
    else:
        st.success("Nothing is left for you to review. Well done!", icon=":material/done_all:")
        st.text("New imports, chat feedback and flagged records come here by themselves. Look at the FAQs meanwhile,")
        st.text("or let a lead freeze what is approved into a snapshot and train on it.")
    link_to("records", "Look at all records", icon="table_rows")
    link_to("faqs", "Look at the FAQs", icon="quiz")
    link_to("imports", "Import more", icon="upload_file")
    link_to("snapshots", "Freeze a snapshot", icon="photo_camera")
    show_undo(visit, hand)


def show_record(visit: Visit, hand: desk.Hand, lease: Lease, detail: RecordDetail) -> None:
    """The record, or the two texts of it."""
    show_heading(detail)
    if hand.collision is not None and hand.collision.record_id == detail.id:
        show_record_collision(hand, hand.collision)
        return
    if hand.mode == "edit":
        show_edit_form(visit, hand, lease, detail)
    elif detail.alike:
        show_beside_other(visit, detail)
    else:
        show_text(detail, key="review-text")
    show_more(detail, key="review")


def show_beside_other(visit: Visit, detail: RecordDetail) -> None:
    """The record beside one that it repeats."""
    other_id = detail.alike[0]
    if len(detail.alike) > 1:
        other_id = st.selectbox("Compare with record", detail.alike, key=f"alike-{detail.id}", width=220)
    mine, theirs = st.columns(2)
    with mine:
        st.caption("This record")
        show_text(detail, key="review-text")
    with theirs, guarded(), visit.reading() as session:
        other = record_detail(session, visit.actor, visit.project_id, other_id)
        st.caption(f"Record {other.id}, which is like it: {other.status.value}")
        show_conversation(other.messages, key="review-other")


def keep_alive(visit: Visit, hand: desk.Hand) -> None:
    """Hold on to the record while the page is open."""

    @st.fragment(run_every=max(5, hand.seconds(visit) // 3))
    def heartbeat() -> None:
        if not desk.beat(visit, hand):
            st.warning(
                "This record was given to somebody else, or taken up in another window. What you typed is kept; "
                "press any decision to go on with the next record.",
                icon=":material/lock_clock:",
            )

    heartbeat()


main()
