from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from backend.access.sessions import COOKIE, open_session
from backend.runtime import Runtime
from backend.store.work import Task
from backend.vocabulary import TaskKind, TaskStatus
from tests.backend.evaluation.scene import a_scene, compared, evaluated
from tests.factories import a_person

PAGES = Path(__file__).parents[2] / "pages"


def a_page(house: Runtime, name: str = "results", *, who: str = "lead", judged: bool = True, answered: bool = True) -> AppTest:
    with house.database.writing() as session:
        scene = a_scene(session, tested=12)
        if answered:
            evaluation = evaluated(session, scene, exact=10)
            if judged:
                compared(session, scene, evaluation, lost=2)
        actor = {"lead": scene.lead, "rater": scene.raters[0], "expert": scene.expert}.get(who)
        actor = actor or a_person(session, "stranger@example.org")
        token = open_session(session, account_id=actor.account_id or 0, hours=1)
        session.commit()
    page = AppTest.from_file(str(PAGES / f"{name}.py"), default_timeout=90)
    page.session_state[COOKIE] = token
    return page.run()


def tasks(house: Runtime) -> list[Task]:
    with house.database.reading() as session:
        return list(session.exec(select(Task).order_by(Task.id)))  # type: ignore[arg-type]


def test_a_lead_sees_the_win_rate_its_interval_and_the_position_bias(house: Runtime) -> None:
    page = a_page(house)
    assert not page.exception
    assert [metric.value for metric in page.metric] == ["83%", "20", "4", "0", "0"]
    assert any("95% interval 55% to 95% (Wilson), over 12 questions" in text.value for text in page.text)
    assert "Left won" in page.warning[0].value


def test_without_answers_the_page_says_what_to_do(house: Runtime) -> None:
    page = a_page(house, judged=False)
    assert not page.exception
    assert "Nobody has rated" in page.info[0].value


@pytest.mark.parametrize(("kind", "items"), [(TaskKind.COMPARE, 12), (TaskKind.RATE, 24)])
def test_a_lead_makes_a_task_after_a_preview_and_pauses_it(house: Runtime, kind: TaskKind, items: int) -> None:
    page = a_page(house, "tasks", judged=False)
    page.selectbox(key="task-kind").select(kind).run()
    assert any(f"make {items} items and {items * 2} answers" in info.value for info in page.info)
    page.text_input(key="task-name").set_value("Spring").run()
    page.button(key="task-make").click().run()
    assert not page.exception
    (task,) = tasks(house)
    assert (task.kind, task.name, task.overlap) == (kind, "Spring", 2)
    page.button(key=f"paused-{task.id}").click().run()
    assert tasks(house)[0].status is TaskStatus.PAUSED
    page.button(key=f"closed-{task.id}").click().run()
    assert tasks(house)[0].status is TaskStatus.CLOSED


def test_without_an_evaluation_the_form_points_to_one(house: Runtime) -> None:
    page = a_page(house, "tasks", answered=False)
    assert not page.exception
    assert any("Run one first" in info.value for info in page.info)


@pytest.mark.parametrize("name", ["results", "slices"])
@pytest.mark.parametrize("who", ["rater", "expert", "stranger"])
def test_only_leads_see_what_others_answered(house: Runtime, name: str, who: str) -> None:
    page = a_page(house, name, who=who)
    assert not page.exception
    assert (len(page.metric), len(page.dataframe), len(page.selectbox)) == (0, 0, 0)
