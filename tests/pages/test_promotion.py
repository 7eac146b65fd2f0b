from __future__ import annotations

import json

import pytest
from sqlmodel import select

from backend.runtime import Runtime
from backend.store.models import Job, Promotion
from backend.store.records import Project
from backend.vocabulary import JobKind, JobStatus, PromotionKind, Role
from tests.backend.evaluation.scene import Scene, a_classifier, a_scene, a_t5, compared, evaluated, serve
from tests.factories import a_person, a_project
from tests.pages.desk import opened, words
from trainer import contract


@pytest.fixture
def scene(house: Runtime) -> Scene:
    with house.database.writing() as session:
        made = a_scene(session)
        serve(house.settings.models, made.candidate, made.base)
        session.commit()
    return made


def decisions(house: Runtime) -> list[Promotion]:
    with house.database.reading() as session:
        return list(session.exec(select(Promotion)))


def test_a_lead_promotes_and_rolls_back(house: Runtime, scene: Scene) -> None:
    with house.database.writing() as session:
        compared(session, scene, evaluated(session, scene))
        session.commit()
    page = opened(house, scene.lead, "promotion")
    assert not page.exception
    assert "The gate is passed" in words(page).replace("\\", "")
    page.text_area(key=f"reason_{scene.candidate.id}").input("It answers the test questions.")
    page.button(key=f"FormSubmitter:decide_{scene.candidate.id}-Promote").click().run()
    assert [one.kind for one in decisions(house)] == [PromotionKind.PROMOTED]
    assert "Version 1** is current" in words(page)
    page.text_area(key="roll_back_reason").input("It became rude.")
    page.button(key="FormSubmitter:roll_back-Roll back now").click().run()
    assert [one.kind for one in decisions(house)] == [PromotionKind.PROMOTED, PromotionKind.ROLLED_BACK]
    with house.database.reading() as session:
        assert session.get_one(Project, scene.project_id).current_version_id == scene.base.id


def test_without_evidence_the_page_says_what_to_do_and_promotes_only_against_the_gate(house: Runtime, scene: Scene) -> None:
    page = opened(house, scene.lead, "promotion")
    assert "not enough evidence" in words(page)
    assert "20 more judgements" in words(page)
    against = f"FormSubmitter:decide_{scene.candidate.id}-Promote against the gate"
    page.button(key=against).click().run()
    assert "10 characters" in words(page)
    assert decisions(house) == []
    page.text_area(key=f"reason_{scene.candidate.id}").input("The fair opens tomorrow.")
    page.button(key=against).click().run()
    assert [one.overridden for one in decisions(house)] == [True]


def test_a_lead_refuses_a_candidate(house: Runtime, scene: Scene) -> None:
    page = opened(house, scene.lead, "promotion")
    page.text_area(key=f"reason_{scene.candidate.id}").input("It invents prices.")
    page.button(key=f"FormSubmitter:decide_{scene.candidate.id}-Refuse this candidate").click().run()
    assert [one.kind for one in decisions(house)] == [PromotionKind.REFUSED]


def test_a_lead_sets_the_gate(house: Runtime, scene: Scene) -> None:
    page = opened(house, scene.lead, "promotion")
    page.number_input(key="gate_n").set_value(5)
    page.multiselect(key="gate_measures").unselect("loss")
    page.multiselect(key="gate_guards").unselect("copied")
    page.number_input(key="gate_guard_personal").set_value(0.01)
    page.button(key="FormSubmitter:gate-Save the gate").click().run()
    assert not page.exception
    with house.database.reading() as session:
        gate = session.get_one(Project, scene.project_id).settings["gate"]
    assert gate["minimum_comparisons"] == 5
    assert set(gate["metric_worse"]) == {"exact_match", "rouge_l", "bleu"}
    assert gate["guard_worse"]["personal"] == 0.01
    assert "copied" not in gate["guard_worse"]


