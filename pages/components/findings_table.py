"""Findings to choose from, and what can be done with the chosen ones: fix, dismiss, and take either back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import streamlit as st

from backend.curation import dismissing, fixing, undoing
from backend.curation.fix_rules import Rule
from backend.curation.queries import findings
from backend.vocabulary import FindingKind, FindingStatus
from pages.components.notices import attempt, counted, tell
from pages.components.visit import Visit

Chosen = tuple[tuple[int, int], ...]
"""(finding, record) of the rows that are chosen."""
SHOWN = 50
_COLUMNS = {
    "record": st.column_config.NumberColumn("Record", width="small"),
    "kind": "What", "found": st.column_config.TextColumn("Found", width="small"),
    "text": st.column_config.TextColumn("In the text", width="large"),
    "why": st.column_config.TextColumn("Why", width="medium"), "becomes": "Becomes",
    "score": st.column_config.NumberColumn("How sure", format="percent", width="small"), "import": "From",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Words:
    """How a fix is called where it is offered: "Mask", "Masked", "masks"."""

    verb: str
    done: str
    noun: str


MASK = Words("Mask", "Masked", "masks")
FIX = Words("Fix", "Fixed", "fixes")


def choose(visit: Visit, status: FindingStatus, rule: Rule, empty: str, *, hidden: Collection[str] = ("why",)) -> Chosen:
    """A table of the findings that the rule means, in this status; returns the chosen ones."""
    with visit.reading() as session:
        found = findings(
            session, actor=visit.actor, project_id=visit.project_id, kinds=rule.kinds, status=status,
            min_score=rule.min_score, detector=rule.detector, limit=SHOWN,
        )  # fmt: skip
    if found.empty:
        st.text(empty)
        return ()
    picked = st.dataframe(
        found.drop(columns=["finding", *hidden]), width="stretch", hide_index=True, column_config=_COLUMNS, on_select="rerun",
        selection_mode="multi-row", key=f"findings_{status}_{'_'.join(sorted(rule.kinds))}",
    )  # fmt: skip
    chosen = found.iloc[[row for row in picked["selection"]["rows"] if row < len(found)]]
    return tuple(zip(chosen["finding"].tolist(), chosen["record"].tolist(), strict=True))


def tabs(words: Words) -> tuple[Any, Any, Any]:
    """Open, fixed, dismissed."""
    opened, fixed, dismissed = st.tabs(["Open", words.done, "Dismissed"])
    return opened, fixed, dismissed


def show_closed(visit: Visit, kinds: frozenset[FindingKind], words: Words, fixed: Any, dismissed: Any, *, prefix: str) -> None:
    """What was fixed and what was dismissed, each to be taken back."""
    with fixed:
        chosen = choose(visit, FindingStatus.FIXED, Rule(kinds=kinds), f"Nothing was {words.done.lower()} yet.")
        if chosen:
            label = f"Undo the chosen {words.noun}"
            st.button(label, icon=":material/undo:", on_click=attempt, args=(undo, visit, chosen), key=f"{prefix}_undo")
    with dismissed:
        empty = "Nothing was dismissed as a false alarm."
        chosen = choose(visit, FindingStatus.DISMISSED, Rule(kinds=kinds), empty)
        if chosen:
            label = "Open the chosen again"
            st.button(label, icon=":material/undo:", on_click=attempt, args=(reopen, visit, chosen), key=f"{prefix}_reopen")


def show_actions(visit: Visit, chosen: Chosen, words: Words, *, prefix: str, placeholder: str, can_fix: bool = True) -> None:
    """What can be done with the chosen open findings."""
    why = st.text_input("Why is this no problem?", key=f"{prefix}_reason", placeholder=placeholder)
    one, two = st.columns(2)
    one.button(
        f"{words.verb} the chosen", on_click=attempt, args=(fix, visit, chosen, words), width="stretch", disabled=not can_fix,
        icon=":material/visibility_off:" if words is MASK else ":material/build:", key=f"{prefix}_fix",
    )  # fmt: skip
    two.button(
        "Dismiss the chosen", on_click=attempt, args=(dismiss, visit, chosen, why), width="stretch",
        icon=":material/close:", key=f"{prefix}_dismiss",
    )  # fmt: skip


def fix_all(visit: Visit, rule: Rule, words: Words) -> None:
    """Callback: fix everything that the rule means."""
    with visit.writing() as session:
        done = fixing.fix_all(
            session=session, actor=visit.actor, project_id=visit.project_id, rule=rule, folder=visit.settings.data
        )
    said = [f"{words.done} {counted(done.findings, 'place')} in {counted(done.records, 'record')}."]
    if done.withdrawn:
        said.append(f"{done.withdrawn:,} approvals of unmasked texts were withdrawn.")
    if done.skipped:
        said.append(f"{done.skipped:,} records stay as they are, because nothing would be left of a message.")
    if done.left:
        said.append(f"{done.left:,} records are left; press again.")
    tell("success", " ".join(said))


def fix(visit: Visit, chosen: Chosen, words: Words) -> None:
    """Callback: fix these, record by record."""
    by_record: dict[int, list[int]] = defaultdict(list)
    for finding, record in chosen:
        by_record[record].append(finding)
    for ids in by_record.values():
        with visit.writing() as session:
            fixing.fix(
                session=session, actor=visit.actor, project_id=visit.project_id, finding_ids=ids, folder=visit.settings.data
            )
    tell("success", f"{words.done} {counted(len(chosen), 'place')} in {counted(len(by_record), 'record')}.")


def dismiss(visit: Visit, chosen: Chosen, why: str) -> None:
    """Callback: these are false alarms."""
    ids = [finding for finding, _ in chosen]
    with visit.writing() as session:
        dismissing.dismiss(session=session, actor=visit.actor, project_id=visit.project_id, finding_ids=ids, reason=why)
    tell("success", f"Dismissed {len(ids)}. The same text in later revisions stays dismissed.")


def undo(visit: Visit, chosen: Chosen) -> None:
    """Callback: bring back the texts from before these fixes."""
    # One fix may have closed several findings of a record; undoing it opens all of them.
    firsts = {record: finding for finding, record in reversed(chosen)}
    for finding in firsts.values():
        with visit.writing() as session:
            undoing.undo(session=session, actor=visit.actor, project_id=visit.project_id, finding_id=finding)
    tell("success", f"The text from before is back in {counted(len(firsts), 'record')}.")


def reopen(visit: Visit, chosen: Chosen) -> None:
    """Callback: these are no false alarms after all."""
    for finding, _ in chosen:
        with visit.writing() as session:
            dismissing.reopen(session=session, actor=visit.actor, project_id=visit.project_id, finding_id=finding)
    tell("success", f"{len(chosen)} are open again.")
