"""One-time links: set-up, invitation, reset. The link carries the token, the table its hash; it works once, for a time.

Promised: of two requests with one link, one wins. No commits inside.
"""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Session, col, select

from backend.access.secrets import new_token, token_hash
from backend.errors import AlreadyDone, NotFound
from backend.settings import Settings
from backend.store.accounts import OneTimeLink
from backend.store.base import now
from backend.vocabulary import LinkPurpose


def make_link(
    session: Session,
    *,
    purpose: LinkPurpose,
    hours: int,
    email: str = "",
    project_id: int | None = None,
    role: str | None = None,
    created_by: int | None = None,
) -> str:
    """Add a link and return its token, which is shown once and not kept."""
    token = new_token()
    session.add(
        OneTimeLink(
            token_hash=token_hash(token),
            purpose=purpose,
            email=email,
            project_id=project_id,
            role=role,
            created_by=created_by,
            expires_at=now() + timedelta(hours=hours),
        )
    )
    return token


def find_link(session: Session, token: str, purpose: LinkPurpose, *, lock: bool = False) -> OneTimeLink:
    """The living link of this token. Raises NotFound or AlreadyDone with what to do."""
    query = select(OneTimeLink).where(OneTimeLink.token_hash == token_hash(token), OneTimeLink.purpose == purpose)
    link = session.exec(query.with_for_update() if lock else query).one_or_none()
    if link is None:
        raise NotFound("This link is not valid. Check that it was copied whole, or ask for a new one.")
    if link.used_at is not None:
        raise AlreadyDone("This link was already used, or a newer one took its place. Sign in, or ask for a new link.")
    if link.expires_at <= now():
        raise NotFound("This link has expired. Ask for a new one.")
    return link


def use_link(session: Session, token: str, purpose: LinkPurpose) -> OneTimeLink:
    """Find the link, locked, and mark it used."""
    link = find_link(session, token, purpose, lock=True)
    link.used_at = now()
    session.add(link)
    return link


def withdraw_links(session: Session, *, purpose: LinkPurpose, email: str | None = None) -> None:
    """Make unused links of this purpose (for one address, where given) unusable."""
    query = select(OneTimeLink).where(OneTimeLink.purpose == purpose, col(OneTimeLink.used_at).is_(None))
    if email is not None:
        query = query.where(OneTimeLink.email == email)
    for link in session.exec(query):
        link.used_at = now()
        session.add(link)


def link_address(settings: Settings, purpose: LinkPurpose, token: str) -> str:
    """The whole address to hand to a person."""
    return f"{settings.address}/{purpose.value}?token={token}"
