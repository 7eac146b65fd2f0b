from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, col, func, select

from backend.access.actors import Actor
from backend.errors import Conflict, Forbidden, InvalidInput, NotFound, NotReady
from backend.evaluation import comparing, results_queries
from backend.evaluation.sampling import draw_pairs, draw_ratings
from backend.store.accounts import AuditEntry
from backend.store.database import Database
from backend.store.models import Response
from backend.store.work import Item, Slot, Task
from backend.vocabulary import Role, TaskKind, TaskStatus
from tests.backend.evaluation.scene import Scene, a_scene, evaluated
from tests.factories import a_person


def a_start(session: Session, *, same: int = 0) -> tuple[Scene, dict[str, Any]]:
    """An evaluated scene whose versions gave equal answers to the first `same` questions, and a task's arguments."""
    scene = a_scene(session, tested=6)
    evaluation = evaluated(session, scene, exact=6)
    for response in session.exec(select(Response)).all():
        if response.record_id in [record.id for record in scene.tested[:same]]:
            response.text = "The same."
    session.commit()
    return scene, {
        "session": session, "actor": scene.lead, "project_id": scene.project_id, "evaluation_id": evaluation.id or 0
    }  # fmt: skip


def test_a_comparison_holds_pairs_of_the_same_question_and_counts_equal_answers(database: Database) -> None:
    with database.writing() as session:
        scene, given_ = a_start(session, same=2)
        task = comparing.create_comparison_task(**given_, overlap=2, seed=3, guidelines=" Be fair. ")
        items = session.exec(select(Item).where(Item.task_id == task.id).order_by(col(Item.position))).all()
        assert (task.options["drawn"], task.options["identical"], len(items), task.guidelines) == (6, 2, 4, "Be fair.")
        for item in items:
            first, second = (session.get_one(Response, key) for key in (item.first_response_id, item.second_response_id))
            assert first.record_id == second.record_id
            assert (first.version_id, second.version_id) == (scene.base.id, scene.candidate.id)
        assert session.exec(select(func.count()).select_from(Slot)).one() == 8
        assert session.exec(select(AuditEntry.action)).all() == ["task.create"]


def test_a_rating_task_mixes_the_versions_and_the_seed_draws_the_same_again(database: Database) -> None:
    with database.writing() as session:
        _, given_ = a_start(session)
        first, again, other = (comparing.create_rating_task(**given_, sample_size=4, seed=seed) for seed in (1, 1, 2))
        drawn = []
        for task in (first, again, other):
            items = session.exec(select(Item.response_id).where(Item.task_id == task.id).order_by(col(Item.position))).all()
            drawn.append(items)
        assert drawn[0] == drawn[1] != drawn[2]
        assert len(drawn[0]) == 8
        assert [question["key"] for question in first.rubric["questions"]][:1] == ["relevance"]


def test_the_preview_is_what_the_task_gets(sqlite: Database) -> None:
    with sqlite.writing() as session:
        scene, given_ = a_start(session, same=1)
        draw = comparing.preview(
            session,
            project_id=scene.project_id,
            evaluation_id=given_["evaluation_id"],
            kind=TaskKind.COMPARE,
            sample_size=5,
            seed=9,
        )
        task = comparing.create_comparison_task(**given_, sample_size=5, seed=9)
        made = session.exec(select(func.count()).select_from(Item).where(Item.task_id == task.id)).one()
        assert (draw.questions, len(draw.subjects), draw.identical) == (5, made, task.options["identical"])


def test_when_all_answers_are_equal_there_is_nothing_to_compare(sqlite: Database) -> None:
    with sqlite.writing() as session:
        _, given_ = a_start(session, same=6)
        with pytest.raises(NotReady, match="same answer to all 6"):
            comparing.create_comparison_task(**given_)


