"""A run of the checks: what was not looked at yet, starting one, how far it is, stopping it."""

from __future__ import annotations

import streamlit as st

from backend.curation import check_queries, cleaning
from backend.curation.check_queries import RunCard
from backend.curation.queries import KINDS
from backend.vocabulary import Action, Check, FindingKind, JobStatus
from pages.components import kept_counts
from pages.components.notices import attempt, plain, tell
from pages.components.visit import Visit

CHECKS = {
    Check.TEXT: "Left-overs and broken texts",
    Check.LANGUAGE: "Language",
    Check.SPELLING: "Spelling",
    Check.PERSONAL: "Personal data",
    Check.ABUSE: "Abusive language",
    Check.VOICE: "Brand voice",
    Check.QUALITY: "Length, ease of reading, unanswered questions",
    Check.SUPPORT: "Agreement with the FAQs",
    Check.SENTIMENT: "Mood of the customer",
    Check.DUPLICATES: "Duplicates",
    Check.CONTRADICTIONS: "Contradictions",
    Check.TOPICS: "Topics",
}
"""What the checks are called on pages."""
_CHOICE = "clean_checks"


def show_run(visit: Visit) -> None:
    """The newest run while it goes on, else the form for the next."""
    with visit.reading() as session:
        run = check_queries.newest_run(session, actor=visit.actor, project_id=visit.project_id)
    if run is not None and not run.has_ended:
        _live(visit, run.id)
        if visit.may(Action.BULK_REVIEW):
            st.button("Stop", icon=":material/stop:", on_click=attempt, args=(_stop, visit, run.id), key=f"clean_stop_{run.id}")
        return
    if run is not None:
        _show_end(run)
    _form(visit)


def _form(visit: Visit) -> None:
    unseen, total = kept_counts.unseen(visit)
    if not total:
        st.info("There is nothing to look at yet. Import a file first.", icon=":material/inbox:")
        return
    if unseen:
        st.text(f"{unseen:,} of {total:,} records were not seen by all checks yet, as they are now and by the rules of today.")
    else:
        st.text(f"All {total:,} records were seen by all checks of single records, as they are now and by the rules of today.")
    if not visit.may(Action.BULK_REVIEW):
        st.text("A lead starts the checks.")
        return
    chosen = st.pills(
        "Checks", list(Check), default=list(Check), selection_mode="multi", format_func=CHECKS.__getitem__, key=_CHOICE,
        help="A record is only shown to checks that have not seen its newest text by the rules of today. Duplicates, "
        "contradictions and topics look at all records together.",
    )  # fmt: skip
    st.button(
        "Run the checks", type="primary" if unseen else "secondary", icon=":material/play_arrow:", disabled=not chosen,
        on_click=attempt, args=(_start, visit, tuple(chosen)), key="clean_start",
    )  # fmt: skip


@st.fragment(run_every=1.0)
def _live(visit: Visit, run_id: int) -> None:
    """How far the run is, drawn anew by itself; at its end the whole page is."""
    with visit.reading() as session:
        run = check_queries.newest_run(session, actor=visit.actor, project_id=visit.project_id)
    if run is None or run.id != run_id or run.has_ended:
        st.rerun()
        return
    if not run.at_work:
        st.info(
            "Waiting for the worker, which runs the checks between its jobs. Where there is none: python -m backend worker",
            icon=":material/hourglass_empty:",
        )
        return
    share = run.done / run.total if run.total else 0.0
    words = "Stopping after this batch" if run.status is JobStatus.STOPPING else run.step or "Starting"
    st.progress(min(1.0, share), text=plain(f"{words} · {run.done:,} of {run.total:,} records looked at"))
    if run.found:
        st.caption(plain(f"Found so far: {_counts(run)}"))


def _show_end(run: RunCard) -> None:
    if run.status is JobStatus.SUCCEEDED:
        found = _counts(run) or "nothing new"
        st.success(plain(f"The last run looked at {run.done:,} records. New: {found}."), icon=":material/check_circle:")
    elif run.status is JobStatus.FAILED:
        st.error(plain(f"The last run ended early: {run.error} What it found until then is kept."), icon=":material/error:")
    else:
        st.info(
            plain(f"The last run was stopped after {run.done:,} records. The next goes on from there."), icon=":material/info:"
        )


def _counts(run: RunCard) -> str:
    """What was found, in words, the most first."""
    known = {kind.value: KINDS[kind] for kind in FindingKind}
    by_count = sorted(run.found.items(), key=lambda one: -one[1])
    return ", ".join(f"{known.get(kind, kind)} {count:,}" for kind, count in by_count)


def _start(visit: Visit, checks: tuple[Check, ...]) -> None:
    with visit.writing() as session:
        cleaning.ask(session=session, actor=visit.actor, project_id=visit.project_id, checks=checks)
    tell("success", "The checks will run as soon as a worker is free. You can leave this page.")


def _stop(visit: Visit, run_id: int) -> None:
    with visit.writing() as session:
        cleaning.stop(session=session, actor=visit.actor, project_id=visit.project_id, run_id=run_id)
    tell("info", "The run stops after the batch that it is at. What it found stays.")
