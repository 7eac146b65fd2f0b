"""Members: who is in this project, as what; inviting, changing roles, removing."""

from __future__ import annotations

import streamlit as st

from backend.access import administering, inviting
from backend.access.links import link_address
from backend.access.queries import PendingInvitation, Person, invitations_of, members_of
from backend.vocabulary import Action, LinkPurpose, Role
from pages.components.handover import hand_over, show_handover
from pages.components.notices import attempt, tell
from pages.components.visit import Visit, require

ROLES = {
    Role.RATER: "Rater: rates and compares answers",
    Role.EXPERT: "Expert: also reviews records and FAQs",
    Role.LEAD: "Lead: also imports, trains, promotes, invites",
}
ONCE = "Send this link to {email} yourself, by a way you trust. It works once, for {hours} hours, and is shown only now."


def _invite(visit: Visit) -> None:
    with visit.writing() as session:
        found = inviting.invite(
            session=session,
            actor=visit.actor,
            project_id=visit.project_id,
            email=st.session_state["invite_email"],
            role=st.session_state["invite_role"],
            hours=visit.settings.link_hours,
        )
    st.session_state["invite_email"] = ""
    if found.token is None:
        tell("success", f"{found.email} has an account already and is now in the project as {found.role.value}.")
    else:
        what = ONCE.format(email=found.email, hours=visit.settings.link_hours)
        hand_over(what, link_address(visit.settings, LinkPurpose.INVITE, found.token))


def _change_role(visit: Visit, account_id: int, key: str) -> None:
    role = st.session_state.pop(key)
    with visit.writing() as session:
        administering.change_role(
            session=session, actor=visit.actor, project_id=visit.project_id, account_id=account_id, role=role
        )
    tell("success", "The role is changed. It holds from that person's next click.")


def _remove(visit: Visit, account_id: int) -> None:
    with visit.writing() as session:
        administering.remove_member(session=session, actor=visit.actor, project_id=visit.project_id, account_id=account_id)
    tell("success", "They are no longer in the project. What they did stays.")


def _withdraw(visit: Visit, link_id: int) -> None:
    with visit.writing() as session:
        administering.withdraw_invitation(session=session, actor=visit.actor, project_id=visit.project_id, link_id=link_id)


def _rename(visit: Visit) -> None:
    with visit.writing() as session:
        administering.rename_project(
            session=session,
            actor=visit.actor,
            project_id=visit.project_id,
            name=st.session_state["project_name"],
            description=st.session_state["project_description"],
        )
    tell("success", "Saved.")


def _member_row(visit: Visit, person: Person) -> None:
    who, role, more = st.columns([3, 3, 1], vertical_alignment="center")
    who.text(f"{person.name or person.email}\n{person.email}" + ("" if person.is_active else " (account shut)"))
    key = f"role_{person.account_id}"
    role.selectbox(
        "Role", list(ROLES), index=list(ROLES).index(Role(person.role)), format_func=ROLES.__getitem__, key=key,
        label_visibility="collapsed", on_change=attempt, args=(_change_role, visit, person.account_id, key),
    )  # fmt: skip
    with more.popover("", icon=":material/more_horiz:", help="Remove"):
        st.button(
            "Remove from the project", key=f"remove_{person.account_id}", icon=":material/person_remove:", width="stretch",
            on_click=attempt, args=(_remove, visit, person.account_id),
        )  # fmt: skip


def _invitation_row(visit: Visit, pending: PendingInvitation) -> None:
    who, until, button = st.columns([3, 3, 1], vertical_alignment="center")
    who.text(f"{pending.email}\n{pending.role}")
    until.text(f"until {pending.expires_at:%d %b %Y, %H:%M} UTC")
    button.button("Withdraw", key=f"withdraw_{pending.link_id}", on_click=attempt, args=(_withdraw, visit, pending.link_id))


visit = require(Action.MANAGE_MEMBERS)
st.title("Members")
st.write("Who works on this project. A role opens the pages and actions that go with it, in this project only.")
show_handover()
with st.form("invite", border=True):
    st.subheader("Invite somebody")
    left, right = st.columns([3, 3])
    left.text_input("E-mail", key="invite_email", max_chars=320, placeholder="name@example.com")
    right.selectbox("Role", list(ROLES), format_func=ROLES.__getitem__, key="invite_role")
    st.form_submit_button("Invite", type="primary", icon=":material/person_add:", on_click=attempt, args=(_invite, visit))
with visit.reading() as session:
    people = members_of(session, actor=visit.actor, project_id=visit.project_id)
    waiting = invitations_of(session, actor=visit.actor, project_id=visit.project_id)
st.subheader(f"In the project ({len(people)})")
if not people:
    st.info("Nobody yet. Invite experts to review records, and raters to judge answers.", icon=":material/group_add:")
for person in people:
    _member_row(visit, person)
if waiting:
    st.subheader(f"Invited ({len(waiting)})")
    for pending in waiting:
        _invitation_row(visit, pending)
with st.expander("Name of the project", icon=":material/edit:"), st.form("rename", border=False):
    st.text_input("Name", value=visit.project.name if visit.project else "", key="project_name", max_chars=200)
    st.text_area("Description", value=visit.project.description if visit.project else "", key="project_description")
    st.form_submit_button("Save", on_click=attempt, args=(_rename, visit))
