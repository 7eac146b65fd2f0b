"""What an import did, what was rejected, and where to go next."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from backend.intake.importing import Summary
from backend.intake.queries import rejected_csv, rejected_rows
from pages.components.notices import plain
from pages.components.visit import Visit

_SHAPES = {
    "pairs": "Prompts and answers", "openai": "Conversations (OpenAI)", "sharegpt": "Conversations (ShareGPT)",
    "alpaca": "Instructions (Alpaca)", "faq": "FAQs",
}  # fmt: skip
"""What the shapes are called in the list of past imports."""
PAGES = Path(__file__).parents[1]


def show_summary(visit: Visit, summary: Summary, *, as_faqs: bool) -> None:
    """The numbers of a finished import and the next step."""
    what = "FAQs" if as_faqs else "records"
    st.success(plain(f"{summary.imported:,} {what} came in from “{summary.name}”."), icon=":material/check_circle:")
    numbers = [
        ("Rows in the file", summary.rows, "All rows, also those that were rejected."),
        ("Rejected", summary.rejected, "Rows that could not be taken; the reasons are below."),
        ("Unchanged" if as_faqs else "Exact duplicates", summary.duplicates, "Marked, not dropped: an expert decides."),
        ("Repaired", summary.repaired, "Broken letters put right; the text as it came is the first revision."),
        ("Masked", summary.masked, "Personal data masked at once."),
        ("Personal data", sum(summary.findings.values()), "Found and not masked; see below."),
    ]
    for column, (name, value, why) in zip(st.columns(len(numbers)), numbers, strict=True):
        column.metric(name, f"{value:,}", help=why)
    show_remarks(summary)
    if summary.rejected:
        show_rejected(visit, summary.source_id, summary.rejected)
    page, label = ("faqs", "Next: look through the FAQs") if as_faqs else ("review", "Next: review the records")
    if (PAGES / f"{page}.py").exists():
        st.page_link(f"{page}.py", label=label, icon=":material/arrow_forward:")


def show_remarks(summary: Summary, *, name: str = "") -> None:
    """What else is to be known of an import; `name` where several are shown."""
    where = f"{name}: " if name else ""
    if summary.labels:
        poor = f" {summary.poor:,} answers are called bad there and wait for better ones." if summary.poor else ""
        st.text(
            f"{where}{summary.labels:,} judgements on answers came along; they teach once their records are approved.{poor}"
        )
    if not summary.compared:
        st.info(
            plain(f"{where}Only exact repeats were looked for among so many. Clean compares them next; "
                  "until then none of them enters a snapshot."),
            icon=":material/compare_arrows:",
        )  # fmt: skip
        if (PAGES / "cleaning.py").exists():
            st.page_link("cleaning.py", label="Next: clean them", icon=":material/cleaning_services:")


def show_rejected(visit: Visit, source_id: int, count: int) -> None:
    """The rows that an import could not take, with line and reason, and all of them as CSV."""
    where = {"actor": visit.actor, "project_id": visit.project_id, "source_id": source_id}
    with visit.reading() as session:
        rows = rejected_rows(session, **where)
        table = rejected_csv(session, **where)
    st.text(f"{count:,} rows could not be taken" + (f"; the first {len(rows)}:" if count > len(rows) else ":"))
    st.dataframe(rows, width="stretch", hide_index=True)
    st.download_button(
        "Download the rejected rows", table, file_name=f"rejected-{source_id}.csv", mime="text/csv",
        icon=":material/download:", key=f"rejected_{source_id}", on_click="ignore",
    )  # fmt: skip


def show_imports(visit: Visit, listed: pd.DataFrame) -> None:
    """Past imports; a chosen one shows its rejected rows."""
    st.subheader("Past imports")
    picked = st.dataframe(
        listed.drop(columns=["id"]).assign(shape=[_SHAPES.get(shape, shape) for shape in listed["shape"]]),
        width="stretch", hide_index=True, on_select="rerun", selection_mode="single-row", key="past_imports",
        column_config={
            "name": "File", "shape": "Taken as", "imported": "Imported", "rejected": "Rejected", "duplicates": "Duplicates",
            "by": "By", "at": st.column_config.DatetimeColumn("When (UTC)", format="YYYY-MM-DD HH:mm", timezone="UTC"),
        },
    )  # fmt: skip
    rows = picked["selection"]["rows"]
    if rows and rows[0] < len(listed):
        chosen = listed.iloc[rows[0]]
        if chosen["rejected"]:
            show_rejected(visit, int(chosen["id"]), int(chosen["rejected"]))
        else:
            st.text("Every row of this file was taken.")
    elif len(listed):
        st.caption("Choose an import to see the rows that it could not take.")
