"""One run: where it stands, its curves while it goes on, what the model says, its log, and what can be done with it."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd
import streamlit as st

from backend.training import controlling, launching, queries
from backend.training.queries import Metrics, RunCard
from backend.vocabulary import JobStatus
from pages.components.charts import curves
from pages.components.links import link_to
from pages.components.measured import show_measured
from pages.components.notices import attempt, plain, tell
from pages.components.version_view import say_no_chat
from pages.components.visit import Visit

WORDS = {
    JobStatus.QUEUED: ("waits for a worker", "hourglass_top"),
    JobStatus.RUNNING: ("is running", "play_circle"),
    JobStatus.STOPPING: ("stops at its next step and keeps a checkpoint", "stop_circle"),
    JobStatus.SUCCEEDED: ("has finished", "check_circle"),
    JobStatus.FAILED: ("failed", "error"),
    JobStatus.CANCELLED: ("was cancelled", "cancel"),
    JobStatus.LOST: ("was lost", "help"),
    JobStatus.PAUSED: ("is paused; resume it when you like", "pause_circle"),
}
FIRST = ("Loss", {"loss": "train", "validation_loss": "validation"})
LAST = (("Learning rate", {"learning_rate": "learning rate"}), ("Trained tokens a second", {"tokens_per_second": "tokens/s"}))
FIGURES = (
    ("Perplexity on the validation rows", {"perplexity": "perplexity"}),
    ("Share of validation tokens that the model would say", {"token_accuracy": "share"}),
    ("Share of validation pairs in which it prefers what people did", {"preference_accuracy": "share"}),
    ("Share of validation rows sorted right", {"accuracy": "accuracy", "macro_f1": "macro-F1"}),
    ("How far it sets good answers above others", {"margin": "margin", "log_odds": "log odds"}),
    (
        "Implied rewards on the validation rows",
        {
            "reward_chosen": "preferred",
            "reward_rejected": "others",
            "reward_desirable": "thumb up",
            "reward_undesirable": "thumb down",
        },
    ),
    ("How far it has strayed from where it started", {"kl": "KL estimate"}),
)
"""Panels of the objectives' own figures; a run shows those that its objective has."""
SECONDS = 3.0


def show_run(visit: Visit, run_id: int) -> None:
    """The whole view. While the run goes on it draws itself anew every three seconds, and no longer."""
    card = _card(visit, run_id)
    _buttons(visit, card)
    if card.is_over:
        _state(visit, card)
    else:
        _live(visit, run_id)


def _card(visit: Visit, run_id: int) -> RunCard:
    with visit.reading() as session:
        return queries.run_card(session, visit.actor, visit.settings, run_id)


@st.fragment(run_every=SECONDS)
def _live(visit: Visit, run_id: int) -> None:
    card = _card(visit, run_id)
    if card.is_over:
        st.rerun()
    _state(visit, card)


def _buttons(visit: Visit, card: RunCard) -> None:
    with st.container(horizontal=True):
        if not card.is_over:
            st.button(
                "Pause",
                icon=":material/pause:",
                help="It stops at its next step, and goes on from there when you resume it.",
                disabled=card.status is JobStatus.STOPPING,
                on_click=attempt,
                args=(_pause, visit, card.job_id),
                key=f"pause_{card.id}",
            )
            st.button(
                "Cancel",
                icon=":material/stop:",
                help="It stops at its next step and keeps a checkpoint.",
                disabled=card.status is JobStatus.STOPPING,
                on_click=attempt,
                args=(_cancel, visit, card.job_id),
                key=f"cancel_{card.id}",
            )
            return
        if card.status is not JobStatus.SUCCEEDED:
            st.button(
                "Resume",
                type="primary",
                icon=":material/resume:",
                help="It goes on from its last checkpoint, or from the beginning where it has none.",
                on_click=attempt,
                args=(_resume, visit, card.job_id),
                key=f"resume_{card.id}_{card.attempt}",
            )
        st.button(
            "Start again",
            icon=":material/replay:",
            help="A new run from the beginning, with the same snapshot and recipe.",
            on_click=attempt,
            args=(_repeat, visit, card.id),
            key=f"repeat_{card.id}",
        )
        if card.version and card.chats:
            link_to("evaluations", "Evaluate what it made", icon="fact_check")


def _cancel(visit: Visit, job_id: int) -> None:
    with visit.writing() as session:
        job = controlling.cancel(session=session, actor=visit.actor, job_id=job_id)
    done = job.status is JobStatus.CANCELLED
    tell("success", "The run is cancelled." if done else "The run stops at its next step and keeps a checkpoint.")


def _pause(visit: Visit, job_id: int) -> None:
    with visit.writing() as session:
        job = controlling.pause(session=session, actor=visit.actor, job_id=job_id)
    done = job.status is JobStatus.PAUSED
    tell("success", "The run is paused." if done else "The run stops at its next step; resume it when you like.")


def _resume(visit: Visit, job_id: int) -> None:
    with visit.writing() as session:
        controlling.resume(session=session, actor=visit.actor, job_id=job_id)
    tell("success", "The run is in the queue again and goes on from its last checkpoint.")


