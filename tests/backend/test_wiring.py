from __future__ import annotations

import time

from backend.evaluation import figure_queries, figuring
from backend.runtime import Runtime
from backend.store.work import Figure
from backend.wiring import Chores
from tests.backend.evaluation.scene import a_scene, compared, evaluated


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
