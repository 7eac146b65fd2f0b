"""The form below an answer: thumb, satisfaction, resolved, a wish for a person, a comment."""

from __future__ import annotations

import streamlit as st

from backend.serving.receiving import Opinion, give_feedback
from backend.vocabulary import Thumb
from pages.components.notices import attempt, tell
from pages.components.visit import Visit

_FIELDS = ("csat", "resolved", "person", "comment")


def show_opinion(visit: Visit, turn_id: int) -> None:
    """Thumbs below the answer, and a form for more."""
    thumbs, more, _ = st.columns([1, 2, 5], vertical_alignment="center")
    with thumbs:
        st.feedback("thumbs", key=f"thumb_{turn_id}", on_change=_thumb, args=(visit, turn_id))
    with more, st.popover("Say more", icon=":material/rate_review:"):
        st.markdown("**How satisfied are you with this answer?**")
        st.feedback("stars", key=f"csat_{turn_id}")
        st.segmented_control("Did it solve your problem?", ["Yes", "No"], key=f"resolved_{turn_id}")
        st.text_area("What was wrong, or right?", key=f"comment_{turn_id}", max_chars=4000)
        st.checkbox("I would like to talk to a person", key=f"person_{turn_id}")
        st.button("Send", type="primary", key=f"send_{turn_id}", on_click=_send, args=(visit, turn_id))
        if st.session_state.pop(f"sent_{turn_id}", False):
            st.success("Sent. Thank you.", icon=":material/check_circle:")


def _thumb(visit: Visit, turn_id: int) -> None:
    value = st.session_state.get(f"thumb_{turn_id}")
    if value is not None:
        _keep(visit, turn_id, thumb=Thumb.UP if value == 1 else Thumb.DOWN)


def _send(visit: Visit, turn_id: int) -> None:
    said = {name: st.session_state.get(f"{name}_{turn_id}") for name in _FIELDS}
    kept = _keep(
        visit,
        turn_id,
        csat=None if said["csat"] is None else said["csat"] + 1,
        resolved={"Yes": True, "No": False}.get(str(said["resolved"])),
        wants_person=bool(said["person"]),
        comment=said["comment"] or "",
    )
    if kept:  # told in the form too: the notice at the top is out of sight in a long conversation
        st.session_state[f"sent_{turn_id}"] = True
        st.session_state[f"comment_{turn_id}"] = ""


def _keep(visit: Visit, turn_id: int, **parts: object) -> bool:
    def keep() -> bool:
        with visit.writing() as session:
            give_feedback(session=session, actor=visit.actor, turn_id=turn_id, opinion=Opinion(**parts))  # type: ignore[arg-type]
        return True

    kept = bool(attempt(keep))
    if kept:
        wish = " Somebody will look at your conversation." if parts.get("wants_person") else ""
        tell("success", f"Thank you. Your feedback went to the people who teach this assistant.{wish}")
    return kept
