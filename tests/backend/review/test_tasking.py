"""Tasks made, filled, revised and closed, on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlmodel import Session, col, func, select

from backend.access.actors import Actor
from backend.errors import Conflict, Forbidden, InvalidInput, NotFound, NotReady, TouchstoneError
from backend.review import tasking
from backend.review.filters import RecordFilter
from backend.review.queueing import QUEUE
from backend.review.selections import Selection
from backend.rubrics import DEFAULT_RATING_RUBRIC, Question, Rubric
from backend.store.accounts import AuditEntry
from backend.store.database import Database
from backend.store.models import Response
from backend.store.records import Project
from backend.store.work import Item, RubricVersion, Slot, Task
from backend.task_options import TaskOptions
from backend.vocabulary import ItemOrder, QuestionType, RecordStatus, Role, TaskKind, TaskStatus
from tests.backend.evaluation.scene import Scene, a_scene, a_trained_version, evaluated
from tests.factories import a_person, a_record

SAFE = Rubric((Question("safe", "Is it safe?", type=QuestionType.YES_NO),))


def a_start(session: Session, *, same: int = 0, tested: int = 6) -> tuple[Scene, dict[str, Any]]:
    """An evaluated scene whose versions gave equal answers to the first `same` questions, and a task's arguments."""
    scene = a_scene(session, tested=tested)
    evaluation = evaluated(session, scene, exact=tested)
    for response in session.exec(select(Response)).all():
        if response.record_id in [record.id for record in scene.tested[:same]]:
            response.text = "The same."
    session.commit()
    return scene, {
        "session": session,
        "actor": scene.lead,
        "project_id": scene.project_id,
        "selection": Selection(evaluation_id=evaluation.id),
    }


def a_third_version(session: Session, scene: Scene) -> str:
    """One more version with its answers to the same questions; its contestant's key."""
    _, version = a_trained_version(session, scene.project, scene.snapshot, number=2)
    evaluation = evaluated(session, scene, candidate=version, baseline=scene.candidate, exact=0)
    for response in session.exec(select(Response).where(Response.evaluation_id == evaluation.id)):
        response.text += f" By {response.version_id}"
    session.commit()
    return f"version:{version.id}"


def items_of(session: Session, task: Task) -> list[Item]:
    return list(session.exec(select(Item).where(Item.task_id == task.id).order_by(col(Item.position))))


def test_a_comparison_holds_pairs_of_the_same_question_and_counts_equal_answers(database: Database) -> None:
    with database.writing() as session:
        scene, given = a_start(session, same=2)
        task = tasking.create_task(**given, kind=TaskKind.COMPARE, overlap=2, guidelines=" Be fair. ")
        items = items_of(session, task)
        assert (task.options["drawn"], task.options["identical"], len(items), task.guidelines) == (6, 2, 4, "Be fair.")
        for item in items:
            first, second = (session.get_one(Response, key) for key in (item.first_response_id, item.second_response_id))
            assert first.record_id == second.record_id
            assert (first.version_id, second.version_id) == (scene.base.id, scene.candidate.id)
        assert session.exec(select(func.count()).select_from(Slot)).one() == 8
        assert session.exec(select(AuditEntry.action)).all() == ["task.create"]
        (version,) = session.exec(select(RubricVersion)).all()
        assert (version.number, version.guidelines, version.author_id) == (1, "Be fair.", scene.lead.account_id)


def test_a_rating_task_mixes_the_versions_and_the_seed_draws_the_same_again(database: Database) -> None:
    with database.writing() as session:
        _, given = a_start(session)
        tasks = [
            tasking.create_task(**{**given, "selection": replace(given["selection"], size=4, seed=seed)}, kind=TaskKind.RATE)
            for seed in (1, 1, 2)
        ]
        drawn = [[item.response_id for item in items_of(session, task)] for task in tasks]
        assert drawn[0] == drawn[1] != drawn[2]
        assert len(drawn[0]) == 8
        assert [question["key"] for question in tasks[0].rubric["questions"]][:1] == ["relevance"]
        assert [task.name for task in tasks] == ["Rate answers", "Rate answers 2", "Rate answers 3"]


