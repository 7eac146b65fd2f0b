"""Use-case of single sign-on: from an identity that a provider vouches for to a session of ours."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, select

from backend.access.entering import enter
from backend.access.inviting import take_up
from backend.errors import Forbidden, NotSignedIn
from backend.store.accounts import Account, OneTimeLink
from backend.store.base import now
from backend.store.database import Database
from backend.vocabulary import LinkPurpose


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, by a provider. `email` is '' where the provider did not verify it."""

    subject: str
    email: str
    name: str


def sign_in_by_identity(
    *, database: Database, identity: Identity, hours: int, user_agent: str = "", replaces: str | None = None
) -> str:
    """Open a session for the account of this identity and return its token. Raises NotSignedIn where there is none."""
    with database.writing() as session:
        account = _account(session, identity)
        if not account.is_active:
            raise NotSignedIn("There is no account for you here. Ask a lead for an invitation.")
        return enter(session, account, "signed_in_by_oidc", hours=hours, user_agent=user_agent, replaces=replaces)


def _account(session: Session, identity: Identity) -> Account:
    known = session.exec(select(Account).where(Account.oidc_subject == identity.subject)).one_or_none()
    if known is not None:
        return known
    if not identity.email:
        raise NotSignedIn("The sign-on service has not verified your e-mail address, so no account can be found by it.")
    account = session.exec(select(Account).where(Account.email == identity.email)).one_or_none()
    if account is None:
        account = _invited(session, identity)
    elif account.oidc_subject is not None:
        raise Forbidden("This account belongs to another identity at the sign-on service. Ask an admin.")
    account.oidc_subject = identity.subject
    session.add(account)
    session.flush()
    return account


def _invited(session: Session, identity: Identity) -> Account:
    query = (
        select(OneTimeLink)
        .where(OneTimeLink.purpose == LinkPurpose.INVITE, OneTimeLink.email == identity.email)
        .where(col(OneTimeLink.used_at).is_(None), col(OneTimeLink.expires_at) > now())
        .order_by(col(OneTimeLink.id).desc())
        .with_for_update()
    )
    link = session.exec(query).first()
    if link is None:
        raise NotSignedIn("There is no account for you here. Ask a lead for an invitation.")
    link.used_at = now()
    session.add(link)
    return take_up(session, link, Account(email=identity.email, name=" ".join(identity.name.split())[:200]))
