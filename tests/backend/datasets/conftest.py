"""A shop with approved records, ready to be frozen."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import Session, select

from backend.access.actors import Actor
from backend.settings import Settings
from backend.store.database import Database
from backend.store.records import Approval, Project, Record, RecordRevision
from backend.vocabulary import Decision, RecordStatus, Role
from tests.factories import a_person, a_project, a_record


def approve(session: Session, record: Record) -> Record:
    """Approve a record's newest revision."""
    revision = session.exec(
        select(RecordRevision).where(RecordRevision.record_id == record.id, RecordRevision.number == record.head)
    ).one()
    session.add(Approval(record_id=record.id or 0, revision_id=revision.id or 0, decision=Decision.APPROVED))
    record.status, record.approved_revision_id = RecordStatus.APPROVED, revision.id
    session.add(record)
    session.flush()
    return record


def approved(session: Session, project: Project, number: int, **extra: str) -> Record:
    slices = {"language": "en" if number % 2 else "es"}
    given = {"prompt": f"Question {number}?", "answer": f"Answer {number}.", "group": ""} | extra
    return approve(session, a_record(session, project, slices=slices, **given))


class Shop:
    """A project with a lead, and a data folder."""

    def __init__(self, database: Database, data: Path) -> None:
        self.database = database
        self.settings = Settings(data=data)
        with database.writing() as session:
            self.project: Project = a_project(session)
            self.lead: Actor = a_person(session, "lead@shop.test", project=self.project, role=Role.LEAD)
            self.rater: Actor = a_person(session, "rater@shop.test", project=self.project, role=Role.RATER)
            session.commit()
        self.project_id = self.project.id or 0

    def fill(self, count: int) -> list[int]:
        with self.database.writing() as session:
            made = [approved(session, self.project, number).id or 0 for number in range(count)]
            session.commit()
            return made


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Shop:
    return Shop(database, tmp_path / "data")


@pytest.fixture
def small_shop(sqlite: Database, tmp_path: Path) -> Shop:
    return Shop(sqlite, tmp_path / "data")
