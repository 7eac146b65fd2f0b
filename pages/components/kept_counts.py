"""What curation's pages count over all records, kept until something changes: at a million records each takes seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from backend.curation import check_queries, duplicate_queries, topic_queries
from backend.curation.fix_rules import Rule
from backend.curation.queries import open_counts
from backend.vocabulary import FindingKind
from pages.components.visit import Visit

_READS: Mapping[str, Callable[..., Any]] = {
    "open": open_counts,
    "records with": check_queries.records_with,
    "unseen": check_queries.unseen,
    "fixable": check_queries.fixable,
    "duplicates": duplicate_queries.overview,
    "topics": topic_queries.overview,
}


def open_by_kind(visit: Visit) -> dict[FindingKind, tuple[int, int]]:
    """Open findings by kind: how many, in how many records."""
    found: dict[FindingKind, tuple[int, int]] = _read(visit, "open")
    return found


def records_with(visit: Visit, kinds: frozenset[FindingKind]) -> int:
    """How many records have something open of these kinds."""
    return int(_read(visit, "records with", kinds=kinds))


def unseen(visit: Visit) -> tuple[int, int]:
    """How many records some check has not seen as they are now, and how many there are."""
    found: tuple[int, int] = _read(visit, "unseen")
    return found


def fixable(visit: Visit, rule: Rule) -> tuple[int, int]:
    """How many findings that the rule means a machine can fix, and in how many records."""
    found: tuple[int, int] = _read(visit, "fixable", rule=rule)
    return found


def duplicates(visit: Visit) -> duplicate_queries.Overview:
    """What the Duplicates page begins with."""
    found: duplicate_queries.Overview = _read(visit, "duplicates")
    return found


def topics(visit: Visit) -> topic_queries.Overview:
    """What the Topics page begins with. Whether somebody looks for topics now is asked each time."""
    found: topic_queries.Overview = _read(visit, "topics")
    with visit.reading() as session:
        return replace(found, looking=topic_queries.looking(session, actor=visit.actor, project_id=visit.project_id))


def _read(visit: Visit, name: str, **more: Any) -> Any:
    with visit.reading() as session:
        stamp = check_queries.stamp(session, actor=visit.actor, project_id=visit.project_id)
    return _kept(visit, visit.settings.database, visit.project_id, stamp, name, more)


@st.cache_data(max_entries=256, show_spinner=False)
def _kept(_visit: Visit, database: str, project_id: int, stamp: tuple[int, ...], name: str, more: Mapping[str, Any]) -> Any:
    with _visit.reading() as session:
        return _READS[name](session, actor=_visit.actor, project_id=project_id, **more)