@pytest.mark.parametrize(
    "wrong",
    [
        {"overlap": 0},
        {"overlap": 21},
        {"sample_size": -1},
        {"name": "x" * 201},
        {"guidelines": "x" * 20_001},
        {"versions": [99]},
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_no_task(sqlite: Database, wrong: dict[str, Any]) -> None:
    with sqlite.writing() as session:
        _, given_ = a_start(session)
        for create in (comparing.create_comparison_task, comparing.create_rating_task):
            with pytest.raises(InvalidInput):
                create(**given_, **wrong)
        assert session.exec(select(Task)).all() == []


def test_an_evaluation_that_has_not_finished_has_nothing_to_ask_about(sqlite: Database) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session, tested=0)
        evaluation = evaluated(session, scene, exact=0) if scene.tested else None
        assert evaluation is None
        from backend.store.models import Evaluation

        empty = Evaluation(
            project_id=scene.project_id,
            snapshot_id=scene.snapshot.id or 0,
            base_version_id=scene.base.id or 0,
            candidate_version_id=scene.candidate.id or 0,
        )
        session.add(empty)
        session.flush()
        with pytest.raises(NotReady, match="no responses yet"):
            comparing.create_rating_task(
                session=session, actor=scene.lead, project_id=scene.project_id, evaluation_id=empty.id or 0
            )


@pytest.mark.parametrize("role", [Role.RATER, Role.EXPERT, None])
def test_only_leads_make_and_change_tasks(sqlite: Database, role: Role | None) -> None:
    with sqlite.writing() as session:
        scene, given_ = a_start(session)
        task = comparing.create_comparison_task(**given_)
        other: Actor = a_person(session, "x@example.org", project=scene.project if role else None, role=role)
        session.commit()
        with pytest.raises(Forbidden):
            comparing.create_comparison_task(**{**given_, "actor": other})
        with pytest.raises(Forbidden):
            comparing.create_rating_task(**{**given_, "actor": other})
        with pytest.raises(Forbidden):
            comparing.change_status(
                session=session, actor=other, project_id=scene.project_id, task_id=task.id or 0, status=TaskStatus.CLOSED
            )
        with pytest.raises(Forbidden):
            results_queries.votes(session, actor=other, project_id=scene.project_id)


def test_another_projects_evaluation_and_task_are_not_found(sqlite: Database) -> None:
    with sqlite.writing() as session:
        _, given_ = a_start(session)
        task = comparing.create_comparison_task(**given_)
        stranger = a_scene(session, slug="other", tested=1)
        session.commit()
        theirs = {**given_, "actor": stranger.lead, "project_id": stranger.project_id}
        with pytest.raises(NotFound):
            comparing.create_comparison_task(**theirs)
        with pytest.raises(NotFound):
            comparing.change_status(
                session=session,
                actor=stranger.lead,
                project_id=stranger.project_id,
                task_id=task.id or 0,
                status=TaskStatus.CLOSED,
            )


def test_a_task_is_paused_goes_on_and_stays_closed(database: Database) -> None:
    with database.writing() as session:
        scene, given_ = a_start(session)
        task = comparing.create_comparison_task(**given_)
        where = {"session": session, "actor": scene.lead, "project_id": scene.project_id, "task_id": task.id or 0}
        for status in (TaskStatus.PAUSED, TaskStatus.OPEN, TaskStatus.CLOSED, TaskStatus.CLOSED):
            assert comparing.change_status(**where, status=status).status is status
        with pytest.raises(Conflict):
            comparing.change_status(**where, status=TaskStatus.OPEN)
        (state,) = results_queries.tasks(session, actor=scene.lead, project_id=scene.project_id)
        assert (state.items, state.items_done, state.answers, state.answers_wanted) == (6, 0, 0, 6)


texts = st.sampled_from(["a", "b", "b "])
answered = st.dictionaries(
    st.integers(1, 30), st.dictionaries(st.sampled_from([1, 2]), st.tuples(st.integers(), texts), max_size=2), max_size=30
)


@given(answered, st.integers(1, 40), st.integers())
def test_every_drawn_question_is_shown_or_counted_as_identical(answers: Any, size: int, seed: int) -> None:
    both = [by_version for by_version in answers.values() if len(by_version) == 2]
    draw = draw_pairs(answers, 1, 2, size=size, seed=seed)
    assert draw.questions == min(size, len(both)) == len(draw.subjects) + draw.identical
    assert len(draw_ratings(answers, (1, 2), size=size, seed=seed).subjects) == 2 * draw.questions
    assert draw_pairs(answers, 1, 2, size=size, seed=seed) == draw
