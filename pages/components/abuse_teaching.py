"""The flag for abusive language, taught by a project's own decisions: deciding, learning, taking back."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from backend.curation.detector_queries import Lessons, Undecided, lessons, undecided
from backend.curation.teaching_abuse import decide, learn, report_missed, take_back
from backend.vocabulary import Action
from pages.components.notices import attempt, plain, tell
from pages.components.visit import Visit


def show_teaching(visit: Visit) -> None:
    """The whole panel."""
    st.text(
        "Say of what was flagged whether it is abuse. From enough decisions the flag learns what counts as abuse in this "
        "project. Findings that were dismissed elsewhere count as “no abuse”, those fixed by hand as abuse."
    )
    with visit.reading() as session:
        state = lessons(session, actor=visit.actor, project_id=visit.project_id)
        waiting = undecided(session, actor=visit.actor, project_id=visit.project_id) if visit.may(Action.REVIEW) else []
    one, two = st.columns(2)
    for place, count, what in ((one, state.abuse, "Abuse"), (two, state.no_abuse, "No abuse")):
        place.progress(min(1.0, count / state.needed), text=f"{what}: {count:,} decisions, {state.needed} are needed")
    for each in waiting:
        _decision(visit, each)
    if not waiting:
        st.text(
            "Nothing that was flagged waits for a decision. Run the check “Abusive language” on the Clean page to look again."
        )
    if visit.may(Action.REVIEW):
        _missed(visit)
    _learning(visit, state)


def _decision(visit: Visit, each: Undecided) -> None:
    with st.container(border=True):
        st.code(each.text, language=None, wrap_lines=True)
        st.caption(plain(f"Record {each.record_id}, {each.score:.0%} sure. {each.why}"))
        with st.container(horizontal=True):
            for abuse, label, icon in ((True, "Abuse", "gavel"), (False, "No abuse", "check")):
                st.button(
                    label, icon=f":material/{icon}:", key=f"abuse_{each.finding_id}_{abuse}",
                    on_click=attempt, args=(_decide, visit, each.finding_id, abuse),
                )  # fmt: skip


def _missed(visit: Visit) -> None:
    with st.popover("Abuse that was missed", icon=":material/add:"):
        st.number_input(
            "Number of the record whose last question is abuse", min_value=1, step=1, key="abuse_missed", value=None
        )
        st.button("It is abuse", on_click=attempt, args=(_report, visit), key="abuse_report")


def _learning(visit: Visit, state: Lessons) -> None:
    if state.report:
        _told(state.report)
    if visit.may(Action.EDIT_SETTINGS):
        with st.container(horizontal=True):
            st.button(
                "Learn from our decisions", icon=":material/school:", type="primary", on_click=attempt, args=(_learn, visit),
                disabled=min(state.abuse, state.no_abuse) < state.needed,
            )  # fmt: skip
            if state.report:
                st.button("Take back what was learned", icon=":material/undo:", on_click=attempt, args=(_take_back, visit))


def _told(report: dict[str, Any]) -> None:
    st.markdown("**What was learned, on decisions that it did not learn from**")
    rows = [
        {
            "Decided by": name,
            "Right when it flags": _interval(report[key]["precision"]),
            "Abuse found": _interval(report[key]["recall"]),
        }
        for key, name in (("learned", "What was learned here"), ("flag", "The general flag"))
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")
    counts = f"{report['abuse']} texts that are abuse, {report['no_abuse']} that are none, {report['background']} approved ones"
    st.text(
        f"Learned on {report['at'][:10]} by {report['by']} from {counts}; 95% intervals. These texts are those that people "
        "looked at: of abuse that nobody met it says nothing."
    )


def _interval(told: dict[str, Any]) -> str:
    if told["value"] is None:
        return "not known"
    return f"{told['value']:.0%}" + (f" ({told['low']:.0%} to {told['high']:.0%})" if "low" in told else "")


def _decide(visit: Visit, finding_id: int, abuse: bool) -> None:
    with visit.writing() as session:
        decide(session=session, actor=visit.actor, project_id=visit.project_id, finding_id=finding_id, abuse=abuse)


def _report(visit: Visit) -> None:
    number = st.session_state.get("abuse_missed")
    if number is None:
        tell("error", "Please give the record's number first.")
        return
    with visit.writing() as session:
        report_missed(session=session, actor=visit.actor, project_id=visit.project_id, record_id=int(number))
    tell("success", f"The last question of record {number} counts as abuse.")


def _learn(visit: Visit) -> None:
    with visit.writing() as session:
        learn(session=session, actor=visit.actor, project_id=visit.project_id)
    tell("success", "Learned. The next run of the check goes by it; below is how good it is.")


def _take_back(visit: Visit) -> None:
    with visit.writing() as session:
        earlier = take_back(session=session, actor=visit.actor, project_id=visit.project_id)
    tell("success", "What was learned before counts again." if earlier else "The general flag decides alone again.")
