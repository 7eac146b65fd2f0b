"""Use-cases of one's own account: name, password, preferences, sessions."""

from __future__ import annotations

from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.entering import clean_name
from backend.access.passwords import check_password, hash_password, verify_password
from backend.access.policy import check
from backend.access.secrets import token_hash
from backend.access.sessions import resolve
from backend.access.tokening import own_account
from backend.errors import InvalidInput, NotFound
from backend.store.accounts import Account, LoginSession
from backend.store.base import now
from backend.store.database import Database
from backend.vocabulary import Action

PREFERENCES: dict[str, bool] = {
    "keyboard_shortcuts": True,
    "show_guidelines": True,
    "fast_desk": True,
}
"""What one may switch, with what holds until one does."""


def change_name(*, session: Session, actor: Actor, name: str) -> None:
    """Give one's account another name."""
    account = session.get_one(Account, own_account(actor))
    account.name = clean_name(name)
    session.add(account)
    audit.record(session, actor, "name_changed", subject=account.email)
    session.commit()


def change_password(*, database: Database, actor: Actor, current: str, new: str, token: str) -> None:
    """Change one's password; every other session of the account ends, the one of `token` stays.

    Takes the database and not a session: no transaction is held while argon2 works.
    """
    with database.reading() as session:
        resolve(session, token)  # a session that has ended meanwhile changes nothing
        account = session.get_one(Account, own_account(actor))
    if account.password_hash is None:
        raise InvalidInput("You sign in by single sign-on; there is no password to change. An admin can make a reset link.")
    check_password(new, email=account.email)
    if not verify_password(account.password_hash, current):
        raise InvalidInput("The current password is not right. Nothing was changed.")
    stored = hash_password(new)
    with database.writing() as session:
        account = session.get_one(Account, own_account(actor))
        account.password_hash = stored
        session.add(account)
        _end_others(session, actor, token)
        audit.record(session, actor, "password_changed", subject=account.email)
        session.commit()


def set_preference(*, session: Session, actor: Actor, name: str, value: bool) -> None:
    """Switch one of PREFERENCES."""
    if name not in PREFERENCES:
        raise InvalidInput("There is no such preference.")
    account = session.get_one(Account, own_account(actor))
    account.preferences = {**account.preferences, name: bool(value)}
    session.add(account)
    session.commit()


def remember_project(*, session: Session, actor: Actor, project_id: int) -> None:
    """Keep which project one looks at, for the next visit."""
    check(actor, Action.VIEW_PROJECT, project_id)
    account = session.get_one(Account, own_account(actor))
    account.preferences = {**account.preferences, "project": project_id}
    session.add(account)
    session.commit()


def revoke_session(*, session: Session, actor: Actor, session_id: int) -> None:
    """End one of one's own sessions. Doing it twice is no error."""
    found = session.get(LoginSession, session_id)
    if found is None or found.account_id != own_account(actor):
        raise NotFound("There is no such session of yours.")
    if found.revoked_at is None:
        found.revoked_at = now()
        session.add(found)
        audit.record(session, actor, "session_revoked", subject=actor.label)
        session.commit()


def revoke_other_sessions(*, session: Session, actor: Actor, token: str) -> int:
    """End every session of one's account but the one of `token`; returns how many ended."""
    ended = _end_others(session, actor, token)
    if ended:
        audit.record(session, actor, "sessions_revoked", subject=actor.label, count=ended)
        session.commit()
    return ended


def _end_others(session: Session, actor: Actor, token: str) -> int:
    query = (
        select(LoginSession)
        .where(LoginSession.account_id == own_account(actor), col(LoginSession.revoked_at).is_(None))
        .where(LoginSession.token_hash != token_hash(token))
    )
    found = session.exec(query).all()
    for other in found:
        other.revoked_at = now()
        session.add(other)
    return len(found)
