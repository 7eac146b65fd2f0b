"""What the dashboard reads, once for everybody who looks within five seconds. Nobody changes what is returned.

In a module of its own, because a page's script is run anew for every rerun, and what it caches is found again by its source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from backend.evaluation import activity
from pages.components.visit import Visit

WORDS = {"decisions": "Rulings", "edits": "Edits", "answers": "Ratings and comparisons"}
SECONDS = 5


@dataclass(frozen=True, slots=True)
class Overview:
    """What the database counts for the dashboard."""

    funnel: pd.DataFrame
    current: activity.Current | None
    runs: pd.DataFrame
    feedback: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Throughput:
    """Work by day and by person, and the tables of it with their headings for people."""

    daily: pd.DataFrame
    people: pd.DataFrame
    daily_table: pd.DataFrame
    people_table: pd.DataFrame


def overview(visit: Visit, days: int) -> Overview:
    """Everything but the work of people."""
    found: Overview = _overview(visit, visit.settings.database, visit.project_id, days)
    return found


def throughput(visit: Visit, kept: Any, days: int, stamp: Any) -> Throughput | None:
    """Who did how much in these days, given the kept figure and its stamp; None where nobody did anything."""
    found: Throughput | None = _throughput(visit, kept, visit.settings.database, visit.project_id, days, stamp)
    return found


@st.cache_resource(ttl=SECONDS, max_entries=200, show_spinner=False)
def _overview(_visit: Visit, database: str, project_id: int, days: int) -> Overview:
    with _visit.reading() as session:
        return Overview(
            funnel=activity.funnel(session, project_id=project_id),
            current=activity.current(session, project_id=project_id),
            runs=activity.runs(session, project_id=project_id),
            feedback=activity.feedback(session, project_id=project_id, days=days),
        )


@st.cache_resource(ttl=SECONDS, max_entries=200, show_spinner=False)
def _throughput(_visit: Visit, _kept: Any, database: str, project_id: int, days: int, stamp: Any) -> Throughput | None:
    with _visit.reading() as session:
        rated = activity.answers(session, rows=_kept.value["rows"] if _kept else [], days=days)
        frame = activity.together(activity.work(session, project_id=project_id, days=days), rated)
    if frame.empty:
        return None
    daily, people = activity.by_day(frame), activity.by_person(frame)
    return Throughput(daily, people.head(15), daily.rename(columns=WORDS), people.rename(columns=WORDS))
