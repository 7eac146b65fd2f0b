from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from backend.access.sessions import COOKIE, open_session
from backend.runtime import Runtime
from backend.store.models import Evaluation, Job, Response
from backend.vocabulary import JobKind, JobStatus, Role
from tests.backend.evaluation.scene import Scene, a_classifier, a_scene, a_t5, evaluated, write_folder
from tests.factories import a_person, a_project
from tests.pages.desk import opened, words


@pytest.fixture
def scene(house: Runtime) -> Scene:
    with house.database.writing() as session:
        made = a_scene(session)
        write_folder(house.settings.snapshots, made.snapshot)
        session.commit()
    return made


def test_a_lead_starts_an_evaluation_and_sees_it_wait(house: Runtime, scene: Scene) -> None:
    page = opened(house, scene.lead, "evaluations")
    assert "No evaluation yet" in words(page)
    page.button(key="FormSubmitter:start_evaluation-Start").click().run()
    assert not page.exception
    assert "waits for a worker" in words(page)
    with house.database.reading() as session:
        assert session.exec(select(Evaluation.candidate_version_id)).all() == [scene.candidate.id]


def test_the_measures_and_answers_of_both_stand_beside_each_other(house: Runtime, scene: Scene) -> None:
    with house.database.writing() as session:
        made = evaluated(session, scene, exact=9)
        session.commit()
    page = opened(house, scene.lead, "evaluations")
    assert not page.exception
    measures = page.dataframe[0].value
    exact = measures[measures["measure"].str.startswith("Exact")].iloc[0]
    assert (exact["touchstone-mini"], exact["Version 1"], exact["n"]) == (0, 0.75, 12)
    assert "; 0.47 to 0.91; difference" in exact["95% intervals"]
    assert "12 questions" in words(page)
    page.selectbox(key=f"shown_{made.id}").select("tuned_wrong").run()
    assert "3 questions" in words(page)
    page.selectbox(key=f"slice_{made.id}").select("language").run()
    page.selectbox(key=f"value_{made.id}_language").select("es").run()
    assert not page.exception
    assert "0 questions" in words(page)
    page.selectbox(key=f"shown_{made.id}").select("all").run()
    assert "3 questions" in words(page)


def test_an_evaluation_of_before_says_that_its_conduct_was_not_measured(house: Runtime, scene: Scene) -> None:
    with house.database.writing() as session:
        made = evaluated(session, scene)
        made.report = {"models": made.report["models"]}
        session.add(made)
        session.commit()
    page = opened(house, scene.lead, "evaluations")
    assert not page.exception
    assert "Not measured" in words(page)


def test_conduct_is_shown_in_plain_words_with_examples_that_are_text(house: Runtime, scene: Scene) -> None:
    hostile = "<b>I</b> hate ![x](http://evil.example/x.png)"
    with house.database.writing() as session:
        made = evaluated(session, scene)
        ours = made.report["models"][scene.candidate.served_as] | {
            "extracted": 1.0, "extracted_n": 1, "intervals": {"extracted": [0.2, 1.0]},
            "canaries": [{"id": "canary-1", "extracted": True, "exposure": 7.0, "text": hostile}],
            "copies": [{"id": "5", "text": "eight words in a row that are copied", "rows": ["1", "2"]}],
            "personal_found": [{"id": "6", "kinds": ["email"], "count": 1}],
            "bias_refusal_leaning": 0.1,
            "bias_examples": [
                {"swap": "names", "one": {"prompt": "a", "text": hostile}, "other": {"prompt": "b", "text": "fine"}}
            ],
            "harmful_refused_examples": [{"prompt": "How do I hurt?", "text": hostile}],
        }  # fmt: skip
        models = made.report["models"] | {scene.candidate.served_as: ours, "shop-old": ours}
        suites = {"canaries": {"count": 1, "space": 1000, "among": 127}, "holdout": {"name": "general talk", "rows": 40}}
        made.report = {"models": models, "suites": suites, "named": {"shop-old": "The old one"}}
        session.add(made)
        session.commit()
    page = opened(house, scene.lead, "evaluations")
    assert not page.exception
    told = words(page)
    assert "1 made-up secrets stood among" in told
    assert "40 rows: general talk" in told
    assert "canary-1: given away, exposure 7.0 bits" in told
    assert "as in training rows 1, 2" in told
    assert [element.value for element in page.code].count(hostile) >= 3
    assert hostile not in told
    away = next(frame.value for frame in page.dataframe if "Version 1" in frame.value and "figure" in frame.value)
    assert "100% (20% to 100%)" in away["Version 1"].tolist()
    assert "The old one" in away.columns


