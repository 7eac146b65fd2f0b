"""Reads about people and projects: the switcher, members, accounts, links, sessions, tokens, the audit trail, home counts.

Reads for one's own things take the actor; the others ask the policy, as use-cases do. Frames hold plain values only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlmodel import Session, col, func, or_, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import NotFound
from backend.store.accounts import Account, ApiToken, AuditEntry, LoginSession, Membership, OneTimeLink
from backend.store.base import now
from backend.store.records import Project
from backend.vocabulary import Action, LinkPurpose, Role

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ProjectCard:
    """A project as the switcher shows it."""

    id: int
    slug: str
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Person:
    """An account, or a member of a project, as lists show it. `role` is '' outside a project."""

    account_id: int
    email: str
    name: str
    role: str
    is_admin: bool
    is_active: bool
    has_password: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class PendingInvitation:
    """An invitation that nobody has used yet."""

    link_id: int
    email: str
    role: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Profile:
    """One's own account."""

    email: str
    name: str
    has_password: bool
    is_admin: bool
    preferences: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One of one's own living sessions."""

    id: int
    user_agent: str
    seen_at: datetime
    expires_at: datetime
    is_this: bool


@dataclass(frozen=True, slots=True)
class Token:
    """One of one's own living API tokens."""

    id: int
    name: str
    prefix: str
    created_at: datetime
    used_at: datetime | None


def projects_of(session: Session, actor: Actor) -> list[ProjectCard]:
    """The projects that the actor may enter, by name; an admin's are all."""
    query = select(Project).order_by(col(Project.name))
    if not actor.is_admin:
        query = query.where(col(Project.id).in_(list(actor.roles)))
    return [ProjectCard(project.id or 0, project.slug, project.name, project.description) for project in session.exec(query)]


def project_id_of(session: Session, slug: str) -> int:
    """The id of the project with this short name, as commands give it. Raises NotFound, naming those that there are."""
    found = session.exec(select(Project.id).where(Project.slug == slug)).first()
    if found is None:
        known = ", ".join(session.exec(select(Project.slug).order_by(col(Project.slug)).limit(20)))
        raise NotFound(f"There is no project {slug!r}. " + (f"There are: {known}." if known else "Load one with `sample`."))
    return found


def remembered_project(session: Session, actor: Actor) -> int | None:
    """The project that the actor chose last, wherever that was."""
    account = session.get(Account, actor.account_id) if actor.account_id is not None else None
    return account.preferences.get("project") if account is not None else None


def members_of(session: Session, *, actor: Actor, project_id: int) -> list[Person]:
    """The members of a project, by e-mail."""
    check(actor, Action.MANAGE_MEMBERS, project_id)
    query = (
        select(Account, Membership)
        .join(Membership, col(Membership.account_id) == Account.id)
        .where(Membership.project_id == project_id)
        .order_by(col(Account.email))
    )
    return [_person(account, member.role.value, member.created_at) for account, member in session.exec(query)]


def accounts(session: Session, *, actor: Actor, search: str = "") -> list[Person]:
    """Every account, by e-mail, or those whose e-mail or name holds `search`; at most 500."""
    check(actor, Action.MANAGE_ACCOUNTS)
    query = select(Account).order_by(col(Account.email)).limit(500)
    if search.strip():
        query = query.where(
            or_(
                col(Account.email).icontains(search.strip(), autoescape=True),
                col(Account.name).icontains(search.strip(), autoescape=True),
            )
        )
    return [_person(account, "", account.created_at) for account in session.exec(query)]


def invitations_of(session: Session, *, actor: Actor, project_id: int) -> list[PendingInvitation]:
    """The project's invitations that still work, by e-mail."""
    check(actor, Action.MANAGE_MEMBERS, project_id)
    query = (
        select(OneTimeLink)
        .where(OneTimeLink.project_id == project_id, OneTimeLink.purpose == LinkPurpose.INVITE)
        .where(col(OneTimeLink.used_at).is_(None), col(OneTimeLink.expires_at) > now())
        .order_by(col(OneTimeLink.email))
    )
    found = session.exec(query)
    return [PendingInvitation(link.id or 0, link.email, link.role or Role.RATER, link.expires_at) for link in found]


