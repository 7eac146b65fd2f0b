"""Models: which version is better by what people judged, how sure that is, and what it looks like in single cases."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.evaluation import figure_queries, figures
from backend.vocabulary import Action
from pages.components import model_figures
from pages.components.figure_view import figure, show_age, state_of
from pages.components.links import link_to
from pages.components.notices import guarded
from pages.components.visit import Visit, require

BOARD, HEADS, RATINGS, EXAMPLES, AGREEMENT = (
    ":material/leaderboard: Leaderboard",
    ":material/balance: One against one",
    ":material/star_half: Ratings",
    ":material/chat: Examples",
    ":material/handshake: Agreement",
)


def main() -> None:
    """The whole page."""
    visit = require(Action.VIEW_RESULTS)
    st.title("Models")
    with guarded():
        show(visit)


def show(visit: Visit) -> None:
    """The figures of all tasks, or of one."""
    with visit.reading() as session:
        names: dict[int | None, str] = {None: "All tasks"}
        names |= figure_queries.task_names(session, actor=visit.actor, project_id=visit.project_id)
    chosen = None
    if len(names) > 2:
        chosen = st.selectbox("Task", list(names), format_func=lambda key: names[key], key="results-task")
    state = state_of(visit)
    found = figure(visit, state, figures.MODELS, figures.subject_of(chosen))
    show_age(visit, state, found)
    if found is None and not state.live:
        return
    if found is None or not (found.value["votes"] or found.value["rankings"] or found.value["ratings"]):
        st.info("Nobody has rated or compared anything here yet.", icon=":material/leaderboard:")
        st.write("Make a task on the page Tasks. As soon as raters answer, strengths, win rates and means appear here.")
        link_to("tasks", "Make a task", icon="assignment")
        return
    if found.value["rulings"]:
        st.caption(f"{found.value['rulings']:,} items were ruled on: the ruling counts there, not the raters' answers.")
    show_tabs(visit, found.value, chosen)
    link_to("slices", "The same by language, channel, segment…", icon="stacked_bar_chart")


def show_tabs(visit: Visit, value: dict[str, Any], task_id: int | None) -> None:
    """Only the open tab is drawn."""
    compared = [BOARD, HEADS] if value["heads"] else []
    rated = [RATINGS] if value["ratings"] or value["reasons"] else []
    titles = [*compared, *rated, *([EXAMPLES] if value["heads"] else []), AGREEMENT]
    key = f"models-{len(compared)}-{len(rated)}"  # other tabs are another widget, which opens on its own first one
    for title, tab in zip(titles, st.tabs(titles, key=key, on_change="rerun"), strict=True):
        if not tab.open:
            continue
        with tab, guarded():
            if title == BOARD:
                model_figures.show_leaderboard(value)
            elif title == HEADS:
                model_figures.show_heads(value, identical(visit, task_id))
            elif title == RATINGS:
                model_figures.show_ratings(value)
            elif title == EXAMPLES:
                model_figures.show_examples(visit, value)
            else:
                model_figures.show_agreement(value)


def identical(visit: Visit, task_id: int | None) -> int:
    """Pairs of equal answers that a task's raters were not shown."""
    with visit.reading() as session:
        return figure_queries.identical(session, actor=visit.actor, project_id=visit.project_id, task_id=task_id)


main()