def _repeat(visit: Visit, run_id: int) -> None:
    with visit.writing() as session:
        run = launching.repeat_run(session=session, actor=visit.actor, settings=visit.settings, run_id=run_id)
    st.session_state["run"] = run.id
    tell("success", f"Run {run.number} is in the queue.")


def _state(visit: Visit, card: RunCard) -> None:
    word, icon = WORDS[card.status]
    tries = f" Attempt {card.attempt} of {card.max_attempts}." if card.attempt > 1 else ""
    sentence = plain(f"Run {card.number} {word}.{tries} {card.error}")
    draw = {JobStatus.FAILED: st.error, JobStatus.LOST: st.error, JobStatus.SUCCEEDED: st.success}.get(card.status, st.info)
    draw(sentence, icon=f":material/{icon}:")
    step, total = card.progress.get("step"), card.progress.get("total_steps")
    if total:
        st.progress(card.share_done, text=f"Step {step} of {total}")
    _against_estimate(card)
    _report(card)
    metrics = _metrics(card)
    if metrics.train:
        _curves(metrics.frame(), card)
        _samples(metrics, card.objective == "classification")
    elif card.status is JobStatus.QUEUED:
        st.caption("It starts as soon as a worker is free. If nothing happens, see whether one is running.")
    _details(card)


def _against_estimate(card: RunCard) -> None:
    """The plan's estimate beside what was measured."""
    seconds, memory = (card.estimate.get(f"estimated_{name}") for name in ("seconds", "peak_memory_bytes"))
    if seconds is None or memory is None:
        return
    took, used = card.result.get("seconds"), card.result.get("peak_memory_bytes")
    told = f"Estimated before it began: {seconds:,.0f} s of steps, {memory / 1e9:.2f} GB."
    if took is not None and used is not None:
        told += f" Measured: {took:,.0f} s ({_off(took, seconds)}), {used / 1e9:.2f} GB ({_off(used, memory)})."
    st.caption(told)


def _off(measured: float, estimated: float) -> str:
    return f"{(measured - estimated) / max(estimated, 1e-9):+.0%}"


def _metrics(card: RunCard) -> Metrics:
    """Read on from where the last look ended."""
    key = f"metrics_{card.id}"
    st.session_state[key] = queries.read_metrics(card.folder, st.session_state.get(key))
    return st.session_state[key]


def panels(figures: Collection[str]) -> list[tuple[str, dict[str, str]]]:
    """What is drawn for an objective with these figures."""
    own = [(title, {name: text for name, text in names.items() if name in figures}) for title, names in FIGURES]
    return [FIRST, *((title, names) for title, names in own if names), *LAST]


def _curves(frame: pd.DataFrame, card: RunCard) -> None:
    columns = st.columns(2)
    for place, (title, names) in enumerate(panels([name for name in card.figures if name in frame])):
        with columns[place % 2]:
            st.text(title)
            figure = curves(frame, x="step", y=list(names), names=names)
            options = {"displayModeBar": False}
            st.plotly_chart(figure, width="stretch", theme="streamlit", key=f"curve_{card.id}_{place}", config=options)


def _samples(metrics: Metrics, classes: bool) -> None:
    samples = metrics.samples
    if not samples:
        return
    with st.expander(f"What the model says at step {metrics.validation[-1]['step']}", icon=":material/chat:"):
        for sample in samples:
            st.text("Asked")
            st.code(str(sample.get("prompt", "")), language=None, wrap_lines=True)
            approved, said = st.columns(2)
            approved.text("The class that people named" if classes else "The answer to learn")
            approved.code(str(sample.get("reference", "")), language=None, wrap_lines=True)
            said.text("The class that the model named" if classes else "The model's answer")
            said.code(str(sample.get("text", "")), language=None, wrap_lines=True)


def _report(card: RunCard) -> None:
    """What a finished run's weights do on the rows that were kept aside, and the version that they are."""
    if card.status is not JobStatus.SUCCEEDED or not card.result:
        return
    validation = {"loss": card.result.get("best_validation_loss")} | (card.result.get("validation") or {})
    show_measured(card.objective, card.result.get("test") or {}, validation, key=f"run-{card.id}")
    if card.version is None:
        st.info(
            "It ended before such models became versions, so its weights are in its folder alone. Start it again to have one.",
            icon=":material/info:",
        )
        return
    st.text(f"It made the version {card.version}, a {card.kind}.")
    if not card.chats:
        say_no_chat(card.objective, card.kind)


def _details(card: RunCard) -> None:
    with st.expander("Log", icon=":material/terminal:"):
        st.code(queries.log_tail(card.folder / queries.LOG) or "Nothing yet.", language=None, wrap_lines=True, height=300)
    with st.expander("Recipe and result", icon=":material/settings:"):
        told = {name: value for name, value in card.result.items() if name not in ("test", "validation")} | card.config
        rows = [{"what": name, "value": str(value)} for name, value in told.items()]
        st.text(f"Trained on snapshot {card.snapshot}")
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")
