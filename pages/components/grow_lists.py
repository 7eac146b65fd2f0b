"""The batches of synthetic records with what people said of them, and what the project's imports are for."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from backend.curation import growing_queries
from backend.curation.augmenting import METHODS, set_purpose, undo
from backend.curation.growing_queries import Batch
from backend.vocabulary import MadeBy, SourcePurpose
from pages.components.links import link_to
from pages.components.notices import attempt, plain, tell
from pages.components.visit import Visit

LISTED = 20
HOW = {**METHODS, MadeBy.COUNTERFACTUAL: "With other names or groups of people"}
PURPOSES = {SourcePurpose.OWN: "Our own subject", SourcePurpose.GENERAL: "General talk"}


def show_batches(visit: Visit) -> None:
    """What was made, the newest first; a batch that nobody has touched can be taken back."""
    with visit.reading() as session:
        made = growing_queries.batches(session, visit.actor, visit.project_id)
    st.subheader("What was made")
    if not made:
        st.caption("Nothing yet. What you add above is listed here, with how many of it were approved and rejected.")
        return
    for batch in made[:LISTED]:
        _batch(visit, batch)
    if len(made) > LISTED:
        st.caption(f"The newest {LISTED} of {len(made)}.")
    link_to("review", "Review records", icon="rate_review")


def _batch(visit: Visit, batch: Batch) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"batch_{batch.source_id}"):
        with st.container(gap=None):
            st.markdown(f"**{plain(batch.name)}**")
            st.caption(plain(f"{HOW[batch.made_by]} · {batch.author} · {batch.created_at:%d %b %Y, %H:%M} UTC"))
        st.badge(f"{batch.records:,} records", icon=":material/auto_awesome:", color="violet")
        for words, count, icon, color in (
            ("waiting", batch.waiting, "hourglass_empty", "gray"),
            ("approved", batch.approved, "check_circle", "green"),
            ("rejected", batch.rejected, "cancel", "red"),
            ("flagged", batch.flagged, "flag", "orange"),
        ):
            if count:
                st.badge(f"{count:,} {words}", icon=f":material/{icon}:", color=color)  # type: ignore[arg-type]
        if batch.by_mitigation:
            link_to("fairness", "Data bias", icon="balance")
        elif batch.is_untouched:
            st.button(
                "Take back", icon=":material/undo:", on_click=attempt, args=(_undo, visit, visit.project_id, batch.source_id),
                help="Removes all of it. Only while nobody has worked on it.", key=f"growing_undo_{batch.source_id}",
            )  # fmt: skip


def _undo(visit: Visit, project_id: int, source_id: int) -> None:
    with visit.writing() as session:
        gone = undo(session=session, actor=visit.actor, project_id=project_id, source_id=source_id)
    tell("success", f"{gone} synthetic records were taken back.")


def show_purposes(visit: Visit) -> None:
    """Which imports are general talk. How much of it is mixed in is said when a snapshot is frozen."""
    with visit.reading() as session:
        listed = growing_queries.imports(session, visit.actor, visit.project_id)
    if not listed:
        return
    st.subheader("What the imports are for")
    st.text(
        "A model that learns one subject alone forgets how to talk about anything else. Import a set of general conversations, "
        "say here that it is general talk, review it, and state a share when you freeze a snapshot: 10% means that one train "
        "row in ten is general. Which ones is drawn by the snapshot's seed and told in its manifest; validation and test hold "
        "none."
    )
    shown = [(one.name, one.records, one.approved, PURPOSES[one.purpose]) for one in listed]
    table = pd.DataFrame(shown, columns=["Import", "Records", "Approved", "For"])
    st.dataframe(table, hide_index=True, width="stretch")
    by_id = {one.id: one for one in listed}
    chosen, purpose, save = st.columns([4, 4, 2], vertical_alignment="bottom")
    source_id = chosen.selectbox("Import", list(by_id), format_func=lambda key: by_id[key].name, key="purpose_source")
    now = by_id[source_id].purpose
    wanted = purpose.segmented_control(
        "It is", list(PURPOSES), format_func=PURPOSES.__getitem__, default=now, required=True, key=f"purpose_{source_id}_{now}"
    )
    save.button(
        "Save", icon=":material/save:", disabled=wanted is now, on_click=attempt,
        args=(_set, visit, visit.project_id, source_id, wanted), key="purpose_save",
    )  # fmt: skip
    link_to("snapshots", "Freeze a snapshot", icon="photo_camera")


def _set(visit: Visit, project_id: int, source_id: int, purpose: SourcePurpose) -> None:
    with visit.writing() as session:
        source = set_purpose(
            session=session, actor=visit.actor, project_id=project_id, source_id=source_id, purpose=SourcePurpose(purpose)
        )
    tell("success", f"{source.name}: {PURPOSES[source.purpose].lower()} from now on.")
