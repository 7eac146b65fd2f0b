"""Use-cases of personal API tokens: making, revoking, finding out who bears one. A token acts as its account.

Only a token's hash and its first characters are kept; the whole token is returned once.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from sqlalchemy import update
from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from backend.access import audit
from backend.access.actors import Actor
from backend.access.entering import clean_name
from backend.access.secrets import new_token, token_hash
from backend.access.sessions import actor_of
from backend.errors import InvalidInput, NotFound, NotSignedIn, ServiceUnavailable
from backend.store.accounts import Account, ApiToken
from backend.store.base import now
from backend.store.database import Database

MARK = "ts_"
"""What every token begins with, so that one that leaked into a file or a log can be recognised."""
MOST_TOKENS = 20
USED_EVERY = timedelta(minutes=5)


def create_token(*, session: Session, actor: Actor, name: str) -> str:
    """Make a token for the actor's own account and return it; it is not shown again."""
    account_id, name = own_account(actor), clean_name(name)
    living = select(func.count()).where(ApiToken.account_id == account_id, col(ApiToken.revoked_at).is_(None))
    if session.exec(living).one() >= MOST_TOKENS:
        raise InvalidInput(f"You have {MOST_TOKENS} tokens. Revoke one that is not used any more first.")
    token = MARK + new_token()
    session.add(ApiToken(account_id=account_id, name=name, token_hash=token_hash(token), prefix=token[:8]))
    audit.record(session, actor, "token_created", subject=name)
    session.commit()
    return token


def revoke_token(*, session: Session, actor: Actor, token_id: int) -> None:
    """End one of the actor's own tokens. Doing it twice is no error."""
    found = session.get(ApiToken, token_id)
    if found is None or found.account_id != own_account(actor):
        raise NotFound("There is no such token of yours.")
    if found.revoked_at is None:
        found.revoked_at = now()
        session.add(found)
        audit.record(session, actor, "token_revoked", subject=found.name)
        session.commit()


def revoke_all_tokens(session: Session, account_id: int) -> None:
    """End every token of an account. No audit entry, no commit."""
    living = update(ApiToken).where(col(ApiToken.account_id) == account_id, col(ApiToken.revoked_at).is_(None))
    session.execute(living.values(revoked_at=now()))


def bearer(*, session: Session, token: str) -> Actor:
    """Who bears this token. Raises NotSignedIn."""
    found = session.exec(_living(token)).one_or_none()
    account = session.get(Account, found.account_id) if found is not None else None
    if account is None or not account.is_active:
        raise NotSignedIn("This token is not valid, or was revoked. The Account page makes a new one.")
    return actor_of(session, account)


def look_up_bearer(database: Database, token: str) -> Actor:
    """Who bears this token, for a request. Writes down now and then that it is in use, if the database can be written."""
    with database.reading() as session:
        actor = bearer(session=session, token=token)
        used = session.exec(_living(token)).one().used_at
    if used is None or used < now() - USED_EVERY:
        with suppress(ServiceUnavailable), database.writing() as session:
            if found := session.exec(_living(token)).one_or_none():
                found.used_at = now()
                session.add(found)
                session.commit()
    return actor


def _living(token: str) -> SelectOfScalar[ApiToken]:
    return select(ApiToken).where(ApiToken.token_hash == token_hash(token), col(ApiToken.revoked_at).is_(None))


def own_account(actor: Actor) -> int:
    """The account that the actor is. Raises NotSignedIn for the system and for visitors, who have none."""
    if actor.account_id is None:
        raise NotSignedIn("Only somebody who is signed in has an account.")
    return actor.account_id
