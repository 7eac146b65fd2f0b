"""Account: one's own name, password, preferences, sessions and API tokens."""

from __future__ import annotations

import streamlit as st

from backend.access import maintaining, tokening
from backend.access.queries import OpenSession, Token, profile_of, sessions_of, tokens_of
from backend.access.secrets import token_hash
from pages.components.doors import way_out
from pages.components.handover import hand_over, show_handover
from pages.components.notices import attempt, tell
from pages.components.visit import Visit, require, token

PREFERENCES = {
    "keyboard_shortcuts": ("Keyboard shortcuts", "Approve, rate and skip by single keys."),
    "show_guidelines": ("Show guidelines", "Keep a task's guidelines open beside the item."),
    "fast_desk": ("Fast rating desk", "Off: plain buttons, which every screen reader knows."),
}


def _save_name(visit: Visit) -> None:
    with visit.writing() as session:
        maintaining.change_name(session=session, actor=visit.actor, name=st.session_state["own_name"])
    tell("success", "Your name is saved.")


def _save_password(visit: Visit) -> None:
    given = st.session_state
    current, new, again = (given.pop(key, "") for key in ("password_current", "password_new", "password_again"))
    if new != again:
        tell("error", "The new password and its repetition differ. Nothing was changed.")
        return
    maintaining.change_password(database=visit.database, actor=visit.actor, current=current, new=new, token=token() or "")
    tell("success", "Your password is changed. Everywhere else you are signed out.")


def _save_preference(visit: Visit, name: str) -> None:
    with visit.writing() as session:
        maintaining.set_preference(session=session, actor=visit.actor, name=name, value=st.session_state[f"preference_{name}"])


def _end(visit: Visit, session_id: int) -> None:
    with visit.writing() as session:
        maintaining.revoke_session(session=session, actor=visit.actor, session_id=session_id)
    tell("success", "That session has ended.")


def _end_others(visit: Visit) -> None:
    with visit.writing() as session:
        ended = maintaining.revoke_other_sessions(session=session, actor=visit.actor, token=token() or "")
    tell("success", f"Sessions ended: {ended}.")


def _make_token(visit: Visit) -> None:
    with visit.writing() as session:
        made = tokening.create_token(session=session, actor=visit.actor, name=st.session_state["token_name"])
    st.session_state["token_name"] = ""
    hand_over("Your new token. Keep it like a password; it is shown only now.", made)


def _revoke(visit: Visit, token_id: int) -> None:
    with visit.writing() as session:
        tokening.revoke_token(session=session, actor=visit.actor, token_id=token_id)
    tell("success", "The token does not work any more.")


def _session_row(visit: Visit, found: OpenSession) -> None:
    what, button = st.columns([5, 1], vertical_alignment="center")
    what.text(f"{found.user_agent or 'unknown browser'}\nlast seen {found.seen_at:%d %b %Y, %H:%M} UTC")
    if found.is_this:
        button.text("this one")
    else:
        button.button("End", key=f"end_{found.id}", on_click=attempt, args=(_end, visit, found.id))


def _token_row(visit: Visit, found: Token) -> None:
    what, button = st.columns([5, 1], vertical_alignment="center")
    used = f"last used {found.used_at:%d %b %Y}" if found.used_at else "never used"
    what.text(f"{found.name}\n{found.prefix}…, made {found.created_at:%d %b %Y}, {used}")
    button.button("Revoke", key=f"revoke_{found.id}", on_click=attempt, args=(_revoke, visit, found.id))


visit = require(needs_project=False)
with visit.reading() as session:
    profile = profile_of(session, visit.actor)
    sessions = sessions_of(session, visit.actor, current_hash=token_hash(token() or ""))
    tokens = tokens_of(session, visit.actor)
st.title("Account")
st.text(profile.email)
show_handover()
you, security, api = st.tabs(["You", "Password and sessions", "API tokens"])
with you:
    with st.form("name"):
        st.text_input("Your name", value=profile.name, key="own_name", max_chars=200)
        st.form_submit_button("Save", on_click=attempt, args=(_save_name, visit))
    for name, (label, text) in PREFERENCES.items():
        chosen = profile.preferences.get(name, maintaining.PREFERENCES[name])
        st.toggle(
            label, bool(chosen), key=f"preference_{name}", help=text, on_change=attempt, args=(_save_preference, visit, name)
        )
with security:
    if profile.has_password:
        with st.form("password"):
            st.text_input("Current password", type="password", key="password_current", autocomplete="current-password")
            st.text_input("New password", type="password", key="password_new", autocomplete="new-password")
            st.text_input("New password again", type="password", key="password_again", autocomplete="new-password")
            st.form_submit_button("Change the password", on_click=attempt, args=(_save_password, visit))
    else:
        st.info("You sign in by single sign-on, so there is no password here.", icon=":material/key_off:")
    st.subheader(f"Where you are signed in ({len(sessions)})")
    for found in sessions:
        _session_row(visit, found)
    way_out()
    if len(sessions) > 1:
        st.button("End all others", icon=":material/logout:", on_click=attempt, args=(_end_others, visit))
with api:
    st.write("A token lets a program use the HTTP API as you: send it as `Authorization: Bearer …`. It may do what you may.")
    with st.form("token"):
        st.text_input("What is it for?", key="token_name", max_chars=200, placeholder="nightly import")
        st.form_submit_button("Make a token", icon=":material/vpn_key:", on_click=attempt, args=(_make_token, visit))
    for made in tokens:
        _token_row(visit, made)
    if not tokens:
        st.caption("You have no tokens.")
