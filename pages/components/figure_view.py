"""Figures for pages: worked out once for everybody who looks, or the kept ones with their age and a button for new ones."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.evaluation import figure_queries, figures
from backend.evaluation.figure_queries import Kept, State
from backend.evaluation.figures import Material
from backend.evaluation.figuring import ask
from backend.vocabulary import Action
from pages.components.notices import attempt, tell
from pages.components.visit import Visit

SECONDS = 60
"""How long what was worked out is shown, if nothing is judged meanwhile."""


def state_of(visit: Visit, action: Action = Action.VIEW_RESULTS) -> State:
    """How the project's figures are had at this moment. Ask once a run."""
    with visit.reading() as session:
        return figure_queries.state(session, actor=visit.actor, project_id=visit.project_id, action=action)


def figure(visit: Visit, state: State, name: str, subject: str = "", action: Action = Action.VIEW_RESULTS) -> Kept | None:
    """One figure. None: there is none yet, or nothing of the kind. The caller's `state` has asked the policy."""
    if state.live:
        value = _live(visit, visit.settings.database, visit.project_id, state.stamp, name, subject)
        return None if value is None else Kept(value)
    with visit.reading() as session:
        given = {"actor": visit.actor, "project_id": visit.project_id, "action": action}
        return figure_queries.kept(session, name=name, subject=subject, **given)


@st.cache_resource(ttl=SECONDS, max_entries=400, show_spinner="Working the figures out…")
def _live(_visit: Visit, database: str, project_id: int, stamp: tuple[int, ...], name: str, subject: str) -> Any:
    """For everybody at once; a second person who asks meanwhile waits for the first. Nobody changes what is returned."""
    if name in figures.COUNTED:
        with _visit.reading() as session:
            return figure_queries.counted(session, project_id=project_id, name=name)
    given = _material(_visit, database, project_id, stamp, name in (figures.INDEX, figures.SLICES))
    return figures.worked_out(given, name, subject)


@st.cache_resource(ttl=SECONDS, max_entries=6, show_spinner=False)
def _material(_visit: Visit, database: str, project_id: int, stamp: tuple[int, ...], measures: bool) -> Material:
    with _visit.reading() as session:
        return figure_queries.material(session, project_id=project_id, measures=measures)


def show_age(visit: Visit, state: State, shown: Kept | None) -> None:
    """Where figures are kept: how old they are, and a button for new ones. Nothing where they are worked out at once."""
    if state.live:
        return
    words, button = st.columns([4, 1], vertical_alignment="center")
    if shown is None or shown.at is None:
        words.info(
            "So many judgements are counted in the background: the first figures come soon.", icon=":material/hourglass:"
        )
    else:
        later = f"{shown.behind:,}{'+' if shown.behind >= figure_queries.COUNTED_MOST else ''}"
        words.caption(f"As of {shown.at:%d %b %Y, %H:%M} UTC; {later} judgements later. Worked out in {shown.seconds:.0f} s.")
    if state.working:
        button.caption("Being worked out now")
    elif state.asked:
        button.caption("Asked for; the worker begins soon")
    else:
        button.button("Work out now", icon=":material/refresh:", key="figures-ask", on_click=attempt, args=(_ask, visit))


def _ask(visit: Visit) -> None:
    with visit.writing() as session:
        ask(session=session, actor=visit.actor, project_id=visit.project_id)
    tell("success", "The worker works the figures out anew. Come back in a minute or two.")
