"""Gold for leads: the table of known answers, and the form that marks an item, changes it or takes it back."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from backend.review import adjudication_queries, gold_queries, quality_tables, setting_gold
from backend.review.gold_queries import Candidate, GoldAnswer, GoldRow
from backend.review.quality_queries import QualityTask
from backend.vocabulary import Action, ItemStatus
from pages.components import case_view
from pages.components.answer_form import Asked, draw_answer, read_answer
from pages.components.chosen import chosen, keep_chosen
from pages.components.notices import attempt, guarded, plain, tell
from pages.components.quality_view import SHARE, show_greyed
from pages.components.visit import Visit

STATES = {ItemStatus.OPEN: "open", ItemStatus.DONE: "done", ItemStatus.DISPUTED: "disputed", ItemStatus.RULED: "ruled"}
HARD, ENOUGH = 0.5, 5


def show_gold(visit: Visit, task: QualityTask, rows: Sequence[GoldRow]) -> None:
    """What there is, what is missing, the table, the form."""
    show_need(task)
    hard = [row for row in rows if row.right.n >= ENOUGH and (row.right.value or 0.0) < HARD]
    if hard:
        text = f"Most raters get {len(hard)} gold items wrong. They stand first: perhaps the gold is wrong, or the guidelines."
        st.warning(text, icon=":material/help:")
    if rows:
        frame = quality_tables.gold_table(rows)
        small = dict.fromkeys(("right", "low", "high"), "asked")
        show_greyed(frame, small, key="gold", columns=dict.fromkeys(("right", "low", "high"), SHARE))
    if not visit.may(Action.CREATE_TASK):
        return
    st.subheader("Mark gold, or change it")
    with guarded():
        item_id = choose(visit, task)
        if item_id is not None:
            show_form(visit, task, item_id)


def show_need(task: QualityTask) -> None:
    """How much gold the task uses, and whether there is any."""
    words = f"{task.gold} gold items. {task.gold_share:.0%} of each rater's items are gold in disguise."
    if task.calibration_pass is not None:
        words += (
            f" The calibration round has {task.calibration_gold} of them; {task.calibration_pass:.0%} must be right to pass."
        )
    st.text(words)
    if task.calibration_pass is not None and not task.calibration_gold:
        st.warning("This task asks for a calibration round but has no gold for it, so nobody is held back.",
                   icon=":material/warning:")  # fmt: skip
    elif task.gold_share and not task.gold:
        st.warning("This task mixes gold in but has none yet. Mark some items below.", icon=":material/warning:")


def choose(visit: Visit, task: QualityTask) -> int | None:
    """The item that the address names, or one chosen from the list."""
    search = st.text_input("Find an item by its question", key="gold-search", placeholder="All items, ruled ones first")
    with visit.reading() as session:
        found = gold_queries.candidates(session, actor=visit.actor, project_id=visit.project_id, task_id=task.id, search=search)
    st.session_state["gold-listed"] = [one.item_id for one in found]
    st.dataframe(
        {"Question": [one.prompt for one in found], "State": [_state(one) for one in found],
         "Answers": [one.answers for one in found]},
        width="stretch", height=220, hide_index=True, key="gold-items", selection_mode="single-row",
        on_select=lambda: keep_chosen("item", "gold-items", "gold-listed"),
    )  # fmt: skip
    item_id = chosen("item")
    if item_id is None:
        st.caption("Choose an item in the list: its question and responses open below it, with a form for the right answer.")
    return item_id


def _state(one: Candidate) -> str:
    return STATES[one.status] + (", gold" if one.is_gold else "")


def show_form(visit: Visit, task: QualityTask, item_id: int) -> None:
    """The item, and its right answer."""
    with visit.reading() as session:
        case = adjudication_queries.case_of(session, actor=visit.actor, project_id=visit.project_id, item_id=item_id)
        before = gold_queries.gold_of(session, actor=visit.actor, project_id=visit.project_id, item_id=item_id)
    if case.task_id != task.id:
        st.info(f"This item belongs to the task {plain(case.task)}. Choose that task above.", icon=":material/assignment:")
        return
    before = before or GoldAnswer(start={}, explanation="", calibration=task.calibration_pass is not None)
    key, asked = f"gold-{item_id}", case_view.asked_of(case)
    with st.container(border=True):
        case_view.show_item(case)
        with st.form(key, border=False):
            draw_answer(asked, key=key, start=before.start)
            st.text_area("Why is that right?", value=before.explanation, key=f"{key}-why", height=80,
                         max_chars=setting_gold.LONGEST_EXPLANATION, placeholder="Raters in calibration read this")  # fmt: skip
            st.checkbox("Also ask it in the calibration round", value=before.calibration, key=f"{key}-calibration")
            label = "Save the change" if case.is_gold else "Make it gold"
            st.form_submit_button(label, type="primary", icon=":material/workspace_premium:", shortcut="Ctrl+Enter",
                                  on_click=mark, args=(visit, item_id, asked, key))  # fmt: skip
        with st.container(horizontal=True):
            if case.is_gold:
                st.button("Gold no more", icon=":material/delete:", key=f"{key}-unmark", on_click=unmark, args=(visit, item_id))
            elif any(ruling.in_force for ruling in case.rulings):
                st.button("Take the ruling over as gold", icon=":material/gavel:", key=f"{key}-ruling", on_click=from_ruling,
                          args=(visit, item_id, key))  # fmt: skip


def mark(visit: Visit, item_id: int, asked: Asked, key: str) -> None:
    """Callback."""
    answer, why = read_answer(asked, key=key), st.session_state[f"{key}-why"] or ""
    calibration = bool(st.session_state[f"{key}-calibration"])

    def save() -> bool:
        with visit.writing() as session:
            setting_gold.mark(session=session, actor=visit.actor, project_id=visit.project_id, item_id=item_id,
                              explanation=why, calibration=calibration, **answer)  # fmt: skip
        return True

    if attempt(save):
        tell("success", "The item is gold. Answers to it are graded by this from now on, and those before too.")
        st.query_params.pop("item", None)


def from_ruling(visit: Visit, item_id: int, key: str) -> None:
    """Callback."""
    calibration = bool(st.session_state[f"{key}-calibration"])

    def save() -> bool:
        with visit.writing() as session:
            setting_gold.mark_from_ruling(
                session=session, actor=visit.actor, project_id=visit.project_id, item_id=item_id, calibration=calibration
            )
        return True

    if attempt(save):
        tell("success", "The ruling is gold now, with its reason as the explanation.")
        st.query_params.pop("item", None)


def unmark(visit: Visit, item_id: int) -> None:
    """Callback."""

    def save() -> bool:
        with visit.writing() as session:
            setting_gold.unmark(session=session, actor=visit.actor, project_id=visit.project_id, item_id=item_id)
        return True

    if attempt(save):
        tell("success", "The item is gold no more. What raters answered to it stays, and counts for nothing.")
        st.query_params.pop("item", None)
