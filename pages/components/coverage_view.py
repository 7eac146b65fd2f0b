"""Coverage: which subjects are thin against what comes in, and a list for experts of what to do about each."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from backend.curation import coverage_queries
from backend.curation.clustering import NO_TOPIC
from backend.curation.coverage import TARGET, Cover
from backend.curation.coverage_queries import Coverage
from backend.vocabulary import Action
from pages.components import charts, topic_charts
from pages.components.links import link_to
from pages.components.notices import plain
from pages.components.slice_titles import slice_title
from pages.components.visit import Visit

SHOWN = 10
"""Rows of the to-do list and of the chart."""
UNKNOWN = "about none of these topics"


def show_coverage(visit: Visit) -> None:
    """The whole tab."""
    target = st.number_input(
        "Approved records that each subject should have, at least", 1, 100_000, TARGET, key="coverage-target", width=420
    )
    with visit.reading() as session:
        stamp = coverage_queries.stamp(session, actor=visit.actor, project_id=visit.project_id)
    found = _coverage(visit, visit.project_id, stamp, int(target))
    if not found.subjects:
        st.info("Nothing is known yet by which coverage could be told. Find topics first.", icon=":material/category:")
        return
    if found.chats:
        st.text(f"Compared with the newest {found.chats:,} chats in which somebody wrote something.")
    else:
        st.info(
            f"No chats have come in yet, so every subject is held against the target of {target:,} approved records. As soon "
            "as people chat, what they ask about decides.",
            icon=":material/forum:",
        )
    key = st.segmented_control(
        "By",
        list(found.subjects),
        format_func=slice_title,
        default=next(iter(found.subjects)),
        required=True,
        key="coverage-by",
    )
    rows = found.subjects[key]
    _todo(visit, key, rows)
    if found.chats:
        _compared(key, rows)
    else:
        charts.show_table(_table(rows), key=f"coverage-{key}", columns=_COLUMNS)


@st.cache_data(max_entries=64, show_spinner="Sorting the newest chats…")
def _coverage(_visit: Visit, project_id: int, stamp: tuple[int, ...], target: int) -> Coverage:
    """Kept as long as nothing that it is worked out from changes (`stamp`)."""
    with _visit.reading() as session:
        return coverage_queries.coverage(session, actor=_visit.actor, project_id=project_id, target=target)


def _todo(visit: Visit, key: str, rows: list[Cover]) -> None:
    """What is thin, most lacking first, each with the next steps."""
    st.subheader("To do for experts")
    thin = [row for row in rows if row.is_thin]
    if not thin:
        st.success("Nothing is thin: every subject has what it needs.", icon=":material/check_circle:")
        return
    for row in thin[:SHOWN]:
        with st.container(border=True):
            st.text(f"{_title(row.subject)}: {_lacking(row)}")
            if why := _why(row):
                st.caption(plain(why))
            _steps(visit, key, row)
    if len(thin) > SHOWN:
        st.caption(f"{len(thin) - SHOWN} more are in the table below.")


def _title(subject: str) -> str:
    return "New subjects, " + UNKNOWN if subject == NO_TOPIC else subject


def _lacking(row: Cover) -> str:
    if row.subject == NO_TOPIC:
        return f"{row.chats:,} chats"
    return f"{row.missing:,} more approved records needed ({row.approved:,} now)"


def _why(row: Cover) -> str:
    parts = []
    if row.chat_share and row.chats:
        share, low, high = row.chat_share
        ours = f", {row.approved_share[0]:.1%} of the approved records" if row.approved_share else ""
        parts.append(f"{share:.1%} of the chats ({low:.1%} to {high:.1%}){ours}")
    if row.down_share and row.thumbs:
        share, low, high = row.down_share
        parts.append(f"thumbs down in {share:.0%} of {row.thumbs:,} verdicts ({low:.0%} to {high:.0%})")
    return " · ".join(parts)


def _steps(visit: Visit, key: str, row: Cover) -> None:
    address = {"slice_key": key, "slice_value": row.subject}
    with st.container(horizontal=True):
        if row.subject == NO_TOPIC:
            link_to("feedback", "Read what came in", icon="thumbs_up_down")
            link_to("imports", "Import records about it", icon="upload_file")
            return
        if row.pending:
            link_to("records", f"Review the {row.pending:,} that wait", icon="rate_review", address=address)
            link_to("tasks", "Make a task", icon="add_task", address=address)
        link_to("faqs", "Write an answer", icon="quiz")
        if row.approved and visit.may(Action.BULK_REVIEW):
            link_to("growing", "Grow it from the approved ones", icon="auto_awesome")


def _compared(key: str, rows: list[Cover]) -> None:
    """Shares side by side, with intervals, and everything as a table."""
    st.subheader("Chats against approved records")
    frame = pd.DataFrame(
        [
            {"subject": _title(row.subject), **_bounds("chats", row.chat_share), **_bounds("approved", row.approved_share)}
            for row in sorted(rows, key=lambda row: -row.chats)[: 2 * SHOWN]
        ]
    )
    charts.show_figure(topic_charts.against(frame, name="subject"), key=f"coverage-{key}")
    st.caption(
        "95% Wilson intervals. A subject counts as rarer where the difference is beyond chance (Newcombe, Benjamini-Hochberg "
        "over all subjects); how much it lacks comes from the lower end of the chats' share. Synthetic records do not count."
    )
    charts.show_table(_table(rows), key=f"coverage-{key}", columns=_COLUMNS)


def _bounds(name: str, share: tuple[float, float, float] | None) -> dict[str, float]:
    value, low, high = share or (0.0, 0.0, 0.0)
    return {name: value, f"{name} low": low, f"{name} high": high}


_PERCENT = st.column_config.NumberColumn(format="percent")
_COLUMNS = dict.fromkeys(("share of chats", "share of approved", "thumbs down"), _PERCENT)


def _table(rows: list[Cover]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "subject": _title(row.subject),
                "lacks": row.missing,
                "chats": row.chats,
                "share of chats": row.chat_share[0] if row.chat_share else None,
                "approved": row.approved,
                "share of approved": row.approved_share[0] if row.approved_share else None,
                "waiting": row.pending,
                "thumbs down": row.down_share[0] if row.down_share else None,
            }
            for row in rows
        ]
    )