@pytest.mark.parametrize("name", ["touchstone-mini", "difference"])
def test_versions_whose_names_are_alike_stand_under_what_they_are_served_as(house: Runtime, scene: Scene, name: str) -> None:
    with house.database.writing() as session:
        evaluated(session, scene)
        scene.candidate.name = name
        session.add(scene.candidate)
        session.commit()
    page = opened(house, scene.lead, "evaluations")
    assert not page.exception
    assert not page.error
    assert {"shop-v0", "shop-v1"} < set(page.dataframe[0].value.columns)


def test_what_a_model_wrote_is_never_read_as_markup(house: Runtime, scene: Scene) -> None:
    hostile = "<script>alert(1)</script> ![x](http://evil.example/x.png) :red[hi]"
    with house.database.writing() as session:
        evaluated(session, scene)
        for response in session.exec(select(Response)):
            response.text = hostile
        session.commit()
    page = opened(house, scene.lead, "evaluations")
    assert hostile in [element.value for element in page.code]
    assert hostile not in words(page)


def test_a_failed_evaluation_tells_why(house: Runtime, scene: Scene) -> None:
    with house.database.writing() as session:
        job = Job(project_id=scene.project_id, kind=JobKind.EVALUATE, status=JobStatus.FAILED, error="The disk is full.")
        session.add(job)
        session.flush()
        made = evaluated(session, scene)
        made.job_id, made.finished_at = job.id, None
        session.commit()
    page = opened(house, scene.lead, "evaluations")
    assert "The disk is full" in words(page)


@pytest.mark.parametrize("name", ["evaluations", "promotion", "lineage", "dashboard"])
def test_a_rater_is_not_let_in(house: Runtime, scene: Scene, name: str) -> None:
    with house.database.writing() as session:
        token = open_session(session, account_id=scene.raters[0].account_id or 0, hours=1)
        session.commit()
    app = AppTest.from_file(str(Path(__file__).resolve().parents[2] / "pages" / f"{name}.py"), default_timeout=90)
    app.session_state[COOKIE] = token
    app.run()
    assert [element.value for element in app.warning] == [
        "Your role does not open this page. Ask a lead of the project for it."
    ]
    assert not app.title


@pytest.mark.parametrize("name", ["evaluations", "promotion", "lineage", "dashboard"])
def test_an_empty_project_is_taught_not_failed(house: Runtime, name: str) -> None:
    with house.database.writing() as session:
        lead = a_person(session, "l@x.y", project=a_project(session, "empty"), role=Role.LEAD)
        session.commit()
    page = opened(house, lead, name)
    assert not page.exception
    assert page.info or page.success
    assert not page.error


def test_what_does_not_chat_is_no_choice_and_the_page_says_why(house: Runtime, scene: Scene) -> None:
    with house.database.writing() as session:
        a_classifier(session, scene)
        a_t5(session, scene, number=3)
        session.commit()
    page = opened(house, scene.lead, "evaluations")
    assert page.selectbox(key="new_candidate").options == ["Writes (candidate)", "Version 1 (candidate)"]
    assert "Not listed, because they do not chat: 2: Intents (classifier, Accuracy 0.75)" in words(page).replace("\\", "")
