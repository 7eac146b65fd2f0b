"""Personal data that was found: how much is open, what masking would do, masks and dismissals taken back."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from backend.curation.fix_rules import Rule
from backend.curation.queries import KINDS
from backend.vocabulary import PERSONAL_FINDINGS, Action, FindingKind, FindingStatus
from pages.components import kept_counts
from pages.components.findings_table import MASK, SHOWN, choose, fix_all, show_actions, show_closed, tabs
from pages.components.notices import attempt
from pages.components.visit import Visit


def show_findings(visit: Visit) -> None:
    """The whole panel."""
    st.subheader("Personal data")
    counts = kept_counts.open_by_kind(visit)
    kinds = [kind for kind in FindingKind if kind in PERSONAL_FINDINGS and kind in counts]
    st.text(
        "Records with open personal data cannot be approved. Masking adds a revision; the text before it stays in the history."
    )
    opened, masked, dismissed = tabs(MASK)
    with opened:
        _open(visit, kinds, counts)
    show_closed(visit, PERSONAL_FINDINGS, MASK, masked, dismissed, prefix="mask")


def _open(visit: Visit, kinds: Sequence[FindingKind], counts: dict[FindingKind, tuple[int, int]]) -> None:
    if not kinds:
        st.text("No open personal data. New imports and edits are searched for it; the Privacy page says for which kinds.")
        return
    with st.container(horizontal=True):
        for kind in kinds:
            count, records = counts[kind]
            st.metric(KINDS[kind], f"{count:,}", help=f"In {records:,} records.", width=150)
    wanted = st.multiselect("Which kinds?", kinds, default=kinds, format_func=KINDS.__getitem__, key="mask_kinds")
    st.caption(f"What masking would do; the least sure come first, at most {SHOWN} are shown.")
    rule = Rule(kinds=frozenset(wanted))
    chosen = choose(visit, FindingStatus.OPEN, rule, "Choose at least one kind.")
    total = sum(counts[kind][0] for kind in wanted)
    if visit.may(Action.BULK_REVIEW):
        st.button(
            f"Mask all {total:,}", type="primary", icon=":material/visibility_off:", disabled=not wanted,
            on_click=attempt, args=(fix_all, visit, rule, MASK), key="mask_all",
        )  # fmt: skip
    if chosen:
        show_actions(visit, chosen, MASK, prefix="mask", placeholder="Our own hotline")
