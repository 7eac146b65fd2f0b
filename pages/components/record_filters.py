"""The filter row of the records page, and the bulk decision over what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from backend.review import queries
from backend.review.bulk_deciding import BulkResult, bulk_decide, preview
from backend.review.filters import RecordFilter
from backend.review.revisions import MOST_REASON
from backend.vocabulary import FindingKind, RecordStatus
from pages.components.conversation import FINDING_WORDS
from pages.components.notices import attempt, tell
from pages.components.record_card import STATUS
from pages.components.slice_titles import slice_title
from pages.components.visit import Visit

DECISIONS = {"approve": "Approve", "reject": "Reject", "flag": "Flag"}
DONE = {"approve": "approved", "reject": "rejected", "flag": "flagged"}


def choose_filter(visit: Visit, *, prefix: str = "records-") -> RecordFilter:
    """Draw the filters, fields whose keys begin with `prefix`; the values typed and chosen as a filter."""
    with visit.reading() as session:
        sources = queries.sources(session, visit.actor, visit.project_id)
        slices = queries.slice_values(session, visit.actor, visit.project_id)
    _from_address(prefix, slices)
    text, status, finding = st.columns([3, 2, 2])
    text.text_input(
        "Search",
        key=f"{prefix}text",
        placeholder="In every turn, or a record's number",
        help="All words must occur, in any order; the last one may be unfinished. Quotes keep words together.",
    )
    status.multiselect(
        "Status", list(RecordStatus), format_func=lambda found: STATUS[found][0], key=f"{prefix}status", placeholder="Any"
    )
    finding.selectbox(
        "Finding",
        ["", *FindingKind],
        format_func=lambda found: FINDING_WORDS.get(found, found) or "Any",
        key=f"{prefix}finding",
        on_change=_forget_address,
    )
    source, key, value, repeats = st.columns([3, 2, 2, 2], vertical_alignment="bottom")
    source.selectbox("Import", [0, *sources], format_func=lambda found: sources.get(found, "Any"), key=f"{prefix}source")
    slice_key = key.selectbox(
        "Metadata",
        ["", *slices],
        format_func=lambda found: slice_title(found) or "Any",
        key=f"{prefix}slice",
        on_change=_forget_address,
    )
    value.selectbox(
        "Value",
        slices.get(slice_key, []),
        key=f"{prefix}value-{slice_key}",
        disabled=not slice_key,
        on_change=_forget_address,
    )
    repeats.checkbox("Repeated only", key=f"{prefix}duplicates")
    fields = {str(name).removeprefix(prefix): found for name, found in st.session_state.items() if str(name).startswith(prefix)}
    return filter_of(fields, faq_id=_faq_of_link() if prefix == "records-" else None)


def filter_of(fields: Mapping[str, Any], *, faq_id: int | None = None) -> RecordFilter:
    """The filter that the fields, by their names without a prefix, stand for."""
    slice_key = fields.get("slice") or ""
    slice_value = fields.get(f"value-{slice_key}")
    return RecordFilter(
        statuses=tuple(fields.get("status") or ()),
        source_id=fields.get("source") or None,
        slice_key=slice_key if slice_value is not None else "",
        slice_value=slice_value or "",
        finding=FindingKind(fields["finding"]) if fields.get("finding") else None,
        text=fields.get("text") or "",
        duplicates_only=bool(fields.get("duplicates")),
        faq_id=faq_id,
    )


_ADDRESS = ("slice_key", "slice_value", "finding")
"""What a link from another page may ask for."""


def _from_address(prefix: str, slices: Mapping[str, list[str]]) -> None:
    """What a link asked for becomes the choice when the page is opened. Once chosen otherwise, the address forgets it."""
    key, value, finding = (st.query_params.get(name, "") for name in _ADDRESS)
    if f"{prefix}slice" not in st.session_state and value in slices.get(key, ()):
        st.session_state[f"{prefix}slice"], st.session_state[f"{prefix}value-{key}"] = key, value
    if f"{prefix}finding" not in st.session_state and finding in set(FindingKind):
        st.session_state[f"{prefix}finding"] = FindingKind(finding)


def _forget_address() -> None:
    for name in _ADDRESS:
        st.query_params.pop(name, None)


def _faq_of_link() -> int | None:
    """The FAQ whose citing records a link asked for."""
    asked = st.query_params.get("faq", "")
    if not (asked.isascii() and asked.isdigit() and len(asked) < 10):
        return None
    st.button(
        "Only records that cite one FAQ: show all again", icon=":material/close:", on_click=_forget_faq, key="records-faq"
    )
    return int(asked)


def _forget_faq() -> None:
    st.query_params.pop("faq", None)


def show_bulk(visit: Visit, record_filter: RecordFilter, count: int) -> None:
    """For leads: one decision on everything that the filter finds, counted before it is made."""
    with st.expander(f"Decide on all {count:,} records of this list", icon=":material/checklist:"):
        decision = st.segmented_control(
            "Decision", list(DECISIONS), format_func=DECISIONS.__getitem__, key="bulk-decision", required=False
        )
        if decision is None:
            st.caption("Choose a decision to see what it would do. Nothing happens before you press the button below.")
            return
        with visit.reading() as session:
            found = preview(
                session=session,
                actor=visit.actor,
                project_id=visit.project_id,
                record_filter=record_filter,
                decision=decision,
            )
        st.text(foretell(found, decision))
        st.text_input("Why?", key="bulk-reason", max_chars=MOST_REASON, help="It stands on each of these records.")
        st.button(
            f"{DECISIONS[decision]} {found.decided:,} records",
            type="primary",
            disabled=not found.decided,
            key=f"bulk-{decision}-{found.decided}",
            on_click=attempt,
            args=(_decide, visit, record_filter, decision, found.decided),
        )


def foretell(found: BulkResult, decision: str) -> str:
    """What a bulk decision will do, in words."""
    parts = [f"{found.decided:,} of {found.found:,} will be {DONE[decision]}."]
    if found.unchanged:
        parts.append(f"{found.unchanged:,} already are.")
    if found.personal:
        parts.append(f"{found.personal:,} hold personal data and stay as they are: mask them first.")
    if found.poor:
        parts.append(f"{found.poor:,} have an answer that their file calls bad and stay as they are: write better ones.")
    return " ".join(parts)


def _decide(visit: Visit, record_filter: RecordFilter, decision: str, expected: int) -> None:
    with visit.writing() as session:
        done = bulk_decide(
            session=session,
            actor=visit.actor,
            project_id=visit.project_id,
            record_filter=record_filter,
            decision=decision,
            reason=str(st.session_state.get("bulk-reason") or ""),
            expected=expected,
        )
    left = f" {done.personal:,} hold personal data and were left as they are." if done.personal else ""
    left += f" {done.poor:,} have an answer that their file calls bad and were left as they are." if done.poor else ""
    tell("success", f"{done.decided:,} records are {DONE[decision]}.{left}")
    st.session_state["bulk-reason"] = ""
