"""The page Grow, as a lead sees it."""

from __future__ import annotations

import pytest
from sqlmodel import select

from backend.access.actors import Actor
from backend.runtime import Runtime
from backend.store.records import Record, Source
from backend.vocabulary import MadeBy, Role, SourcePurpose
from tests.backend.datasets.conftest import approve
from tests.factories import a_person, a_project, a_record
from tests.pages.desk import opened, words


@pytest.fixture
def people(house: Runtime) -> tuple[Actor, Actor]:
    with house.database.writing() as session:
        project = a_project(session)
        source = Source(project_id=project.id or 0, name="chats <b>.csv", content_hash="1")
        session.add(source)
        session.flush()
        for number in range(6):
            record = approve(session, a_record(session, project, prompt=f"How do I return order {number}0?", answer="So."))
            record.source_id = source.id
            session.add(record)
        lead = a_person(session, "lead@shop.test", project=project, role=Role.LEAD)
        expert = a_person(session, "expert@shop.test", project=project, role=Role.EXPERT)
        session.commit()
    return lead, expert


def test_a_lead_looks_adds_and_takes_back(house: Runtime, people: tuple[Actor, Actor]) -> None:
    page = opened(house, people[0], "growing")
    assert not page.exception
    assert "Nothing yet." in words(page)
    page.number_input(key="growing_most").set_value(4)
    page.button_group(key="growing_method").set_value(MadeBy.TYPOS).run()
    page.button(key="growing_look").click().run()
    assert not page.exception
    assert "4 texts from 4 records. Nothing is stored yet." in words(page)
    with house.database.reading() as session:
        assert len(session.exec(select(Record)).all()) == 6
    page.text_input(key="growing_name").input("slips <script>")
    page.button(key="growing_add").click().run()
    assert not page.exception
    assert "4 synthetic records wait for review" in words(page)
    with house.database.reading() as session:
        made = session.exec(select(Record).where(Record.made_by == MadeBy.TYPOS)).all()
        assert len(made) == 4
        source_id = made[0].source_id
    assert "slips \\<script\\>" in words(page)
    page.button(key=f"growing_undo_{source_id}").click().run()
    assert "4 synthetic records were taken back" in words(page)
    with house.database.reading() as session:
        assert len(session.exec(select(Record)).all()) == 6


def test_the_purpose_of_an_import_is_set(house: Runtime, people: tuple[Actor, Actor]) -> None:
    page = opened(house, people[0], "growing")
    (source_id,) = [key for key in range(1, 3) if f"purpose_{key}_own" in page.session_state]
    page.button_group(key=f"purpose_{source_id}_own").set_value(SourcePurpose.GENERAL).run()
    page.button(key="purpose_save").click().run()
    assert not page.exception
    with house.database.reading() as session:
        assert session.get_one(Source, source_id).purpose is SourcePurpose.GENERAL
    assert "No approved record of people's own fits this" in words(page)


def test_without_an_engine_no_model_can_be_asked_and_experts_do_not_grow(house: Runtime, people: tuple[Actor, Actor]) -> None:
    page = opened(house, people[0], "growing")
    page.button_group(key="growing_method").set_value(MadeBy.MODEL).run()
    assert "No engine answers now" in words(page)
    assert page.button(key="growing_look").disabled


def test_a_synthetic_record_says_what_it_was_made_of(house: Runtime, people: tuple[Actor, Actor]) -> None:
    from backend.conversations import Message
    from backend.curation.synthesis import add_synthetic

    with house.database.writing() as session:
        ids = [record.id or 0 for record in session.exec(select(Record).order_by(Record.id))]  # type: ignore[arg-type]
        said = [Message("user", "Joined?"), Message("assistant", "So.")]
        (made,) = add_synthetic(session=session, actor=people[0], project_id=1, drafts=[(ids[2], said)], made_by=MadeBy.JOINED,
                                name="j", made_with=[[ids[0]]])  # fmt: skip
        session.commit()
    page = opened(house, people[1], "records")
    page.query_params["record"] = str(made)
    page.run()
    assert f"Synthetic: joined from records {ids[0]}, {ids[2]}" in words(page)


def test_joined_conversations_are_shown_with_all_that_is_asked_in_them(house: Runtime, people: tuple[Actor, Actor]) -> None:
    page = opened(house, people[0], "growing")
    page.button_group(key="growing_method").set_value(MadeBy.JOINED).run()
    assert not page.exception
    page.button(key="growing_look").click().run()
    assert not page.exception
    assert "Joined into longer conversations: 6 texts from 6 records." in words(page)
    shown = page.dataframe[0].value
    assert all(made.count("How do I return order") in (2, 3) for made in shown["Made"])
