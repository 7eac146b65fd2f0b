"""The page Data bias: what stands out is said in words, pairs are shown, mitigations are previewed, applied and undone."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import col, select
from streamlit.testing.v1 import AppTest

from backend.access.actors import Actor
from backend.runtime import Runtime
from backend.store.curation import Mitigation
from backend.store.records import Project, Record, RecordRevision
from backend.vocabulary import MadeBy, MitigationKind, RecordStatus, Role
from tests.factories import a_person, a_project, a_record
from tests.pages.desk import opened, words

SORRY, HELPS = "Sorry, I can't help with that.", "Of course. The chair ships to you on Monday, with all of its parts."


@pytest.fixture
def lead(house: Runtime) -> Actor:
    with house.database.writing() as session:
        project = a_project(session, "home")
        actor = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        session.commit()
        return actor


@pytest.fixture
def records(house: Runtime, lead: Actor) -> None:
    """Mails are mostly refused, calls mostly not; a wife and a husband ask the same and get unlike answers."""
    asked = [
        (f"Where is chair {number}?", SORRY if (number % 2) ^ (number % 10 < 2) else HELPS, "mail" if number % 2 else "phone")
        for number in range(60)
    ]
    asked += [("My wife wants the red chair", HELPS, "phone"), ("My husband wants the red chair", SORRY, "mail")]
    with house.database.writing() as session:
        project = session.exec(select(Project)).one()
        for prompt, answer, channel in asked:
            record = a_record(session, project, prompt=prompt, answer=answer, slices={"channel": channel})
            revision = session.exec(select(RecordRevision).where(RecordRevision.record_id == record.id)).one()
            record.status, record.approved_revision_id = RecordStatus.APPROVED, revision.id
        session.commit()


def on(house: Runtime, lead: Actor, tab: str) -> AppTest:
    page = opened(house, lead, "fairness")
    page.session_state["fairness-tab"] = tab
    return page.run()


def press(page: AppTest, label: str) -> AppTest:
    button: Any = next(button for button in page.button if button.label == label)
    return button.click().run()


@pytest.mark.parametrize("tab", ["Audit", "Counterfactuals", "Mitigations"])
def test_without_records_every_part_says_what_to_do(house: Runtime, lead: Actor, tab: str) -> None:
    page = on(house, lead, tab)
    assert not page.exception
    assert [note for note in page.info if "no records" in note.value or "none yet" in note.value]


def test_what_stands_out_is_said_in_words_and_every_measure_can_be_drawn(house: Runtime, lead: Actor, records: None) -> None:
    page = on(house, lead, "Audit")
    assert not page.exception
    assert "answers refuse more often than in the rest" in page.warning[0].value
    assert "What this cannot tell" in words(page)
    page.session_state["audit-behind"] = True
    for measure in page.selectbox(key="audit-measure").options:
        page.selectbox(key="audit-measure").select(measure).run()
        assert not page.exception
        assert page.dataframe
    page.selectbox(key="audit-key").select("gender (mentioned in the question)").run()
    assert not page.exception


def test_a_pair_that_is_answered_unlike_is_shown_and_a_record_has_its_variants(
    house: Runtime, lead: Actor, records: None
) -> None:
    page = on(house, lead, "Counterfactuals")
    assert not page.exception
    assert "1 of 1 pairs" in page.warning[0].value.replace("\\", "")
    assert "only the second answer refuses" in page.selectbox(key="probe-pair").options[0]
    assert page.number_input(key="probe-record").value == 61
    assert [one.label for one in page.expander if "women ↔ men" in one.label]
    page.number_input(key="probe-record").set_value(1).run()
    assert any("names nobody" in note.value for note in page.info)


def test_a_lead_previews_applies_and_undoes_weights(house: Runtime, lead: Actor, records: None) -> None:
    page = press(on(house, lead, "Mitigations"), "Preview")
    assert not page.exception
    assert any("records would count differently" in line.value for line in page.text)
    with house.database.reading() as session:
        assert not session.exec(select(Mitigation)).all()
    page.text_input(key="mitigation-reason").set_value("Mails are refused")
    page = press(page, "Apply")
    assert not page.exception
    with house.database.reading() as session:
        assert session.exec(select(Mitigation)).one().reason == "Mails are refused"
        assert session.exec(select(Record).where(Record.weight != 1)).all()
    page = press(page, "Undo")
    assert not page.exception
    with house.database.reading() as session:
        assert not session.exec(select(Record).where(Record.weight != 1)).all()
    assert any("undone" in one.label for one in page.expander)


@pytest.mark.parametrize("kind", [MitigationKind.RESAMPLING, MitigationKind.COUNTERFACTUALS])
def test_the_other_mitigations_are_previewed_and_applied(
    house: Runtime, lead: Actor, records: None, kind: MitigationKind
) -> None:
    page = on(house, lead, "Mitigations")
    page.session_state["mitigation-kind"] = kind
    page = page.run()
    if kind is MitigationKind.RESAMPLING:
        page.selectbox(key="mitigation-group").select("mentions:gender").run()
    page = press(press(page, "Preview"), "Apply")
    assert not page.exception
    assert not page.error
    with house.database.reading() as session:
        made = session.exec(select(Record).where(Record.made_by == MadeBy.COUNTERFACTUAL)).all()
        repeated = session.exec(select(Record).where(col(Record.copies) > 1)).all()
    assert bool(made) == (kind is MitigationKind.COUNTERFACTUALS)
    assert bool(repeated) == (kind is MitigationKind.RESAMPLING)


def test_target_shares_are_typed_and_a_wrong_one_is_told_in_words(house: Runtime, lead: Actor, records: None) -> None:
    page = on(house, lead, "Mitigations")
    page.session_state["mitigation-kind"] = MitigationKind.RESAMPLING
    page = page.run()
    page.selectbox(key="mitigation-how").select("shares").run()
    page.text_input(key="mitigation-shares").set_value("mail: 3").run()
    assert any("group=number" in error.value.replace("\\", "") for error in page.error)
    page.text_input(key="mitigation-shares").set_value("mail=3, phone=1").run()
    page = press(press(page, "Preview"), "Apply")
    assert not page.exception
    with house.database.reading() as session:
        held = session.exec(select(Record)).all()
        assert sum(record.copies for record in held if record.slices["channel"] == "mail") == 46
        assert sum(record.copies for record in held) == 62


def test_experts_do_not_see_the_page(house: Runtime, lead: Actor) -> None:
    with house.database.writing() as session:
        expert = a_person(session, "e@example.org", project=session.exec(select(Project)).one(), role=Role.EXPERT)
        session.commit()
    with pytest.raises(ValueError, match="fairness"):
        opened(house, expert, "fairness")
