"""Choose what to export and how; the file is written in the background and offered when it is there."""

from __future__ import annotations

import streamlit as st

from backend.datasets.exporting import Export, export
from backend.datasets.formats import FITTING, Form, What
from pages.components import background
from pages.components.notices import attempt
from pages.components.visit import Visit

WORK = "export_work"
FORM_NAMES = {
    Form.OPENAI: "OpenAI messages (JSONL)",
    Form.SHAREGPT: "ShareGPT (JSONL)",
    Form.ALPACA: "Alpaca (JSONL)",
    Form.DPO: "Pairs: prompt, chosen, rejected (DPO, JSONL)",
    Form.KTO: "Verdicts: prompt, completion, label (KTO, JSONL)",
    Form.CSV: "Table (CSV)",
    Form.PARQUET: "Table (Parquet)",
}
NAMES = {
    What.APPROVED: "Approved texts",
    What.RECORDS: "All records",
    What.ANNOTATIONS: "Raters' answers",
    What.PREFERENCES: "Preferences",
}
HELP = {
    What.APPROVED: "The approved text of every approved record.",
    What.RECORDS: "Every record's newest text, whatever its status: also what nobody has looked at, with personal data in it.",
    What.ANNOTATIONS: "A row for every answer: task, item, record, rater, the answers to the questions, who won by side and by "
    "model version, and when. It names the raters.",
    What.PREFERENCES: "What people said about answers to approved questions: the better of two, or a verdict on one.",
}


def show_form(visit: Visit) -> None:
    """The choices, and the file."""
    what = st.segmented_control(
        "What", list(NAMES), format_func=NAMES.__getitem__, default=What.APPROVED, required=True, key="export_what"
    )
    st.caption(HELP[what])
    form = st.selectbox("Format", FITTING[what], format_func=FORM_NAMES.__getitem__, key=f"export_form_{what}")
    edits = form is Form.DPO and st.toggle(
        "Edits count as preferences too", key="export_edits",
        help="Where an expert rewrote an answer and it was approved: the new text is preferred to the imported one.",
    )  # fmt: skip
    st.button(
        "Make the file", type="primary", icon=":material/output:", on_click=attempt,
        args=(_begin, visit, what, form, edits), key="export_make",
    )  # fmt: skip
    work = background.show_progress(WORK)
    if work is not None and work.result is not None:
        made_for, made = work.result
        if made_for == visit.project_id:
            offer(made, key="export_take")


def offer(made: Export, *, key: str) -> None:
    """The button that takes the file."""
    st.download_button(
        f"Download {made.rows:,} rows", made.content, file_name=made.file_name, mime=made.mime, type="primary",
        icon=":material/download:", on_click="ignore", key=key,
    )  # fmt: skip
    st.caption(f"{made.file_name}, {len(made.content) / 1e6:,.1f} MB")


def _begin(visit: Visit, what: What, form: Form, edits: bool) -> None:
    with visit.writing():  # who is signed in is looked up again; the file itself is written without holding anything
        actor, database, project_id = visit.actor, visit.database, visit.project_id

    def write(_tell: object) -> tuple[int, Export]:
        return project_id, export(database=database, actor=actor, project_id=project_id, what=what, form=form, edits=edits)

    background.forget(WORK)
    background.begin(WORK, "Writing the file", write)
