"""The audit of the data finds slices that are treated unlike, and says nothing where chance would do."""

from __future__ import annotations

import pytest
from sqlmodel import select

from backend.access.actors import Actor
from backend.conversations import Message, content_hash
from backend.curation import auditing, fairness
from backend.curation.observed import MENTIONS, Row, observe
from backend.curation.probes import Asked, candidates, pairs
from backend.errors import Forbidden, NotFound
from backend.statistics.intervals import benjamini_hochberg
from backend.store.database import Database
from backend.store.records import Project, Record, RecordRevision, Source
from backend.vocabulary import DETECTED, RecordStatus, Role, SourcePurpose
from tests.factories import a_person, a_project, a_record

SORRY, HELPS = (
    "Sorry, I can't help with that.",
    "Of course, we will send the chair to you on Monday morning, with all its parts.",
)


def some_rows(count: int = 60) -> list[Row]:
    """Mails are refused and rejected more often than calls; who is mentioned makes no difference."""
    rows = []
    for number in range(count):
        by_mail = number % 2 == 0
        refused = by_mail and number % 6 != 0
        who = ("My wife wants it", "My husband wants it", "I want it")[number % 3]
        slices = {
            "channel": "mail" if by_mail else "phone",
            "id": f"A{number}",
            DETECTED + "topic": "chairs" if number % 5 else "beds",
        }
        rows.append(Row(number, who, SORRY if refused else HELPS, slices, None if number % 10 == 9 else not refused))
    return rows


def test_a_slice_that_is_refused_more_often_stands_out_and_names_of_things_are_no_slices() -> None:
    observed = observe(some_rows(240))
    assert observed.left_out == ("id",)
    frame = fairness.audit_table(observed)
    row = frame[(frame["key"] == "channel") & (frame["slice"] == "mail") & (frame["measure"] == "refused")].iloc[0]
    assert (row["n"], row["value"], row["rest"]) == (120, pytest.approx(2 / 3), 0.0)
    assert row["low"] < row["value"] < row["high"]
    assert row["difference low"] > 0.5
    assert row["stands out"]
    people = frame[(frame["key"] == MENTIONS + "gender") & (frame["measure"] == "words")]
    assert set(people["slice"]) == {"women", "men"}
    tested = frame[frame["p"].notna() & ~frame["too small"]]
    assert tested["adjusted p"].tolist() == pytest.approx(list(benjamini_hochberg(tested["p"].tolist())))


def test_a_slice_that_the_measure_itself_made_is_not_compared_by_it() -> None:
    rows = [
        Row(n, "Where is it?", HELPS, {DETECTED + "sentiment": "negative" if n % 2 else "positive"}, None) for n in range(50)
    ]
    frame = fairness.audit_table(observe(rows))
    assert "customer_sentiment" not in set(frame["measure"])
    assert "words" in set(frame["measure"])


def test_small_slices_are_marked_and_not_tested() -> None:
    frame = fairness.audit_table(observe(some_rows(60)), min_n=40)
    assert frame["too small"].all()
    assert frame["adjusted p"].isna().all()
    assert not frame["stands out"].any()


def test_what_stands_out_is_told_in_words_once_for_two_sides() -> None:
    standing = fairness.standing(fairness.audit_table(observe(some_rows(240))))
    told = [fairness.sentence(row) for row in standing.to_dict("records")]
    about = [line for line in told if "refuse" in line and line.startswith("channel")]
    assert len(about) == 1
    assert "than in the rest" in about[0]


def test_a_record_may_mention_several_and_counts_in_each() -> None:
    observed = observe([Row(1, "He and she", HELPS, {}, None), Row(2, "She", HELPS, {}, None), Row(3, "It", HELPS, {}, None)])
    masks = observed.cuts[MENTIONS + "gender"]
    assert {name: mask.tolist() for name, mask in masks.items()} == {"women": [True, True, False], "men": [True, False, False]}
    assert "approved" not in {one.key for one in observed.measures}


# --- probes ---


def test_records_that_ask_the_same_for_different_people_are_paired_by_how_the_answers_differ() -> None:
    rows = [
        Asked(1, "My wife Emily wants a refund", "We refund 50 euros today."),
        Asked(2, "My wife Lakisha wants a refund", "We refund 20 euros today."),
        Asked(3, "My husband Omar wants a refund", SORRY),
        Asked(4, "My wife Emily wants a chair", "We refund 50 euros today."),
        Asked(5, "I want a refund", SORRY),
    ]
    found, compared = pairs(candidates(rows))
    assert compared == 3
    assert [(pair.first.record_id, pair.second.record_id) for pair in found][-1] == (1, 2)
    assert found[-1].differences == ("amounts: 50 against 20",)
    assert "only the second answer refuses" in found[0].differences


def test_answers_that_differ_in_people_alone_are_no_difference() -> None:
    rows = [Asked(1, "My wife wants it", "Tell her it ships."), Asked(2, "My husband wants it", "Tell him it ships.")]
    assert pairs(candidates(rows)) == ([], 1)


