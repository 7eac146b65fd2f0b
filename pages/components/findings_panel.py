"""Personal data that was found: how much is open, what masking would do, masks and dismissals taken back."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Sequence

import streamlit as st

from backend.curation import dismissing, fixing, undoing
from backend.curation.fix_rules import Rule
from backend.curation.queries import KINDS, findings, open_counts
from backend.vocabulary import PERSONAL_FINDINGS, Action, FindingKind, FindingStatus
from pages.components.notices import attempt, tell
from pages.components.visit import Visit

Chosen = tuple[tuple[int, int], ...]
"""(finding, record) of the rows that are chosen."""
_SHOWN = 50
_COLUMNS = {
    "record": st.column_config.NumberColumn("Record", width="small"),
    "kind": "What", "text": st.column_config.TextColumn("In the text", width="large"), "becomes": "Becomes",
    "score": st.column_config.NumberColumn("How sure", format="percent", width="small"), "import": "From",
}  # fmt: skip


def show_findings(visit: Visit) -> None:
    """The whole panel."""
    st.subheader("Personal data")
    with visit.reading() as session:
        counts = open_counts(session, actor=visit.actor, project_id=visit.project_id)
    kinds = [kind for kind in FindingKind if kind in PERSONAL_FINDINGS and kind in counts]
    st.text(
        "Records with open personal data cannot be approved. Masking adds a revision; the text before it stays in the history."
    )
    opened, masked, dismissed = st.tabs(["Open", "Masked", "Dismissed"])
    with opened:
        _open(visit, kinds, counts)
    with masked:
        chosen = _table(visit, FindingStatus.FIXED, PERSONAL_FINDINGS, "Nothing was masked yet.")
        if chosen:
            st.button("Undo the chosen masks", icon=":material/undo:", on_click=attempt, args=(_undo, visit, chosen))
    with dismissed:
        chosen = _table(visit, FindingStatus.DISMISSED, PERSONAL_FINDINGS, "Nothing was dismissed as a false alarm.")
        if chosen:
            st.button("Open the chosen again", icon=":material/undo:", on_click=attempt, args=(_reopen, visit, chosen))


def _open(visit: Visit, kinds: Sequence[FindingKind], counts: dict[FindingKind, tuple[int, int]]) -> None:
    if not kinds:
        st.text("No open personal data. New imports and edits are searched for it; the Privacy page says for which kinds.")
        return
    for column, kind in zip(itertools.cycle(st.columns(min(6, len(kinds)))), kinds, strict=False):
        count, records = counts[kind]
        column.metric(KINDS[kind], f"{count:,}", help=f"In {records:,} records.")
    wanted = st.multiselect("Which kinds?", kinds, default=kinds, format_func=KINDS.__getitem__, key="mask_kinds")
    st.caption(f"What masking would do; the least sure come first, at most {_SHOWN} are shown.")
    chosen = _table(visit, FindingStatus.OPEN, wanted, "Choose at least one kind.")
    total = sum(counts[kind][0] for kind in wanted)
    if visit.may(Action.BULK_REVIEW):
        st.button(
            f"Mask all {total:,}", type="primary", icon=":material/visibility_off:", disabled=not wanted,
            on_click=attempt, args=(_mask_all, visit, tuple(wanted)), key="mask_all",
        )  # fmt: skip
    if chosen:
        why = st.text_input("Why is this no personal data?", key="dismiss_reason", placeholder="Our own hotline")
        one, two = st.columns(2)
        one.button(
            "Mask the chosen", on_click=attempt, args=(_mask, visit, chosen), icon=":material/visibility_off:", width="stretch"
        )
        two.button(
            "Dismiss the chosen",
            on_click=attempt,
            args=(_dismiss, visit, chosen, why),
            icon=":material/close:",
            width="stretch",
        )


def _table(visit: Visit, status: FindingStatus, kinds: Collection[FindingKind], empty: str) -> Chosen:
    """Findings to choose from; returns the chosen ones."""
    with visit.reading() as session:
        found = findings(session, actor=visit.actor, project_id=visit.project_id, kinds=kinds, status=status, limit=_SHOWN)
    if found.empty:
        st.text(empty)
        return ()
    picked = st.dataframe(
        found.drop(columns=["finding"]), width="stretch", hide_index=True, column_config=_COLUMNS, on_select="rerun",
        selection_mode="multi-row", key=f"findings_{status}_{'_'.join(sorted(kinds))}",
    )  # fmt: skip
    chosen = found.iloc[[row for row in picked["selection"]["rows"] if row < len(found)]]
    return tuple(zip(chosen["finding"].tolist(), chosen["record"].tolist(), strict=True))


def _mask_all(visit: Visit, kinds: Sequence[FindingKind]) -> None:
    with visit.writing() as session:
        done = fixing.fix_all(
            session=session,
            actor=visit.actor,
            project_id=visit.project_id,
            rule=Rule(kinds=frozenset(kinds)),
            folder=visit.settings.data,
        )
    left = f" {done.left:,} records are left; press again." if done.left else ""
    back = f" {done.withdrawn:,} approvals of unmasked texts were withdrawn." if done.withdrawn else ""
    tell("success", f"Masked {done.findings:,} places in {done.records:,} records.{back}{left}")


def _mask(visit: Visit, chosen: Chosen) -> None:
    by_record: dict[int, list[int]] = defaultdict(list)
    for finding, record in chosen:
        by_record[record].append(finding)
    for ids in by_record.values():
        with visit.writing() as session:
            fixing.fix(
                session=session,
                actor=visit.actor,
                project_id=visit.project_id,
                finding_ids=ids,
                folder=visit.settings.data,
            )
    tell("success", f"Masked {len(chosen)} places in {len(by_record)} records.")


def _dismiss(visit: Visit, chosen: Chosen, why: str) -> None:
    ids = [finding for finding, _ in chosen]
    with visit.writing() as session:
        dismissing.dismiss(session=session, actor=visit.actor, project_id=visit.project_id, finding_ids=ids, reason=why)
    tell("success", f"Dismissed {len(ids)}. The same text in later revisions stays dismissed.")


def _undo(visit: Visit, chosen: Chosen) -> None:
    # One mask may have closed several findings of a record; undoing it opens all of them.
    firsts = {record: finding for finding, record in reversed(chosen)}
    for finding in firsts.values():
        with visit.writing() as session:
            undoing.undo(session=session, actor=visit.actor, project_id=visit.project_id, finding_id=finding)
    tell("success", f"The text from before the mask is back in {len(firsts)} records.")


def _reopen(visit: Visit, chosen: Chosen) -> None:
    for finding, _ in chosen:
        with visit.writing() as session:
            dismissing.reopen(session=session, actor=visit.actor, project_id=visit.project_id, finding_id=finding)
    tell("success", f"{len(chosen)} are open again.")
