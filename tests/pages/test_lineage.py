from __future__ import annotations

from backend.runtime import Runtime
from backend.vocabulary import Stage
from tests.backend.evaluation.scene import a_scene
from tests.backend.evaluation.test_lineage import withdraw
from tests.pages.desk import opened, words


def test_a_withdrawn_approval_shows_the_current_version_that_learned_from_it(house: Runtime) -> None:
    with house.database.writing() as session:
        scene = a_scene(session)
        withdraw(session, scene, scene.records[0])
        scene.candidate.stage = Stage.CURRENT
        session.commit()
    page = opened(house, scene.lead, "lineage")
    assert not page.exception
    assert "Version 1 is current and learned from records whose approval was withdrawn since: 1" in words(page).replace(
        "\\", ""
    )
    page.text_input(key="lineage_text").input("Question 0?").run()
    assert not page.exception
    assert "The way of record 1" in words(page)
    assert "rests on a withdrawn approval" in words(page)


def test_a_version_is_followed_back(house: Runtime) -> None:
    with house.database.writing() as session:
        scene = a_scene(session)
        session.commit()
    page = opened(house, scene.lead, "lineage")
    page.segmented_control(key="lineage_way").select("Look into a version").run()
    assert not page.exception
    facts = page.dataframe[0].value
    assert "0" * 64 in list(facts["value"])
    page.selectbox(key="lineage_version").select_index(1).run()
    assert "a base model as it is" in words(page)


def test_a_search_without_a_hit_says_so(house: Runtime) -> None:
    with house.database.writing() as session:
        scene = a_scene(session)
        session.commit()
    page = opened(house, scene.lead, "lineage")
    page.text_input(key="lineage_text").input("'; DROP TABLE record; --").run()
    assert "No record fits" in words(page)
