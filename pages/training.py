"""Training: choose a snapshot and a recipe, start a run, watch it, compare runs."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from backend.training import launching, queries
from backend.vocabulary import Action
from pages.components.charts import curves, show_table
from pages.components.links import link_to
from pages.components.notices import attempt, guarded, tell
from pages.components.plan_view import look_before, show_plan
from pages.components.recipe_form import choose_base_model, choose_objective, choose_start, chosen_recipe, show_fields
from pages.components.run_view import show_run
from pages.components.search_view import show_searches, show_space, start_search
from pages.components.visit import Visit, require

ONE, SEARCH = "One run", "A search"


def main() -> None:
    """The whole page."""
    visit = require(Action.TRAIN)
    st.title("Train")
    st.write(
        "A run teaches a model what a snapshot holds: approved answers, preferences, thumbs or classes. What chats becomes a "
        "candidate version to evaluate."
    )
    with visit.reading() as session:
        snapshots = queries.snapshot_choices(session, visit.actor, visit.project_id)
        kinds = queries.snapshot_kinds(session, visit.actor, visit.project_id)
        versions = queries.start_choices(session, visit.actor, visit.project_id)
        runs = queries.runs(session, visit.actor, visit.project_id)
    if not snapshots:
        st.info(
            "There is nothing to train on yet. Freeze a snapshot of approved records first.", icon=":material/photo_camera:"
        )
        link_to("snapshots", "Snapshots", icon="photo_camera")
        return
    with st.expander("Start a run", icon=":material/play_circle:", expanded=runs.empty):
        _form(visit, snapshots, kinds, versions)
    names = {int(row.id): f"{row.number}: {row.name}" for row in runs.itertuples()}
    watch, table, comparison, searches = st.tabs(["One run", "All runs", "Compare", "Searches"])
    with searches, guarded():
        show_searches(visit)
    if runs.empty:
        watch.info("No run yet. The values above do well for the sample project: start one.", icon=":material/model_training:")
        return
    with watch, guarded():
        if st.session_state.get("run") not in names:
            st.session_state.pop("run", None)
        chosen = st.selectbox("Run", list(names), format_func=lambda key: names[key], key="run")
        show_run(visit, chosen)
    with table:
        show_table(runs.drop(columns=["id"]), key="runs", columns=_columns())
    with comparison, guarded():
        _comparison(visit, names)


def _form(visit: Visit, snapshots: dict[int, str], kinds: dict[int, str], versions: dict[int, tuple[str, str]]) -> None:
    snapshot_id = st.selectbox("Snapshot", list(snapshots), format_func=lambda key: snapshots[key], key="run_snapshot")
    base_model = choose_base_model(kinds[snapshot_id])
    objective = choose_objective(kinds[snapshot_id], base_model)
    version_id = choose_start(versions, base_model, objective)
    what = st.segmented_control(
        "Start", [ONE, SEARCH], default=ONE, required=True, key="run_what", help="A search tries the recipe with other values."
    )
    with st.form("start_run", border=False):
        st.text_input("Name", max_chars=200, placeholder="What you try with it", key="run_name")
        show_fields(base_model, objective)
        if what == SEARCH:
            show_space(base_model, objective)
            st.form_submit_button(
                "Start the search",
                type="primary",
                icon=":material/travel_explore:",
                on_click=attempt,
                args=(start_search, visit, snapshot_id, base_model, objective),
            )
            return
        with st.container(horizontal=True):
            st.form_submit_button(
                "Start",
                type="primary",
                icon=":material/play_arrow:",
                on_click=attempt,
                args=(_start, visit, snapshot_id, base_model, objective, version_id),
            )
            st.form_submit_button(
                "Look before you start",
                icon=":material/visibility:",
                on_click=attempt,
                args=(look_before, visit, snapshot_id, base_model, objective),
                help="Rows, tokens, time and memory, and what of a conversation is trained. Nothing is started.",
            )
    with guarded():
        show_plan(visit)


def _start(visit: Visit, snapshot_id: int, base_model: str, objective: str, version_id: int | None) -> None:
    with visit.writing() as session:
        run = launching.start_run(
            session=session,
            actor=visit.actor,
            settings=visit.settings,
            project_id=visit.project_id,
            snapshot_id=snapshot_id,
            recipe=chosen_recipe(base_model, objective),
            name=st.session_state["run_name"],
            initial_version_id=version_id,
        )
    st.session_state["run"], st.session_state["run_name"] = run.id, ""
    tell("success", f"Run {run.number} is in the queue. It goes on when you close this window.")


def _columns() -> dict[str, object]:
    number = st.column_config.NumberColumn
    return {
        "best_loss": number("best validation loss", format="%.4f"),
        "tokens_per_second": number("tokens/s", format="%.0f"),
        "base_model": "base model",
    }


def _comparison(visit: Visit, names: dict[int, str]) -> None:
    chosen = st.multiselect(
        "Runs to compare", list(names), format_func=lambda key: names[key], max_selections=6, key="compared_runs"
    )
    if len(chosen) < 2:
        st.info("Choose two or more runs: their validation curves, what was set differently, what came out.")
        return
    with visit.reading() as session:
        table, points = queries.compare(session, visit.actor, visit.settings, chosen)
    if not points.empty:
        wide = pd.pivot_table(points, index="step", columns="run", values="validation_loss").reset_index()
        st.text("Validation loss")
        runs = [column for column in wide.columns if column != "step"]
        st.plotly_chart(curves(wide, x="step", y=runs), width="stretch", theme="streamlit", key="compared_curves")
    show_table(table, key="compared", names=list(table.columns)[1:])


main()
