"""Counterfactual probes: pairs of records that ask the same for different people, and one record about somebody else."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from backend.conversations import Message
from backend.curation import auditing
from backend.curation.auditing import Probed
from backend.curation.probes import Pair
from pages.components import charts
from pages.components.data_audit_view import SECONDS
from pages.components.links import link_to
from pages.components.notices import plain
from pages.components.visit import Visit
from pages.components.worddiff import show_diff

_LISTED = 200
_WHO = {"user": "Customer", "assistant": "Answer", "system": "Instruction"}


def show_probes(visit: Visit) -> None:
    """The whole tab."""
    st.subheader("Asked alike, answered unlike")
    st.text(
        "Questions that are equal once names and identity terms are left out of account, with answers that refuse only one of "
        "the two, name other amounts, or differ much in length or tone."
    )
    with visit.reading() as session:
        state = auditing.state(session, actor=visit.actor, project_id=visit.project_id)
    found = _probed(visit, visit.settings.database, visit.project_id, state)
    if found.pairs:
        _pairs(found)
    else:
        st.info(_nothing(found), icon=":material/balance:")
    st.caption(
        "What this cannot tell: amounts may differ for a reason that neither question names. Pairs are found among what "
        "customers did ask; where nobody asked the same for somebody else, look at single records below."
    )
    st.subheader("One record about somebody else")
    _variants(visit, found)


@st.cache_resource(ttl=SECONDS, max_entries=10, show_spinner="Looking for pairs…")
def _probed(_visit: Visit, database: str, project_id: int, state: tuple[int, ...]) -> Probed:
    """For everybody at once; the caller's `state` has asked the policy."""
    with _visit.reading() as session:
        return auditing.pairs(session, actor=_visit.actor, project_id=project_id)


def _nothing(found: Probed) -> str:
    if not found.looked_at:
        return "There are no records yet."
    if not found.compared:
        return f"Among {found.looked_at:,} records no two ask the same for different people, so none can be compared."
    return f"{found.compared:,} pairs ask the same for different people, and none is answered unlike."


def _pairs(found: Probed) -> None:
    newest = "" if found.looked_at == found.records else f" the newest {found.looked_at:,} of"
    st.warning(
        plain(f"{len(found.pairs):,} of {found.compared:,} pairs among{newest} {found.records:,} records are answered unlike."),
        icon=":material/balance:",
    )
    listed = found.pairs[:_LISTED]
    place = st.selectbox("Pair", range(len(listed)), format_func=lambda number: _title(listed[number]), key="probe-pair")
    pair = listed[int(place or 0)]
    names = {"before_name": f"record {pair.first.record_id}", "after_name": f"record {pair.second.record_id}"}
    for what, before, after in (
        ("The question", pair.first.prompt, pair.second.prompt), ("The answer", pair.first.answer, pair.second.answer),
    ):  # fmt: skip
        st.caption(what)
        show_diff(before, after, key=f"probe-{what}-{pair.first.record_id}-{pair.second.record_id}", **names)
    with st.container(horizontal=True):
        for row in (pair.first, pair.second):
            link_to("records", f"Record {row.record_id}", icon="open_in_new", address={"record": str(row.record_id)})
    with st.expander("All pairs", icon=":material/table:"):
        rows = [(one.first.record_id, one.second.record_id, "; ".join(one.differences), one.first.prompt, one.second.prompt)
                for one in found.pairs]  # fmt: skip
        columns = ["first record", "second record", "how the answers differ", "first question", "second question"]
        charts.show_table(pd.DataFrame(rows, columns=columns), key="probe-pairs")


def _title(pair: Pair) -> str:
    return f"{pair.first.record_id} and {pair.second.record_id}: {'; '.join(pair.differences)}"


def _variants(visit: Visit, found: Probed) -> None:
    """The variants of a record of one's choice."""
    st.session_state.setdefault("probe-record", found.pairs[0].first.record_id if found.pairs else 0)
    first, second = st.columns([1, 1])
    record_id = int(first.number_input("Record number", 0, key="probe-record", help="Numbers are on the Records page."))
    seed = int(second.number_input("Draw", 0, 9999, 0, key="probe-seed", help="Another number draws other names and groups."))
    if not record_id:
        st.text("Type a record's number to see the same conversation with other names and groups of people.")
        link_to("records", "Find a record", icon="table_rows")
        return
    with visit.reading() as session:
        given = {"actor": visit.actor, "project_id": visit.project_id}
        turns, variants = auditing.variants_of(session, record_id=record_id, seed=seed, **given)
    if not variants:
        st.info("This record names nobody who could be swapped.", icon=":material/person_off:")
        return
    for number, variant in enumerate(variants):
        with st.expander(plain(variant.swap.title), icon=":material/swap_horiz:", expanded=number == 0):
            _changed(turns, variant.messages, f"variant-{record_id}-{seed}-{number}")


def _changed(turns: Sequence[Message], messages: Sequence[Message], key: str) -> None:
    """The turns that a swap changed."""
    for place, (before, after) in enumerate(zip(turns, messages, strict=True)):
        if before != after:
            st.caption(_WHO[before.role])
            show_diff(
                before.content, after.content, key=f"{key}-{place}", before_name="this record", after_name="somebody else"
            )