def test_the_reference_answer_is_judged_as_a_response_without_a_version(database: Database) -> None:
    with database.writing() as session:
        scene, given = a_start(session)
        for answer in session.exec(select(Response).where(Response.version_id == scene.candidate.id)):
            answer.text = f"Nearly: {answer.text}"
        session.commit()
        versus = replace(given["selection"], contestants=(f"version:{scene.candidate.id}", "reference"))
        before = session.exec(select(func.count()).select_from(Response)).one()
        task = tasking.create_task(**{**given, "selection": versus}, kind=TaskKind.COMPARE)
        for item in items_of(session, task):
            response = session.get_one(Response, item.second_response_id)
            assert (response.version_id, response.decoding, response.text) == (None, {"model": "reference"}, response.reference)
            assert response.record_id == session.get_one(Response, item.first_response_id).record_id
        again = tasking.create_task(**{**given, "selection": versus}, kind=TaskKind.COMPARE)
        assert {item.second_response_id for item in items_of(session, again)} == {
            item.second_response_id for item in items_of(session, task)
        }, "A reference answer that is stored already is not stored twice."
        assert session.exec(select(func.count()).select_from(Response)).one() == before + 6


def test_versions_of_several_evaluations_meet_and_are_ranked(database: Database) -> None:
    with database.writing() as session:
        scene, given = a_start(session, tested=6)
        everybody = (f"version:{scene.base.id}", f"version:{scene.candidate.id}", a_third_version(session, scene))
        robin = tasking.create_task(
            **{**given, "selection": Selection(contestants=everybody)}, kind=TaskKind.COMPARE, rubric=SAFE
        )
        versions = dict(session.exec(select(Response.id, Response.version_id)).all())
        meetings = [
            frozenset((versions[item.first_response_id], versions[item.second_response_id]))  # type: ignore[index]
            for item in items_of(session, robin)
        ]
        assert sorted(meetings.count(pair) for pair in set(meetings)) == [2, 2, 2]
        ranking = tasking.create_task(**{**given, "selection": Selection(contestants=everybody)}, kind=TaskKind.RANK)
        for item in items_of(session, ranking):
            assert item.response_ids is not None
            assert len({versions[one] for one in item.response_ids}) == 3


def test_a_prompt_that_changed_between_two_evaluations_is_not_compared(sqlite: Database) -> None:
    with sqlite.writing() as session:
        scene, given = a_start(session)
        third = a_third_version(session, scene)
        changed = scene.tested[0].id
        for response in session.exec(select(Response).where(Response.record_id == changed)):
            if f"version:{response.version_id}" == third:
                response.prompt = [{"role": "user", "content": "Another question?"}]
        session.commit()
        both = Selection(contestants=(f"version:{scene.base.id}", third))
        task = tasking.create_task(**{**given, "selection": both}, kind=TaskKind.COMPARE)
        asked = {session.get_one(Response, item.first_response_id).record_id for item in items_of(session, task)}
        assert asked == {record.id for record in scene.tested[1:]}


def test_records_are_chosen_by_filter_and_stratum(database: Database) -> None:
    with database.writing() as session:
        scene, given = a_start(session, tested=12)
        a_record(session, scene.project, prompt="Later?", answer="Yes.", slices={"language": "fr"})
        session.commit()
        approved = RecordFilter(statuses=(RecordStatus.APPROVED,))
        selection = Selection(records=approved, size=4, stratify="language", equal=True)
        task = tasking.create_task(**{**given, "selection": selection}, kind=TaskKind.LABEL)
        languages = [
            scene.records[(item.record_id or 0) - (scene.records[0].id or 0)].slices["language"]
            for item in items_of(session, task)
        ]
        assert sorted(languages) == ["en", "en", "es", "es"]
        assert Selection.from_json(task.options["source"]) == selection


def test_more_items_are_added_in_the_same_way_and_none_twice(database: Database) -> None:
    with database.writing() as session:
        _, given = a_start(session, same=2)
        sample = replace(given["selection"], size=3)
        task = tasking.create_task(**{**given, "selection": sample}, kind=TaskKind.COMPARE, overlap=2)
        where = {key: given[key] for key in ("session", "actor", "project_id")} | {"task_id": task.id}
        begun = len(items_of(session, task))
        added = tasking.add_items_like(**where)
        items = items_of(session, task)
        assert len({item.first_response_id for item in items}) == len(items) == 4
        assert added == 4 - begun
        assert (task.options["drawn"], task.options["identical"]) == (6, 2)
        assert [item.position for item in items] == list(range(4))
        assert session.exec(select(func.count()).select_from(Slot)).one() == 8
        with pytest.raises(NotReady, match="in it already"):
            tasking.add_items_like(**where)


@pytest.mark.parametrize("kind", [TaskKind.LABEL, TaskKind.RATE, TaskKind.RANK])
def test_every_kind_of_task_takes_more_items(sqlite: Database, kind: TaskKind) -> None:
    with sqlite.writing() as session:
        scene, given = a_start(session)
        third = a_third_version(session, scene)
        everybody = (f"version:{scene.base.id}", f"version:{scene.candidate.id}", third)
        selection = Selection(contestants=() if kind is TaskKind.LABEL else everybody, size=2)
        task = tasking.create_task(**{**given, "selection": selection}, kind=kind)
        begun = len(items_of(session, task))
        where = {key: given[key] for key in ("session", "actor", "project_id")} | {"task_id": task.id}
        assert tasking.add_items_like(**where, size=3) == begun // 2 * 3
        subjects = [
            str((item.record_id, item.response_id, sorted(item.response_ids or []))) for item in items_of(session, task)
        ]
        assert len(set(subjects)) == len(subjects) == begun // 2 * 5


