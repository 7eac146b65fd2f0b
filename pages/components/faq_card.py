"""One FAQ as its page shows it: the text in force, a waiting change, the form, the history, the records that rest on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from backend.errors import StaleRevision
from backend.review import curating_faqs
from backend.review.curating_faqs import MOST_ANSWER, MOST_QUESTION, MOST_TOPIC, FaqText
from backend.review.faq_queries import FaqDetail, FaqRevisionCard
from backend.review.revisions import MOST_REASON
from backend.vocabulary import Action, Decision, FaqState, RecordStatus
from pages.components.collisions import show_collision
from pages.components.notices import attempt, plain, tell
from pages.components.record_card import STATUS, when, who
from pages.components.visit import Visit
from pages.components.worddiff import show_diff

STATES = {FaqState.APPROVED: "Approved", FaqState.PROPOSED: "Waiting for approval", FaqState.REJECTED: "Rejected"}


@dataclass(frozen=True, slots=True)
class FaqCollision:
    """A change that came too late."""

    faq_id: int
    newest: int
    theirs: str
    yours: str
    text: FaqText


def show_new(visit: Visit) -> None:
    """The form of a new FAQ."""
    with st.form("faq-new", border=False):
        st.text_input("Question", key="faq-new-question", max_chars=MOST_QUESTION)
        st.text_area("Answer", key="faq-new-answer", max_chars=MOST_ANSWER, height=120)
        st.text_input("Topic", key="faq-new-topic", max_chars=MOST_TOPIC, placeholder="For example: Shipping")
        st.form_submit_button("Propose it", type="primary", icon=":material/add:", on_click=attempt, args=(_add, visit))


def show_texts(visit: Visit, detail: FaqDetail) -> None:
    """The text in force, and the newest one where it is another, with the ruling to be made on it."""
    newest, in_force = detail.newest, detail.in_force
    if in_force is not None:
        st.badge(f"In force: revision {in_force.number}", icon=":material/verified:", color="green")
        st.markdown(f"**{plain(in_force.question)}**")
        st.text(in_force.answer)
    if newest.state is FaqState.PROPOSED:
        st.badge(f"Waiting for approval: revision {newest.number}", icon=":material/hourglass_empty:", color="orange")
        st.caption(plain(_about(newest)))
        if in_force is None:
            st.markdown(f"**{plain(newest.question)}**")
            st.text(newest.answer)
        else:
            before, after = _text(in_force), _text(newest)
            show_diff(before, after, key=f"faq-{detail.id}-waiting", before_name="in force", after_name="proposed")
        if visit.may(Action.APPROVE_FAQ):
            _ruling(visit, detail)
    elif newest.state is FaqState.REJECTED:
        st.badge(f"Revision {newest.number} was rejected", icon=":material/cancel:", color="red")
        st.caption(plain(f"{newest.ruled_reason} · {who(newest.ruled_by)}"))
        if in_force is None:
            st.markdown(f"**{plain(newest.question)}**")
            st.text(newest.answer)


def show_form(visit: Visit, detail: FaqDetail) -> None:
    """The newest text to change; drafts stay with the revision they were begun on."""
    collision = st.session_state.get("faq-collision")
    if isinstance(collision, FaqCollision) and collision.faq_id == detail.id:
        show_collision(collision.theirs, collision.yours, key=f"faq-{detail.id}")
        with st.container(horizontal=True):
            st.button("Edit mine on top of theirs", type="primary", icon=":material/merge:", on_click=_keep_mine)
            st.button("Keep theirs", icon=":material/check:", on_click=_keep_theirs)
        return
    keys = draft_keys(detail.id, detail.head)
    for key, text in zip(keys, (detail.newest.question, detail.newest.answer), strict=False):
        st.session_state.setdefault(key, text)
    st.text_input("Question", key=keys[0], max_chars=MOST_QUESTION, persist_state="session")
    answer_height = min(480, 90 + 26 * (len(detail.newest.answer) // 90))
    st.text_area("Answer", key=keys[1], max_chars=MOST_ANSWER, height=answer_height, persist_state="session")
    before, after = _text(detail.newest), f"{st.session_state[keys[0]]}\n\n{st.session_state[keys[1]]}"
    if before != after:
        show_diff(before, after, key=f"faq-{detail.id}-draft", before_name="before", after_name="your draft")
    st.text_input("Why do you change it?", key=keys[2], max_chars=MOST_REASON, persist_state="session")
    st.button(
        "Propose the change", type="primary", icon=":material/send:", key=f"faq-propose-{detail.id}-{detail.head}",
        on_click=attempt, args=(_propose, visit, detail.id, detail.head),
    )  # fmt: skip


def show_past(visit: Visit, detail: FaqDetail) -> None:
    """Every revision, what each changed, and the way back to an older one."""
    for revision in detail.revisions:
        ruling = f" by {who(revision.ruled_by)}, {when(revision.ruled_at)}" if revision.ruled_at else ""
        why = f": {revision.ruled_reason}" if revision.ruled_reason else ""
        st.caption(f":material/edit: {plain(_about(revision))}  \n{STATES[revision.state]}{plain(ruling + why)}")
    if len(detail.revisions) < 2:
        st.caption("There is only one revision yet.")
        return
    texts = {revision.number: _text(revision) for revision in detail.revisions}
    number = st.selectbox(
        "Compare",
        [number for number in texts if number > 1],
        format_func=lambda number: f"Revision {number} with revision {number - 1}",
        key=f"faq-compare-{detail.id}-{detail.head}",
    )
    names = {"before_name": f"only in revision {number - 1}", "after_name": f"only in revision {number}"}
    show_diff(texts[number - 1], texts[number], key=f"faq-diff-{detail.id}-{number}", **names)
    with st.popover("Restore a revision", icon=":material/history:"), st.form(f"faq-restore-{detail.id}", border=False):
        st.text("Its text is proposed again, as a new revision.")
        st.selectbox("Revision", [n for n in texts if n < detail.head], key=f"faq-restore-number-{detail.id}")
        st.text_input("Why?", key=f"faq-restore-why-{detail.id}", max_chars=MOST_REASON)
        st.form_submit_button("Restore", type="primary", on_click=attempt, args=(_restore, visit, detail.id, detail.head))


def show_citing(visit: Visit, detail: FaqDetail, frame: pd.DataFrame) -> None:
    """The records that rest on the FAQ, with links, and one press that sends them back to review."""
    if frame.empty:
        st.caption("No record names this FAQ. Records are linked when they are imported, or on the page Records.")
        return
    doubtful = int(frame["may_need_an_edit"].sum())
    if doubtful:
        words = "1 record was" if doubtful == 1 else f"{doubtful:,} records were"
        st.warning(f"{words} written for an older answer and may need an edit.", icon=":material/edit_note:")
    st.dataframe(
        frame.assign(
            open=[f"/records?record={record_id}" for record_id in frame["id"]],
            status=[STATUS[RecordStatus(status)][0] for status in frame["status"]],
        ),
        width="stretch",
        hide_index=True,
        key=f"faq-citing-{detail.id}",
        column_order=["open", "status", "question", "answer", "may_need_an_edit"],
        column_config={
            "open": st.column_config.LinkColumn("Record", display_text=r"record=(\d+)", width="small"),
            "status": st.column_config.TextColumn("Status", width="small"),
            "question": "Last question",
            "answer": "Reference answer",
            "may_need_an_edit": st.column_config.CheckboxColumn("May need an edit", width="small"),
        },
    )
    if not visit.may(Action.REVIEW):
        return
    with st.popover("Send them back to review", icon=":material/flag:"), st.form(f"faq-flag-{detail.id}", border=False):
        st.text("Each of them is flagged with your comment. Approvals are withdrawn until somebody has looked again.")
        st.text_input("What changed?", key=f"faq-flag-why-{detail.id}", max_chars=MOST_REASON)
        st.form_submit_button("Flag them", type="primary", on_click=attempt, args=(_flag, visit, detail.id))


def draft_keys(faq_id: int, number: int) -> tuple[str, str, str]:
    """The keys of the boxes with a draft: question, answer, reason."""
    stem = f"faq-draft-{faq_id}-{number}"
    return f"{stem}-question", f"{stem}-answer", f"{stem}-why"


def _text(revision: FaqRevisionCard) -> str:
    return str(FaqText(revision.question, revision.answer))


def _about(revision: FaqRevisionCard) -> str:
    words = f"Revision {revision.number} · {who(revision.author)} · {when(revision.created_at)}"
    return f"{words}: {revision.reason}" if revision.reason else words


def _ruling(visit: Visit, detail: FaqDetail) -> None:
    stem = f"{detail.id}-{detail.head}"
    if detail.newest.author_id is not None and detail.newest.author_id == visit.actor.account_id:
        st.caption("You wrote this text. Another expert or a lead approves it, unless you are the only one who can.")
    with st.container(horizontal=True):
        st.button(
            "Approve", type="primary", icon=":material/check:", key=f"faq-approve-{stem}",
            on_click=attempt, args=(_rule, visit, detail.id, detail.head, Decision.APPROVED),
        )  # fmt: skip
        with st.popover("Reject", icon=":material/cancel:"), st.form(f"faq-reject-{stem}", border=False):
            st.text_input("Why?", key=f"faq-reject-why-{detail.id}", max_chars=MOST_REASON)
            st.form_submit_button(
                "Reject", type="primary", on_click=attempt, args=(_rule, visit, detail.id, detail.head, Decision.REJECTED)
            )


def _add(visit: Visit) -> None:
    state = st.session_state
    with visit.writing() as session:
        faq = curating_faqs.add(
            session=session,
            actor=visit.actor,
            project_id=visit.project_id,
            question=state["faq-new-question"],
            answer=state["faq-new-answer"],
            topic=state["faq-new-topic"],
        )
    for part in ("question", "answer", "topic"):
        state[f"faq-new-{part}"] = ""
    st.query_params["faq"] = str(faq.id)
    tell("success", "The FAQ is proposed. It is in force once somebody approves it.")


def _propose(visit: Visit, faq_id: int, based_on: int) -> None:
    question, answer, why = (str(st.session_state.get(key) or "") for key in draft_keys(faq_id, based_on))
    try:
        with visit.writing() as session:
            curating_faqs.propose(
                session=session,
                actor=visit.actor,
                project_id=visit.project_id,
                faq_id=faq_id,
                based_on=based_on,
                question=question,
                answer=answer,
                reason=why,
            )
    except StaleRevision as error:
        text = FaqText(question, answer)
        st.session_state["faq-collision"] = FaqCollision(faq_id, error.newest, error.theirs, error.yours, text)
        raise
    tell("success", "The change is proposed. The text in force stays until somebody approves yours.")


def _keep_mine() -> None:
    collision: FaqCollision = st.session_state.pop("faq-collision")
    question, answer, _ = draft_keys(collision.faq_id, collision.newest)
    st.session_state[question], st.session_state[answer] = collision.text.question, collision.text.answer


def _keep_theirs() -> None:
    st.session_state.pop("faq-collision", None)


def _rule(visit: Visit, faq_id: int, number: int, decision: Decision) -> None:
    reason = str(st.session_state.get(f"faq-reject-why-{faq_id}") or "") if decision is Decision.REJECTED else ""
    here: dict[str, Any] = {"actor": visit.actor, "project_id": visit.project_id, "faq_id": faq_id}
    with visit.writing() as session:
        curating_faqs.rule(session=session, **here, number=number, decision=decision, reason=reason)
    approved = decision is Decision.APPROVED
    tell("success", "The text is in force." if approved else "The proposal is rejected; its author sees your reason.")


def _restore(visit: Visit, faq_id: int, based_on: int) -> None:
    number, why = (st.session_state[f"faq-restore-{part}-{faq_id}"] for part in ("number", "why"))
    here: dict[str, Any] = {"actor": visit.actor, "project_id": visit.project_id, "faq_id": faq_id}
    with visit.writing() as session:
        curating_faqs.restore(session=session, **here, number=number, based_on=based_on, reason=why)
    tell("success", f"The text of revision {number} is proposed again.")


def _flag(visit: Visit, faq_id: int) -> None:
    why = str(st.session_state.get(f"faq-flag-why-{faq_id}") or "")
    here: dict[str, Any] = {"actor": visit.actor, "project_id": visit.project_id, "faq_id": faq_id}
    with visit.writing() as session:
        count = curating_faqs.flag_citing(session=session, **here, comment=why)
    tell("success", f"{count:,} records are flagged and wait for review." if count else "All of them were flagged already.")
