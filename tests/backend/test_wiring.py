from __future__ import annotations

import time

from backend.curation import cleaning
from backend.evaluation import figure_queries, figuring
from backend.runtime import Runtime
from backend.store.curation import CheckRun
from backend.store.work import Figure
from backend.vocabulary import Check, JobStatus, Role
from backend.wiring import Chores
from tests.backend.evaluation.scene import a_scene, compared, evaluated
from tests.factories import a_person, a_project, a_record


def test_a_worker_has_figures_worked_out_that_were_asked_for(house: Runtime) -> None:
    """In a real child process, once, and nothing is started where nothing is due."""
    with house.database.writing() as session:
        scene = a_scene(session)
        compared(session, scene, evaluated(session, scene))
        session.commit()
    chores = Chores(house, every=0.0)
    chores.look()
    assert chores.idle
    with house.database.writing() as session:
        figuring.ask(session=session, actor=scene.lead, project_id=scene.project_id)
    chores.look()
    assert not chores.idle
    chores.look()
    until = time.monotonic() + 120
    while not chores.idle and time.monotonic() < until:
        time.sleep(0.2)
    with house.database.reading() as session:
        kept = figure_queries.kept(session, actor=scene.lead, project_id=scene.project_id, name="models")
        assert kept is not None
        assert kept.value["votes"] == 24
        assert figuring.due(session) == []
        assert session.get_one(Figure, 1).name == figure_queries.REFRESH
    chores.end()


def test_a_worker_runs_the_checks_that_somebody_started_on_the_page(house: Runtime) -> None:
    """In a real child process; what one worker left half done is due again."""
    with house.database.writing() as session:
        project = a_project(session)
        lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        a_record(session, project, prompt="Hello?", answer="Write to<br>ann@example.org")
        session.commit()
        run = cleaning.ask(session=session, actor=lead, project_id=project.id or 0, checks=[Check.TEXT])
    chores = Chores(house, every=0.0)
    chores.look()
    assert not chores.idle
    until = time.monotonic() + 120
    while not chores.idle and time.monotonic() < until:
        time.sleep(0.2)
    with house.database.reading() as session:
        ended = session.get_one(CheckRun, run.id)
        assert (ended.status, ended.done, ended.found) == (JobStatus.SUCCEEDED, 1, {"markup": 1})
        assert cleaning.due(session) == []
    chores.end()
