"""Training: choose a snapshot and a recipe, start a run, watch it, compare runs."""

from __future__ import annotations

import streamlit as st

from backend.training import launching, queries
from backend.training.queries import Beginning, SnapshotChoice
from backend.vocabulary import Action, SnapshotKind
from pages.components.charts import show_table
from pages.components.labelling_form import NAMES as HOLDS
from pages.components.links import link_to
from pages.components.notices import attempt, guarded, tell
from pages.components.objective_guide import show_guide
from pages.components.plan_view import look_before, show_plan
from pages.components.recipe_form import choose_base_model, choose_objective, choose_start, chosen_recipe, show_fields
from pages.components.run_comparison import show_comparison
from pages.components.run_view import show_run
from pages.components.search_view import show_searches, show_space, start_search
from pages.components.version_view import show_versions
from pages.components.visit import Visit, require

ONE, SEARCH = "One run", "A search"


def main() -> None:
    """The whole page."""
    visit = require(Action.TRAIN)
    st.title("Train")
    st.write(
        "A run teaches a model what a snapshot holds: approved answers, preferences, thumbs or classes. Every run that "
        "finishes makes a version; one that chats is a candidate to evaluate and promote."
    )
    with visit.reading() as session:
        snapshots = queries.snapshot_choices(session, visit.actor, visit.project_id)
        versions = queries.start_choices(session, visit.actor, visit.project_id)
        runs = queries.runs(session, visit.actor, visit.project_id)
    if not snapshots:
        st.info(
            "There is nothing to train on yet. Freeze a snapshot of approved records first.", icon=":material/photo_camera:"
        )
        link_to("snapshots", "Snapshots", icon="photo_camera")
        show_guide(())
        return
    with st.expander("What can be learned, and from what", icon=":material/school:"):
        show_guide(snapshots.values())
    with st.expander("Start a run", icon=":material/play_circle:", expanded=runs.empty):
        _form(visit, snapshots, versions)
    names = {int(row.id): f"{row.number}: {row.name}" for row in runs.itertuples()}
    watch, table, made, comparison, searches = st.tabs(["One run", "All runs", "Versions", "Compare", "Searches"])
    with searches, guarded():
        show_searches(visit)
    with made, guarded():
        show_versions(visit)
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
        show_comparison(visit, names)


def _form(visit: Visit, snapshots: dict[int, SnapshotChoice], versions: dict[int, Beginning]) -> None:
    snapshot_id = st.selectbox("Snapshot", list(snapshots), format_func=lambda key: _named(snapshots[key]), key="run_snapshot")
    kind = snapshots[snapshot_id].kind
    base_model = choose_base_model(kind)
    objective = choose_objective(kind, base_model)
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


def _named(one: SnapshotChoice) -> str:
    return f"{one.number}: {one.name} ({HOLDS[SnapshotKind(one.kind)]}, {one.rows} rows to learn from)"


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


main()
