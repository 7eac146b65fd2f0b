"""What the page about duplicates reads."""

from __future__ import annotations

import pytest

from backend.access.actors import Actor
from backend.curation import duplicate_queries as queries
from backend.curation.contradicting import find_contradictions
from backend.curation.deduplicating import compare_project
from backend.curation.resolving import reject_duplicates
from backend.errors import Forbidden
from backend.store.database import Database
from backend.vocabulary import Role
from tests.factories import a_person, a_project, a_record

ASKED = "How long is the return period for wool rugs?"


@pytest.fixture
def lead(database: Database) -> Actor:
    """Of a compared project: 1 and 2 are equal, 3 is near them and contradicts, 4 is half like them, 5 is like none."""
    with database.writing() as session:
        project = a_project(session)
        for prompt, answer in (
            (ASKED, "Return it within 30 days."),
            (ASKED.upper(), "return it within 30 days."),
            (f"Hi, {ASKED}", "Return it within 14 days."),
            ("How long is the return period?", "Return it within 30 days."),
            ("Where is the shop?", "In Atlanta."),
        ):
            a_record(session, project, prompt=prompt, answer=answer)
        actor = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        session.commit()
    for look in (compare_project, find_contradictions):
        with database.writing() as session:
            look(session=session, project_id=1, tell=lambda share, words: None)
    return actor


def test_the_overview_counts_and_its_curve_falls(database: Database, lead: Actor) -> None:
    with database.reading() as session:
        found = queries.overview(session, actor=lead, project_id=1)
    assert (found.records, found.compared, found.exact, found.near, found.clusters) == (5, 5, 1, 1, 1)
    assert found.contradictions == 1
    curve = found.curve.set_index("similarity")["records"]
    assert (curve[0.5], curve[0.8], curve[1.0]) == (3, 2, 1)
    assert curve.is_monotonic_decreasing


def test_pairs_stand_on_both_sides_of_the_threshold(database: Database, lead: Actor) -> None:
    with database.reading() as session:
        near = queries.pairs(session, actor=lead, project_id=1, threshold=0.95)
        (equal,) = [pair for pair in near if pair.exact]
        assert (equal.first.record_id, equal.second.record_id, equal.similarity) == (1, 2, 1.0)
        assert {pair.second.record_id for pair in near} == {2, 3}
        half = queries.pairs(session, actor=lead, project_id=1, threshold=0.6)
        assert [(pair.second.record_id, pair.exact) for pair in half] == [(4, False)]
        assert half[0].second.question == "How long is the return period?"


def test_a_contradiction_is_listed_once_with_both_texts_and_findings(database: Database, lead: Actor) -> None:
    with database.reading() as session:
        assert queries.count_contradictions(session, actor=lead, project_id=1) == 1
        (pair,) = queries.contradictions(session, actor=lead, project_id=1)
    assert (pair.here.answer, pair.there.answer) == ("Return it within 30 days.", "Return it within 14 days.")
    assert pair.why == "30 days here, 14 days in record 3"
    assert len(pair.findings) == 2


def test_rejections_are_listed_while_they_can_be_taken_back(database: Database, lead: Actor) -> None:
    with database.writing() as session:
        done = reject_duplicates(session=session, actor=lead, project_id=1, least=1.0, reason="Repeats")
    with database.reading() as session:
        (told,) = queries.resolutions(session, actor=lead, project_id=1)
    assert (told.number, told.records, told.reason) == (done.number, 1, "Repeats")


def test_who_has_no_part_in_the_project_reads_nothing(database: Database, lead: Actor) -> None:
    with database.writing() as session:
        stranger = a_person(session, "s@example.org")
        with pytest.raises(Forbidden):
            queries.overview(session, actor=stranger, project_id=1)
        with pytest.raises(Forbidden):
            queries.contradictions(session, actor=stranger, project_id=1)
