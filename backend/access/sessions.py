"""Server-side sessions: opening, resolving to an Actor, ending. The cookie carries the token, the table its hash.

Promised: a revoked or expired session, and one of a deactivated account, resolves to nobody at the next look.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import bindparam
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.secrets import new_token, token_hash
from backend.errors import NotSignedIn, ServiceUnavailable
from backend.store.accounts import Account, LoginSession, Membership
from backend.store.base import UtcDateTime, now
from backend.store.database import Database

COOKIE = "touchstone_session"
"""The cookie's name; the same key in Streamlit's session state holds the token where there is no cookie (tests)."""


SEEN_EVERY = timedelta(minutes=5)
"""How often a session in use is written down as seen."""


def cookie_name(secure: bool) -> str:
    """The cookie's name in a browser; behind TLS the prefix binds it to this host, HTTPS and the path /."""
    return f"__Host-{COOKIE}" if secure else COOKIE


def open_session(session: Session, *, account_id: int, hours: int, user_agent: str = "") -> str:
    """Add a session for the account and return its token; the caller commits."""
    token = new_token()
    session.add(
        LoginSession(
            token_hash=token_hash(token),
            account_id=account_id,
            user_agent=user_agent[:300],
            expires_at=now() + timedelta(hours=hours),
        )
    )
    return token


def find_session(session: Session, token: str | None) -> LoginSession | None:
    """The living session of this token, or None."""
    if not token:
        return None
    found = session.exec(select(LoginSession).where(LoginSession.token_hash == token_hash(token))).one_or_none()
    if found is None or found.revoked_at is not None or found.expires_at <= now():
        return None
    return found


def resolve(session: Session, token: str | None) -> Actor:
    """Who this token's session belongs to. Raises NotSignedIn."""
    given = {"token": token_hash(token or ""), "now": now()}
    found = session.execute(_holder_query(), given).all() if token else []
    if not found:
        raise NotSignedIn("Your session has ended. Please sign in again; what you saved is safe.")
    account_id, email, is_admin = found[0][:3]
    roles = {project_id: role for *_, project_id, role in found if role is not None}
    return Actor(account_id=account_id, label=email, is_admin=is_admin, roles=roles)


@cache
def _holder_query() -> Any:
    """One statement, built once: it is asked at every look and every save."""
    who: Any = (Account.id, Account.email, Account.is_admin, Membership.project_id, Membership.role)
    expires: Any = bindparam("now", type_=UtcDateTime)
    living = (col(LoginSession.revoked_at).is_(None), col(LoginSession.expires_at) > expires, col(Account.is_active))
    return (
        sql_select(*who)
        .select_from(LoginSession)
        .join(Account, col(Account.id) == LoginSession.account_id)
        .outerjoin(Membership, col(Membership.account_id) == Account.id)
        .where(col(LoginSession.token_hash) == bindparam("token"), *living)
    )


def look_up(database: Database, token: str) -> Actor:
    """Who holds this token, for a page load or a handshake.

    Writes down now and then that the session is in use, if the database can be written.
    """
    with database.reading() as session:
        actor = resolve(session, token)
        found = find_session(session, token)
        stale = found is not None and found.seen_at < now() - SEEN_EVERY
    if stale:
        with suppress(ServiceUnavailable), database.writing() as session:
            if found := find_session(session, token):
                found.seen_at = now()
                session.add(found)
                session.commit()
    return actor


def actor_of(session: Session, account: Account) -> Actor:
    """The Actor for an account, with its roles."""
    roles: Any = session.exec(select(Membership.project_id, Membership.role).where(Membership.account_id == account.id)).all()
    return Actor(account_id=account.id, label=account.email, is_admin=account.is_admin, roles=dict(roles))


def end_session(session: Session, token: str) -> None:
    """Revoke this token's session; the caller commits."""
    if found := find_session(session, token):
        found.revoked_at = now()
        session.add(found)


def end_all_sessions(session: Session, account_id: int) -> None:
    """Revoke every session of the account; the caller commits."""
    living = select(LoginSession).where(LoginSession.account_id == account_id, col(LoginSession.revoked_at).is_(None))
    for found in session.exec(living):
        found.revoked_at = now()
        session.add(found)
