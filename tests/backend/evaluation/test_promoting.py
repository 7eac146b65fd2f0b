from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from backend.access.audit import verify
from backend.errors import AlreadyDone, Conflict, Forbidden, InvalidInput, NotFound, NotReady
from backend.evaluation import promoting
from backend.evaluation.evidence import standing
from backend.evaluation.gates import Gate, Outcome
from backend.settings import Settings
from backend.store.accounts import AuditEntry
from backend.store.database import Database
from backend.store.models import Evaluation, ModelVersion, Promotion, Snapshot
from backend.store.records import Approval, Project
from backend.store.work import Annotation
from backend.vocabulary import PromotionKind, Role, Split, Stage, Verdict
from tests.backend.evaluation.scene import Scene, a_scene, a_t5, a_trained_version, compared, evaluated, freeze, serve, stage_of
from tests.factories import a_person


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)


def promote(session: Session, settings: Settings, scene: Scene, version: ModelVersion | None = None, **extra: Any) -> Promotion:
    version = version or scene.candidate
    given = {"actor": scene.lead, "replaces": None, "reason": "It is better on the test set.", **extra}
    return promoting.promote(
        session=session, settings=settings, project_id=scene.project_id, version_id=version.id or 0, **given
    )


def a_ready_scene(session: Session, settings: Settings) -> Scene:
    scene = a_scene(session)
    compared(session, scene, evaluated(session, scene))
    serve(settings.models, scene.candidate, scene.base)
    session.commit()
    return scene


def test_a_candidate_with_its_evidence_becomes_current(database: Database, settings: Settings) -> None:
    with database.writing() as session:
        scene = a_ready_scene(session, settings)
    with database.writing() as session:
        decision = promote(session, settings, scene)
    with database.reading() as session:
        assert session.get_one(Project, scene.project_id).current_version_id == scene.candidate.id
        assert stage_of(session, scene.candidate) is Stage.CURRENT
        stored = session.get_one(Promotion, decision.id)
        assert (stored.kind, stored.overridden, stored.author_id) == (PromotionKind.PROMOTED, False, scene.lead.account_id)
        assert stored.evidence["verdict"] == "passed"
        rate = next(check for check in stored.evidence["checks"] if check["name"] == "win_rate")
        assert (rate["value"], rate["n"]) == (1.0, 12)
        assert session.exec(select(AuditEntry.action).order_by(col(AuditEntry.id).desc())).first() == "version.promoted"
        assert verify(session).broken_at is None


def test_a_t5_model_takes_the_place_of_a_chat_model_and_is_replaced_like_any_other(
    database: Database, settings: Settings
) -> None:
    with database.writing() as session:
        scene = a_ready_scene(session, settings)
        writes, base = a_t5(session, scene)
        serve(settings.models, writes, base)
        assert standing(session, project_id=scene.project_id, version_id=writes.id or 0).baseline_id == base.id
        promote(session, settings, scene)
        with pytest.raises(NotReady, match="20 more judgements"):
            promote(session, settings, scene, writes, replaces=scene.candidate.id)
        session.rollback()
        done = evaluated(session, scene, candidate=writes, baseline=scene.candidate)
        ours, theirs = writes.served_as, scene.candidate.served_as
        models = done.report["models"]
        counted = {ours: {"reference_tokens": 100, "loss": 1.9}, theirs: {"reference_tokens": 200, "loss": 1.0}}
        done.report = done.report | {"models": {label: models[label] | more for label, more in counted.items()}}
        compared(session, scene, done)
        found = standing(session, project_id=scene.project_id, version_id=writes.id or 0)
        loss = next(check for check in found.result.checks if check.name == "metric_loss")
        assert "1.000 → 0.950" in loss.measured, "Over 200 tokens."
        assert "different tokens" in loss.sentence
        promote(session, settings, scene, writes, replaces=scene.candidate.id)
        assert session.get_one(Project, scene.project_id).current_version_id == writes.id
        assert stage_of(session, scene.candidate) is Stage.RETIRED
        back = {"session": session, "actor": scene.lead, "settings": settings, "project_id": scene.project_id}
        promoting.roll_back(**back, leaves=writes.id, reason="It knew less.")
        assert stage_of(session, scene.candidate) is Stage.CURRENT


