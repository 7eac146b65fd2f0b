"""Reads of the review stage: who may look, and nothing of another project."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import Session

from backend.access.actors import Actor
from backend.errors import Forbidden, NotFound
from backend.review import faq_queries, queries
from backend.review.filters import RecordFilter
from backend.store.database import Database
from backend.store.records import Faq, FaqRevision
from backend.vocabulary import Role
from tests.factories import a_person, a_project, a_record

Read = Callable[[Session, Actor, int], Any]
READS: dict[str, Read] = {
    "queue_counts": queries.queue_counts,
    "record_detail": lambda session, actor, project: queries.record_detail(session, actor, project, 1),
    "count_records": lambda session, actor, project: queries.count_records(session, actor, project, RecordFilter()),
    "list_records": lambda session, actor, project: queries.list_records(session, actor, project, RecordFilter()),
    "sources": queries.sources,
    "slice_values": queries.slice_values,
    "list_faqs": faq_queries.list_faqs,
    "topics": faq_queries.topics,
    "faq_choices": faq_queries.faq_choices,
    "faq_detail": lambda session, actor, project: faq_queries.faq_detail(session, actor, project, 1),
    "citing_records": lambda session, actor, project: faq_queries.citing_records(session, actor, project, 1),
}


@pytest.fixture
def shop(sqlite: Database) -> Database:
    """A record and an FAQ in the first project, none in the second."""
    with sqlite.writing() as session:
        project = a_project(session)
        a_record(session, project, prompt="q", answer="a", slices={"channel": "chat"})
        faq = Faq(project_id=project.id or 0, key="wool", topic="Materials")
        session.add(faq)
        session.flush()
        session.add(FaqRevision(faq_id=faq.id or 0, number=1, question="Is it wool?", answer="Yes."))
        a_project(session, "other")
        session.commit()
    return sqlite


@pytest.mark.parametrize("read", READS)
def test_a_rater_and_a_stranger_may_not_read_it(shop: Database, read: str) -> None:
    with shop.writing() as session:
        rater = a_person(session, "rae@example.org")
        for roles in ({}, {1: Role.RATER}, {2: Role.LEAD}):
            with pytest.raises(Forbidden):
                READS[read](session, Actor(rater.account_id, "rae", roles=roles), 1)


@pytest.mark.parametrize("read", READS)
def test_nothing_of_another_project_is_read(shop: Database, read: str) -> None:
    lead = Actor(None, "lead", roles={1: Role.LEAD, 2: Role.LEAD})
    with shop.reading() as session:
        try:
            found = READS[read](session, lead, 2)
        except NotFound:
            return
    assert len(found) == 0 if hasattr(found, "__len__") else found in (0, queries.QueueCounts(0, 0, 0))


def test_records_alike_are_named_by_the_finding_and_by_the_cluster(database: Database) -> None:
    with database.writing() as session:
        project = a_project(session)
        lead = a_person(session, "lea@example.org", project=project, role=Role.LEAD)
        records = [a_record(session, project, prompt=f"q{n}", answer="a") for n in range(4)]
        for record in records[1:3]:
            record.cluster = "c"
        session.commit()
        alike = [queries.record_detail(session, lead, project.id or 0, record.id or 0).alike for record in records]
        assert alike == [(), (3,), (2,), ()]
