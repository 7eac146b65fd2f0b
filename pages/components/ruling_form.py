"""The forms of the page of disputes: ruling on an item, and taking a ruling back."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from backend.review import adjudicating, setting_gold
from backend.review.adjudication_queries import Case
from backend.review.consensus import Suggestion
from backend.vocabulary import Action
from pages.components import case_view
from pages.components.answer_form import Asked, draw_answer, read_answer
from pages.components.notices import attempt, tell
from pages.components.visit import Visit


def show_form(visit: Visit, case: Case, suggested: Mapping[str, Suggestion]) -> None:
    """The answer, why, and whether it becomes gold."""
    key = f"rule-{case.item_id}-{case.newest_ruling}"
    asked = case_view.asked_of(case)
    if case.you_rated_it:
        st.info("You rated this item yourself. You may rule on it; the ruling says that you had.", icon=":material/person:")
    with st.form(key, border=True):
        draw_answer(asked, key=key, start={name: one.answer for name, one in suggested.items()})
        st.text_area("Why?", key=f"{key}-why", height=80, max_chars=adjudicating.LONGEST_REASON,
                     placeholder="For example: the second one names a price that we do not have")  # fmt: skip
        if visit.may(Action.CREATE_TASK) and not case.is_gold:
            st.checkbox("Make it gold, to check other raters with", key=f"{key}-gold")
        st.form_submit_button("Rule", type="primary", icon=":material/gavel:", shortcut="Ctrl+Enter",
                              on_click=rule, args=(visit, case, asked, key, dict(suggested)))  # fmt: skip


def rule(visit: Visit, case: Case, asked: Asked, key: str, suggested: Mapping[str, Suggestion]) -> None:
    """Callback: save the ruling, and make it gold where that is wanted."""
    answer, why, wants_gold = read_answer(asked, key=key), st.session_state[f"{key}-why"], st.session_state.get(f"{key}-gold")
    told = {name: one.to_json() for name, one in suggested.items()}

    def save() -> bool:
        with visit.writing() as session:
            adjudicating.rule_on(
                session=session,
                actor=visit.actor,
                project_id=visit.project_id,
                item_id=case.item_id,
                reason=why or "",
                seen=case.newest_ruling,
                suggested=told,
                **answer,
            )
        return True

    def make_gold() -> None:
        with visit.writing() as session:
            setting_gold.mark_from_ruling(session=session, actor=visit.actor, project_id=visit.project_id, item_id=case.item_id)

    if attempt(save):
        tell("success", "Your ruling is the item's answer now. The raters' own answers are kept.")
        st.query_params.pop("item", None)
        if wants_gold:
            attempt(make_gold)


def show_withdrawal(visit: Visit, case: Case) -> None:
    """Take the ruling back."""
    with st.form(f"withdraw-{case.item_id}", border=False):
        st.text_input("Why is the ruling withdrawn?", key=f"withdraw-why-{case.item_id}", max_chars=200)
        st.form_submit_button("Withdraw the ruling", icon=":material/undo:", on_click=withdraw, args=(visit, case.item_id))


def withdraw(visit: Visit, item_id: int) -> None:
    """Callback."""
    reason = st.session_state[f"withdraw-why-{item_id}"] or ""

    def save() -> bool:
        with visit.writing() as session:
            adjudicating.withdraw(
                session=session, actor=visit.actor, project_id=visit.project_id, item_id=item_id, reason=reason
            )
        return True

    if attempt(save):
        tell("success", "The ruling is withdrawn. The raters' answers count again.")