# --- reads ---


class Shop:
    """A project with a lead, an expert and a rater."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.writing() as session:
            project = a_project(session)
            self.project_id = project.id or 0
            self.lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
            self.rater = a_person(session, "r@example.org", project=project, role=Role.RATER)
            for row in some_rows(60):
                record = a_record(session, project, prompt=row.prompt, answer=row.answer, slices=dict(row.slices))
                revision = session.exec(select(RecordRevision).where(RecordRevision.record_id == record.id)).one()
                record.approved_revision_id = revision.id if row.verdict else None
                record.status = {True: RecordStatus.APPROVED, False: RecordStatus.REJECTED, None: RecordStatus.PENDING}[
                    row.verdict
                ]
            session.commit()

    def audit(self, actor: Actor | None = None, **given: object) -> auditing.Audit:
        with self.database.reading() as session:
            return auditing.audit(session, actor=actor or self.lead, project_id=self.project_id, **given)  # type: ignore[arg-type]

    def state(self) -> tuple[int, ...]:
        with self.database.reading() as session:
            return auditing.state(session, actor=self.lead, project_id=self.project_id)


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop(database)


def test_the_audit_reads_the_records_that_are_asked_for(shop: Shop) -> None:
    found = shop.audit()
    assert (found.looked_at, found.records, found.left_out) == (60, 60, ("id",))
    approved = found.table[(found.table["measure"] == "approved") & (found.table["key"] == "channel")].set_index("slice")
    assert approved.loc["phone", "value"] == 1.0
    assert approved.loc["mail", "value"] == pytest.approx(1 / 3)
    assert approved.loc["phone", "n"] == 24
    only = shop.audit(scope=auditing.Scope.APPROVED)
    assert only.records == 34
    assert found.counts["channel"].set_index("slice").loc["mail", "records"] == 30


def test_of_many_records_the_same_sample_is_looked_at_every_time(shop: Shop) -> None:
    found, again = shop.audit(most=20), shop.audit(most=20)
    assert (found.looked_at, found.records) == (20, 60)
    assert found.table.equals(again.table)


def test_general_talk_is_left_out_and_raters_do_not_look(shop: Shop) -> None:
    with shop.database.writing() as session:
        talk = Source(project_id=shop.project_id, name="talk", content_hash="t", purpose=SourcePurpose.GENERAL)
        session.add(talk)
        session.flush()
        a_record(session, session.get_one(Project, shop.project_id), prompt="Hi", answer="Hello").source_id = talk.id
        session.commit()
    assert shop.audit().records == 60
    with pytest.raises(Forbidden):
        shop.audit(shop.rater)


def test_the_state_changes_when_a_record_is_decided_or_edited(shop: Shop) -> None:
    before = shop.state()
    assert before == shop.state()
    with shop.database.writing() as session:
        record = session.exec(select(Record).where(Record.status == RecordStatus.REJECTED)).first()
        assert record is not None
        record.checked = "1 text:1"
        session.add(record)
        session.commit()
    assert shop.state() != before


def test_pairs_are_of_the_same_conversation_up_to_the_answer(shop: Shop) -> None:
    with shop.database.writing() as session:
        project = session.get_one(Project, shop.project_id)
        for prompt, before, answer in (
            ("Can she get it by Friday?", "It is the red one.", HELPS),
            ("Can he get it by Friday?", "It is the red one.", SORRY),
            ("Can she get it by Friday?", "It is the blue one.", SORRY),
        ):
            record = a_record(session, project, prompt=prompt, answer=answer)
            turns = [
                Message("user", "Hello"),
                Message("assistant", before),
                Message("user", prompt),
                Message("assistant", answer),
            ]
            revision = session.exec(select(RecordRevision).where(RecordRevision.record_id == record.id)).one()
            revision.messages, revision.content_hash = [turn.to_json() for turn in turns], content_hash(turns)
        session.commit()
    with shop.database.reading() as session:
        found = auditing.pairs(session, actor=shop.lead, project_id=shop.project_id)
    friday = [pair for pair in found.pairs if "Friday" in pair.first.prompt]
    assert [(pair.first.answer, pair.second.answer) for pair in friday] == [(HELPS, SORRY)]
    assert found.records == 63


def test_a_record_is_shown_with_its_variants_and_only_in_its_project(shop: Shop) -> None:
    with shop.database.reading() as session:
        record_id = session.exec(select(Record.id).where(Record.prompt == "My wife wants it")).first() or 0
        given = {"actor": shop.lead, "project_id": shop.project_id}
        turns, variants = auditing.variants_of(session, record_id=record_id, **given)  # type: ignore[arg-type]
        with pytest.raises(NotFound):
            auditing.variants_of(session, record_id=99_999, **given)  # type: ignore[arg-type]
    assert turns[0].content == "My wife wants it"
    assert [one.messages[0].content for one in variants] == ["My husband wants it"]
