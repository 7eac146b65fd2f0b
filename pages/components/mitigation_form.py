"""Mitigations: what is chosen, what it would do before it is done, applying it; below, what was done (`mitigation_history`)."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.curation import mitigating, mitigation_queries
from backend.curation.labels import Label
from backend.curation.mitigating import Preview
from backend.curation.plans import MOST_VARIANTS, SWAPS, Plan, shares_of
from backend.curation.weights import HIGHEST, LOWEST, MOST_COPIES, Resampling
from backend.vocabulary import Action, MitigationKind
from pages.components import mitigation_history
from pages.components.links import link_to
from pages.components.mitigation_history import KINDS, compared
from pages.components.notices import attempt, plain, tell
from pages.components.visit import Visit
from pages.components.worddiff import show_diff

_PLAN = "mitigation plan"
_WHAT = {
    MitigationKind.REWEIGHING: "Rows count more or less in training, so that what became of the answer no longer hangs on the "
    "group (Kamiran and Calders). No row is left out, and none is repeated.",
    MitigationKind.RESAMPLING: "Rows of small groups stand in the training split several times, or rows of large ones "
    "are left out. Validation and test stay as they are.",
    MitigationKind.COUNTERFACTUALS: "Copies of approved records about somebody else: other names, other groups. They wait for "
    "review like any record, are marked as synthetic, and enter the training split alone.",
}
_HOW = {
    Resampling.OVER: "Repeat small groups up to the largest",
    Resampling.UNDER: "Cut large groups down to the smallest",
    Resampling.SHARES: "As many rows as now, in equal or stated shares",
}


def show_mitigations(visit: Visit) -> None:
    """The whole tab."""
    if not visit.may(Action.BULK_REVIEW):
        st.info("Leads apply mitigations.", icon=":material/lock:")
        return
    given = {"actor": visit.actor, "project_id": visit.project_id}
    with visit.reading() as session:
        held = mitigation_queries.standing(session, **given)
        groups = mitigation_queries.group_labels(session, **given)
        outcomes = mitigation_queries.outcome_labels(session, **given)
    if not held.approved:
        st.info("Mitigations work on approved records, and there are none yet.", icon=":material/rate_review:")
        link_to("review", "Review records", icon="rate_review")
        return
    kind = st.segmented_control("What to do", list(MitigationKind), format_func=KINDS.__getitem__, key="mitigation-kind",
                                default=MitigationKind.REWEIGHING, required=True) or MitigationKind.REWEIGHING  # fmt: skip
    st.text(_WHAT[kind])
    plan = _plan(kind, groups, outcomes)
    st.button("Preview", icon=":material/visibility:", key="mitigation-preview", on_click=_keep, args=(plan,))
    if st.session_state.get(_PLAN) == plan:
        _show_preview(visit, plan)
    st.subheader("What was done")
    _show_standing(held)
    mitigation_history.show_history(visit)


def _plan(kind: MitigationKind, groups: list[Label], outcomes: list[Label]) -> Plan:
    """The choices as a value."""
    if kind is MitigationKind.COUNTERFACTUALS:
        swaps = st.multiselect("Swap", SWAPS, default=[*SWAPS], key="mitigation-swaps")
        first, second = st.columns(2)
        most = first.number_input("At most this many", 1, MOST_VARIANTS, 200, key="mitigation-most")
        seed = second.number_input(
            "Draw", 0, 9999, 0, key="mitigation-seed", help="Another number draws other records and names."
        )
        return Plan(kind=kind, swaps=tuple(swaps), most=int(most), seed=int(seed))
    first, second = st.columns(2)
    titles = {label.key: label.title for label in outcomes}
    slice_by = first.selectbox(
        "Groups", [label.key for label in groups], format_func=titles.__getitem__, key="mitigation-group"
    )
    if kind is MitigationKind.REWEIGHING:
        outcome = second.selectbox(
            "What should not hang on the group", list(titles), format_func=titles.__getitem__, key="mitigation-outcome"
        )
        lowest, highest = st.slider("A row counts between", 0.05, 20.0, (LOWEST, HIGHEST), 0.05, key="mitigation-bounds",
                                    help="Rare combinations would count too much without a bound.")  # fmt: skip
        return Plan(kind=kind, slice_by=slice_by or "", outcome=outcome or "", lowest=lowest, highest=highest)
    how = second.selectbox("How", list(Resampling), format_func=_HOW.__getitem__, key="mitigation-how")
    first, second = st.columns(2)
    seed = first.number_input("Draw", 0, 9999, 0, key="mitigation-seed", help="Which rows are repeated or left out.")
    shares: dict[str, float] = {}
    if how is Resampling.SHARES:
        wanted = second.text_input(
            "Target shares",
            key="mitigation-shares",
            placeholder="mail=40, phone=60",
            help="Empty for all groups alike; a group that is not named gets none.",
        )
        shares = shares_of(wanted)
    return Plan(kind=kind, slice_by=slice_by or "", how=how or Resampling.OVER, seed=int(seed), shares=shares)


def _keep(plan: Plan) -> None:
    st.session_state[_PLAN] = plan


def _show_preview(visit: Visit, plan: Plan) -> None:
    """What the plan would do, and the button that does it."""
    with visit.reading() as session:
        would = mitigating.preview(session=session, actor=visit.actor, project_id=visit.project_id, plan=plan)
    with st.container(border=True):
        st.text(_told(plan, would))
        compared(would.before, would.after, key="preview")
        for number, one in enumerate(would.examples[:3]):
            st.caption(plain(f"Record {one.record_id}, {one.variant.swap.title}"))
            for before, after in zip(one.original, one.variant.messages, strict=True):
                if before != after:
                    show_diff(before.content, after.content, key=f"example-{number}-{before.role}", before_name="the original",
                              after_name="the copy")  # fmt: skip
                    break
        if not would.changes:
            return
        st.text_input("Why (others will ask)", key="mitigation-reason", max_chars=300)
        st.button("Apply", type="primary", icon=":material/check:", key="mitigation-apply", on_click=attempt,
                  args=(_apply, visit, plan))  # fmt: skip


def _told(plan: Plan, would: Preview) -> str:
    if plan.kind is MitigationKind.COUNTERFACTUALS:
        if not would.changes:
            return "No approved record names anybody who could be swapped that way."
        return f"{would.changes:,} copies would be made and wait for review."
    missing = ""
    if would.after.get("missing"):
        missing = (
            f" {would.after['missing']} combinations of group and outcome have no record at all: weights cannot make up for "
            "what is not there. Find or write such examples, or make copies about somebody else."
        )
    if not would.changes:
        return "Nothing would change." + (missing or " The records count like this already.")
    return f"{would.changes:,} records would count differently. " + _warned(plan, would.after) + missing


def _warned(plan: Plan, after: dict[str, Any]) -> str:
    if plan.kind is MitigationKind.REWEIGHING:
        cut = after["cut"]
        return f"{cut} combinations reach a bound, so a gap stays." if cut else "No weight reaches a bound."
    dropped = f"{after['dropped']:,} would be left out of training. " if after["dropped"] else ""
    most = after["most_copies"]
    limit = ", the limit, so the smallest groups fall short" if most == MOST_COPIES else ""
    return f"{dropped}The most repeated row stands there {most} times{limit}."


def _show_standing(held: mitigation_queries.Standing) -> None:
    plainly = not (held.weighted or held.copied or held.left_out)
    said = "all count alike" if plainly else (
        f"{held.weighted:,} with a weight of their own, {held.copied:,} repeated, {held.left_out:,} left out of training"
    )  # fmt: skip
    later = f" {held.later:,} were approved after the newest mitigation and count plainly: apply it anew." if held.later else ""
    st.text(f"{held.approved:,} approved records: {said}. The next snapshot takes them like this.{later}")


def _apply(visit: Visit, plan: Plan) -> None:
    reason = st.session_state.get("mitigation-reason", "")
    with visit.writing() as session:
        mitigating.apply(session=session, actor=visit.actor, project_id=visit.project_id, plan=plan, reason=reason)
    st.session_state.pop(_PLAN, None)
    tell("success", "Applied. It is listed below and can be undone; freeze a snapshot to train on it.")