def test_a_change_of_the_questions_is_a_further_version_with_a_reason(database: Database) -> None:
    with database.writing() as session:
        _, given = a_start(session)
        task = tasking.create_task(**given, kind=TaskKind.RATE, guidelines="First.")
        where = {key: given[key] for key in ("session", "actor", "project_id")} | {"task_id": task.id}
        version = tasking.revise_rubric(**where, based_on=1, rubric=SAFE, guidelines="Second.", reason="Too many questions")
        assert (version.number, task.rubric_version, task.rubric, task.guidelines) == (2, 2, SAFE.to_json(), "Second.")
        kept = session.exec(select(RubricVersion).order_by(col(RubricVersion.number))).all()
        assert [(one.guidelines, one.rubric) for one in kept] == [
            ("First.", DEFAULT_RATING_RUBRIC.to_json()),
            ("Second.", SAFE.to_json()),
        ]
        with pytest.raises(Conflict, match="meanwhile"):
            tasking.revise_rubric(**where, based_on=1, rubric=SAFE, guidelines="Third.", reason="Late")
        with pytest.raises(InvalidInput, match="Nothing was changed"):
            tasking.revise_rubric(**where, based_on=2, rubric=SAFE, guidelines="Second. ", reason="None")
        with pytest.raises(InvalidInput, match="say why"):
            tasking.revise_rubric(**where, based_on=2, rubric=SAFE, guidelines="Third.", reason=" ")


def test_a_projects_default_questions_are_asked_unless_others_are_written(sqlite: Database) -> None:
    with sqlite.writing() as session:
        scene, given = a_start(session)
        tasking.set_default_rubric(session=session, actor=scene.lead, project_id=scene.project_id, rubric=SAFE)
        assert tasking.create_task(**given, kind=TaskKind.RATE).rubric == SAFE.to_json()
        assert tasking.create_task(**given, kind=TaskKind.COMPARE).rubric == {"questions": []}
        assert tasking.rubric_of(session.get_one(Project, scene.project_id)) == SAFE


def test_who_takes_part_and_what_is_mixed_in_can_be_changed_but_not_what_was_drawn(database: Database) -> None:
    with database.writing() as session:
        scene, given = a_start(session)
        task = tasking.create_task(**given, kind=TaskKind.COMPARE)
        before = TaskOptions.from_json(task.options)
        rater = scene.raters[0].account_id or 0
        wanted = TaskOptions(raters=(rater,), gold_share=0.1, order=ItemOrder.UNCERTAINTY)
        where = {key: given[key] for key in ("session", "actor", "project_id")} | {"task_id": task.id}
        tasking.change_options(**where, options=wanted, lease_seconds=60)
        after = TaskOptions.from_json(session.get_one(Task, task.id).options)
        assert after == replace(wanted, drawn=before.drawn, identical=before.identical, source=before.source)
        assert task.lease_seconds == 60


def test_when_all_answers_are_equal_there_is_nothing_to_compare(sqlite: Database) -> None:
    with sqlite.writing() as session:
        _, given = a_start(session, same=6)
        with pytest.raises(NotReady, match="same answer to all 6"):
            tasking.create_task(**given, kind=TaskKind.COMPARE)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (TaskKind.COMPARE, {"overlap": 0}),
        (TaskKind.RATE, {"overlap": 21}),
        (TaskKind.RATE, {"overlap": 2, "overlap_max": 2}),
        (TaskKind.COMPARE, {"name": "x" * 201}),
        (TaskKind.RATE, {"guidelines": "x" * 20_001}),
        (TaskKind.RATE, {"lease_seconds": 5}),
        (TaskKind.RATE, {"rubric": Rubric(())}),
        (TaskKind.COMPARE, {"rubric": Rubric((replace(SAFE.questions[0], keys=("t", "n")),))}),
        (TaskKind.COMPARE, {"selection": Selection(contestants=("reference",))}),
        (TaskKind.RATE, {"selection": Selection()}),
        (TaskKind.RANK, {}),
        (TaskKind.RATE, {"selection": Selection(contestants=("version:99",))}),
        (TaskKind.RATE, {"options": TaskOptions(raters=(99,))}),
        (TaskKind.RATE, {"options": TaskOptions(raters=(1,)), "overlap": 2}),
        (TaskKind.LABEL, {"overlap": 2}),
        (TaskKind.LABEL, {"options": TaskOptions(gold_share=0.1)}),
        (TaskKind.LABEL, {"rubric": SAFE}),
        (TaskKind.LABEL, {"name": QUEUE}),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_no_task(sqlite: Database, kind: TaskKind, wrong: dict[str, Any]) -> None:
    with sqlite.writing() as session:
        _, given = a_start(session)
        with pytest.raises((InvalidInput, NotReady)):
            tasking.create_task(**{**given, **wrong}, kind=kind)
        session.rollback()
        assert session.exec(select(Task)).all() == []
        assert session.exec(select(AuditEntry)).all() == []


