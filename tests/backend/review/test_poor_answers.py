"""An answer that its file calls bad is not approved as it is; another answer is, and cleaning makes it no better."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlmodel import select

from backend.conversations import Message
from backend.errors import Conflict
from backend.intake.importing import import_file
from backend.review import queueing, reviewing
from backend.review.bulk_deciding import bulk_decide
from backend.review.filters import RecordFilter
from backend.settings import Settings
from backend.store.database import Database
from backend.store.records import Finding, Record
from backend.store.revisions import add_revision
from backend.vocabulary import FindingKind, FindingStatus, RecordStatus, Role
from tests.factories import a_person, a_project


def turns(answer: str) -> list[Message]:
    return [Message("user", "Where is it?"), Message("assistant", answer)]


def test_a_bad_answer_waits_for_another_one_whatever_is_done_around_it(database: Database) -> None:
    with database.writing() as session:
        project = a_project(session)
        lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        session.commit()
        here: dict[str, Any] = {"session": session, "actor": lead, "project_id": project.id}
        rows = [{"prompt": "Where is it?", "completion": "No idea. Write to x@example.org", "label": False}]
        import_file(**here, name="kto.json", content=json.dumps(rows).encode(), settings=Settings())
        record = session.exec(select(Record)).one()
        finding = session.exec(select(Finding).where(Finding.kind == FindingKind.POOR_ANSWER)).one()
        assert finding.detail["why"] == "The file says that this answer is bad; write a better one."
        add_revision(session, record, turns("No idea. Write to [EMAIL]"), reason="Personal data masked", author_id=None)
        session.commit()

        done = bulk_decide(**here, record_filter=RecordFilter(), decision="approve", reason="all")
        assert (done.decided, done.personal, done.poor) == (0, 0, 1)
        lease = queueing.claim_record(**here, record_id=record.id or 0, seconds=900)
        with pytest.raises(Conflict, match="Write a better one"):
            reviewing.approve(**here, lease=lease, number=2)
        session.rollback()

        (edited,) = reviewing.edit(**here, lease=lease, based_on=2, messages=turns("In the post."), reason="Said where")
        session.refresh(finding)
        assert finding.status is FindingStatus.FIXED
        reviewing.undo(**here, done=edited, seconds=900)
        session.refresh(finding)
        assert finding.status is FindingStatus.OPEN, "the bad answer is back"
        lease = queueing.claim_record(**here, record_id=record.id or 0, seconds=900)
        reviewing.edit(**here, lease=lease, based_on=4, messages=turns("In the post."), reason="Said where", then_approve=True)
        session.refresh(record)
        assert record.status is RecordStatus.APPROVED
