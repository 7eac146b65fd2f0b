from __future__ import annotations

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from backend.access.sessions import COOKIE, open_session
from backend.runtime import Runtime
from backend.store.models import Snapshot
from backend.vocabulary import FindingKind, SnapshotKind
from tests.backend.datasets.conftest import Shop, approve
from tests.factories import a_record
from tests.pages.desk import ENTRY, opened, words

HOSTILE = "<script>alert(1)</script> ![x](http://evil.example/x.png) :red[hi]"


@pytest.fixture
def shop(house: Runtime) -> Shop:
    made = Shop(house.database, house.settings.data)
    made.settings = house.settings
    return made


def frozen(house: Runtime) -> list[Snapshot]:
    with house.database.reading() as session:
        return list(session.exec(select(Snapshot)))


def test_an_empty_project_is_told_what_comes_first(house: Runtime, shop: Shop) -> None:
    page = opened(house, shop.lead, "snapshots")
    assert not page.exception
    assert "No approved record can be frozen yet" in words(page)
    assert "No snapshot yet" in words(page)


def test_a_lead_freezes_and_looks_into_what_was_frozen(house: Runtime, shop: Shop) -> None:
    shop.fill(10)
    page = opened(house, shop.lead, "snapshots")
    assert [metric.value for metric in page.metric[:3]] == ["10", "0", "0"]
    page.text_input(key="snapshot_name").input(HOSTILE)
    page.number_input(key="snapshot_train").set_value(60)
    page.number_input(key="snapshot_test").set_value(30)
    page.button(key="FormSubmitter:freeze-Freeze").click().run()
    assert not page.exception
    assert "Snapshot 1 is frozen with 10 records" in words(page)
    assert HOSTILE not in words(page)
    (made,) = frozen(house)
    assert (made.name, made.manifest["counts"]) == (HOSTILE, {"train": 6, "validation": 1, "test": 3})
    page.button(key=f"snapshot_check_{made.id}").click().run()
    assert "byte for byte" in words(page)
    page.selectbox(key="export_form").select("alpaca").run()
    page.button(key=f"export_make_{made.id}").click().run()
    assert not page.exception
    assert page.get("download_button")[-1].proto.label == "Download 10 rows"


def test_shares_that_do_not_add_up_freeze_nothing_and_say_why(house: Runtime, shop: Shop) -> None:
    shop.fill(5)
    page = opened(house, shop.lead, "snapshots")
    page.number_input(key="snapshot_test").set_value(50)
    page.button(key="FormSubmitter:freeze-Freeze").click().run()
    assert "add up to 1" in words(page)
    assert frozen(house) == []


def test_records_with_personal_data_are_named_and_can_be_left_out(house: Runtime, shop: Shop) -> None:
    from backend.store.records import Finding, Record

    ids = shop.fill(5)
    with house.database.writing() as session:
        revision_id = session.get_one(Record, ids[0]).approved_revision_id or 0
        given = {"project_id": shop.project_id, "record_id": ids[0], "revision_id": revision_id, "kind": FindingKind.PHONE}
        session.add(Finding(**given, detector="test", version="1"))
        session.commit()
    page = opened(house, shop.lead, "snapshots")
    assert f"leave them out: {ids[0]}." in words(page)
    page.button(key="FormSubmitter:freeze-Freeze").click().run()
    assert "hold personal data" in words(page)
    page.checkbox(key="snapshot_leave_out").check()
    page.button(key="FormSubmitter:freeze-Freeze").click().run()
    assert [made.manifest["rows"] for made in frozen(house)] == [4]
    assert f"Left out, personal data: 1 records: {ids[0]}" in words(page)


def test_two_snapshots_are_compared_and_a_changed_file_is_told(house: Runtime, shop: Shop) -> None:
    shop.fill(6)
    page = opened(house, shop.lead, "snapshots")
    page.button(key="FormSubmitter:freeze-Freeze").click().run()
    with house.database.writing() as session:
        approve(session, a_record(session, shop.project, prompt="Anything new?", answer=HOSTILE))
        session.commit()
    page.button(key="FormSubmitter:freeze-Freeze").click().run()
    assert not page.exception
    assert {metric.label: metric.value for metric in page.metric}["Added"] == "1"
    assert HOSTILE not in words(page)
    newest = frozen(house)[-1]
    path = house.settings.snapshots / newest.folder / "train.jsonl"
    path.chmod(0o644)
    path.write_text("")
    page.button(key=f"snapshot_check_{newest.id}").click().run()
    assert "is not what was frozen" in words(page)


