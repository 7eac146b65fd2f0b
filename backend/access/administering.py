"""Use-cases of keeping order: projects, members, accounts.

A lead manages the members of their own project; accounts and projects are for admins. Promised: there is always an
active admin, and a lead cannot leave a project without one; a deactivated account loses its sessions and tokens at once,
while everything it did stays.
"""

from __future__ import annotations

import re

from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.entering import clean_email, clean_name
from backend.access.inviting import join
from backend.access.links import make_link, withdraw_links
from backend.access.policy import check
from backend.access.sessions import end_all_sessions
from backend.errors import AlreadyDone, Conflict, InvalidInput, NotFound
from backend.store.accounts import Account, ApiToken, Membership, OneTimeLink
from backend.store.base import now
from backend.store.records import Project
from backend.vocabulary import Action, LinkPurpose, Role

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
LONGEST_DESCRIPTION = 2000


def create_project(*, session: Session, actor: Actor, slug: str, name: str, description: str = "") -> Project:
    """Make a project. Its slug is its name in commands and in the API, and does not change."""
    check(actor, Action.CREATE_PROJECT)
    slug = slug.strip().lower()
    if not _SLUG.fullmatch(slug):
        raise InvalidInput("A short name has 1 to 64 lower-case letters, digits and hyphens, and begins and ends without one.")
    if session.exec(select(Project.id).where(Project.slug == slug)).first() is not None:
        raise AlreadyDone(f"There is a project called “{slug}” already. Choose another short name.")
    project = Project(slug=slug, name=clean_name(name), description=_description(description))
    session.add(project)
    session.flush()
    audit.record(session, actor, "project_created", project_id=project.id, subject=slug)
    session.commit()
    return project


def rename_project(*, session: Session, actor: Actor, project_id: int, name: str, description: str = "") -> Project:
    """Give a project another name and description."""
    check(actor, Action.EDIT_SETTINGS, project_id)
    project = _project(session, project_id)
    before = project.name
    project.name, project.description = clean_name(name), _description(description)
    session.add(project)
    audit.record(
        session, actor, "project_renamed", project_id=project_id, subject=project.slug, before=before, after=project.name
    )
    session.commit()
    return project


def change_role(*, session: Session, actor: Actor, project_id: int, account_id: int, role: Role) -> None:
    """Give a member of the project another role."""
    check(actor, Action.MANAGE_MEMBERS, project_id)
    account, member = _member(session, project_id, account_id)
    if member.role == role:
        return
    if role is not Role.LEAD:
        _keep_a_lead(session, actor, member)
    before, member.role = member.role, role
    session.add(member)
    audit.record(
        session, actor, "role_changed", project_id=project_id, subject=account.email, before=before.value, after=role.value
    )
    session.commit()


def remove_member(*, session: Session, actor: Actor, project_id: int, account_id: int) -> None:
    """Take somebody out of the project. What they did stays; their account stays."""
    check(actor, Action.MANAGE_MEMBERS, project_id)
    account, member = _member(session, project_id, account_id)
    _keep_a_lead(session, actor, member)
    session.delete(member)
    audit.record(session, actor, "member_removed", project_id=project_id, subject=account.email, role=member.role.value)
    session.commit()


def withdraw_invitation(*, session: Session, actor: Actor, project_id: int, link_id: int) -> None:
    """Make an invitation that nobody used yet unusable."""
    check(actor, Action.MANAGE_MEMBERS, project_id)
    link = session.get(OneTimeLink, link_id)
    if link is None or link.project_id != project_id or link.purpose is not LinkPurpose.INVITE or link.used_at is not None:
        raise NotFound("This invitation was used or withdrawn already.")
    link.used_at = now()
    session.add(link)
    audit.record(session, actor, "invitation_withdrawn", project_id=project_id, subject=link.email)
    session.commit()


def deactivate_account(*, session: Session, actor: Actor, account_id: int) -> None:
    """Shut an account: no login, every session and token ended; its history stays."""
    check(actor, Action.MANAGE_ACCOUNTS)
    account = _account(session, account_id)
    if not account.is_active:
        return
    _keep_an_admin(session, account)
    account.is_active = False
    session.add(account)
    end_all_sessions(session, account_id)
    living = select(ApiToken).where(ApiToken.account_id == account_id, col(ApiToken.revoked_at).is_(None))
    for token in session.exec(living):
        token.revoked_at = now()
        session.add(token)
    audit.record(session, actor, "account_deactivated", subject=account.email)
    session.commit()


