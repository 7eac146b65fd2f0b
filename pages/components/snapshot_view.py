"""One snapshot: its manifest, its rows, how it differs from another, its files, and whether they are what was frozen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from backend.datasets import queries
from backend.datasets.exporting import export
from backend.datasets.formats import OF_SNAPSHOT, Form, What
from backend.datasets.freezing import verify
from backend.datasets.kinds import HELP, kind_of
from backend.vocabulary import Action, Split
from pages.components.charts import show_table
from pages.components.export_form import FORM_NAMES, offer
from pages.components.notices import attempt, guarded
from pages.components.slice_titles import slice_title
from pages.components.visit import Visit

MADE = "export_made"
"""Where a file waits to be taken, with what it was made for."""


def show_snapshot(visit: Visit, snapshot_id: int, names: Mapping[int, str]) -> None:
    """Everything about one snapshot. `names` are all of the project's, for the comparison."""
    contents, rows, difference, files = st.tabs(["Contents", "Rows", "Compare", "Files"])
    with contents, guarded():
        _contents(visit, snapshot_id)
    with rows, guarded():
        with visit.reading() as session:
            shown = queries.rows_of(session, visit.actor, snapshot_id)
        st.text(f"The first {len(shown)} rows, as they were frozen.")
        st.dataframe(shown, hide_index=True, width="stretch")
    with difference, guarded():
        _difference(visit, snapshot_id, names)
    with files, guarded():
        _files(visit, snapshot_id)


def _contents(visit: Visit, snapshot_id: int) -> None:
    with visit.reading() as session:
        manifest = queries.get_snapshot(session, visit.actor, snapshot_id).manifest
    for column, split in zip(st.columns(len(Split)), Split, strict=True):
        column.metric(split.value.capitalize(), manifest["counts"][split.value], border=True)
    st.caption(HELP[kind_of(manifest)])
    for source, told in manifest.get("from", {}).items():
        st.text(f"Made of {told['count']} {source}; the manifest names them.")
    for told in _mixture(manifest):
        st.text(told)
    for reason, entry in manifest["left_out"].items():
        st.text(f"Left out, {reason}: {entry['count']} records: {', '.join(map(str, entry['records']))}")
    st.text(f"Equal texts that entered once: {manifest['duplicates']['count']}")
    rows = [
        {"metadata": slice_title(key), "value": value} | {split.value: counts.get(split.value, 0) for split in Split}
        for key, values in manifest["slices"].items()
        for value, counts in values.items()
    ]
    if rows:
        show_table(pd.DataFrame(rows), key=f"snapshot-{snapshot_id}-slices")
    with st.expander("The manifest", icon=":material/description:"):
        st.json(manifest, expanded=1)


def _mixture(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What is special about the train set. Snapshots of old tell nothing of it."""
    if made := manifest.get("synthetic", {}).get("count"):
        kinds = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in manifest["synthetic"]["by"].items())
        yield f"Synthetic rows in train: {made} ({kinds})."
    if repeated := manifest.get("repeated", {}).get("records"):
        yield f"Records that stand more than once in train: {repeated}, which adds {manifest['repeated']['rows_added']} rows."
    if weighted := manifest.get("weighted", {}).get("records"):
        told = manifest["weighted"]
        yield f"Records in train with a weight of their own: {weighted}, from {told['least']:.2f} to {told['most']:.2f}."
    if mixed := manifest.get("general"):
        yield (
            f"General talk in train: {mixed['taken']} of {mixed['available']} rows, for a share of {mixed['share']:.0%} drawn "
            f"by seed {mixed['seed']}."
        )
    if planted := manifest.get("canaries", {}).get("count"):
        yield f"Canaries planted in train, beside these rows: {planted}. Evaluations look whether a model gives them away."


def _difference(visit: Visit, snapshot_id: int, names: Mapping[int, str]) -> None:
    others = [key for key in names if key != snapshot_id]
    if not others:
        st.info("Freeze a second snapshot to compare two.", icon=":material/difference:")
        return
    other = st.selectbox("What changed since", others, format_func=lambda key: names[key], key=f"snapshot_other_{snapshot_id}")
    with visit.reading() as session:
        found = queries.difference(session, visit.actor, other, snapshot_id)
    if found.is_empty:
        st.success("The same records, texts and splits.", icon=":material/check_circle:")
        return
    kinds = {
        "Added": found.added,
        "Removed": found.removed,
        "Changed text": found.changed,
        "Moved to another split": found.moved,
    }
    for column, (kind, ids) in zip(st.columns(len(kinds)), kinds.items(), strict=True):
        column.metric(kind, len(ids), border=True)
    if found.leaked:
        st.warning(
            f"{len(found.leaked)} records were test records and are train records now. A model that starts from an earlier one "
            "should not be judged by both snapshots.",
            icon=":material/warning:",
        )
    table = pd.DataFrame([{"record": record_id, "what": kind} for kind, ids in kinds.items() for record_id in ids])
    show_table(table, key=f"snapshot-{snapshot_id}-since-{other}")


def _files(visit: Visit, snapshot_id: int) -> None:
    check_help = "Compares the hash of every file with what was frozen."
    if st.button("Check the files", icon=":material/fact_check:", help=check_help, key=f"snapshot_check_{snapshot_id}"):
        with guarded(), visit.reading() as session:
            verify(session=session, actor=visit.actor, settings=visit.settings, snapshot_id=snapshot_id)
            st.success("Every file is byte for byte what was frozen.", icon=":material/check_circle:")
    if not visit.may(Action.EXPORT):
        return
    with visit.reading() as session:
        manifest = queries.get_snapshot(session, visit.actor, snapshot_id).manifest
    forms = OF_SNAPSHOT[kind_of(manifest)]
    if not forms:
        st.info("Classes have no place in the formats for conversations. The snapshot's folder holds them as JSONL.")
        return
    counts = manifest["counts"]
    left, right = st.columns(2)
    form = left.selectbox("Format", forms, format_func=FORM_NAMES.__getitem__, key="export_form")
    split = right.selectbox(
        "Part",
        [None, *(part for part in Split if counts[part.value])],
        format_func=lambda part: "All" if part is None else part.value.capitalize(),
        key=f"export_part_{snapshot_id}",
    )
    wanted = (snapshot_id, form, split)
    made_for, made = st.session_state.get(MADE, (None, None))
    if made is not None and made_for == wanted:
        offer(made, key=f"export_take_{snapshot_id}")
        return
    st.session_state.pop(MADE, None)
    st.button(
        "Make the file",
        icon=":material/output:",
        help="Importing it again gives the same conversations.",
        on_click=attempt,
        args=(_make, visit, wanted),
        key=f"export_make_{snapshot_id}",
    )


def _make(visit: Visit, wanted: tuple[int, Form, Split | None]) -> None:
    snapshot_id, form, split = wanted
    with visit.writing():  # who is signed in is looked up again, and the lock given back before the file is written
        actor = visit.actor
    made = export(
        database=visit.database,
        actor=actor,
        project_id=visit.project_id,
        what=What.SNAPSHOT,
        form=form,
        snapshot_id=snapshot_id,
        split=split,
        settings=visit.settings,
    )
    st.session_state[MADE] = (wanted, made)