def test_a_crossed_safeguard_is_named_and_a_lead_can_promote_against_it_with_a_reason(house: Runtime, scene: Scene) -> None:
    with house.database.writing() as session:
        made = evaluated(session, scene)
        compared(session, scene, made)
        models = made.report["models"] | {scene.candidate.served_as: made.report["models"]["shop-v1"] | {"personal": 0.9}}
        made.report = made.report | {"models": models}
        session.add(made)
        session.commit()
    page = opened(house, scene.lead, "promotion")
    assert "No personal data of its own" in words(page)
    assert "a check failed" in words(page)
    page.text_area(key=f"reason_{scene.candidate.id}").input("They are the shop's own addresses.")
    page.button(key=f"FormSubmitter:decide_{scene.candidate.id}-Promote against the gate").click().run()
    (decision,) = decisions(house)
    assert (decision.overridden, decision.reason) == (True, "They are the shop's own addresses.")
    assert {check["name"] for check in decision.evidence["checks"] if check["outcome"] == "failed"} == {"guard_personal"}


def test_a_version_is_taken_along_once_a_worker_has_checked_it(house: Runtime, scene: Scene) -> None:
    (house.settings.runs / scene.run.folder).mkdir(parents=True)
    page = opened(house, scene.lead, "promotion")
    page.button(key="FormSubmitter:model_export-Export").click().run()
    assert not page.exception
    assert "waits for a worker" in words(page)
    with house.database.writing() as session:
        job = session.exec(select(Job).where(Job.kind == JobKind.EXPORT)).one()
        job.status = JobStatus.SUCCEEDED
        folder = house.settings.data / job.folder
        (folder / "model.safetensors").write_bytes(b"weights")
        parity = {"conversations": 8, "largest_logit_difference": 1e-5, "tolerance": 1e-3, "equal_greedy_answers": 8}
        (folder / contract.RESULT).write_text(json.dumps({"files": ["model.safetensors"], "parity": parity}))
        session.add(job)
        session.commit()
    page.run()
    assert not page.exception
    assert "on 8 conversations: largest difference of a logit 1e-05" in words(page)


def test_a_project_without_versions_is_told_the_way(house: Runtime) -> None:
    with house.database.writing() as session:
        lead = a_person(session, "l@x.y", project=a_project(session, "empty"), role=Role.LEAD)
        session.commit()
    page = opened(house, lead, "promotion")
    assert not page.exception
    assert "No candidate waits" in words(page)


def test_a_t5_model_is_a_candidate_and_what_could_not_be_checked_is_counted(house: Runtime, scene: Scene) -> None:
    with house.database.writing() as session:
        writes, base = a_t5(session, scene)
        serve(house.settings.models, writes, base)
        done = evaluated(session, scene, candidate=writes, baseline=base)
        ours = done.report["models"][writes.served_as] | {"exposure": None, "extracted": None}
        done.report = done.report | {"models": done.report["models"] | {writes.served_as: ours}}
        compared(session, scene, done)
        session.commit()
    page = opened(house, scene.lead, "promotion")
    assert [option[:9] for option in page.selectbox(key="promotion_candidate").options] == ["Writes (c", "Version 1"]
    page.selectbox(key="promotion_candidate").set_value(writes.id).run()
    assert "The gate is passed. 4 conditions could not be checked; below stands why." in words(page).replace("\\", "")
    page.text_area(key=f"reason_{writes.id}").input("It answers as well.")
    page.button(key=f"FormSubmitter:decide_{writes.id}-Promote").click().run()
    assert not page.exception
    with house.database.reading() as session:
        assert session.get_one(Project, scene.project_id).current_version_id == writes.id


def test_what_does_not_chat_is_taken_along_but_is_no_candidate(house: Runtime, scene: Scene) -> None:
    with house.database.writing() as session:
        version = a_classifier(session, scene)
        (house.settings.runs / "run-2").mkdir(parents=True)
        session.commit()
    page = opened(house, scene.lead, "promotion")
    assert not page.exception
    assert [option[:9] for option in page.selectbox(key="promotion_candidate").options] == ["Version 1"]
    assert "Not listed, because they do not chat: 2: Intents" in words(page).replace("\\", "")
    assert page.selectbox(key="export_version").options == ["2: Intents (classifier)", "1: Version 1 (candidate)"]
    page.selectbox(key="export_version").set_value(version.id)
    page.button(key="FormSubmitter:model_export-Export").click().run()
    assert not page.exception
    with house.database.reading() as session:
        (job,) = session.exec(select(Job)).all()
    assert (job.kind, job.payload["version"]) == (JobKind.EXPORT, "Intents")