def profile_of(session: Session, actor: Actor) -> Profile:
    """The actor's own account."""
    account = session.get_one(Account, actor.account_id)
    return Profile(account.email, account.name, account.password_hash is not None, account.is_admin, dict(account.preferences))


def sessions_of(session: Session, actor: Actor, *, current_hash: str = "") -> list[OpenSession]:
    """The actor's living sessions, the one seen last first."""
    query = (
        select(LoginSession)
        .where(LoginSession.account_id == actor.account_id, col(LoginSession.revoked_at).is_(None))
        .where(col(LoginSession.expires_at) > now())
        .order_by(col(LoginSession.seen_at).desc())
    )
    return [
        OpenSession(found.id or 0, found.user_agent, found.seen_at, found.expires_at, found.token_hash == current_hash)
        for found in session.exec(query)
    ]


def tokens_of(session: Session, actor: Actor) -> list[Token]:
    """The actor's living API tokens, newest first."""
    query = (
        select(ApiToken)
        .where(ApiToken.account_id == actor.account_id, col(ApiToken.revoked_at).is_(None))
        .order_by(col(ApiToken.id).desc())
    )
    return [Token(found.id or 0, found.name, found.prefix, found.created_at, found.used_at) for found in session.exec(query)]


def audit_actions(session: Session, *, actor: Actor, project_id: int | None) -> list[str]:
    """The actions that occur in the trail of the project (None: everywhere), for a filter."""
    check(actor, Action.VIEW_AUDIT, project_id)
    query = select(AuditEntry.action).distinct().order_by(col(AuditEntry.action))
    if project_id is not None:
        query = query.where(AuditEntry.project_id == project_id)
    return list(session.exec(query))


def audit_trail(
    session: Session,
    *,
    actor: Actor,
    project_id: int | None,
    actions: Sequence[str] = (),
    search: str = "",
    since: datetime | None = None,
    limit: int | None = 500,
) -> pd.DataFrame:
    """Entries of the project (None: all, for admins), newest first, with what was filtered for."""
    import pandas as pd

    check(actor, Action.VIEW_AUDIT, project_id)
    query = select(AuditEntry).order_by(col(AuditEntry.number).desc()).limit(limit)
    if project_id is not None:
        query = query.where(AuditEntry.project_id == project_id)
    if actions:
        query = query.where(col(AuditEntry.action).in_(list(actions)))
    if since is not None:
        query = query.where(col(AuditEntry.at) >= since)
    if search.strip():
        held = [col(field).icontains(search.strip(), autoescape=True) for field in (AuditEntry.actor, AuditEntry.subject)]
        query = query.where(or_(*held))
    rows = [
        (
            found.number,
            found.at,
            found.actor,
            found.action,
            found.project_id,
            found.subject,
            _detail(found.detail),
            found.hash[:12],
        )
        for found in session.exec(query)
    ]
    columns = ["number", "at", "actor", "action", "project", "subject", "detail", "hash"]
    return pd.DataFrame(rows, columns=columns).astype({"project": "Int64"})


def counts(session: Session) -> dict[str, int]:
    """Rows of the main tables, for `status`."""
    from backend.store.tables import metadata

    return {
        name: session.execute(select(func.count()).select_from(table)).scalar_one()
        for name, table in sorted(metadata.tables.items())
    }


def _detail(detail: dict[str, Any]) -> str:
    return "; ".join(f"{key}: {value}" for key, value in detail.items() if value not in (None, ""))


def _person(account: Account, role: str, since: datetime) -> Person:
    return Person(
        account_id=account.id or 0,
        email=account.email,
        name=account.name,
        role=role,
        is_admin=account.is_admin,
        is_active=account.is_active,
        has_password=account.password_hash is not None,
        since=since,
    )
