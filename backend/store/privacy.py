"""A project's rules about personal data, and the vault that says which stand-in belongs to whom.

What a vault entry hides is encrypted by a key that is not in the database: a copy of the database alone maps nothing back.
"""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, Session

from backend.detectors.privacy import PrivacyRules, rules_of
from backend.store.base import Table, created, word
from backend.store.records import Project
from backend.vocabulary import FindingKind


class VaultEntry(Table, table=True):
    """One original and its stand-in. `fingerprint` is a keyed hash of kind and original, so that each is held once."""

    __table_args__ = (UniqueConstraint("project_id", "fingerprint"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id", index=True)
    kind: FindingKind = word(FindingKind)
    fingerprint: str = Field(max_length=64)
    sealed: str
    stand_in: str
    created_by: int | None = Field(default=None, foreign_key="account.id")
    created_at: datetime = created()


def rules_for(session: Session, project_id: int) -> PrivacyRules:
    """The rules that the project's settings hold now."""
    project = session.get(Project, project_id)
    return rules_of(project.settings if project else None)
