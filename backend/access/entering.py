"""Use-cases of coming in and going out: the first account, signing in, signing out.

Failed logins are counted per account and per address over 15 minutes. A try is counted before the password is looked
at, so that many at once cannot slip past the limit; a success takes the account's count back.
"""

from __future__ import annotations

import re
from datetime import timedelta

from sqlalchemy import delete, func, text
from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.links import find_link, make_link, use_link, withdraw_links
from backend.access.passwords import check_password, hash_password, is_outdated, verify_password
from backend.access.sessions import actor_of, end_session, find_session, open_session
from backend.errors import AlreadyDone, InvalidInput, NotSignedIn, TooManyAttempts
from backend.store.accounts import Account, LoginAttempt
from backend.store.base import now
from backend.store.database import Database
from backend.vocabulary import LinkPurpose

WINDOW = timedelta(minutes=15)
PER_ADDRESS = 5
"""An address (an office, say) may fail this many times as often as an account."""
_EMAIL = re.compile(r"[^@\s\x00-\x1f<>]{1,64}@[^@\s\x00-\x1f<>]{1,255}")


def clean_email(given: str) -> str:
    """The address as it is stored. Raises InvalidInput."""
    email = given.strip().casefold()
    if not _EMAIL.fullmatch(email) or len(email) > 320:
        raise InvalidInput("Please give an e-mail address, like name@example.com.")
    return email


def clean_name(given: str) -> str:
    """A person's or thing's name on one line. Raises InvalidInput."""
    name = " ".join(given.split())
    if not name or len(name) > 200 or not name.isprintable():
        raise InvalidInput("Please give a name of 1 to 200 characters.")
    return name


def offer_setup(*, session: Session, hours: int) -> str | None:
    """A fresh set-up token where there is no account yet, else None. Older set-up links stop working."""
    if session.exec(select(Account.id).limit(1)).first() is not None:
        return None
    withdraw_links(session, purpose=LinkPurpose.SETUP)
    token = make_link(session, purpose=LinkPurpose.SETUP, hours=hours)
    session.commit()
    return token


def set_up(*, session: Session, token: str, email: str, name: str, password: str, hours: int, user_agent: str = "") -> str:
    """Create the admin account by the set-up link and sign it in; returns the session token."""
    find_link(session, token, LinkPurpose.SETUP)  # first: an invented link must not cost a hash
    email, name = clean_email(email), clean_name(name)
    check_password(password, email=email)
    session.rollback()  # no transaction is held while argon2 works
    stored = hash_password(password)
    use_link(session, token, LinkPurpose.SETUP)
    if session.exec(select(Account.id).limit(1)).first() is not None:
        raise AlreadyDone("Touchstone is set up already. Please sign in.")
    account = Account(email=email, name=name, password_hash=stored, is_admin=True)
    session.add(account)
    session.flush()
    audit.record(session, actor_of(session, account), "account_set_up", subject=email)
    opened = open_session(session, account_id=account.id or 0, hours=hours, user_agent=user_agent)
    session.commit()
    return opened


def sign_in(
    *,
    database: Database,
    email: str,
    password: str,
    address: str,
    hours: int,
    attempts: int,
    user_agent: str = "",
    replaces: str | None = None,
) -> str:
    """Check the password and open a session; returns its token. `replaces` names the browser's older session, which ends.

    Takes the database and not a session: no transaction is held while argon2 works. Raises NotSignedIn (the same for a
    wrong password, an unknown and a deactivated account) or TooManyAttempts.
    """
    email = email.strip().casefold()[:320]
    with database.writing() as session:
        _count_attempt(session, email=email, address=address, attempts=attempts)
        account = session.exec(select(Account).where(Account.email == email)).one_or_none()
        usable = account.password_hash if account is not None and account.is_active else None
        session.commit()
    if not verify_password(usable, password) or account is None or usable is None:
        with database.writing() as session:
            audit.record(session, _visitor(email), "sign_in_failed", subject=email, address=address)
            session.commit()
        raise NotSignedIn("The e-mail address or the password is not right.")
    fresh = hash_password(password) if is_outdated(usable) else None
    with database.writing() as session:
        current = session.get(Account, account.id)
        if current is None or not current.is_active or current.password_hash != usable:
            raise NotSignedIn("The e-mail address or the password is not right.")
        if fresh:
            current.password_hash = fresh
            session.add(current)
        session.execute(delete(LoginAttempt).where(col(LoginAttempt.email) == email))
        return enter(session, current, "signed_in", hours=hours, user_agent=user_agent, replaces=replaces)


def enter(
    session: Session, account: Account, action: str, *, hours: int, user_agent: str = "", replaces: str | None = None
) -> str:
    """Open a session for an account that has proved itself, audit it as `action`, commit; returns the token."""
    if replaces:
        end_session(session, replaces)
    token = open_session(session, account_id=account.id or 0, hours=hours, user_agent=user_agent)
    audit.record(session, actor_of(session, account), action, subject=account.email)
    session.commit()
    return token


def sign_out(*, session: Session, token: str) -> None:
    """End the session of this token. Doing it twice is no error."""
    found = find_session(session, token)
    if found is None:
        return
    account = session.get(Account, found.account_id)
    end_session(session, token)
    if account is not None:
        audit.record(session, actor_of(session, account), "signed_out", subject=account.email)
    session.commit()


def _visitor(email: str) -> Actor:
    return Actor(account_id=None, label=f"visitor ({email})"[:320])


def _count_attempt(session: Session, *, email: str, address: str, attempts: int) -> None:
    since = now() - WINDOW
    if session.get_bind().dialect.name == "postgresql":  # SQLite's writers stand in line anyway
        session.execute(text("LOCK TABLE loginattempt IN EXCLUSIVE MODE"))
    session.execute(delete(LoginAttempt).where(col(LoginAttempt.at) < since))
    for column, value, limit in (
        (LoginAttempt.email, email, attempts),
        (LoginAttempt.address, address, attempts * PER_ADDRESS),
    ):
        count, oldest = session.exec(
            select(func.count(), func.min(LoginAttempt.at)).where(col(column) == value, col(LoginAttempt.at) >= since)
        ).one()
        if count >= limit:
            wait = max(1, int((oldest + WINDOW - now()).total_seconds()) + 1)
            raise TooManyAttempts(
                f"Too many failed tries. Wait {-(-wait // 60)} minutes, or ask an admin for a reset link.", retry_after=wait
            )
    session.add(LoginAttempt(email=email, address=address[:64]))