def test_raters_are_no_reviewers(sqlite: Database) -> None:
    with sqlite.writing() as session:
        scene, given = a_start(session)
        for actor, fits in ((scene.raters[0], False), (scene.expert, True)):
            options = TaskOptions(raters=(actor.account_id or 0,))
            if fits:
                tasking.create_task(**{**given, "selection": Selection()}, kind=TaskKind.LABEL, options=options)
            else:
                with pytest.raises(InvalidInput, match="experts and leads"):
                    tasking.create_task(**{**given, "selection": Selection()}, kind=TaskKind.LABEL, options=options)


def test_where_nobody_answered_there_is_nothing_to_judge(sqlite: Database) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session, tested=1)
        session.commit()
        with pytest.raises(NotReady, match="Nothing fits"):
            tasking.create_task(
                session=session,
                actor=scene.lead,
                project_id=scene.project_id,
                kind=TaskKind.RATE,
                selection=Selection(contestants=(f"version:{scene.base.id}",)),
            )


@pytest.mark.parametrize("role", [Role.RATER, Role.EXPERT, None])
def test_only_leads_make_and_change_tasks(sqlite: Database, role: Role | None) -> None:
    with sqlite.writing() as session:
        scene, given = a_start(session)
        task = tasking.create_task(**given, kind=TaskKind.RATE)
        other: Actor = a_person(session, "x@example.org", project=scene.project if role else None, role=role)
        session.commit()
        where: dict[str, Any] = {"session": session, "actor": other, "project_id": scene.project_id}
        here = {**where, "task_id": task.id}
        calls = [
            lambda: tasking.create_task(**{**given, "actor": other}, kind=TaskKind.COMPARE),
            lambda: tasking.change_status(**here, status=TaskStatus.CLOSED),
            lambda: tasking.add_items_like(**here),
            lambda: tasking.change_options(**here, options=TaskOptions()),
            lambda: tasking.revise_rubric(**here, based_on=1, rubric=SAFE, guidelines="", reason="x"),
            lambda: tasking.set_default_rubric(**where, rubric=SAFE),
        ]
        for call in calls:
            with pytest.raises(Forbidden):
                call()


def test_another_projects_evaluation_and_task_are_not_found(sqlite: Database) -> None:
    with sqlite.writing() as session:
        _, given = a_start(session)
        task = tasking.create_task(**given, kind=TaskKind.RATE)
        stranger = a_scene(session, slug="other", tested=1)
        session.commit()
        theirs = {**given, "actor": stranger.lead, "project_id": stranger.project_id}
        here = {"session": session, "actor": stranger.lead, "project_id": stranger.project_id, "task_id": task.id}
        for call in (
            lambda: tasking.create_task(**theirs, kind=TaskKind.COMPARE),
            lambda: tasking.change_status(**here, status=TaskStatus.CLOSED),
            lambda: tasking.add_items_like(**here),
        ):
            with pytest.raises(NotFound):
                call()


def test_a_task_is_paused_goes_on_and_stays_closed(database: Database) -> None:
    with database.writing() as session:
        scene, given = a_start(session)
        task = tasking.create_task(**given, kind=TaskKind.COMPARE)
        where = {"session": session, "actor": scene.lead, "project_id": scene.project_id, "task_id": task.id or 0}
        for status in (TaskStatus.PAUSED, TaskStatus.OPEN, TaskStatus.CLOSED, TaskStatus.CLOSED):
            assert tasking.change_status(**where, status=status).status is status
        refused: list[Any] = [
            lambda: tasking.change_status(**where, status=TaskStatus.OPEN),
            lambda: tasking.add_items_like(**where),
            lambda: tasking.change_options(**where, options=TaskOptions()),
            lambda: tasking.revise_rubric(**where, based_on=1, rubric=SAFE, guidelines="", reason="x"),
        ]
        for call in refused:
            with pytest.raises(TouchstoneError, match="closed"):
                call()
