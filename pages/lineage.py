"""Lineage: what became of a record, what a version learned from, and which versions rest on what was withdrawn since."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from backend.evaluation import lineage, version_queries
from backend.evaluation.lineage import RecordLineage
from backend.vocabulary import Action
from pages.components.charts import show_chart, show_table, stations
from pages.components.links import link_to
from pages.components.notices import guarded, plain
from pages.components.visit import Visit, require


def main() -> None:
    """The whole page."""
    visit = require(Action.VIEW_DASHBOARD)
    st.title("Lineage")
    st.write("From a record to the versions that learned from it, and from a version back to its records and approvals.")
    _withdrawn(visit)
    ways = {"record": "Follow a record", "version": "Look into a version"}
    way = st.segmented_control("Start from", list(ways), format_func=lambda key: ways[key], default="record", key="lineage_way")
    with guarded():
        if way == "version":
            _version(visit)
        else:
            _record(visit)


def _withdrawn(visit: Visit) -> None:
    with visit.reading() as session:
        frame = lineage.withdrawn(session, project_id=visit.project_id)
    if frame.empty:
        st.success("No version learned from an approval that was withdrawn since.", icon=":material/check_circle:")
        return
    current = frame[frame["current"]]
    records = frame["record"].nunique()
    if current.empty:
        st.info(
            f"Withdrawn since, and learned only by versions that are not current: {records} records.", icon=":material/info:"
        )
    else:
        st.warning(
            plain(
                f"{current['version'].iloc[0]} is current and learned from records whose approval was withdrawn since: "
                f"{current['record'].nunique()}. Freeze a new snapshot and train again to unlearn them."
            ),
            icon=":material/warning:",
        )
        link_to("snapshots", "Freeze a new snapshot", icon="photo_camera")
    with st.expander("Withdrawn approvals and the versions that learned from them", icon=":material/undo:", expanded=True):
        show_table(frame.drop(columns=["approval_id", "version_id", "current"]), key="withdrawn")


def _record(visit: Visit) -> None:
    text = st.text_input(
        "Find a record", key="lineage_text", placeholder="Words of its question or answer, or its number", max_chars=200
    )
    with visit.reading() as session:
        found = lineage.find_records(session, project_id=visit.project_id, text=text)
    if found.empty:
        st.info("No record fits. Try fewer words, or import some first.", icon=":material/search_off:")
        return
    texts = dict(zip(found["record"], found["prompt"], strict=True))
    names = {int(number): f"{number}: {prompt[:90]}" for number, prompt in texts.items()}
    chosen = st.selectbox(
        "Record", list(names), format_func=lambda key: names[key], key="lineage_record",
        help="The newest fifty that fit." if len(names) == 50 else None,
    )  # fmt: skip
    with visit.reading() as session:
        way = lineage.of_record(session, project_id=visit.project_id, record_id=chosen)
    _draw_record(way)


def _draw_record(way: RecordLineage) -> None:
    st.subheader(f"The way of record {way.record_id}")
    st.text(way.prompt)
    nodes, links = lineage.flow(way)
    ends = {end: links[end].map(nodes["name"]).str.replace("\n", ", ") for end in ("source", "target")}
    steps = pd.DataFrame({"from": ends["source"], "to": ends["target"], "withdrawn": links["marked"]})
    show_chart(stations(nodes, links, columns=lineage.STATIONS), steps, key="lineage-way")
    if nodes["marked"].any():
        st.caption("Red is what rests on a withdrawn approval.")
    _tables(
        [
            ("Revisions", way.revisions, "It has no text."),
            ("Rulings", way.approvals, "Nobody has ruled on it yet."),
            ("Snapshots", way.snapshots, "No snapshot holds it; only approved records are frozen."),
            ("Versions", way.versions.drop(columns=["version_id"]), "No version has met it."),
            ("Decisions", way.promotions, "None yet about a version that met it."),
        ]
    )


def _version(visit: Visit) -> None:
    with visit.reading() as session:
        versions = version_queries.versions(session, project_id=visit.project_id)
    if not versions:
        st.info("No model version yet. Train one, and its whole origin is shown here.", icon=":material/model_training:")
        link_to("training", "Train", icon="model_training")
        return
    names = {one.id: f"{one.name} ({one.standing})" for one in versions}
    chosen = st.selectbox("Version", list(names), format_func=lambda key: names[key], key="lineage_version")
    with visit.reading() as session:
        found = lineage.of_version(session, project_id=visit.project_id, version_id=chosen)
    if found.withdrawn:
        st.warning(
            f"{found.withdrawn} of its rows rest on approvals that were withdrawn since; they come first among its rows.",
            icon=":material/warning:",
        )
    none = "It came from no run: a base model as it is."
    _tables(
        [
            ("What it is", pd.DataFrame(found.facts.items(), columns=["what", "value"]), ""),
            ("What it met", found.counts, none),
            (f"Its rows, up to {lineage.ROWS_MOST}", found.rows, none),
            ("Decisions", found.promotions, "None yet."),
        ]
    )


def _tables(tables: list[tuple[str, pd.DataFrame, str]]) -> None:
    for tab, (title, frame, empty) in zip(st.tabs([title for title, _, _ in tables]), tables, strict=True):
        with tab:
            if frame.empty:
                st.caption(empty)
            else:
                show_table(frame, key=f"lineage-{title.split(',')[0].lower().replace(' ', '-')}")


main()
