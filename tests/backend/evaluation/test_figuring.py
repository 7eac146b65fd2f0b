from __future__ import annotations

import pytest
from sqlmodel import Session, select

from backend.errors import Forbidden
from backend.evaluation import figure_queries, figures, figuring, queries
from backend.evaluation.figure_queries import material, state
from backend.evaluation.judgement_queries import read
from backend.store.base import now
from backend.store.database import Database
from backend.store.models import Response
from backend.store.work import Adjudication, Annotation, Figure, Item, Task
from backend.vocabulary import ItemPurpose, TaskKind, Verdict
from tests.backend.evaluation.scene import Scene, a_scene, compared, evaluated


def a_compared_project(session: Session, *, lost: int = 1) -> tuple[Scene, Task]:
    scene = a_scene(session, tested=4)
    task = compared(session, scene, evaluated(session, scene, exact=4), lost=lost)
    session.flush()
    return scene, task


def first_answer(session: Session) -> Annotation:
    return session.exec(select(Annotation).order_by(Annotation.id)).all()[0]  # type: ignore[arg-type]


def again(answer: Annotation, **changed: object) -> Annotation:
    return Annotation(**{**answer.model_dump(), "id": None, **changed})


def heads(session: Session, scene: Scene, task_id: int | None = None) -> list[dict[str, object]]:
    given = material(session, project_id=scene.project_id)
    found = figures.worked_out(given, figures.MODELS, figures.subject_of(task_id))
    return found["heads"] if found else []


def test_only_the_newest_answer_to_work_counts_and_every_vote_names_its_versions(database: Database) -> None:
    with database.writing() as session:
        scene, task = a_compared_project(session)
        first = first_answer(session)
        session.add(again(first, number=2, verdict=Verdict.TIE, winner_response_id=None))
        gold = Item(**{**session.get_one(Item, first.item_id).model_dump(), "id": None, "purpose": ItemPurpose.GOLD})
        session.add(gold)
        session.flush()
        session.add(again(first, item_id=gold.id, number=1))
        session.commit()
        (head,) = heads(session, scene)
        assert (head["version"], head["against"]) == ("1 · Version 1", "0 · touchstone-mini")
        assert [head[name] for name in ("wins", "losses", "ties", "judgements")] == [6, 1, 1, 8]
        assert heads(session, scene, task.id) == [head]
        assert heads(session, scene, 999) == []
        progress = figure_queries.counted(session, project_id=scene.project_id, name=figures.PROGRESS)
        assert sum(one["answers"] for one in progress["raters"]) == 8
        assert sum(one["corrections"] for one in progress["raters"]) == 1


def test_a_ruling_stands_for_its_items_answers_until_it_is_withdrawn(database: Database) -> None:
    with database.writing() as session:
        scene, task = a_compared_project(session)
        item = session.get_one(Item, first_answer(session).item_id)
        ruling = Adjudication(
            project_id=scene.project_id,
            task_id=task.id or 0,
            item_id=item.id or 0,
            winner_response_id=item.second_response_id,
            reason="The policy says so.",
        )
        session.add(ruling)
        session.commit()
        (head,) = heads(session, scene)
        assert [head[name] for name in ("wins", "losses", "judgements")] == [7, 0, 7]
        judged = read(session, project_id=scene.project_id)
        assert (judged.rulings, len(judged.raw_comparisons)) == (1, 8)
        ruling.withdrawn_at = now()
        session.add(ruling)
        session.commit()
        (head,) = heads(session, scene)
        assert [head[name] for name in ("wins", "losses", "judgements")] == [6, 2, 8]


def test_a_ranking_counts_as_a_comparison_of_every_pair_in_it(database: Database) -> None:
    with database.writing() as session:
        scene = a_scene(session, tested=4)
        evaluated(session, scene)
        answers = session.exec(select(Response).order_by(Response.id).limit(2)).all()  # type: ignore[arg-type]
        base, tuned = (answer.id or 0 for answer in answers)
        task = Task(project_id=scene.project_id, kind=TaskKind.RANK, name="Rank")
        session.add(task)
        session.flush()
        item = Item(task_id=task.id or 0, response_ids=[base, tuned])
        session.add(item)
        session.flush()
        rater = scene.raters[0].account_id
        session.add(
            Annotation(project_id=scene.project_id, task_id=task.id or 0, item_id=item.id or 0, account_id=rater,
                       ranking=[[tuned], [base]])
        )  # fmt: skip
        session.commit()
        (head,) = heads(session, scene)
        assert (head["version"], head["wins"], head["questions"]) == ("1 · Version 1", 1, 1)


