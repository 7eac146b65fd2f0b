"""The Topics page: what it teaches, what a lead does there, what experts see, coverage."""

from __future__ import annotations

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from backend.access.actors import Actor
from backend.curation.clustering import find_topics, topics_of
from backend.detectors.topics import SLICE
from backend.runtime import Runtime
from backend.store.curation import CheckRun
from backend.store.records import Project, Record
from backend.vocabulary import Role
from tests.backend.curation.test_clustering import filled
from tests.backend.curation.test_coverage import a_chat
from tests.factories import a_person, a_project, a_record
from tests.pages.desk import opened, words


@pytest.fixture
def lead(house: Runtime) -> Actor:
    """A lead of a project whose topics were found."""
    with house.database.writing() as session:
        project = filled(session)
        actor = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        find_topics(session=session, project_id=project.id or 0, tell=lambda share, words: None)
        session.commit()
        return actor


def keyed(page: AppTest, prefix: str) -> str:
    """The one key of a button that begins so."""
    return next(str(button.key) for button in page.button if str(button.key).startswith(prefix))


def test_an_empty_project_is_told_what_to_bring(house: Runtime) -> None:
    with house.database.writing() as session:
        project = a_project(session)
        a_record(session, project, prompt="Where?", answer="There.")
        actor = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        session.commit()
    page = opened(house, actor, "topics")
    assert not page.exception
    assert "at least 20 records" in words(page)
    assert not page.button


def test_a_lead_starts_the_search_and_an_expert_is_told_who_can(house: Runtime) -> None:
    with house.database.writing() as session:
        project = filled(session)
        lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
        session.commit()
    page = opened(house, expert, "topics")
    assert "A lead of the project" in words(page)
    assert not page.button
    page = opened(house, lead, "topics")
    page.button(key="topics-find").click().run()
    assert not page.exception
    assert not page.error
    with house.database.reading() as session:
        assert session.exec(select(CheckRun)).one().checks == ["topics"]
        assert "topics" not in session.exec(select(Project)).one().settings
    assert not [button for button in page.button if button.key == "topics-find"]


def test_topics_are_listed_and_renamed_and_the_records_follow(house: Runtime, lead: Actor) -> None:
    page = opened(house, lead, "topics")
    assert not page.exception
    table = page.dataframe[0].value
    assert table["records"].sum() == 160
    name = str(table["topic"].iloc[0])
    page.selectbox(key="topic-chosen").select(name).run()
    assert not page.exception
    key = keyed(page, "topic-rename-")
    page.text_input(key=key.replace("rename", "name")).set_value("Money back")
    page.button(key=key).click().run()
    assert not page.exception
    assert any("Money back" in note.value for note in page.success)
    assert "Money back" in page.dataframe[0].value["topic"].tolist()
    with house.database.reading() as session:
        held = {str(record.slices[SLICE]) for record in session.exec(select(Record))}
    assert "Money back" in held
    assert name not in held


def test_topics_are_merged_and_split_again_and_found_anew_with_a_number(house: Runtime, lead: Actor) -> None:
    page = opened(house, lead, "topics")
    before = len(page.dataframe[0].value)
    page.selectbox(key="topic-chosen").select_index(0).run()
    page.button(key=keyed(page, "topic-merge-")).click().run()
    assert not page.exception
    assert len(page.dataframe[0].value) == before - 1
    page.button(key=keyed(page, "topic-split-")).click().run()
    assert not page.exception
    assert len(page.dataframe[0].value) == before
    page.toggle(key="topics-own").set_value(True).run()
    page.slider(key="topics-count").set_value(7)
    page.button(key="topics-anew").click().run()
    assert not page.exception
    with house.database.reading() as session:
        assert session.exec(select(Project)).one().settings["topics"] == {"count": 7, "model": "", "anew": True}


def test_an_expert_sees_topics_and_coverage_but_changes_nothing(house: Runtime, lead: Actor) -> None:
    with house.database.writing() as session:
        project = session.exec(select(Project)).one()
        expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
        refund = next(row for row in topics_of(session, project.id or 0) if "refund" in row.terms[0])
        for _ in range(30):
            a_chat(session, project, "Where is my refund for the lamp :red[x]?")
        session.commit()
    page = opened(house, expert, "topics")
    page.selectbox(key="topic-chosen").select(refund.name).run()
    assert not [button for button in page.button if str(button.key).startswith("topic")]
    page.session_state["topics-tab"] = "Coverage"
    page.run()
    assert not page.exception
    said = words(page)
    assert "newest 30 chats" in said
    assert f"{refund.name}: 20 more approved records needed" in said
    page.number_input(key="coverage-target").set_value(5).run()
    assert not page.exception
    assert f"{refund.name}: 5 more approved records needed" in words(page)


def test_without_chats_coverage_is_by_the_target_and_says_so(house: Runtime, lead: Actor) -> None:
    page = opened(house, lead, "topics")
    page.session_state["topics-tab"] = "Coverage"
    page.run()
    assert not page.exception
    assert any("No chats have come in yet" in note.value for note in page.info)


def test_a_detected_slice_is_named_as_such_in_the_record_filter(house: Runtime, lead: Actor) -> None:
    page = opened(house, lead, "records")
    assert "topic (detected)" in page.selectbox(key="records-slice").options
