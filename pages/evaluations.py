"""Evaluate: a candidate and its baseline answer the same test questions; their measures and answers beside each other."""

from __future__ import annotations

import streamlit as st

from backend.evaluation import queries, version_queries
from backend.evaluation.evaluating import start_evaluation
from backend.evaluation.queries import EvaluationCard
from backend.evaluation.version_queries import VersionCard
from backend.vocabulary import Action, JobStatus
from pages.components.answers import show_answers
from pages.components.charts import show_table
from pages.components.conduct_view import show_conduct
from pages.components.links import link_to
from pages.components.notices import attempt, guarded, plain, tell
from pages.components.version_view import say_left_out
from pages.components.visit import Visit, require

WAITING = (JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.STOPPING)


def main() -> None:
    """The whole page."""
    visit = require(Action.EVALUATE)
    st.title("Evaluate")
    st.write("A candidate and the version it would replace answer the same test questions, which neither learned from.")
    with visit.reading() as session:
        versions = version_queries.versions(session, project_id=visit.project_id)
        snapshots = queries.snapshot_choices(session, project_id=visit.project_id)
        cards = queries.evaluations(session, project_id=visit.project_id)
    silent = [version for version in versions if not version.chats]
    versions = [version for version in versions if version.chats]
    if not any(not version.is_base for version in versions):
        st.info(
            "There is no trained version that chats yet. Train one first; it comes here as a candidate.",
            icon=":material/model_training:",
        )
        say_left_out(silent)
        link_to("training", "Train", icon="model_training")
        return
    with st.expander("Start an evaluation", icon=":material/play_circle:", expanded=not cards):
        _form(visit, versions, snapshots)
        say_left_out(silent)
    if not cards:
        st.info("No evaluation yet. Start the first one above; it takes from seconds to minutes.", icon=":material/fact_check:")
        return
    names = {card.id: f"{card.id}: {card.candidate} against {card.baseline}, {card.created_at:%d %b %H:%M}" for card in cards}
    chosen = st.selectbox("Evaluation", list(names), format_func=lambda key: names[key], key="evaluation")
    card = next(card for card in cards if card.id == chosen)
    if card.finished_at is None:
        _waiting(visit, card.id)
    else:
        _finished(visit, card)


def _form(visit: Visit, versions: list[VersionCard], snapshots: dict[int, str]) -> None:
    names = {version.id: f"{version.name} ({version.stage})" for version in versions}
    trained = [version.id for version in versions if not version.is_base]
    own, current = "Those of the snapshot it was trained on", "What it would replace"
    with st.form("start_evaluation", border=False):
        left, right = st.columns(2)
        left.selectbox("Candidate", trained, format_func=lambda key: names[key], key="new_candidate")
        right.selectbox(
            "Compared with",
            [None, *names],
            format_func=lambda key: current if key is None else names[key],
            help="The current version, or the base model while nothing is current. The gate counts only this comparison.",
            key="new_baseline",
        )
        left.selectbox(
            "Test questions",
            [None, *snapshots],
            format_func=lambda key: own if key is None else snapshots[key],
            key="new_snapshot",
        )
        right.number_input("Longest answer, in tokens", 1, 4096, 160, key="new_length")
        more = "0 takes the likeliest word each time; higher varies more."
        left.number_input("Temperature", 0.0, 2.0, 0.0, 0.1, help=more, key="new_temperature")
        same = "The same seed gives the same answers above temperature 0."
        right.number_input("Seed", 0, 2**31 - 1, 0, help=same, key="new_seed")
        st.form_submit_button("Start", type="primary", icon=":material/play_arrow:", on_click=_start, args=(visit,))


def _start(visit: Visit) -> None:
    chosen = st.session_state
    decoding = {"temperature": chosen.new_temperature, "seed": chosen.new_seed, "max_new_tokens": chosen.new_length}

    def start() -> int:
        with visit.writing() as session:
            started = start_evaluation(
                session=session,
                actor=visit.actor,
                settings=visit.settings,
                project_id=visit.project_id,
                candidate_version_id=chosen.new_candidate,
                base_version_id=chosen.new_baseline,
                snapshot_id=chosen.new_snapshot,
                decoding=decoding,
            )
            return started.id or 0

    if number := attempt(start):
        st.session_state.pop("evaluation", None)
        tell("success", f"Evaluation {number} is queued. It goes on while you close this window.")


@st.fragment(run_every=2)
def _waiting(visit: Visit, evaluation_id: int) -> None:
    with visit.reading() as session:
        card = queries.evaluation_card(session, project_id=visit.project_id, evaluation_id=evaluation_id)
    if card.finished_at is not None:
        st.rerun()
    if card.status in WAITING:
        word = "waits for a worker" if card.status is JobStatus.QUEUED else "is running"
        st.info(f"Evaluation {card.id} {word}. {plain(card.progress)}", icon=":material/hourglass_top:")
        return
    st.error(f"Evaluation {card.id} ended without a result. {plain(card.error)}", icon=":material/error:")
    link_to("jobs", "Look at its job", icon="list_alt")


def _finished(visit: Visit, card: EvaluationCard) -> None:
    st.subheader("Measures")
    frame = queries.measures(card)
    titles = (card.baseline, card.candidate)
    if len({*titles, *frame.columns}) < len(titles) + len(frame.columns):  # runs are named by people, and two may be alike
        titles = (card.baseline_label, card.candidate_label)
    show_table(
        frame.rename(columns=dict(zip(("baseline", "candidate"), titles, strict=True))),
        key=f"evaluation-{card.id}",
        names=titles,
        columns={
            "better": st.column_config.CheckboxColumn("Better", help="Whether the candidate is ahead."),
            **{name: st.column_config.NumberColumn(format="%.3f") for name in (*titles, "difference")},
        },
    )
    st.caption(plain(queries.about(card)))
    with guarded():
        show_conduct(card)
    with guarded():
        show_answers(visit, card)
    link_to("tasks", "Let people compare these answers blind", icon="balance")


main()
