from __future__ import annotations

import pytest

from backend.evaluation import figure_queries, figuring
from backend.runtime import Runtime
from backend.store.work import Slot
from tests.backend.evaluation.scene import a_scene, compared, evaluated
from tests.pages.desk import opened, words


def test_a_lead_sees_what_is_done_by_task_and_rater_and_what_is_missing_for_a_forecast(house: Runtime) -> None:
    with house.database.writing() as session:
        scene = a_scene(session)
        task = compared(session, scene, evaluated(session, scene))
        session.add(Slot(task_id=task.id or 0, item_id=1, number=3))
        session.commit()
    page = opened(house, scene.lead, "progress")
    assert not page.exception
    assert not page.error
    assert [metric.value for metric in page.metric] == ["0", "0%", "1", "–"]
    assert "Not enough yet" in words(page)
    assert page.dataframe[0].value["still wanted"].tolist() == [1]
    page.session_state["progress-raters-behind"] = True
    frame = page.run().dataframe[-1].value
    assert frame["rater"].tolist() == [rater.label for rater in scene.raters]
    assert frame["answers"].tolist() == [12, 12]


def test_without_a_task_it_says_what_to_do_and_raters_do_not_see_it(house: Runtime) -> None:
    with house.database.writing() as session:
        scene = a_scene(session)
        session.commit()
    assert "no task with items" in opened(house, scene.lead, "progress").info[0].value


@pytest.mark.parametrize("name", ["results", "slices", "progress", "dashboard"])
def test_with_many_judgements_pages_show_what_is_kept_with_its_age(
    house: Runtime, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(figure_queries, "LIVE_MOST", 3)
    with house.database.writing() as session:
        scene = a_scene(session)
        compared(session, scene, evaluated(session, scene))
        session.commit()
    page = opened(house, scene.lead, name)
    assert not page.exception
    assert any("first figures come soon" in info.value for info in page.info)
    page.button(key="figures-ask").click().run()
    assert "begins soon" in words(page)
    assert figuring.refresh(house.database, project_id=scene.project_id, holder="worker") is not None
    page.run()
    assert not page.exception
    assert not page.error
    assert "0 judgements later" in words(page)