def reactivate_account(*, session: Session, actor: Actor, account_id: int) -> None:
    """Open a shut account again; its tokens stay revoked."""
    check(actor, Action.MANAGE_ACCOUNTS)
    account = _account(session, account_id)
    if account.is_active:
        return
    account.is_active = True
    session.add(account)
    audit.record(session, actor, "account_reactivated", subject=account.email)
    session.commit()


def set_admin(*, session: Session, actor: Actor, account_id: int, is_admin: bool) -> None:
    """Make an account an admin, or take that back. The last admin stays one."""
    check(actor, Action.MANAGE_ACCOUNTS)
    account = _account(session, account_id)
    if account.is_admin == is_admin:
        return
    if not is_admin:
        _keep_an_admin(session, account)
    account.is_admin = is_admin
    session.add(account)
    audit.record(session, actor, "admin_made" if is_admin else "admin_unmade", subject=account.email)
    session.commit()


def add_account(
    *, session: Session, actor: Actor, email: str, role: Role | None, project_id: int | None, is_admin: bool, hours: int
) -> tuple[Account, str]:
    """Make an account (or take the one there is), its membership and admin flag.

    Returns it and the token of a link to set its password.
    """
    check(actor, Action.MANAGE_ACCOUNTS)
    email = clean_email(email)
    account = session.exec(select(Account).where(Account.email == email)).one_or_none()
    if account is None:
        account = Account(email=email, is_admin=is_admin)
        session.add(account)
        session.flush()
        audit.record(session, actor, "account_added", subject=email, is_admin=is_admin)
    elif is_admin and not account.is_admin:
        account.is_admin = True
        audit.record(session, actor, "admin_made", subject=email)
    if project_id is not None and role is not None:
        _project(session, project_id)
        join(session, account, project_id, role)
        audit.record(session, actor, "member_added", project_id=project_id, subject=email, role=role.value)
    withdraw_links(session, purpose=LinkPurpose.RESET, email=email)
    token = make_link(session, purpose=LinkPurpose.RESET, hours=hours, email=email, created_by=actor.account_id)
    session.commit()
    return account, token


def _project(session: Session, project_id: int) -> Project:
    found = session.get(Project, project_id)
    if found is None:
        raise NotFound("There is no such project.")
    return found


def _account(session: Session, account_id: int) -> Account:
    found = session.get(Account, account_id)
    if found is None:
        raise NotFound("There is no such account.")
    return found


def _member(session: Session, project_id: int, account_id: int) -> tuple[Account, Membership]:
    query = select(Membership).where(Membership.project_id == project_id, Membership.account_id == account_id)
    member = session.exec(query).one_or_none()
    if member is None:
        raise NotFound("This person is not in the project (any more).")
    return _account(session, account_id), member


def _description(text: str) -> str:
    if len(text) > LONGEST_DESCRIPTION:
        raise InvalidInput(f"A description has at most {LONGEST_DESCRIPTION} characters.")
    return text.strip()


def _keep_a_lead(session: Session, actor: Actor, member: Membership) -> None:
    if member.role is not Role.LEAD or actor.is_admin:
        return
    # locked, so that two leads cannot take each other out at once
    leads = session.exec(
        select(Membership)
        .join(Account, col(Account.id) == Membership.account_id)
        .where(Membership.project_id == member.project_id, Membership.role == Role.LEAD, col(Account.is_active).is_(True))
        .with_for_update()
    ).all()
    if len(leads) < 2:
        raise Conflict("A project keeps at least one lead. Make somebody else a lead first, or ask an admin.")


def _keep_an_admin(session: Session, account: Account) -> None:
    if not account.is_admin:
        return
    admins = select(Account.id).where(col(Account.is_admin).is_(True), col(Account.is_active).is_(True)).with_for_update()
    if len(session.exec(admins).all()) < 2:
        raise Conflict("This is the last admin. Make somebody else an admin first.")
