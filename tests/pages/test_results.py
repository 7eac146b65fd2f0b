from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from backend.access.sessions import COOKIE, open_session
from backend.runtime import Runtime
from tests.backend.evaluation.scene import a_scene, compared, evaluated
from tests.factories import a_person

TABS, HEADS, EXAMPLES = "models-2-0", ":material/balance: One against one", ":material/chat: Examples"
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


def on_tab(page: AppTest, tab: str) -> AppTest:
    page.session_state[TABS] = tab
    return page.run()


def test_a_lead_sees_who_is_stronger_and_whether_side_or_length_decided(house: Runtime) -> None:
    page = a_page(house)
    assert not page.exception
    assert "ties as half wins" in page.caption[0].value
    said = [element.value for element in (*page.info, *page.warning)]
    assert [text.split(" \\(")[0] for text in said] == ["Left won 17%", "The longer answer won 17%"]
    page.session_state["leaderboard-behind"] = True
    frame = page.run().dataframe[0].value
    assert frame["version"].tolist() == ["1 · Version 1", "0 · touchstone-mini"]
    assert frame["win rate"].round(2).tolist() == [0.83, 0.17]


def test_one_against_one_shows_the_win_rate_and_its_interval(house: Runtime) -> None:
    page = on_tab(a_page(house), HEADS)
    assert not page.exception
    assert [metric.value for metric in page.metric] == ["83%", "100%", "20", "4", "0", "0"]
    assert any("95% interval 55% to 95% (Wilson), over 12 questions" in text.value for text in page.text)


def test_examples_show_both_answers_as_text(house: Runtime) -> None:
    page = on_tab(a_page(house), EXAMPLES)
    assert not page.exception
    assert {code.value for code in page.code} >= {"I do not know."}
    page.segmented_control(key="examples-outcome").select("lost").run()
    assert not page.exception
    assert len(page.code) == 4


def test_without_answers_the_page_says_what_to_do(house: Runtime) -> None:
    page = a_page(house, judged=False)
    assert not page.exception
    assert "Nobody has rated" in page.info[0].value


@pytest.mark.parametrize("name", ["results", "slices"])
@pytest.mark.parametrize("who", ["rater", "expert", "stranger"])
def test_only_leads_see_what_others_answered(house: Runtime, name: str, who: str) -> None:
    page = a_page(house, name, who=who)
    assert not page.exception
    assert (len(page.metric), len(page.dataframe), len(page.selectbox)) == (0, 0, 0)
