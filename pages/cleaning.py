"""Clean: run the checks, see what they found, fix or dismiss it, take fixes back."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from backend.curation import check_queries, undoing
from backend.curation.check_queries import Batch
from backend.curation.queries import KINDS
from backend.vocabulary import PERSONAL_FINDINGS, Action, FindingKind
from pages.components import kept_counts
from pages.components.check_run import show_run
from pages.components.findings_panel import show_findings
from pages.components.kind_panel import EXPLAINED, show_kind
from pages.components.links import link_to
from pages.components.notices import attempt, counted, guarded, tell
from pages.components.visit import Visit, require

PERSONAL = "personal"
_TABLE = {
    "What": st.column_config.TextColumn(width=180), "Open": st.column_config.NumberColumn(width=60),
    "Records": st.column_config.NumberColumn(width=70), "What it means": st.column_config.TextColumn(width=620),
}  # fmt: skip


def main() -> None:
    """The whole page."""
    visit = require(Action.REVIEW)
    st.title("Clean")
    st.text("The checks change nothing: they say what they found and, where they can, what would be right. You decide.")
    with guarded():
        show_run(visit)
    with guarded():
        show_found(visit)
    with guarded():
        show_batches(visit)


def show_found(visit: Visit) -> None:
    """What is open by kind, and one kind in full."""
    st.subheader("What is open")
    counts = kept_counts.open_by_kind(visit)
    people = kept_counts.records_with(visit, PERSONAL_FINDINGS)
    rows = _rows(counts, people)
    if not rows:
        st.text("Nothing is open. What the checks find stands here by kind, with what a fix would make of it.")
        link_to("review", "Review records", icon="rate_review")
        return
    listed = [("Personal data" if kind == PERSONAL else KINDS[FindingKind(kind)], *row) for kind, row in rows.items()]
    st.dataframe(
        pd.DataFrame(listed, columns=list(_TABLE)), width="stretch", hide_index=True, column_config=_TABLE, key="clean_kinds"
    )
    names = dict(zip(rows, (row[0] for row in listed), strict=True))
    kind = st.selectbox(
        "Look closer at", list(rows), format_func=lambda kind: f"{names[kind]} ({rows[kind][0]:,})", key="clean_kind"
    )
    if kind == PERSONAL:
        show_findings(visit)
    elif kind is not None:
        show_kind(visit, FindingKind(kind))


def _rows(counts: dict[FindingKind, tuple[int, int]], people: int) -> dict[str, tuple[int, int, str]]:
    """Kind → open findings, records, what it means; personal data as one, the kinds with most findings first."""
    rows: dict[str, tuple[int, int, str]] = {
        kind.value: (count, records, EXPLAINED[kind])
        for kind, (count, records) in sorted(counts.items(), key=lambda one: -one[1][0])
        if kind in EXPLAINED
    }
    personal = sum(count for kind, (count, _) in counts.items() if kind in PERSONAL_FINDINGS)
    if not personal:
        return rows
    words = "Names, addresses, numbers of people. While some is open, a record cannot be approved."
    return {PERSONAL: (personal, people, words), **rows}


def show_batches(visit: Visit) -> None:
    """What was fixed in one go, to be undone in one go."""
    with visit.reading() as session:
        batches = check_queries.batches(session, actor=visit.actor, project_id=visit.project_id)
    if not batches:
        return
    st.subheader("Fixes that can be undone")
    st.text("Undoing brings the texts from before back as new revisions. Texts that somebody changed since stay as they are.")
    for batch in batches:
        words, button = st.columns([5, 1], vertical_alignment="center")
        words.text(_said(batch))
        if batch.records == 1 or visit.may(Action.BULK_REVIEW):
            button.button(
                "Undo", icon=":material/undo:", key=f"undo_{batch.name}", on_click=attempt, args=(_undo, visit, batch.name),
                width="stretch",
            )  # fmt: skip


def _said(batch: Batch) -> str:
    at = f"{batch.name[:4]}-{batch.name[4:6]}-{batch.name[6:8]} {batch.name[9:11]}:{batch.name[11:13]} UTC"
    kinds = ", ".join(KINDS[kind] for kind in batch.kinds)
    return f"{at} · {kinds} · {counted(batch.findings, 'place')} in {counted(batch.records, 'record')} · {batch.by}"


def _undo(visit: Visit, batch: str) -> None:
    with visit.writing() as session:
        done = undoing.undo_batch(session=session, actor=visit.actor, project_id=visit.project_id, batch=batch)
    changed = f" {done.changed:,} were changed since and stay as they are." if done.changed else ""
    left = f" {done.left:,} are left; press again." if done.left else ""
    tell("success", f"The text from before is back in {counted(done.records, 'record')}.{changed}{left}")


main()
