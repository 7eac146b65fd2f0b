"""Chat with the project's current model. Says that it is an AI and which version answers; every answer can be judged."""

from __future__ import annotations

import time

import streamlit as st

from backend.engine import Engine
from backend.errors import NotReady
from backend.serving.chatting import ask, keep_answer, latest_chat, speaker, start_chat
from backend.serving.guardrails import DISCLOSURE, MAX_CHARS
from backend.serving.queries import shown_turns
from backend.vocabulary import Action
from pages.components.notices import guarded, plain
from pages.components.opinions import show_opinion
from pages.components.visit import Visit, require


def draw(visit: Visit) -> None:
    """The whole page."""
    st.title("Chat")
    with visit.reading() as session:
        try:
            version = speaker(session, visit.project_id).version
        except NotReady as reason:
            st.info(plain(reason.message), icon=":material/hourglass_empty:")
            return
    head, fresh = st.columns([5, 1], vertical_alignment="center")
    head.markdown(f":material/smart_toy: {DISCLOSURE} Answers come from **{plain(version)}**.")
    chat_key = f"chat_{visit.project_id}"
    fresh.button("New chat", icon=":material/add:", on_click=_forget, args=(chat_key,), width="stretch")
    if chat_key not in st.session_state:
        with visit.reading() as session:
            st.session_state[chat_key] = latest_chat(session, actor=visit.actor, project_id=visit.project_id)
    chat_id: int | None = st.session_state[chat_key]
    text = st.chat_input("Ask something, for example: Do you ship to zip code 30303?", max_chars=MAX_CHARS)
    waiting = _history(visit, chat_id)
    if text:
        _exchange(visit, chat_key, chat_id, text)
    elif waiting and st.button("Ask again", icon=":material/refresh:"):
        _exchange(visit, chat_key, chat_id, waiting, shown=True)
    elif chat_id is None:
        st.caption("Your conversation is kept, and your verdict on an answer reaches the people who review what is taught.")


def _history(visit: Visit, chat_id: int | None) -> str | None:
    """Draw the conversation; returns the last message when it has no answer yet."""
    if chat_id is None:
        return None
    with visit.reading() as session:
        turns = shown_turns(session, actor=visit.actor, chat_id=chat_id)
    for turn in turns:
        with st.chat_message("user" if turn.role == "user" else "assistant"):
            st.markdown(plain(turn.text))
            if turn.role == "assistant":
                st.caption(plain(turn.version) + (" · feedback sent" if turn.rated else ""))
                show_opinion(visit, turn.id)
    return turns[-1].text if turns and turns[-1].role == "user" else None


def _exchange(visit: Visit, chat_key: str, chat_id: int | None, text: str, *, shown: bool = False) -> None:
    """Save the message, stream the answer, save it."""
    with guarded():
        if chat_id is None:
            with visit.writing() as session:
                chat_id = start_chat(session=session, actor=visit.actor, project_id=visit.project_id)
            st.session_state[chat_key] = chat_id
        with visit.writing() as session:
            question = ask(session=session, actor=visit.actor, chat_id=chat_id, text=text)
        if not shown:
            with st.chat_message("user"):
                st.markdown(plain(text))
        started, said = time.monotonic(), ""
        with st.chat_message("assistant"):
            place = st.empty()
            place.caption("Thinking…")
            engine = Engine(visit.settings.engine, visit.settings.engine_key)
            pieces = engine.stream(
                model=question.speaker.served_as, messages=question.messages, decoding=question.speaker.decoding
            )
            for piece in pieces:
                said += piece
                place.markdown(plain(said))
        with visit.writing() as session:
            keep_answer(session=session, actor=visit.actor, question=question, text=said, seconds=time.monotonic() - started)
        st.rerun()


def _forget(chat_key: str) -> None:
    st.session_state[chat_key] = None


draw(require(Action.CHAT))
