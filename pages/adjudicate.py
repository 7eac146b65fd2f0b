"""Disputes: rule on what raters disagreed about, one item after the other, what matters most first."""

from __future__ import annotations

import streamlit as st

from backend.review import adjudication_queries
from backend.review.adjudication_queries import ORDER, Case, Dispute
from backend.vocabulary import Action, ItemStatus
from pages.components import case_view
from pages.components.chosen import chosen
from pages.components.keys import one_press_one_act
from pages.components.links import link_to
from pages.components.notices import guarded, plain
from pages.components.ruling_form import show_form, show_withdrawal
from pages.components.visit import Visit, require


def main() -> None:
    """The whole page."""
    visit = require(Action.ADJUDICATE)
    st.title("Disputes")
    with visit.reading() as session:
        waiting = adjudication_queries.disputes(session, actor=visit.actor, project_id=visit.project_id)
    tasks = {one.task_id: one.task for one in waiting}
    only = None
    if len(tasks) > 1:
        names: dict[int | None, str] = {None: "All tasks", **tasks}
        only = st.selectbox("Task", list(names), format_func=lambda key: names[key], key="dispute-task")
    waiting = [one for one in waiting if only in (None, one.task_id)]
    item_id = chosen("item") or after(waiting, st.session_state.get("dispute-passed", []))
    if item_id is None:
        st.success("No item waits for a ruling.", icon=":material/done_all:")
        st.text(
            "Where raters of an item disagree, and the task asks for no more of them, the item comes here for you to rule on."
        )
        link_to("rate", "Rate and compare", icon="balance")
        link_to("quality", "Quality: how far raters agree", icon="verified_user")
        return
    with guarded():
        show_case(visit, waiting, item_id)


def after(waiting: list[Dispute], passed: list[int]) -> int | None:
    """The first that was not passed on in this tab; when all were, from the beginning."""
    open_ = [one.item_id for one in waiting]
    return next((one for one in open_ if one not in passed), open_[0] if open_ else None)


def show_case(visit: Visit, waiting: list[Dispute], item_id: int) -> None:
    """One item: what was said about it on the left, the ruling on the right."""
    with visit.reading() as session:
        where = {"actor": visit.actor, "project_id": visit.project_id, "item_id": item_id}
        case = adjudication_queries.case_of(session, **where)
        suggested = adjudication_queries.suggestion_for(session, **where)
    show_heading(waiting, case)
    left, right = st.columns([3, 2], gap="large")
    with left:
        case_view.show_item(case)
        st.subheader("What the raters said")
        case_view.show_opinions(case)
    with right:
        st.subheader("Suggested answer")
        case_view.show_suggestion(case, suggested)
        st.subheader("Your ruling")
        show_form(visit, case, suggested)
        st.button("Leave it for later", icon=":material/skip_next:", key=f"later-{item_id}", shortcut="N",
                  on_click=pass_on, args=(item_id,))  # fmt: skip
        case_view.show_rulings(case)
        if any(ruling.in_force for ruling in case.rulings):
            show_withdrawal(visit, case)
    one_press_one_act()


def show_heading(waiting: list[Dispute], case: Case) -> None:
    """Which dispute this is, and why it comes now."""
    here = next((one for one in waiting if one.item_id == case.item_id), None)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(f"{len(waiting):,} waiting", icon=":material/hourglass_empty:", color="gray", help=ORDER)
        st.badge(plain(case.task), icon=":material/assignment:", color="blue")
        if case.apart is not None:
            st.badge(f"{case.apart:.0%} apart", icon=":material/call_split:", color="orange", help="100%: opposite ends.")
        if here is not None and here.decides:
            st.badge("Judges a version awaiting promotion", icon=":material/verified:", color="violet")
        if here is not None and here.asked_by > 1:
            st.badge(f"{here.asked_by} records ask this", icon=":material/group:", color="gray")
        if case.status is ItemStatus.RULED:
            st.badge("Ruled", icon=":material/gavel:", color="green")


def pass_on(item_id: int) -> None:
    """Callback: show the next one."""
    st.session_state["dispute-passed"] = [*st.session_state.get("dispute-passed", []), item_id]
    st.query_params.pop("item", None)


main()
