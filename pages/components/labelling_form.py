"""What a snapshot shall hold, and how labels are made of what people said."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from backend.datasets import queries
from backend.datasets.kinds import HELP, NEEDS, Labelling
from backend.datasets.queries import Outlook
from backend.vocabulary import SnapshotKind
from pages.components.notices import plain
from pages.components.visit import Visit

NAMES = {
    SnapshotKind.SFT: "Approved answers",
    SnapshotKind.PREFERENCES: "Preferences",
    SnapshotKind.THUMBS: "Thumbs",
    SnapshotKind.LABELS: "Classes",
}
_ANSWERS, _METADATA = "answers", "metadata"
LINKS = {
    SnapshotKind.SFT: ("review", "Review records", "rate_review"),
    SnapshotKind.PREFERENCES: ("evaluations", "Evaluations", "fact_check"),
    SnapshotKind.THUMBS: ("evaluations", "Evaluations", "fact_check"),
    SnapshotKind.LABELS: ("tasks", "Tasks", "assignment"),
}
"""Where somebody goes who has nothing to freeze."""


def choose_labelling(visit: Visit) -> Labelling | None:
    """The choices; None where the project has nothing of the kind to choose from."""
    kind = st.segmented_control(
        "What it holds",
        list(NAMES),
        format_func=NAMES.__getitem__,
        default=SnapshotKind.SFT,
        required=True,
        key="snapshot_kind",
    )
    st.caption(HELP[kind])
    if kind is SnapshotKind.PREFERENCES:
        help_ = "Where an expert rewrote an answer and it was approved: the new text is preferred to the imported one."
        return Labelling(kind=kind, edits=st.toggle("Edits count as preferences too", help=help_, key="snapshot_edits"))
    if kind is SnapshotKind.THUMBS:
        return _thumbs(visit)
    if kind is SnapshotKind.LABELS:
        return _classes(visit)
    return Labelling()


def _thumbs(visit: Visit) -> Labelling:
    with visit.reading() as session:
        questions = queries.rating_questions(session, visit.actor, visit.project_id)
    left, right = st.columns(2)
    question = left.selectbox(
        "What decides a rating",
        ["", *questions],
        format_func=lambda key: plain(questions[key]) if key else "The mean of all questions",
        key="snapshot_question",
    )
    down, up = right.slider(
        "Thumb down up to, thumb up from",
        0,
        100,
        (40, 70),
        5,
        format="%d%%",
        help="0% is the worst point of the scale, 100% the best. What lies between is left out.",
        key="snapshot_bounds",
    )
    return Labelling(kind=SnapshotKind.THUMBS, question=question, up_from=max(up, down + 5) / 100, down_to=down / 100)


def _classes(visit: Visit) -> Labelling | None:
    with visit.reading() as session:
        keys = queries.label_keys(session, visit.actor, visit.project_id)
        questions = queries.class_questions(session, visit.actor, visit.project_id)
    names = {(_ANSWERS, key): f"What people chose: {text}" for key, text in questions.items()}
    names |= {(_METADATA, key): f"The records' metadata: {key}" for key in keys}
    if not names:
        return None
    left, right = st.columns([2, 1])
    source, key = left.selectbox("What names the class", list(names), format_func=names.__getitem__, key="snapshot_label")
    if source == _METADATA:
        return Labelling(kind=SnapshotKind.LABELS, label=key)
    whole = right.radio(
        "What was sorted",
        [False, True],
        format_func={False: "The question alone", True: "The question with the answer"}.__getitem__,
        captions=["An intent, a topic.", "How good an answer is."],
        key="snapshot_whole",
    )
    return Labelling(kind=SnapshotKind.LABELS, question=key, whole=whole)


def what_comes_first(kind: SnapshotKind) -> str:
    """What has to be done where there is nothing to freeze."""
    if kind is SnapshotKind.SFT:
        return "No approved record can be frozen yet. Approve some first; they appear here at once."
    return f"There is nothing of this kind to freeze yet. {NEEDS[kind]}"


def show_labels(look: Outlook) -> None:
    """How many labels would enter, and what stays out."""
    ready, questions, undecided = st.columns(3)
    ready.metric("Would enter", look.ready, help="Rows, each with its label.", border=True)
    questions.metric("Questions", look.records, help="Approved questions that the rows are of.", border=True)
    open_help = "People did not agree, or saw no difference."
    undecided.metric("Undecided", look.told.get("undecided", 0), help=open_help, border=True)
    counts = {"up": "thumbs up", "down": "thumbs down"}
    if thumbs := look.told.get("thumbs"):
        st.text(", ".join(f"{thumbs[name]} {text}" for name, text in counts.items()))
    if classes := look.told.get("classes"):
        with st.expander(f"{len(classes)} classes", icon=":material/category:"):
            st.dataframe(pd.DataFrame(list(classes.items()), columns=["class", "rows"]), hide_index=True, width="stretch")
    for reason, ids in look.left_out.items():
        if ids:
            st.text(f"Left out, {reason}: {len(ids)} records")
