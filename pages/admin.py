"""Administration: projects and accounts."""

from __future__ import annotations

import streamlit as st

from backend.access import administering, inviting
from backend.access.links import link_address
from backend.access.maintaining import remember_project
from backend.access.queries import Person, accounts
from backend.vocabulary import Action, LinkPurpose
from pages.components.handover import hand_over, show_handover
from pages.components.notices import attempt, plain, tell
from pages.components.visit import PROJECT_KEY, Visit, require


def _create(visit: Visit) -> None:
    given = st.session_state
    with visit.writing() as session:
        project = administering.create_project(
            session=session,
            actor=visit.actor,
            slug=given["new_slug"],
            name=given["new_name"],
            description=given["new_description"],
        )
    with visit.writing() as session:
        remember_project(session=session, actor=visit.actor, project_id=project.id or 0)
    given[PROJECT_KEY] = project.id
    for key in ("new_slug", "new_name", "new_description"):
        given[key] = ""
    tell("success", f"{project.name} is ready. Next: import records, or invite people on the Members page.")


def _add(visit: Visit) -> None:
    with visit.writing() as session:
        account, token = administering.add_account(
            session=session,
            actor=visit.actor,
            email=st.session_state["account_email"],
            role=None,
            project_id=None,
            is_admin=st.session_state["account_admin"],
            hours=visit.settings.link_hours,
        )
    st.session_state["account_email"] = ""
    _offer(visit, account.email, token)


def _offer(visit: Visit, email: str, token: str) -> None:
    what = f"Send this link to {email} yourself. It sets their password, once, and is shown only now."
    hand_over(what, link_address(visit.settings, LinkPurpose.RESET, token))


def _reset_link(visit: Visit, person: Person) -> None:
    with visit.writing() as session:
        token = inviting.request_reset(
            session=session, actor=visit.actor, account_id=person.account_id, hours=visit.settings.link_hours
        )
    _offer(visit, person.email, token)


def _shut(visit: Visit, account_id: int) -> None:
    with visit.writing() as session:
        administering.deactivate_account(session=session, actor=visit.actor, account_id=account_id)
    tell("success", "The account is shut, and its sessions and tokens have ended. Its history stays.")


def _reopen(visit: Visit, account_id: int) -> None:
    with visit.writing() as session:
        administering.reactivate_account(session=session, actor=visit.actor, account_id=account_id)


def _make_admin(visit: Visit, account_id: int, is_admin: bool) -> None:
    with visit.writing() as session:
        administering.set_admin(session=session, actor=visit.actor, account_id=account_id, is_admin=is_admin)


def _row(visit: Visit, person: Person) -> None:
    who, state, more = st.columns([4, 2, 1], vertical_alignment="center")
    who.text(f"{person.name or person.email}\n{person.email}")
    words = [
        word
        for word, holds in (
            ("admin", person.is_admin),
            ("shut", not person.is_active),
            ("no password yet", not person.has_password),
        )
        if holds
    ]
    state.text(", ".join(words) or "active")
    number = person.account_id
    with more.popover("", icon=":material/more_horiz:", help="Reset link, admin, shut"):
        if not person.is_active:
            st.button("Open again", key=f"open_{number}", on_click=attempt, args=(_reopen, visit, number))
            return
        st.button("Make a reset link", key=f"link_{number}", on_click=attempt, args=(_reset_link, visit, person))
        label = "Take admin away" if person.is_admin else "Make admin"
        st.button(label, key=f"admin_{number}", on_click=attempt, args=(_make_admin, visit, number, not person.is_admin))
        st.button("Shut the account", key=f"shut_{number}", on_click=attempt, args=(_shut, visit, number))


def _projects(visit: Visit) -> None:
    for card in visit.projects:
        with st.container(border=True):
            st.markdown(f"**{plain(card.name)}**")
            st.text(f"{card.slug}\n{card.description}".strip())
    with st.form("create"):
        st.subheader("Create a project")
        st.text_input("Name", key="new_name", max_chars=200, placeholder="Support chatbot")
        st.text_input(
            "Short name", key="new_slug", max_chars=64, placeholder="support",
            help="Small letters, digits and hyphens. Commands and the API use it; it does not change.",
        )  # fmt: skip
        st.text_area("Description", key="new_description", height=80)
        st.form_submit_button("Create", type="primary", icon=":material/add:", on_click=attempt, args=(_create, visit))


def _people(visit: Visit) -> None:
    search = st.text_input("Find", key="find_account", placeholder="part of a name or an e-mail address")
    with visit.reading() as session:
        found = accounts(session, actor=visit.actor, search=search)
    for person in found:
        _row(visit, person)
    if not found:
        st.info("Nobody of that name. People are invited on a project's Members page.", icon=":material/search_off:")
    with st.form("add"):
        st.subheader("Add an account")
        st.caption("For people of one project, use its Members page: it gives them their role too.")
        st.text_input("E-mail", key="account_email", max_chars=320)
        st.checkbox("Admin: may do everything, everywhere", key="account_admin")
        st.form_submit_button("Add", icon=":material/person_add:", on_click=attempt, args=(_add, visit))


visit = require(Action.MANAGE_ACCOUNTS, needs_project=False)
st.title("Administration")
show_handover()
first, second = st.tabs(["Projects", "Accounts"])
with first:
    _projects(visit)
with second:
    _people(visit)
