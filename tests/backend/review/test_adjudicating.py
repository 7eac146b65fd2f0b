from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from backend.errors import Conflict, Forbidden, InvalidInput, NotFound
from backend.review import adjudicating, adjudication_queries, consensus, setting_gold
from backend.review.consensus import Said
from backend.rubrics import NO_QUESTIONS, Rubric
from backend.store.accounts import AuditEntry
from backend.store.database import Database
from backend.store.records import Record
from backend.store.work import Adjudication, Gold, Item
from backend.vocabulary import ItemStatus, TaskKind, Verdict
from tests.backend.review.judging import RUBRIC, Judging, judging
from tests.backend.review.test_grading import Said as Answered

RULED = {"answers": {"tone": 4, "fits": True}}


def a_dispute(database: Database, kind: TaskKind = TaskKind.RATE, **more: Any) -> Judging:
    """Ann and Bob answered everything; on the first two items they are opposite."""
    scene = judging(database, kind, items=4, **more)
    for who in ("ann", "bob"):
        for number, item in enumerate(scene.next(who, count=4)):
            scene.answer(item, who, good=who == "ann" or number > 1, comment=f"{who} says so")
    return scene


def status_of(scene: Judging, number: int) -> ItemStatus:
    with scene.database.reading() as session:
        return session.get_one(Item, scene.items[number]).status


def listed(scene: Judging, who: str = "eva") -> list[int]:
    with scene.database.reading() as session:
        found = adjudication_queries.disputes(session, actor=scene.people[who], project_id=scene.project)
        assert adjudication_queries.disputed(session, actor=scene.people[who], project_id=scene.project) == len(found)
        return [scene.items.index(one.item_id) for one in found]


def case(scene: Judging, number: int = 0, who: str = "eva") -> adjudication_queries.Case:
    with scene.database.reading() as session:
        return adjudication_queries.case_of(
            session, actor=scene.people[who], project_id=scene.project, item_id=scene.items[number]
        )


def test_a_ruling_ends_a_dispute_and_is_the_answer_until_it_is_withdrawn(database: Database) -> None:
    scene = a_dispute(database)
    assert listed(scene) == [0, 1]
    ruling = scene.of_project(
        adjudicating.rule_on, "eva", item_id=scene.items[0], reason="It greets.", suggested={"tone": {"answer": 4}}, **RULED
    )
    assert (ruling.number, ruling.answers, ruling.suggested) == (1, {"tone": 4, "fits": True}, {"tone": {"answer": 4}})
    assert (status_of(scene, 0), listed(scene)) == (ItemStatus.RULED, [1])
    scene.of_project(adjudicating.withdraw, "eva", item_id=scene.items[0], reason="Too hasty.")
    assert (status_of(scene, 0), listed(scene)) == (ItemStatus.DISPUTED, [0, 1])
    with pytest.raises(NotFound):
        scene.of_project(adjudicating.withdraw, "eva", item_id=scene.items[0], reason="Again.")
    assert len(scene.annotations()) == 8
    with database.reading() as session:
        assert [entry.action for entry in session.exec(select(AuditEntry))] == ["item_ruled", "ruling_withdrawn"]


def test_a_later_ruling_counts_instead_and_nobody_overrules_unseen(database: Database) -> None:
    scene = a_dispute(database)
    item = scene.items[0]
    scene.of_project(adjudicating.rule_on, "eva", item_id=item, reason="One.", **RULED)
    with pytest.raises(Conflict, match="since you opened it"):
        scene.of_project(adjudicating.rule_on, "lead", item_id=item, reason="Two.", **RULED)
    scene.of_project(adjudicating.rule_on, "lead", item_id=item, reason="Two.", seen=1, **RULED)
    with database.reading() as session:
        rulings = session.exec(select(Adjudication).order_by(col(Adjudication.number))).all()
        assert [(one.number, one.withdrawn_at is None, one.withdrawn_reason) for one in rulings] == [
            (1, False, adjudicating.SUPERSEDED), (2, True, ""),
        ]  # fmt: skip
    told = case(scene)
    assert [(one.author, one.reason, one.in_force) for one in told.rulings] == [("lead", "Two.", True), ("eva", "One.", False)]


@pytest.mark.parametrize(
    "given_",
    [{"reason": "  ", **RULED}, {"reason": "x" * 2001, **RULED}, {"reason": "x", "answers": {"tone": 4}}, {"reason": "x"},
     {"reason": "x", "answers": {"tone": 9, "fits": True}}],
)  # fmt: skip
def test_a_ruling_needs_a_reason_and_a_whole_answer(sqlite: Database, given_: dict[str, Any]) -> None:
    scene = a_dispute(sqlite)
    with pytest.raises(InvalidInput):
        scene.of_project(adjudicating.rule_on, "eva", item_id=scene.items[0], **given_)
    assert status_of(scene, 0) is ItemStatus.DISPUTED


def test_raters_and_strangers_rule_on_nothing(sqlite: Database) -> None:
    scene = a_dispute(sqlite)
    for who in ("ann", "stranger"):
        with pytest.raises(Forbidden):
            scene.of_project(adjudicating.rule_on, who, item_id=scene.items[0], reason="x", **RULED)
        with pytest.raises(Forbidden):
            listed(scene, who)
        with pytest.raises(Forbidden):
            case(scene, who=who)
    with pytest.raises(NotFound):
        scene.of_project(adjudicating.rule_on, "eva", item_id=999, reason="x", **RULED)


