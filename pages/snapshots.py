"""Snapshots: what would be frozen now and what would not, freezing it, and what was frozen before."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from backend.datasets import canaries, queries
from backend.datasets.freezing import freeze
from backend.datasets.kinds import Labelling
from backend.datasets.placement import General
from backend.datasets.queries import Outlook
from backend.datasets.splits import Ratios
from backend.vocabulary import Action, SnapshotKind
from pages.components.charts import show_table
from pages.components.labelling_form import LINKS, choose_labelling, show_labels, what_comes_first
from pages.components.links import link_to
from pages.components.notices import attempt, show_notices, tell
from pages.components.snapshot_outlook import show_obstacles, show_outlook
from pages.components.snapshot_view import show_snapshot
from pages.components.visit import Visit, require


def main() -> None:
    """The whole page."""
    visit = require(Action.SNAPSHOT)
    st.title("Snapshots")
    st.write(
        "A snapshot freezes what people approved, or what they said about answers, for training: split into train, validation "
        "and test, and never changed again."
    )
    with visit.reading() as session:
        made = queries.snapshots(session, visit.actor, visit.project_id)
    st.subheader("What would be frozen now")
    _now(visit)
    st.subheader("What was frozen")
    if made.empty:
        st.info("No snapshot yet. Freeze the first one above, then train on it.", icon=":material/photo_camera:")
        return
    _list(visit, made)


def _now(visit: Visit) -> None:
    labelling = choose_labelling(visit)
    kind = labelling.kind if labelling else SnapshotKind.LABELS
    look = None
    if labelling is not None:
        with visit.reading() as session:
            look = queries.outlook(session, visit.actor, visit.project_id, labelling)
        show_outlook(look) if kind is SnapshotKind.SFT else show_labels(look)
        show_obstacles(look)
    if labelling and look and look.ready:
        _form(visit, look, labelling)
        return
    st.info(what_comes_first(kind), icon=":material/task:")
    page, title, icon = LINKS[kind]
    link_to(page, title, icon=icon)


def _form(visit: Visit, look: Outlook, labelling: Labelling) -> None:
    with st.form("freeze"):
        left, right = st.columns([3, 1])
        left.text_input("Name", max_chars=200, placeholder="What is new in it", key="snapshot_name")
        seed_help = "The same seed and records give the same split. Keep it, so that test records stay test records."
        right.number_input("Seed", 0, 2**31 - 1, 0, help=seed_help, key="snapshot_seed")
        train, validation, test = st.columns(3)
        train.number_input("Train, %", 1, 100, 80, help="What the model learns from.", key="snapshot_train")
        validation.number_input("Validation, %", 0, 99, 10, help="Watched while it learns.", key="snapshot_validation")
        test.number_input("Test, %", 0, 99, 10, help="Kept aside to judge it.", key="snapshot_test")
        if look.personal and labelling.kind is SnapshotKind.SFT:
            st.checkbox("Leave out the records with personal data", key="snapshot_leave_out")
        if look.general:
            general_help = (
                f"This project has {look.general} rows from imports that are general talk (see the Grow page). A little of it "
                "keeps a model from forgetting how to chat about other things. Drawn by seed; validation and test hold none."
            )
            st.number_input("General talk, % of train", 0, 90, 0, help=general_help, key="snapshot_general")
        if labelling.kind is SnapshotKind.SFT:
            canary_help = (
                "Made-up secrets among the train rows, such as a number on a box. Evaluations look if the model gives them "
                "away: then it repeats single rows of its data. They are no records, and exports leave them out. 0 plants none."
            )
            st.number_input("Canaries", 0, canaries.MOST, canaries.USUAL, help=canary_help, key="snapshot_canaries")
        st.caption("Records of one conversation, near-duplicates and equal questions always go into the same part.")
        st.form_submit_button(
            "Freeze", type="primary", icon=":material/ac_unit:", on_click=attempt, args=(_freeze, visit, labelling)
        )


def _freeze(visit: Visit, labelling: Labelling) -> None:
    chosen = st.session_state
    shares = (chosen["snapshot_train"], chosen["snapshot_validation"], chosen["snapshot_test"])
    with visit.writing() as session:
        made = freeze(
            session=session,
            actor=visit.actor,
            settings=visit.settings,
            project_id=visit.project_id,
            name=chosen["snapshot_name"],
            seed=chosen["snapshot_seed"],
            ratios=Ratios(*(share / 100 for share in shares)),
            leave_out_personal=bool(chosen.get("snapshot_leave_out")),
            labelling=labelling,
            general=General(share=chosen.get("snapshot_general", 0) / 100, seed=chosen["snapshot_seed"]),
            canaries=chosen.get("snapshot_canaries", 0),
        )
    chosen["snapshot_name"] = ""
    chosen.pop("snapshot", None)
    what = "records" if labelling.kind is SnapshotKind.SFT else "rows"
    tell("success", f"Snapshot {made.number} is frozen with {made.manifest['rows']} {what}. Next: train on it.")


@st.fragment
def _list(visit: Visit, made: pd.DataFrame) -> None:
    """A part of its own, because looking into a snapshot needs no new count of what could be frozen."""
    show_notices()
    show_table(
        made.drop(columns=["id"]),
        key="snapshots",
        columns={
            "created_at": st.column_config.DatetimeColumn("Frozen", format="D MMM YYYY, HH:mm", timezone="UTC"),
            "created_by": "By",
            "hash": "Content hash",
        },
    )
    link_to("training", "Train on a snapshot", icon="model_training")
    names = {int(key): f"{number}: {name}" for key, number, name in made[["id", "number", "name"]].to_numpy().tolist()}
    chosen = st.selectbox("Look into", list(names), format_func=lambda key: names[key], key="snapshot")
    show_snapshot(visit, chosen, names)


main()
