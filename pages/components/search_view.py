"""Searches for a recipe: what to vary and how, where a search stands, its trials, and a run with the best of them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from backend.training import controlling, recipes, search_queries, searching, space_words
from backend.training.search_queries import METHOD_NAMES, SearchCard
from backend.vocabulary import JobStatus
from pages.components.charts import points, show_figure, show_table
from pages.components.notices import attempt, plain, tell
from pages.components.recipe_form import EMBEDDED, chosen_recipe
from pages.components.run_view import SECONDS, WORDS
from pages.components.visit import Visit

EDITOR = "search_space"
HELP = "Values with commas (4, 8, 16), or a range: “1 to 5”, “0.0001 to 0.01 by magnitude”, “0 to 0.2 in steps of 0.1”."


def show_space(base_model: str, objective: str) -> None:
    """What is varied, and how; to be called inside the form, after the fields that all trials have."""
    st.text("What to vary")
    names = space_words.fields_of(objective)
    usual = space_words.USUAL if base_model == EMBEDDED else space_words.USUAL_OTHER
    frame = pd.DataFrame([{"field": name, "values": words} for name, words in usual.items() if name in names])
    key = _key(base_model, objective)
    st.session_state[f"{key}-rows"] = frame
    st.data_editor(
        frame,
        key=key,
        num_rows="dynamic",
        width="stretch",
        hide_index=True,
        column_config={
            "field": st.column_config.SelectboxColumn("Field", options=list(names), format_func=names.get, required=True),
            "values": st.column_config.TextColumn("Values", help=HELP, required=True, max_chars=300),
        },
    )
    st.caption(HELP)
    left, right = st.columns(2)
    left.selectbox("How to search", list(METHOD_NAMES), format_func=METHOD_NAMES.__getitem__, key="search_method")
    right.number_input("Trials at most", 1, 1000, 12, key="search_trials")
    left.number_input(
        "Folds", 0, 20, 0, key="search_folds",
        help="0 compares trials on the snapshot's validation rows. With 2 or more, every trial is trained so many times, each "
        "time validated on another part; conversations and near duplicates stay together. Takes as many times longer.",
    )  # fmt: skip
    right.number_input("Hours at most (0: no limit)", 0.0, 10_000.0, 0.0, step=0.5, key="search_hours")
    st.checkbox(
        "Stop trials early that are behind the middle of the others", value=True, key="search_prune",
        help="Saves most of the time. Leave it off where good recipes begin slowly.",
    )  # fmt: skip


def _key(base_model: str, objective: str) -> str:
    return f"{EDITOR}-{'own' if base_model == EMBEDDED else 'other'}-{objective}"


def _rows(base_model: str, objective: str) -> list[tuple[str, str]]:
    """The table as it was edited."""
    key = _key(base_model, objective)
    rows: list[dict[str, Any] | None] = list(st.session_state[f"{key}-rows"].to_dict("records"))
    changes: Any = st.session_state.get(key) or {}
    for place, cells in changes.get("edited_rows", {}).items():
        rows[int(place)] = {**(rows[int(place)] or {}), **cells}
    for place in changes.get("deleted_rows", ()):
        rows[int(place)] = None
    rows += changes.get("added_rows", ())
    return [(str(row.get("field") or ""), str(row.get("values") or "")) for row in rows if row]


def start_search(visit: Visit, snapshot_id: int, base_model: str, objective: str) -> None:
    """Callback of the form."""
    typed = st.session_state
    with visit.writing() as session:
        made = searching.start_search(
            session=session,
            actor=visit.actor,
            settings=visit.settings,
            project_id=visit.project_id,
            snapshot_id=snapshot_id,
            recipe=chosen_recipe(base_model, objective),
            space=space_words.read(_rows(base_model, objective)),
            method=typed["search_method"],
            trials=int(typed["search_trials"]),
            folds=int(typed["search_folds"]),
            prune=bool(typed["search_prune"]),
            hours=float(typed["search_hours"]),
            name=typed["run_name"],
        )
    typed["search"], typed["run_name"] = made.id, ""
    tell("success", f"Search {made.number} is in the queue. See the tab “Searches”; it goes on when you close this window.")


def show_searches(visit: Visit) -> None:
    """The tab."""
    with visit.reading() as session:
        names = search_queries.searches(session, visit.actor, visit.project_id)
    if not names:
        st.info(
            "No search yet. Choose “A search” above to try a recipe with other values and keep the best.",
            icon=":material/travel_explore:",
        )
        return
    if st.session_state.get("search") not in names:
        st.session_state.pop("search", None)
    chosen = st.selectbox("Search", list(names), format_func=names.__getitem__, key="search")
    card = _card(visit, chosen)
    _buttons(visit, card)
    if card.is_over:
        _state(card)
    else:
        _live(visit, chosen)


def _card(visit: Visit, search_id: int) -> SearchCard:
    with visit.reading() as session:
        return search_queries.search_card(session, visit.actor, visit.settings, search_id)


@st.fragment(run_every=SECONDS)
def _live(visit: Visit, search_id: int) -> None:
    card = _card(visit, search_id)
    if card.is_over:
        st.rerun()
    _state(card)


def _buttons(visit: Visit, card: SearchCard) -> None:
    with st.container(horizontal=True):
        if card.status is JobStatus.SUCCEEDED:
            st.button(
                "Train with the best", type="primary", icon=":material/play_arrow:", on_click=attempt,
                args=(_run_best, visit, card.id), key=f"best_{card.id}",
                help="A run of its own, on all training rows of the snapshot; it makes a version.",
            )  # fmt: skip
        elif card.is_over:
            st.button(
                "Go on", type="primary", icon=":material/resume:", on_click=attempt,
                args=(_resume, visit, card.job_id), key=f"go_on_{card.id}_{card.attempt}",
            )  # fmt: skip
        else:
            st.button(
                "Stop", icon=":material/stop:", disabled=card.status is JobStatus.STOPPING, on_click=attempt,
                args=(_cancel, visit, card.job_id), key=f"stop_search_{card.id}",
                help="What its trials have found is kept, and it can go on later.",
            )  # fmt: skip


def _state(card: SearchCard) -> None:
    word, icon = WORDS[card.status]
    draw = {JobStatus.FAILED: st.error, JobStatus.LOST: st.error, JobStatus.SUCCEEDED: st.success}.get(card.status, st.info)
    draw(plain(f"Search {card.number} {word}. {card.error}"), icon=f":material/{icon}:")
    done, total = card.progress.get("step"), card.progress.get("total_steps")
    if total and not card.is_over:
        st.progress(min(1.0, (done or 0) / total), text=plain(f"{done} of {total} trials. {card.progress.get('message', '')}"))
    if card.best:
        one, *rest = st.columns(1 + min(4, len(card.best["params"])))
        better = "lower is better" if card.lower_is_better else "higher is better"
        one.metric(f"Best {card.metric.replace('_', ' ')}", f"{card.best['value']:.4g}", border=True, help=better)
        for column, (name, value) in zip(rest, card.best["params"].items(), strict=False):
            column.metric(_label(name), f"{value:.3g}" if isinstance(value, float) else str(value), border=True)
    _trials(card)


def _label(name: str) -> str:
    return next((field.label for field in recipes.fields() if field.name == name), name)


def _trials(card: SearchCard) -> None:
    frame = card.trials
    complete = frame[frame["state"] == "complete"]
    if len(complete) > 1 and card.space:
        name = st.selectbox("Against", list(card.space), format_func=_label, key=f"against_{card.id}")
        told = [f"Trial {row.number}: {card.metric} {row.value:.4g}" for row in complete.itertuples()]
        shown = complete.assign(told=told).rename(columns={"value": card.metric})
        figure = points(shown, x=name, y=card.metric, hover="told", magnitude="by magnitude" in card.space[name])
        show_figure(figure, key=f"trials-chart-{card.id}")
    if not frame.empty:
        empty = [name for name in ("spread", "message") if not frame[name].astype(bool).any() or frame[name].isna().all()]
        show_table(frame.drop(columns=empty), key=f"trials-{card.id}", names=list(card.space))
    words = "; ".join(f"{_label(name)}: {values}" for name, values in card.space.items()) or "nothing was varied"
    st.text(f"On snapshot {card.snapshot}, {card.folds or 'no'} folds, by {card.method}. {words}")


def _cancel(visit: Visit, job_id: int) -> None:
    with visit.writing() as session:
        job = controlling.cancel(session=session, actor=visit.actor, job_id=job_id)
    tell("success", "The search is cancelled." if job.status is JobStatus.CANCELLED else "It stops at its trial's next step.")


def _resume(visit: Visit, job_id: int) -> None:
    with visit.writing() as session:
        controlling.resume(session=session, actor=visit.actor, job_id=job_id)
    tell("success", "The search is in the queue again.")


def _run_best(visit: Visit, search_id: int) -> None:
    with visit.writing() as session:
        run = searching.run_best(session=session, actor=visit.actor, settings=visit.settings, search_id=search_id)
    st.session_state["run"] = run.id
    tell("success", f"Run {run.number} is in the queue with the best trial's values. See the tab “One run”.")