def test_without_evidence_nothing_changes_and_the_message_says_what_is_missing(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        serve(settings.models, scene.candidate)
        session.commit()
        with pytest.raises(NotReady) as refused:
            promote(session, settings, scene)
    assert "20 more judgements" in refused.value.message
    assert "Failed" not in refused.value.message
    with sqlite.reading() as session:
        assert session.get_one(Project, scene.project_id).current_version_id is None
        assert session.exec(select(Promotion)).all() == []
        assert stage_of(session, scene.candidate) is Stage.CANDIDATE


def test_losing_the_comparison_is_told_as_a_failure(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        serve(settings.models, scene.candidate)
        compared(session, scene, evaluated(session, scene), lost=12)
        session.commit()
        with pytest.raises(NotReady, match="Failed: Win rate"):
            promote(session, settings, scene)


def test_a_lead_overrides_the_gate_only_with_a_reason(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        serve(settings.models, scene.candidate)
        session.commit()
        with pytest.raises(InvalidInput, match="10 characters"):
            promote(session, settings, scene, override=True, reason="  because ")
        session.rollback()
        decision = promote(session, settings, scene, override=True, reason="The shop opens tomorrow.")
        assert decision.overridden
        assert decision.evidence["verdict"] == "not_enough"


def test_an_override_that_was_not_needed_is_not_recorded_as_one(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene = a_ready_scene(session, settings)
        assert not promote(session, settings, scene, override=True).overridden


@pytest.mark.parametrize("role", [Role.RATER, Role.EXPERT, None])
def test_only_leads_decide(sqlite: Database, settings: Settings, role: Role | None) -> None:
    with sqlite.writing() as session:
        scene, other = a_ready_scene(session, settings), a_scene(session, slug="other")
        person = a_person(session, "x@y.z", project=scene.project, role=role) if role else other.lead
        session.commit()
        project: dict[str, Any] = {"session": session, "actor": person, "project_id": scene.project_id}
        with pytest.raises(Forbidden):
            promote(session, settings, scene, actor=person)
        with pytest.raises(Forbidden):
            promoting.roll_back(**project, settings=settings, leaves=None, reason="no")
        with pytest.raises(Forbidden):
            promoting.refuse(**project, version_id=scene.candidate.id or 0, reason="no")
        with pytest.raises(Forbidden):
            promoting.set_gate(**project, gate=Gate(minimum_comparisons=0))


def test_a_version_of_another_project_is_not_found(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene, other = a_ready_scene(session, settings), a_scene(session, slug="other")
        session.commit()
        with pytest.raises(NotFound):
            promote(session, settings, scene, version=other.candidate)
        with pytest.raises(NotFound):
            promoting.refuse(
                session=session, actor=scene.lead, project_id=scene.project_id, version_id=other.candidate.id or 0, reason="no"
            )


def test_a_version_whose_files_are_gone_is_not_promoted(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene = a_ready_scene(session, settings)
        (settings.models / scene.candidate.served_as / "served.json").unlink()
        with pytest.raises(NotReady, match="files"):
            promote(session, settings, scene)


def test_a_decision_on_an_old_view_is_a_conflict(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene = a_ready_scene(session, settings)
        _run, newer = a_trained_version(session, scene.project, scene.snapshot, number=2)
        serve(settings.models, newer)
        promote(session, settings, scene)
        with pytest.raises(Conflict, match="meanwhile"):
            promote(session, settings, scene, version=newer, override=True)
        session.rollback()
        with pytest.raises(AlreadyDone):
            promote(session, settings, scene)


def test_of_two_promotions_at_once_one_wins(database: Database, settings: Settings) -> None:
    with database.writing() as session:
        scene = a_ready_scene(session, settings)
        _run, newer = a_trained_version(session, scene.project, scene.snapshot, number=2)
        serve(settings.models, newer)
        session.commit()
    start, ends = threading.Barrier(2), []

    def decide(version: ModelVersion) -> None:
        start.wait()
        try:
            with database.writing() as session:
                promote(session, settings, scene, version=version, override=True, reason="Both leads were sure of it.")
            ends.append("won")
        except Conflict:
            ends.append("conflict")

    threads = [threading.Thread(target=decide, args=(version,)) for version in (scene.candidate, newer)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["conflict", "won"]
    with database.reading() as session:
        stages = session.exec(select(ModelVersion.stage).where(ModelVersion.number > 0)).all()
        assert sorted(stages) == [Stage.CANDIDATE, Stage.CURRENT]
        assert len(session.exec(select(Promotion)).all()) == 1


def test_rolling_back_goes_down_the_stack_to_the_base_model(sqlite: Database, settings: Settings) -> None:
    why = {"override": True, "reason": "Needed for this test."}
    with sqlite.writing() as session:
        scene = a_ready_scene(session, settings)
        _run, newer = a_trained_version(session, scene.project, scene.snapshot, number=2)
        serve(settings.models, newer)
        promote(session, settings, scene)
        promote(session, settings, scene, version=newer, replaces=scene.candidate.id, **why)
        for leaves, target in ((newer, scene.candidate), (scene.candidate, scene.base)):
            decision = promoting.roll_back(
                session=session,
                actor=scene.lead,
                settings=settings,
                project_id=scene.project_id,
                leaves=leaves.id,
                reason="It is rude.",
            )
            assert (decision.version_id, decision.previous_version_id) == (target.id, leaves.id)
            assert (stage_of(session, leaves), stage_of(session, target)) == (Stage.RETIRED, Stage.CURRENT)
        with pytest.raises(NotReady, match="earlier"):
            promoting.roll_back(
                session=session,
                actor=scene.lead,
                settings=settings,
                project_id=scene.project_id,
                leaves=scene.base.id,
                reason="x",
            )


def test_a_second_press_of_roll_back_does_nothing(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene = a_ready_scene(session, settings)
        pressed: dict[str, Any] = {"session": session, "actor": scene.lead, "settings": settings}
        with pytest.raises(NotReady):
            promoting.roll_back(**pressed, project_id=scene.project_id, leaves=None, reason="x")
        session.rollback()
        promote(session, settings, scene)
        pressed |= {"project_id": scene.project_id, "leaves": scene.candidate.id, "reason": "x"}
        promoting.roll_back(**pressed)
        with pytest.raises(Conflict):
            promoting.roll_back(**pressed)


def test_a_refused_candidate_is_retired_with_the_reason(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene = a_ready_scene(session, settings)
        refusal: dict[str, Any] = {"actor": scene.lead, "project_id": scene.project_id, "version_id": scene.candidate.id}
        with pytest.raises(InvalidInput):
            promoting.refuse(session=session, **refusal, reason="   ")
        session.rollback()
        decision = promoting.refuse(session=session, **refusal, reason="It invents prices.")
        assert (decision.kind, decision.reason) == (PromotionKind.REFUSED, "It invents prices.")
        assert stage_of(session, scene.candidate) is Stage.RETIRED
        with pytest.raises(Conflict):
            promoting.refuse(session=session, **refusal, reason="Again.")


def test_a_gate_is_kept_audited_and_used(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        serve(settings.models, scene.candidate)
        asks = {"metric_worse": {}, "guard_worse": {}, "minimum_rows": 0}
        open_gate = Gate(minimum_comparisons=0, minimum_raters=0, win_rate_at_least=0.0, **asks)
        promoting.set_gate(session=session, actor=scene.lead, project_id=scene.project_id, gate=open_gate)
        assert session.get_one(Project, scene.project_id).settings["gate"]["minimum_comparisons"] == 0
        assert session.exec(select(AuditEntry.action)).all() == ["gate.edit"]
        found = standing(session, project_id=scene.project_id, version_id=scene.candidate.id or 0)
        assert found.gate == open_gate
        assert [check.name for check in found.result.open_checks] == ["win_rate", "unseen"]


def test_only_a_raters_latest_answer_counts(sqlite: Database) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        compared(session, scene, evaluated(session, scene))
        first = session.exec(select(Annotation).order_by(col(Annotation.id))).first()
        assert first is not None
        again = first.model_dump(exclude={"id"}) | {"number": 2, "verdict": Verdict.BOTH_BAD, "winner_response_id": None}
        session.add(Annotation(**again))
        session.flush()
        found = standing(session, project_id=scene.project_id, version_id=scene.candidate.id or 0)
        assert len(found.evidence.judgements) == 24
        assert sum(judgement.score for judgement in found.evidence.judgements) == 23.5


def test_comparisons_with_another_version_are_no_evidence(database: Database) -> None:
    with database.writing() as session:
        scene = a_scene(session)
        compared(session, scene, evaluated(session, scene))
        _run, newer = a_trained_version(session, scene.project, scene.snapshot, number=2)
        scene.project.current_version_id = newer.id
        session.flush()
        found = standing(session, project_id=scene.project_id, version_id=scene.candidate.id or 0)
        assert found.baseline_id == newer.id
        assert found.evidence.judgements == ()
        assert found.evaluation_id is None


def test_questions_that_the_candidate_learned_from_are_counted(database: Database) -> None:
    with database.writing() as session:
        scene = a_scene(session)
        evaluated(session, scene)
        leaked = scene.records[0]
        other = Snapshot(project_id=scene.project_id, number=2, content_hash="1" * 64, folder="shop-0002")
        session.add(other)
        session.flush()
        approval = session.exec(select(Approval).where(Approval.record_id == leaked.id)).one()
        freeze(session, other, leaked, approval, Split.TEST)
        again = session.exec(select(Evaluation)).one()
        again.snapshot_id = other.id or 0
        session.flush()
        found = standing(session, project_id=scene.project_id, version_id=scene.candidate.id or 0)
        assert found.evidence.seen_in_training == 1
        assert found.result.verdict is Outcome.FAILED


@given(
    st.lists(st.tuples(st.sampled_from([PromotionKind.PROMOTED, PromotionKind.ROLLED_BACK]), st.integers(1, 5)), max_size=20)
)
def test_a_roll_back_undoes_exactly_one_promotion(steps: list[tuple[PromotionKind, int]]) -> None:
    history = [(kind, version, None) for kind, version in steps]
    before = promoting.stack(history)
    after = promoting.stack([*history, (PromotionKind.PROMOTED, 9, None), (PromotionKind.ROLLED_BACK, 0, None)])
    assert after == (before or [None])


def test_what_raters_said_about_questions_from_training_is_no_evidence(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        evaluation = evaluated(session, scene)
        evaluation.split = Split.TRAIN
        compared(session, scene, evaluation)
        evaluated(session, scene)
        serve(settings.models, scene.candidate, scene.base)
        session.commit()
    with sqlite.writing() as session, pytest.raises(NotReady, match="20 more judgements"):
        promote(session, settings, scene)