def test_an_item_with_raters_still_at_it_cannot_be_ruled_on(sqlite: Database) -> None:
    scene = judging(sqlite)
    with pytest.raises(Conflict, match="still at this item"):
        scene.of_project(adjudicating.rule_on, "eva", item_id=scene.items[0], reason="x", **RULED)


@pytest.mark.parametrize(("verdict", "winner"), [(Verdict.RIGHT, 1), (Verdict.TIE, None)])
def test_a_ruling_on_a_comparison_is_by_response(sqlite: Database, verdict: Verdict, winner: int | None) -> None:
    scene = a_dispute(sqlite, TaskKind.COMPARE)
    told = case(scene)
    assert told.names == ("Left", "Right")
    assert [text.split()[0] for text in told.texts] == ["first", "second"]
    assert {opinion.said["preference"] for opinion in told.opinions} == {"Left is better", "Right is better"}
    ruling = scene.of_project(adjudicating.rule_on, "eva", item_id=scene.items[0], reason="x", verdict=verdict)
    assert ruling.winner_response_id == (None if winner is None else told.response_ids[winner])
    assert ruling.verdict is (None if winner is not None else verdict)


def test_a_ranking_is_ruled_on_by_place(sqlite: Database) -> None:
    scene = a_dispute(sqlite, TaskKind.RANK, dispute_at=0.5)
    told = case(scene)
    ruling = scene.of_project(adjudicating.rule_on, "eva", item_id=scene.items[0], reason="x", ranking=[[2], [0, 1]])
    first, second, third = told.response_ids
    assert ruling.ranking == [[third], [first, second]]


def test_experts_see_no_names_of_raters_and_leads_do(sqlite: Database) -> None:
    scene = a_dispute(sqlite)
    assert [one.rater for one in case(scene, who="eva").opinions] == ["Rater 1", "Rater 2"]
    assert [one.rater for one in case(scene, who="lead").opinions] == ["ann", "bob"]
    assert [one.comment for one in case(scene).opinions] == ["ann says so", "bob says so"]


def test_an_expert_who_rated_the_item_is_marked(sqlite: Database) -> None:
    scene = judging(sqlite, items=1)
    scene.answer(scene.next("ann")[0], "ann")
    scene.answer(scene.next("eva")[0], "eva", good=False)
    assert case(scene).you_rated_it
    assert not case(scene, who="lead").you_rated_it
    scene.of_project(adjudicating.rule_on, "eva", item_id=scene.items[0], reason="x", **RULED)
    assert case(scene).rulings[0].rated_it
    with sqlite.reading() as session:
        assert session.exec(select(AuditEntry)).one().detail["rated_it"] is True


def test_what_many_records_ask_comes_before_what_one_asks(database: Database) -> None:
    scene = a_dispute(database)
    with database.writing() as session:
        records = session.exec(select(Record).order_by(col(Record.id))).all()
        for record in records[1:]:
            record.cluster = "opening hours"
        session.commit()
    assert listed(scene) == [1, 0]


def test_a_ruling_becomes_gold_with_its_reason(sqlite: Database) -> None:
    scene = a_dispute(sqlite)
    scene.of_project(adjudicating.rule_on, "eva", item_id=scene.items[0], reason="It greets.", **RULED)
    scene.of_project(setting_gold.mark_from_ruling, item_id=scene.items[0], calibration=True)
    with sqlite.reading() as session:
        gold = session.exec(select(Gold)).one()
        assert (gold.answers, gold.explanation, gold.calibration) == ({"tone": 4, "fits": True}, "It greets.", True)
    assert case(scene).is_gold


def test_the_consensus_weighs_raters_by_how_reliable_they_were(database: Database) -> None:
    """Cem agrees with nobody; where he makes a tie, the ones who agree elsewhere are believed."""
    scene = judging(database, TaskKind.COMPARE, items=12, overlap=2)
    for who, good in (("ann", True), ("bob", True)):
        for item in scene.next(who, count=10):
            scene.answer(item, who, good=good)
    for who, good in (("ann", True), ("cem", False)):
        for item in scene.next(who, count=2):
            scene.answer(item, who, good=good)
    with database.reading() as session:
        found = adjudication_queries.suggestion_for(
            session, actor=scene.people["eva"], project_id=scene.project, item_id=scene.items[11]
        )
    assert found["preference"].answer == consensus.FIRST
    assert found["preference"].method == consensus.WEIGHED


def said(rater: str, item: int = 1, **given_: Any) -> Said:
    return Said(item, rater, Answered(**given_), (7, 8))


def test_where_reliability_cannot_be_estimated_votes_are_counted() -> None:
    rubric = Rubric(RUBRIC.questions)
    answers = [said(rater, answers={"tone": 4}) for rater in "abc"]
    found = consensus.suggest(TaskKind.RATE, rubric, 1, answers)
    assert (found["tone"].answer, found["tone"].confidence, found["tone"].method) == (4, 1.0, consensus.COUNTED)
    assert consensus.suggest(TaskKind.RATE, rubric, 1, []) == {}


@given(st.lists(st.permutations([7, 8, 9]), min_size=1, max_size=5))
def test_the_suggested_ranking_holds_every_response_once(orders: list[list[int]]) -> None:
    answers = [said(str(rater), ranking=[[one] for one in order]) for rater, order in enumerate(orders)]
    found = consensus.suggest(TaskKind.RANK, NO_QUESTIONS, 1, answers)["ranking"]
    assert sorted(one for place in found.answer for one in place) == [7, 8, 9]
    assert 0 <= found.confidence <= 1
    if all(order == orders[0] for order in orders):
        assert (found.answer, found.confidence) == ([[one] for one in orders[0]], 1.0)
