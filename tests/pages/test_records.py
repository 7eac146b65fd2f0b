"""The records page: filters, one record in full, bulk decisions for leads, hostile text."""

from __future__ import annotations

import pytest
from sqlmodel import col, select
from streamlit.testing.v1 import AppTest

from backend.runtime import Runtime
from backend.store.records import Faq, FaqCitation, FaqRevision, Record, RecordRevision
from backend.vocabulary import RecordStatus, Role
from tests.pages.test_review import HOSTILE, a_shop, open_page, press, shown, statuses, words_of


def open_records(token: str, **query: str) -> AppTest:
    at = open_page(token, "records")
    for key, value in query.items():
        at.query_params[key] = value
    at.run()
    assert not at.exception
    return at


def submit(at: AppTest, label: str) -> AppTest:
    """Press the button of a form, which comes after the popover's with the same words."""
    [found for found in at.button if found.label == label][-1].click().run()
    assert not at.exception
    return at


def notice(at: AppTest) -> str:
    return str(at.session_state["notices"][-1][1])


def listed(at: AppTest) -> list[int]:
    return [int(number) for number in at.dataframe[0].value["id"]]


def test_the_list_is_narrowed_by_each_filter(house: Runtime) -> None:
    _, token = a_shop(house, "first", "second", "mail joe.miller@example.org")
    at = open_records(token)
    assert listed(at) == [1, 2, 3]
    at.text_input(key="records-text").set_value("SECOND").run()
    assert listed(at) == [2]
    at.text_input(key="records-text").set_value("").run()
    at.selectbox(key="records-finding").select("email").run()
    assert listed(at) == [3]
    at.multiselect(key="records-status").set_value([RecordStatus.APPROVED]).run()
    assert "No record fits" in at.info[0].value
    at.multiselect(key="records-status").set_value([]).run()
    at.selectbox(key="records-finding").select("").run()
    at.selectbox(key="records-slice").select("channel").run()
    at.selectbox(key="records-value-channel").select("first").run()
    assert not at.exception
    assert listed(at) == [1]


def test_an_address_opens_a_record_and_only_one_of_this_project(house: Runtime) -> None:
    _, token = a_shop(house, "first", "second")
    assert "About second" in words_of(open_records(token, record="2"))
    assert "no such record" in open_records(token, record="99").error[0].value
    assert not open_records(token, record="1 OR 1=1").error


def test_a_record_is_commented_linked_restored_and_withdrawn(house: Runtime) -> None:
    project, token = a_shop(house, "first")
    with house.database.writing() as session:
        faq = Faq(project_id=project.id or 0, key="wool")
        session.add(faq)
        session.flush()
        session.add(FaqRevision(faq_id=faq.id or 0, number=1, question="Is it wool?", answer="Yes."))
        record = session.get_one(Record, 1)
        record.head = 2
        messages = [{"role": "user", "content": "first"}, {"role": "assistant", "content": "Changed"}]
        session.add(RecordRevision(record_id=1, number=2, messages=messages, content_hash="1" * 64, based_on=1))
        record.content_hash = "1" * 64
        record.status = RecordStatus.APPROVED
        session.commit()
    at = open_records(token, record="1")
    at.text_area(key="remark-text-1").set_value("Look at the price")
    submit(at, "Comment")
    assert "Look at the price" in words_of(at)
    submit(at, "Link")
    with house.database.reading() as session:
        assert session.exec(select(FaqCitation.record_id)).all() == [1]
    submit(at, "Restore")
    assert "Please give a reason" in notice(at)
    at.text_input(key="restore-why-1").set_value("The first was right")
    submit(at, "Restore")
    with house.database.reading() as session:
        newest = session.exec(select(RecordRevision).order_by(col(RecordRevision.number).desc())).first()
        assert newest is not None
        assert (newest.number, newest.messages[-1]["content"]) == (3, "About first")
    press(open_page(token), "Approve")
    at = open_records(token, record="1")
    at.text_input(key="withdraw-why-1").set_value("Prices changed")
    submit(at, "Withdraw")
    assert statuses(house) == ["pending"]


def test_a_lead_decides_on_the_whole_list_after_seeing_the_count(house: Runtime) -> None:
    _, token = a_shop(house, "first", "second", "mail joe.miller@example.org", role=Role.LEAD)
    at = open_records(token)
    at.button_group(key="bulk-decision").set_value("approve").run()
    assert "2 of 3 will be approved. 1 hold personal data" in words_of(at)
    press(at, "Approve 2 records")
    assert "Please give a reason" in notice(at)
    at.text_input(key="bulk-reason").set_value("Checked with the shop").run()
    press(at, "Approve 2 records")
    assert statuses(house) == ["approved", "approved", "pending"]
    assert "2 records are approved" in notice(at)


@pytest.mark.parametrize("role", [Role.EXPERT, Role.RATER])
def test_only_a_lead_sees_the_bulk_decision_and_a_rater_sees_no_record(house: Runtime, role: Role) -> None:
    _, token = a_shop(house, "first", role=role)
    at = open_records(token)
    assert not at.expander
    assert not at.get("download_button")
    assert bool(at.dataframe) is (role is Role.EXPERT)
    assert bool(at.warning) is (role is Role.RATER)


def test_hostile_text_is_only_ever_shown_as_text(house: Runtime) -> None:
    _, token = a_shop(house, HOSTILE, role=Role.LEAD)
    at = open_records(token, record="1")
    at.text_area(key="remark-text-1").set_value(HOSTILE)
    submit(at, "Comment")
    assert "<script>" in words_of(at)
    for sign in ("<script>", "![x]", "$$x"):
        assert sign not in shown(at)


def test_an_empty_project_says_where_records_come_from(house: Runtime) -> None:
    _, token = a_shop(house)
    assert "There is no record yet" in open_records(token).info[0].value
