"""What tests start from: people, projects, records. Each writes through a session that the test commits."""

from __future__ import annotations

from sqlmodel import Session

from backend.access.actors import Actor
from backend.access.sessions import actor_of
from backend.conversations import Message, content_hash
from backend.store.accounts import Account, Membership
from backend.store.records import Project, Record, RecordRevision
from backend.vocabulary import Role


def a_project(session: Session, slug: str = "shop") -> Project:
    project = Project(slug=slug, name=slug.title())
    session.add(project)
    session.flush()
    return project


def a_person(
    session: Session, email: str, *, project: Project | None = None, role: Role | None = None, admin: bool = False
) -> Actor:
    """An account without a password, its membership, and the Actor that it acts as."""
    account = Account(email=email, name=email.split("@")[0], is_admin=admin)
    session.add(account)
    session.flush()
    if project is not None and role is not None:
        session.add(Membership(account_id=account.id or 0, project_id=project.id or 0, role=role))
        session.flush()
    return actor_of(session, account)


def a_record(
    session: Session, project: Project, *, prompt: str, answer: str, slices: dict[str, str] | None = None, group: str = ""
) -> Record:
    """A pending record with its first revision."""
    messages = [Message("user", prompt), Message("assistant", answer)]
    record = Record(
        project_id=project.id or 0,
        content_hash=content_hash(messages),
        group=group,
        prompt=prompt,
        answer=answer,
        slices=slices or {},
    )
    session.add(record)
    session.flush()
    session.add(
        RecordRevision(
            record_id=record.id or 0,
            number=1,
            messages=[message.to_json() for message in messages],
            content_hash=content_hash(messages),
        )
    )
    session.flush()
    return record
