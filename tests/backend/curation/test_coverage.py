"""Coverage: what is thin against what comes in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, select

from backend.curation.clustering import NO_TOPIC, find_topics, topics_of
from backend.curation.coverage import Asked, Held, cover
from backend.curation.coverage_queries import coverage, stamp
from backend.curation.topic_queries import overview, places
from backend.detectors.topics import SLICE
from backend.store.conversations import Chat, ChatTurn, Feedback
from backend.store.database import Database
from backend.store.records import Project, Record
from backend.vocabulary import MadeBy, RecordStatus, Role, Thumb
from tests.backend.curation.test_clustering import by_subject, filled
from tests.factories import a_person, a_record

COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 500))


def test_a_subject_that_is_asked_often_and_answered_rarely_comes_first() -> None:
    asked = {"refund": Asked(chats=400, thumbs=10, down=5), "parcel": Asked(chats=100)}
    rows = cover(asked, {"refund": Held(approved=30, pending=4), "parcel": Held(approved=170)}, target=20)
    assert [row.subject for row in rows] == ["refund", "parcel"]
    refund, parcel = rows
    assert refund.is_thin
    assert not parcel.is_thin
    assert refund.chat_share
    assert refund.chat_share[1] * 200 <= refund.approved + refund.missing < refund.chat_share[0] * 200
    assert refund.down_share
    assert refund.down_share[0] == 0.5


def test_a_difference_that_chance_explains_asks_for_nothing_beyond_the_target() -> None:
    rows = cover({"a": Asked(chats=6), "b": Asked(chats=4)}, {"a": Held(approved=50), "b": Held(approved=50)}, target=20)
    assert not any(row.is_thin for row in rows)


def test_without_chats_every_subject_is_held_against_the_target() -> None:
    rows = cover({}, {"a": Held(approved=5), "b": Held(approved=30)}, target=20)
    assert {row.subject: row.missing for row in rows} == {"a": 15, "b": 0}
    assert rows[0].chat_share is None


def test_a_subject_that_nobody_asks_about_lacks_nothing() -> None:
    rows = cover({"a": Asked(chats=50)}, {"a": Held(approved=50), "b": Held()}, target=20)
    assert {row.subject: row.missing for row in rows} == {"a": 0, "b": 0}


@given(COUNTS, COUNTS, st.integers(1, 50))
def test_shares_lie_in_their_intervals_and_the_most_lacking_comes_first(
    chats: dict[str, int], approved: dict[str, int], target: int
) -> None:
    rows = cover(
        {key: Asked(chats=n) for key, n in chats.items()}, {key: Held(approved=n) for key, n in approved.items()}, target=target
    )
    assert [row.missing for row in rows] == sorted((row.missing for row in rows), reverse=True)
    for row in rows:
        assert row.is_thin == (row.missing > 0)
        for share in (row.chat_share, row.approved_share):
            assert share is None or 0 <= share[1] <= share[0] <= share[2] <= 1


def a_chat(session: Session, project: Project, text: str, *, thumb: Thumb | None = None, **slices: str) -> None:
    chat = Chat(project_id=project.id or 0, slices=slices)
    session.add(chat)
    session.flush()
    session.add(ChatTurn(chat_id=chat.id or 0, position=0, role="user", text=text))
    session.add(ChatTurn(chat_id=chat.id or 0, position=1, role="assistant", text="The password of your account."))
    if thumb:
        session.add(Feedback(project_id=project.id or 0, chat_id=chat.id, thumb=thumb))
    session.flush()


def test_chats_are_put_to_the_topics_of_the_records_and_compared(database: Database) -> None:
    with database.writing() as session:
        project = filled(session)
        expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
        find_topics(session=session, project_id=project.id or 0, tell=lambda share, words: None)
        names, ids = by_subject(session, project)
        for record in session.exec(select(Record)).all():
            if record.slices["subject"] == "parcel":
                record.approved_revision_id = record.id
        synthetic = a_record(session, project, prompt="Refund?", answer="Yes", slices={SLICE: names["refund"], "plan": "gold"})
        synthetic.made_by, synthetic.approved_revision_id = MadeBy.TYPOS, synthetic.id
        a_record(session, project, prompt="Which plan?", answer="Gold", slices={"plan": "gold"})
        before = stamp(session, actor=expert, project_id=project.id or 0)
        for place in range(30):
            thumb = (Thumb.DOWN, Thumb.UP, None)[place % 3]
            a_chat(
                session, project, f"Where is the refund for my {'lamp' if place % 2 else 'radio'}?", thumb=thumb, plan="gold"
            )
        a_chat(session, project, "Zzyzx qwrtp vvvxx")
        session.commit()
        assert stamp(session, actor=expert, project_id=project.id or 0) != before
        found = coverage(session, actor=expert, project_id=project.id or 0, target=10)
        assert found.chats == 31
        rows = {row.subject: row for row in found.subjects[SLICE]}
        refund, parcel = rows[names["refund"]], rows[names["parcel"]]
        assert (refund.chats, refund.approved, refund.thumbs) == (30, 0, 20)
        assert refund.down_share
        assert refund.down_share[0] == 0.5
        assert refund.missing > 10
        assert (parcel.chats, parcel.approved) == (0, 40)
        assert not parcel.is_thin
        assert rows[NO_TOPIC].chats == 1
        assert found.subjects["plan"][0].chats == 30
        assert found.subjects["plan"][0].pending == 1
        assert ids.keys() == {row.name for row in topics_of(session, project.id or 0)}


def test_without_topics_and_chats_the_metadata_is_held_against_the_target(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project = filled(session)
        expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
        session.commit()
        found = coverage(session, actor=expert, project_id=project.id or 0, target=10)
        assert (found.chats, found.has_topics) == (0, False)
        assert {row.subject: row.missing for row in found.subjects["subject"]} == dict.fromkeys(
            ("refund", "password", "parcel", "invoice"), 10
        )
        assert all(row.pending == 40 for row in found.subjects["subject"])


def test_the_overview_counts_each_topic_and_the_map_shows_texts_as_they_are_now(database: Database) -> None:
    with database.writing() as session:
        project = filled(session)
        expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
        session.commit()
        find_topics(session=session, project_id=project.id or 0, tell=lambda share, words: None)
        names, _ = by_subject(session, project)
        records = [row for row in session.exec(select(Record)) if row.slices[SLICE] == names["refund"]]
        records[0].status = RecordStatus.APPROVED
        for record, mood in zip(records[:4], ("negative", "neutral", "positive", "neutral"), strict=True):
            record.slices = {**record.slices, "detected · sentiment": mood}
        records[1].prompt = "New words <b>here</b>"
        a_record(session, project, prompt="Refund?", answer="Yes")
        session.commit()
        found = overview(session, actor=expert, project_id=project.id or 0)
        refund = found.table.set_index("topic").loc[names["refund"]]
        assert refund["records"] == len(records)
        assert refund["approved"] == pytest.approx(1 / len(records))
        assert refund["negative"] == 0.25
        assert (found.records, found.new, found.looking) == (161, 1, None)
        assert "New words <b>here</b>" in places(session, actor=expert, project_id=project.id or 0)["question"].tolist()