def test_a_rater_opens_none_of_these_pages(house: Runtime, shop: Shop) -> None:
    with house.database.writing() as session:
        token = open_session(session, account_id=shop.rater.account_id or 0, hours=1)
        session.commit()
    for name in ("snapshots", "training", "jobs"):
        alone = AppTest.from_file(ENTRY.parent / f"{name}.py", default_timeout=90)
        alone.session_state[COOKIE] = token
        alone.run()
        assert "Your role does not open this page" in words(alone)
        assert not alone.button


def test_a_lead_freezes_what_people_preferred_and_is_told_what_it_is_made_of(house: Runtime) -> None:
    from backend.vocabulary import TaskKind
    from tests.backend.datasets.test_labelling import a_desk

    desk = a_desk(house.database, TaskKind.COMPARE, items=5, overlap=1)
    page = opened(house, desk.people["lead"], "snapshots")
    page.session_state["snapshot_kind"] = SnapshotKind.PREFERENCES
    page.run()
    assert "Make a comparison task" in words(page)
    list(desk.rate_all())
    page.run()
    assert not page.exception
    assert [metric.value for metric in page.metric[:3]] == ["5", "5", "0"]
    page.button(key="FormSubmitter:freeze-Freeze").click().run()
    assert not page.exception
    assert "Snapshot 1 is frozen with 5 rows" in words(page)
    (made,) = frozen(house)
    assert made.manifest["kind"] == "preferences"
    assert "Made of 5 annotations" in words(page)
    page.button(key=f"export_make_{frozen(house)[0].id}").click().run()
    assert not page.exception
    assert page.get("download_button")[-1].proto.label == "Download 5 rows"


def test_metadata_that_names_a_class_is_offered_and_thumbs_need_ratings(house: Runtime, shop: Shop) -> None:
    shop.fill(6)
    page = opened(house, shop.lead, "snapshots")
    page.session_state["snapshot_kind"] = SnapshotKind.LABELS
    page.run()
    assert page.selectbox(key="snapshot_label").options == ["The records' metadata: language"]
    page.button(key="FormSubmitter:freeze-Freeze").click().run()
    assert not page.exception
    assert [made.manifest["classes"] for made in frozen(house)] == [{"en": 3, "es": 3}]
    page.session_state["snapshot_kind"] = SnapshotKind.THUMBS
    page.run()
    assert not page.exception
    assert "Make a rating task" in words(page)


def test_general_talk_is_offered_where_there_is_some_and_uncompared_records_hold_it_up(house: Runtime, shop: Shop) -> None:
    from backend.store.records import Record, Source
    from backend.vocabulary import SourcePurpose

    ids = shop.fill(12)
    with house.database.writing() as session:
        source = Source(project_id=shop.project_id, name="talk", content_hash="t", purpose=SourcePurpose.GENERAL)
        session.add(source)
        session.flush()
        for record_id in ids[:2]:
            session.get_one(Record, record_id).source_id = source.id
        session.get_one(Record, ids[5]).compared = False
        session.commit()
    page = opened(house, shop.lead, "snapshots")
    assert page.metric[0].value == "10"
    assert "1 approved records have not been compared for near duplicates" in words(page)
    page.button(key="FormSubmitter:freeze-Freeze").click().run()
    assert "Clean first" in words(page)
    assert frozen(house) == []
    with house.database.writing() as session:
        session.get_one(Record, ids[5]).compared = True
        session.commit()
    page.number_input(key="snapshot_general").set_value(20)
    page.button(key="FormSubmitter:freeze-Freeze").click().run()
    assert not page.exception
    assert frozen(house)[0].manifest["general"] == {"share": 0.2, "seed": 0, "available": 2, "taken": 2}
    assert "General talk in train: 2 of 2 rows, for a share of 20% drawn by seed 0." in words(page)
