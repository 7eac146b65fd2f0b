"""Use-cases of one-time links for people: inviting to a project, accepting, resetting a password.

A link's token is returned once, for the one who asked to hand on (there is no mailer). Promised: a link works once; the
right of its maker to invite is looked at again when it is used; a reset ends every session and API token of the account.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete
from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import SYSTEM, Actor
from backend.access.entering import clean_email, clean_name, enter
from backend.access.links import find_link, make_link, use_link, withdraw_links
from backend.access.passwords import check_password, hash_password
from backend.access.policy import check, may
from backend.access.sessions import actor_of, end_all_sessions
from backend.access.tokening import revoke_all_tokens
from backend.errors import AlreadyDone, Forbidden, NotFound
from backend.store.accounts import Account, LoginAttempt, Membership, OneTimeLink
from backend.store.records import Project
from backend.vocabulary import Action, LinkPurpose, Role


@dataclass(frozen=True, slots=True)
class Invitation:
    """What came of inviting. `token` is None where the person had an account and is a member now."""

    email: str
    role: Role
    token: str | None


@dataclass(frozen=True, slots=True)
class OpenInvitation:
    """What the bearer of an invitation is shown."""

    email: str
    project: str
    role: Role
    has_account: bool


def invite(*, session: Session, actor: Actor, project_id: int, email: str, role: Role, hours: int) -> Invitation:
    """Invite a person to a project. Somebody who has an account becomes a member at once."""
    check(actor, Action.MANAGE_MEMBERS, project_id)
    email = clean_email(email)
    if session.get(Project, project_id) is None:
        raise NotFound("There is no such project.")
    account = session.exec(select(Account).where(Account.email == email)).one_or_none()
    token = None
    if account is None:
        withdraw = select(OneTimeLink).where(
            OneTimeLink.purpose == LinkPurpose.INVITE, OneTimeLink.email == email, OneTimeLink.project_id == project_id
        )
        for older in session.exec(withdraw.where(col(OneTimeLink.used_at).is_(None))):
            session.delete(older)
        token = make_link(
            session,
            purpose=LinkPurpose.INVITE,
            hours=hours,
            email=email,
            project_id=project_id,
            role=role,
            created_by=actor.account_id,
        )
    else:
        _refuse_member(session, account, project_id)
        join(session, account, project_id, role)
    audit.record(
        session, actor, "member_invited" if token else "member_added", project_id=project_id, subject=email, role=role.value
    )
    session.commit()
    return Invitation(email, role, token)


def _refuse_member(session: Session, account: Account, project_id: int) -> None:
    """An invitation changes nobody's role: that would pass by the rule that a project keeps a lead."""
    query = select(Membership).where(Membership.account_id == account.id, Membership.project_id == project_id)
    member = session.exec(query).one_or_none()
    if member is not None:
        raise AlreadyDone(f"{account.email} is in this project as {member.role.value}. Change the role in the list below.")


def look_at_invitation(*, session: Session, token: str) -> OpenInvitation:
    """What an invitation link offers, for the page behind it."""
    link = find_link(session, token, LinkPurpose.INVITE)
    project = session.get(Project, link.project_id) if link.project_id else None
    known = session.exec(select(Account.id).where(Account.email == link.email)).first() is not None
    return OpenInvitation(link.email, project.name if project else "", Role(link.role or Role.RATER), known)


def accept(*, session: Session, token: str, name: str, password: str, hours: int, user_agent: str = "") -> str:
    """Make the invited account, join the project, sign in; returns the session token."""
    email = find_link(session, token, LinkPurpose.INVITE).email
    name = clean_name(name)
    check_password(password, email=email)
    session.rollback()  # no transaction is held while argon2 works
    stored = hash_password(password)
    link = use_link(session, token, LinkPurpose.INVITE)
    if session.exec(select(Account.id).where(Account.email == email)).first() is not None:
        raise AlreadyDone("There is an account for this address already. Please sign in.")
    account = take_up(session, link, Account(email=email, name=name, password_hash=stored))
    return enter(session, account, "signed_in", hours=hours, user_agent=user_agent)


def take_up(session: Session, link: OneTimeLink, account: Account) -> Account:
    """Add the invited account and its membership; the link's maker must still be allowed to invite. No commit."""
    maker = session.get(Account, link.created_by) if link.created_by else None
    inviter = SYSTEM if link.created_by is None else actor_of(session, maker) if maker and maker.is_active else None
    if inviter is None or not may(inviter, Action.MANAGE_MEMBERS, link.project_id):
        raise Forbidden("Whoever sent this invitation may not invite any more. Ask for a new one.")
    session.add(account)
    session.flush()
    if link.project_id is not None:
        join(session, account, link.project_id, Role(link.role or Role.RATER))
    audit.record(
        session,
        actor_of(session, account),
        "invitation_accepted",
        project_id=link.project_id,
        subject=account.email,
        role=link.role,
        invited_by=inviter.label,
    )
    return account


def join(session: Session, account: Account, project_id: int, role: Role) -> None:
    """Add a membership, or change the role of the one there is. No policy check, no audit entry, no commit."""
    query = select(Membership).where(Membership.account_id == account.id, Membership.project_id == project_id)
    member = session.exec(query).one_or_none() or Membership(account_id=account.id or 0, project_id=project_id, role=role)
    member.role = role
    session.add(member)
    session.flush()


def request_reset(*, session: Session, actor: Actor, account_id: int, hours: int) -> str:
    """A reset link's token for an account; older reset links of it stop working.

    For admins alone: whoever holds the link holds the account, and a lead could add somebody else's account to a project.
    """
    check(actor, Action.MANAGE_ACCOUNTS)
    account = session.get(Account, account_id)
    if account is None or not account.is_active:
        raise NotFound("There is no such active account.")
    withdraw_links(session, purpose=LinkPurpose.RESET, email=account.email)
    token = make_link(session, purpose=LinkPurpose.RESET, hours=hours, email=account.email, created_by=actor.account_id)
    audit.record(session, actor, "reset_link_made", subject=account.email)
    session.commit()
    return token


def look_at_reset(*, session: Session, token: str) -> str:
    """The e-mail address whose password a reset link sets."""
    return find_link(session, token, LinkPurpose.RESET).email


def reset(*, session: Session, token: str, password: str, hours: int, user_agent: str = "") -> str:
    """Set the password by a reset link, end every session and API token of the account, sign in; returns the session token."""
    email = find_link(session, token, LinkPurpose.RESET).email
    check_password(password, email=email)
    session.rollback()  # no transaction is held while argon2 works
    stored = hash_password(password)
    link = use_link(session, token, LinkPurpose.RESET)
    account = session.exec(select(Account).where(Account.email == link.email)).one_or_none()
    if account is None or not account.is_active:
        raise NotFound("The account of this link is not active. Ask an admin.")
    account.password_hash = stored
    session.add(account)
    end_all_sessions(session, account.id or 0)
    revoke_all_tokens(session, account.id or 0)
    withdraw_links(session, purpose=LinkPurpose.RESET, email=account.email)
    session.execute(delete(LoginAttempt).where(col(LoginAttempt.email) == account.email))
    return enter(session, account, "password_reset", hours=hours, user_agent=user_agent)