def test_a_response_without_a_version_is_named_by_its_model(database: Database) -> None:
    with database.writing() as session:
        scene = a_scene(session, tested=4)
        old = Response(project_id=scene.project_id, text="I cannot help with that.", decoding={"model": "former chatbot"})
        rubric = {"questions": [{"key": "tone", "text": "Tone?", "scale": ["bad", "good"]}]}
        task = Task(project_id=scene.project_id, kind=TaskKind.RATE, name="Past", rubric=rubric)
        session.add_all([old, task])
        session.flush()
        item = Item(task_id=task.id or 0, response_id=old.id)
        session.add(item)
        session.flush()
        session.add(Annotation(project_id=scene.project_id, task_id=task.id or 0, item_id=item.id or 0, answers={"tone": 2}))
        session.commit()
        given = material(session, project_id=scene.project_id)
        found = figures.worked_out(given, figures.MODELS, "") or {}
        assert [(one["version"], one["value"]) for one in found["means"]] == [("former chatbot", 2.0)]
        refused = next(one for one in given.measured if one.key == "refusal")
        assert (refused.version, refused.values.tolist()) == ("former chatbot", [1.0])


def test_a_metadata_key_with_quotes_cuts_like_any_other(database: Database) -> None:
    with database.writing() as session:
        scene = a_scene(session, tested=4)
        key = 'the "so-called" $.key'
        for number, record in enumerate(scene.records):
            record.slices = {key: f"va'lue {number % 2}"}
        evaluation = evaluated(session, scene)
        session.commit()
        where = {"project_id": scene.project_id, "evaluation_id": evaluation.id or 0}
        pairs, count = queries.responses(session, slice_key=key, slice_value="va'lue 1", **where)
        assert (len(pairs), count) == (2, 2)
        given = material(session, project_id=scene.project_id)
        one = next(one for one in given.measured if one.key == "length")
        found = figures.worked_out(given, figures.SLICES, figures.slice_subject(one.key, one.version)) or {}
        assert {row["slice"]: row["n"] for row in found["keys"][key]["rows"]} == {"va'lue 0": 2, "va'lue 1": 2}


def test_figures_are_kept_once_at_a_time_and_say_how_far_behind_they_are(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figure_queries, "LIVE_MOST", 3)
    monkeypatch.setattr(figuring, "LIVE_MOST", 3)
    with database.writing() as session:
        scene, _ = a_compared_project(session)
        where = {"actor": scene.lead, "project_id": scene.project_id}
        session.commit()
        assert not state(session, **where).live
        assert figure_queries.kept(session, name=figures.MODELS, **where) is None
        assert figuring.due(session) == [scene.project_id]
    made = figuring.refresh(database, project_id=scene.project_id, holder="one")
    assert made is not None
    with database.writing() as session:
        assert figuring.due(session) == []
        kept = figure_queries.kept(session, name=figures.MODELS, **where)
        assert kept is not None
        assert (kept.behind, kept.value["votes"]) == (0, 8)
        session.add(again(first_answer(session), number=2))
        session.commit()
        later = figure_queries.kept(session, name=figures.MODELS, **where)
        assert later is not None
        assert later.behind == 1
        assert figuring.due(session) == []  # it was done just now
        figuring.ask(session=session, **where)
        assert figuring.due(session) == [scene.project_id]
        row = session.exec(select(Figure).where(Figure.name == figure_queries.REFRESH)).one()
        row.value = {**row.value, "holder": "another", "until": now().timestamp() + 60}
        session.add(row)
        session.commit()
        assert figuring.due(session) == []
    assert figuring.refresh(database, project_id=scene.project_id, holder="one") is None
    with database.reading() as session:
        assert state(session, **where).working


def test_a_failure_lets_go_and_only_leads_may_ask(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite.writing() as session:
        scene, _ = a_compared_project(session)
        session.commit()
        for who in (scene.expert, scene.raters[0]):
            with pytest.raises(Forbidden):
                figuring.ask(session=session, actor=who, project_id=scene.project_id)
            with pytest.raises(Forbidden):
                state(session, actor=who, project_id=scene.project_id)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(figuring, "material", broken)
        with pytest.raises(RuntimeError):
            figuring.refresh(sqlite, project_id=scene.project_id, holder="one")
    assert figuring.refresh(sqlite, project_id=scene.project_id, holder="two") is not None
