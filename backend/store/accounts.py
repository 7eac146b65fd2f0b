"""Tables of people: accounts, memberships, sessions, one-time links, tokens, login attempts, the audit trail.

Secrets are stored as hashes only: a password by argon2, a random token by SHA-256.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from backend.store.base import Table, created, document, moment, word
from backend.vocabulary import LinkPurpose, Role


class Account(Table, table=True):
    """A person. `email` is lower-case. `password_hash` is NULL until set, and for people who come by single sign-on."""

    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(unique=True, index=True, max_length=320)
    name: str = Field(default="", max_length=200)
    password_hash: str | None = None
    oidc_subject: str | None = Field(default=None, unique=True, max_length=500)
    is_admin: bool = False
    is_active: bool = True
    preferences: dict[str, Any] = document()
    created_at: datetime = created()


class Membership(Table, table=True):
    """An account's role in a project."""

    __table_args__ = (UniqueConstraint("account_id", "project_id"),)

    id: int | None = Field(default=None, primary_key=True)
    account_id: int = Field(foreign_key="account.id", index=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    role: Role = word(Role)
    created_at: datetime = created()


class LoginSession(Table, table=True):
    """A server-side session. The cookie holds the token, this row its hash; `revoked_at` ends it at once."""

    id: int | None = Field(default=None, primary_key=True)
    token_hash: str = Field(unique=True, max_length=64)
    account_id: int = Field(foreign_key="account.id", index=True)
    user_agent: str = Field(default="", max_length=300)
    created_at: datetime = created()
    seen_at: datetime = created()
    expires_at: datetime = created()
    revoked_at: datetime | None = moment()


class OneTimeLink(Table, table=True):
    """A set-up, invitation or reset link; used once, for a limited time."""

    id: int | None = Field(default=None, primary_key=True)
    token_hash: str = Field(unique=True, max_length=64)
    purpose: LinkPurpose = word(LinkPurpose)
    email: str = Field(default="", max_length=320)
    project_id: int | None = Field(default=None, foreign_key="project.id")
    role: str | None = Field(default=None, max_length=32)
    created_by: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()
    expires_at: datetime = created()
    used_at: datetime | None = moment()


class ApiToken(Table, table=True):
    """A personal token for the HTTP API. It acts as its account."""

    id: int | None = Field(default=None, primary_key=True)
    account_id: int = Field(foreign_key="account.id", index=True)
    name: str = Field(max_length=200)
    token_hash: str = Field(unique=True, max_length=64)
    prefix: str = Field(max_length=12)
    created_at: datetime = created()
    used_at: datetime | None = moment()
    revoked_at: datetime | None = moment()


class LoginAttempt(Table, table=True):
    """A failed login, counted by account and by address."""

    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(index=True, max_length=320)
    address: str = Field(index=True, max_length=64)
    at: datetime = created()


class AuditEntry(Table, table=True):
    """One act. `hash` covers the entry and `previous_hash`, so that a change or a gap shows."""

    id: int | None = Field(default=None, primary_key=True)
    number: int = Field(unique=True)
    at: datetime = created()
    actor_id: int | None = Field(default=None, index=True)
    actor: str = Field(max_length=320)
    action: str = Field(index=True, max_length=64)
    project_id: int | None = Field(default=None, index=True)
    subject: str = Field(default="", max_length=200)
    detail: dict[str, Any] = document()
    previous_hash: str = Field(max_length=64)
    hash: str = Field(max_length=64)


class AuditHead(Table, table=True):
    """One row (id 1): the newest entry's number and hash. Locked by a writer so that the chain has no forks."""

    id: int = Field(default=1, primary_key=True)
    number: int = 0
    hash: str = Field(default="", max_length=64)
