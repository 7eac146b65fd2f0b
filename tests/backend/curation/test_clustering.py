"""Topics in both kinds of database: records get one, later records join, and what people named and merged stays."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.curation.cleaning import me
from backend.curation.clustering import NO_TOPIC, find_topics, topics_of
from backend.curation.naming_topics import merge, rename, split, wish_for
from backend.detectors import sentence_adapter
from backend.detectors.topics import SLICE
from backend.errors import Conflict, Forbidden, InvalidInput, NotFound, ServiceUnavailable
from backend.store.base import now
from backend.store.curation import CheckRun, Topic
from backend.store.database import Database
from backend.store.records import Project, Record
from backend.vocabulary import Check, JobStatus, Role
from tests.factories import a_person, a_project, a_record

SUBJECTS = {
    "refund": ["When will my refund for the {} arrive?", "I sent the {} back and wait for the refund",
               "Refund for a {}, how long?", "The refund of the {} is missing", "Is there a refund on my {}?"],
    "password": ["I forgot the password of my {} account", "How is the {} account password reset?",
                 "Password reset for the {} account fails", "The account password for {} expired",
                 "Reset my {} account password"],
    "parcel": ["Where is the parcel with the {}?", "Track the parcel of my {}", "The courier lost the parcel with my {}",
               "My {} parcel is with the courier still", "Courier tracking of the {} parcel shows nothing"],
    "invoice": ["Send me the invoice of the {}", "The invoice for the {} shows the wrong tax", "Tax on the {} invoice",
                "Where is the invoice for my {}?", "Invoice without tax for a {}"],
}  # fmt: skip
THINGS = ["kettle", "lamp", "chair", "desk", "toaster", "radio", "jacket", "camera"]


def filled(session: Session) -> Project:
    """A project with forty questions about each of four subjects, each record with a channel."""
    project = a_project(session)
    for subject, patterns in SUBJECTS.items():
        for pattern in patterns:
            for thing in THINGS:
                a_record(session, project, prompt=pattern.format(thing), answer="Yes.", slices={"subject": subject})
    session.commit()
    return project


def run(session: Session, project: Project) -> None:
    assert project.id
    assert find_topics(session=session, project_id=project.id, tell=lambda share, words: None) == {}


def topics(session: Session, project: Project) -> dict[str, Counter[str]]:
    """Topic → the subjects of its records."""
    session.expire_all()
    found: dict[str, Counter[str]] = {}
    for record in session.exec(select(Record).where(Record.project_id == project.id)):
        found.setdefault(record.slices[SLICE], Counter())[record.slices.get("subject", "")] += 1
    return found


def by_subject(session: Session, project: Project) -> tuple[dict[str, str], dict[str, int]]:
    """Subject → the name of its topic, and name → id."""
    held = topics(session, project)
    return (
        {max(counts, key=counts.__getitem__): name for name, counts in held.items() if name != NO_TOPIC},
        {row.name: row.id or 0 for row in topics_of(session, project.id or 0)},
    )


def test_records_get_the_topic_of_what_their_customer_says(database: Database) -> None:
    with database.writing() as session:
        project = filled(session)
        run(session, project)
        found = topics(session, project)
        assert {max(counts, key=counts.__getitem__) for counts in found.values()} == set(SUBJECTS)
        assert sum(max(counts.values()) for counts in found.values()) >= 0.9 * 160
        rows = topics_of(session, project.id or 0)
        assert {row.name: row.size for row in rows} == {
            name: counts.total() for name, counts in found.items() if name != NO_TOPIC
        }
        assert all(row.terms and row.points for row in rows)
        ids = {record.id for record in session.exec(select(Record))}
        assert {int(point[0]) for row in rows for point in row.points} <= ids
        assert session.exec(select(Record)).first().slices["subject"]  # type: ignore[union-attr]


def test_later_records_join_the_topics_that_are_there_and_edited_ones_move(database: Database) -> None:
    with database.writing() as session:
        project = filled(session)
        run(session, project)
        before = {row.id: (row.name, row.centre) for row in topics_of(session, project.id or 0)}
        new = a_record(session, project, prompt="The refund for my bicycle is missing", answer="It comes.")
        strange = a_record(session, project, prompt="Zzyzx qwrtp vvvxx", answer="Pardon?")
        edited = session.exec(select(Record).where(col(Record.prompt).like("Send me the invoice%"))).first()
        assert edited
        session.commit()
        run(session, project)
        session.expire_all()
        refund = next(name for name, counts in topics(session, project).items() if counts["refund"] > 30)
        assert new.slices[SLICE] == refund
        assert strange.slices[SLICE] == NO_TOPIC
        assert {row.id: (row.name, row.centre) for row in topics_of(session, project.id or 0)} == before


def test_names_and_merges_outlive_the_next_clustering(database: Database) -> None:
    with database.writing() as session:
        project = filled(session)
        lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        session.commit()
        run(session, project)
        by, ids = by_subject(session, project)
        rename(session=session, actor=lead, project_id=project.id or 0, topic_id=ids[by["refund"]], name="Money back")
        merge(session=session, actor=lead, project_id=project.id or 0, topic_id=ids[by["invoice"]], into_id=ids[by["refund"]])
        merged = topics(session, project)
        assert merged["Money back"]["invoice"] > 30
        assert merged["Money back"]["refund"] > 30
        wish_for(session=session, actor=lead, project_id=project.id or 0, count=6)
        run(session, project)
        again = topics(session, project)
        assert again["Money back"]["refund"] > 20
        assert again["Money back"]["invoice"] > 20
        root = next(row for row in topics_of(session, project.id or 0) if row.name == "Money back")
        assert root.size == again["Money back"].total()
        assert "anew" not in session.get_one(Project, project.id).settings["topics"]


def test_a_topic_is_split_into_parts_and_only_its_records_move(database: Database) -> None:
    with database.writing() as session:
        project = filled(session)
        lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        session.commit()
        run(session, project)
        by, ids = by_subject(session, project)
        merge(session=session, actor=lead, project_id=project.id or 0, topic_id=ids[by["invoice"]], into_id=ids[by["refund"]])
        before = topics(session, project)
        parts = split(session=session, actor=lead, project_id=project.id or 0, topic_id=ids[by["refund"]], parts=2)
        after = topics(session, project)
        assert len(parts) == 2
        assert {max(after[part.name], key=after[part.name].__getitem__) for part in parts} == {"refund", "invoice"}
        assert sum((after[part.name] for part in parts), Counter()) == before[by["refund"]]
        assert after[by["password"]] == before[by["password"]]


def test_only_leads_change_topics_and_only_while_no_run_does(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project = filled(session)
        lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
        elsewhere = a_project(session, "elsewhere")
        session.commit()
        run(session, project)
        first, second = topics_of(session, project.id or 0)[:2]

        def named(actor: Actor, name: str, project_id: int = project.id or 0) -> Topic:
            return rename(session=session, actor=actor, project_id=project_id, topic_id=first.id or 0, name=name)

        with pytest.raises(Forbidden):
            named(expert, "Mine")
        with pytest.raises(InvalidInput, match="merge"):
            named(lead, second.name.upper())
        for name in ("", "two\nlines", NO_TOPIC, "x" * 200):
            with pytest.raises(InvalidInput):
                named(lead, name)
        admin = a_person(session, "a@example.org", admin=True)
        with pytest.raises(NotFound):
            named(admin, "Mine", elsewhere.id or 0)
        with pytest.raises(InvalidInput):
            merge(session=session, actor=lead, project_id=project.id or 0, topic_id=first.id or 0, into_id=first.id or 0)
        running = CheckRun(project_id=project.id or 0, checks=[Check.TOPICS.value], status=JobStatus.RUNNING)
        running.holder, running.beat_at = me(), now()
        session.add(running)
        session.commit()
        with pytest.raises(Conflict):
            named(lead, "Mine")


def test_a_sentence_model_that_is_not_here_fails_one_run_and_not_every_later_one(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentence_adapter, "is_installed", lambda: False)
    with sqlite.writing() as session:
        project = filled(session)
        lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        session.commit()
        wish_for(session=session, actor=lead, project_id=project.id or 0, model="sentence-transformers/all-MiniLM-L6-v2")
        with pytest.raises(ServiceUnavailable, match="not installed"):
            run(session, project)
        run(session, project)
        assert topics_of(session, project.id or 0)


def test_a_small_project_gets_no_topics_and_no_error(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project = a_project(session)
        a_record(session, project, prompt="Where is my parcel?", answer="On its way.")
        session.commit()
        run(session, project)
        assert topics_of(session, project.id or 0) == []


def test_questions_without_telling_words_and_too_many_topics_wished_for_stop_no_later_run(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project = a_project(session)
        for number in range(30):
            a_record(session, project, prompt="Same? " + "🎉" * number, answer="Yes.")
        session.commit()
        run(session, project)
        assert topics_of(session, project.id or 0) == []
        project.settings = {"topics": {"count": 40, "model": "", "anew": True}}
        session.add(project)
        session.commit()
        with pytest.raises(InvalidInput):
            run(session, project)
        run(session, project)
