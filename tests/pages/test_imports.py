"""The import page: a file is shown before it is taken, taken in the background, and what was found is dealt with there."""

from __future__ import annotations

import csv
import json
import time
from typing import Any

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from backend.access.actors import Actor
from backend.access.sessions import COOKIE, open_session
from backend.runtime import Runtime
from backend.store.accounts import Membership
from backend.store.records import Faq, Finding, Record, RejectedRow, Source
from backend.vocabulary import FindingStatus, RecordStatus, Role, SourcePurpose
from pages.components.visit import PROJECT_KEY
from tests.backend.intake.example_files import EXAMPLES, MAILS, Example, archive, letter, mailbox, word, workbook
from tests.backend.intake.test_every_format import check_what_came
from tests.factories import a_person, a_project
from tests.pages.desk import ENTRY, opened, words


@pytest.fixture
def lead(house: Runtime) -> Actor:
    with house.database.writing() as session:
        actor = a_person(session, "l@example.org", project=a_project(session, "home"), role=Role.LEAD)
        session.commit()
        return actor


@pytest.fixture
def app(house: Runtime, lead: Actor) -> AppTest:
    return opened(house, lead, "imports")


def upload(app: AppTest, name: str, content: bytes) -> AppTest:
    return app.file_uploader[0].set_value((name, content, "text/plain")).run()


def finish(app: AppTest, label: str = "Import") -> AppTest:
    """Press Import and wait for the end of it."""
    button(app, label).click().run()
    deadline = time.monotonic() + 30
    while not any(metric.label == "Rows in the file" for metric in app.metric) and not app.error:
        assert time.monotonic() < deadline, words(app)
        time.sleep(0.05)
        app.run()
    return app


def button(app: AppTest, label: str) -> Any:
    return next(one for one in app.button if one.label.startswith(label))


def lines(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def everything(house: Runtime, table: Any) -> list[Any]:
    with house.database.reading() as session:
        return list(session.exec(select(table).order_by(table.id)))


PAIRS = (
    {"prompt": "Do you ship to 30303?", "response": "Yes.", "language": "en"},
    {"prompt": "Write to ann@example.org", "response": "We will.", "language": "en"},
    {"prompt": "", "response": "Nothing was asked."},
)


def test_a_file_is_shown_then_taken_and_what_was_rejected_is_listed(house: Runtime, app: AppTest) -> None:
    upload(app, "pairs.jsonl", lines(*PAIRS))
    assert "Recognised as: prompt and response" in words(app)
    assert "Of the first 3 rows, 2 can be taken." in words(app)
    assert everything(house, Record) == []
    finish(app)
    assert not app.exception
    assert {metric.label: metric.value for metric in app.metric}["Rejected"] == "1"
    assert [record.slices for record in everything(house, Record)] == [{"language": "en"}] * 2
    assert [row.line for row in everything(house, RejectedRow)] == [3]
    assert any("the prompt is empty" in str(frame.value.to_numpy()) for frame in app.dataframe)
    assert [download.label for download in app.download_button] == ["Download the rejected rows"]
    assert not app.file_uploader[0].value, "the uploader is empty again"


def test_columns_that_say_nothing_are_chosen_by_hand(house: Runtime, app: AppTest) -> None:
    upload(app, "odd.csv", b"spalte1;spalte2;sprache\nWo ist mein Paket?;Unterwegs.;de\n")
    assert "Recognised as: unknown" in words(app)
    assert not [one for one in app.button if one.label == "Import"]
    for label, column in (("Prompt", "spalte1"), ("Answer", "spalte2")):
        next(box for box in app.selectbox if box.label == label).set_value(column).run()
    next(box for box in app.multiselect if box.label.startswith("Metadata")).set_value(["sprache"]).run()
    finish(app)
    (record,) = everything(house, Record)
    assert (record.prompt, record.answer, record.slices) == ("Wo ist mein Paket?", "Unterwegs.", {"sprache": "de"})


def test_the_same_file_is_recognised_before_it_is_taken_again(house: Runtime, app: AppTest) -> None:
    finish(upload(app, "pairs.jsonl", lines(*PAIRS)))
    upload(app, "again.jsonl", lines(*PAIRS))
    assert "already imported as “pairs" in words(app).replace("\\", "")
    assert not [one for one in app.button if one.label == "Import"]
    assert len(everything(house, Record)) == 2


def test_personal_data_is_masked_in_bulk_from_the_page(house: Runtime, app: AppTest) -> None:
    finish(upload(app, "pairs.jsonl", lines(*PAIRS)))
    button(app, "Mask all 1").click().run()
    assert "Masked 1 place in 1 record" in words(app).replace("\\", "")
    assert everything(house, Record)[1].prompt == "Write to [EMAIL]"
    assert everything(house, Finding)[0].status is FindingStatus.FIXED
    assert any("[EMAIL]" in str(frame.value.to_numpy()) for frame in app.dataframe), "masks are listed, to be undone"


def test_personal_data_is_masked_at_once_on_request(house: Runtime, app: AppTest) -> None:
    upload(app, "pairs.jsonl", lines(*PAIRS))
    next(box for box in app.checkbox if box.label.startswith("Mask")).check().run()
    finish(app)
    assert everything(house, Record)[1].prompt == "Write to [EMAIL]"


def test_faqs_are_taken_as_faqs(house: Runtime, app: AppTest) -> None:
    upload(app, "faqs.jsonl", lines({"key": "zip", "question": "Do you ship?", "answer": "Yes."}))
    assert next(one for one in app.radio if one.label == "Take the rows as").value == "FAQs"
    next(box for box in app.checkbox if box.label.startswith("These FAQs")).check().run()
    finish(app)
    (faq,) = everything(house, Faq)
    assert (faq.key, faq.approved) == ("zip", 1)


@pytest.mark.parametrize(
    ("name", "content"), [("empty.csv", b""), ("photo.json", b"\x89PNG\r\n\x1a\n\x00"), ("half.json", b'[{"prompt": "a"')]
)
def test_a_file_that_cannot_be_read_is_refused_in_words(house: Runtime, app: AppTest, name: str, content: bytes) -> None:
    upload(app, name, content)
    assert not app.exception
    assert len(app.error) == 1
    assert name in app.error[0].value.replace("\\", "")


def test_an_import_that_fails_says_why_and_keeps_the_upload(house: Runtime, app: AppTest) -> None:
    upload(app, "pairs.jsonl", lines({"prompt": "Hello?", "response": ""}, {"prompt": "Hi?", "response": ""}))
    finish(app)
    assert "None of the 2 rows can be taken" in app.error[0].value.replace("\\", "")
    assert app.file_uploader[0].value
    assert everything(house, Record) == []


def test_an_empty_project_is_offered_the_sample(house: Runtime, app: AppTest) -> None:
    button(app, "Load the sample").click().run()
    assert not app.exception
    assert "The sample is loaded" in words(app)
    records = everything(house, Record)
    assert len(records) > 300
    assert {record.status for record in records} == {RecordStatus.PENDING}
    assert not [one for one in app.button if one.label.startswith("Load the sample")]


def test_hostile_names_and_texts_are_drawn_as_text(house: Runtime, app: AppTest) -> None:
    evil = "<img src=x onerror=alert(1)> ![x](http://evil.example/x.png)"
    rows = f'prompt,response,"{evil}"\n"{evil}","{evil}","{evil}"\n'.encode()
    assert next(csv.reader([rows.decode().splitlines()[0]]))[2] == evil
    finish(upload(app, f"{evil}.csv", rows))
    assert not app.exception
    drawn = [element.value for kind in (app.markdown, app.caption, app.success, app.info, app.error) for element in kind]
    assert not any("<img" in str(value) or "](http" in str(value) for value in drawn)


def test_an_expert_sees_that_a_lead_imports(house: Runtime, lead: Actor) -> None:
    with house.database.writing() as session:
        project = a_project(session, "second")
        expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
        session.commit()
    app = AppTest.from_file(str(ENTRY.parent / "imports.py"), default_timeout=90)
    with house.database.writing() as session:
        app.session_state[COOKIE] = open_session(session, account_id=expert.account_id or 0, hours=1)
        session.commit()
    app.run()
    assert "Your role does not open this page" in words(app)
    assert not app.file_uploader


def test_an_archive_of_mail_manual_and_sheet_comes_in_file_by_file(app: AppTest, house: Runtime) -> None:
    box = mailbox(
        [
            letter(1, sender="ann@home.example", subject="Lamp", text="It is broken."),
            letter(2, sender="help@shop.example", subject="Re: Lamp", after=1, text="Send it back."),
        ]
    )
    packed = archive(
        {
            "mails.mbox": box,
            "manual.docx": word([("Returns", 1), ("A rug may be sent back within 30 days of purchase.", 0)]),
            "chats.xlsx": workbook({"May": [["prompt", "response"], ["Do you ship?", "Yes."], ["", "no question"]]}),
            "odd.csv": b"x,y\n1,2\n",
        }
    )
    upload(app, "export.zip", packed)
    assert "An archive of 4 files; 3 of them can be taken" in words(app)
    button(app, "Import 3 files").click().run()
    deadline = time.monotonic() + 30
    while "3 of 3 files came in" not in str([one.value for one in app.success]):
        assert time.monotonic() < deadline, words(app)
        time.sleep(0.05)
        app.run()
    records = {record.prompt: record.answer for record in everything(house, Record)}
    assert records == {"Lamp\n\nIt is broken.": "Send it back.", "Do you ship?": "Yes."}
    assert len(everything(house, Faq)) == 1
    assert [row.reason for row in everything(house, RejectedRow)] == ["the prompt is empty"]


def test_a_choice_of_columns_is_kept_by_name_and_offered_for_the_next_file(app: AppTest, house: Runtime) -> None:
    upload(app, "may.csv", b"frage,antwort\nHallo?,Ja.\n")
    box(app, "Prompt").set_value("frage").run()
    box(app, "Answer").set_value("antwort").run()
    next(one for one in app.text_input if one.label == "Keep this choice as").set_value("German chats").run()
    button(app, "Keep").click().run()
    upload(app, "june.csv", b"frage,antwort\nWann?,Bald.\n")
    box(app, "Begin with").set_value("German chats").run()
    assert (box(app, "Prompt").value, box(app, "Answer").value) == ("frage", "antwort")
    finish(app)
    assert [(record.prompt, record.answer) for record in everything(house, Record)] == [("Wann?", "Bald.")]


def box(app: AppTest, label: str) -> Any:
    return next(one for one in app.selectbox if one.label == label)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_file_of_each_format_comes_in_through_the_page(app: AppTest, house: Runtime, example: Example) -> None:
    upload(app, example.name, example.content)
    assert not app.exception
    if not example.records and not example.faqs:
        assert example.bad[0][1] in app.error[0].value
        return
    assert f"Recognised as: {example.recognised}." in words(app)
    finish(app)
    figures = {metric.label: metric.value for metric in app.metric}
    assert (figures["Rows in the file"], figures["Rejected"]) == (
        str(len(example.records) + len(example.faqs) + len(example.bad)), str(len(example.bad)),
    )  # fmt: skip
    check_what_came(house, example)
    assert [one.label for one in app.download_button] == ["Download the rejected rows"] * bool(example.bad)


def test_mails_in_an_archive_come_in_as_threads(app: AppTest, house: Runtime) -> None:
    upload(app, MAILS.name, MAILS.content)
    box = next(one for one in app.checkbox if one.label.startswith("General talk"))
    box.check().run()
    finish(app, "Import 1 files")
    check_what_came(house, MAILS)
    assert everything(house, Source)[0].purpose is SourcePurpose.GENERAL


def test_a_summary_stays_with_its_project(app: AppTest, house: Runtime, lead: Actor) -> None:
    with house.database.writing() as session:
        other = a_project(session, "other")
        session.add(Membership(account_id=lead.account_id or 0, project_id=other.id or 0, role=Role.LEAD))
        session.commit()
    finish(upload(app, "pairs.jsonl", lines(*PAIRS)))
    app.session_state[PROJECT_KEY] = other.id
    app.run()
    assert not app.metric
    app.session_state[PROJECT_KEY] = 1
    app.run()
    assert {metric.label: metric.value for metric in app.metric}["Rows in the file"] == "3"


def test_a_box_that_is_ticked_just_before_the_press_counts(house: Runtime, app: AppTest) -> None:
    upload(app, "talk.jsonl", lines({"prompt": "How do I reach you?", "response": "Write to jo@example.org please."}))
    app.checkbox(key="import_0_mask").check()  # and pressed in the same moment, before the page was drawn anew
    finish(app)
    (record,) = everything(house, Record)
    assert record.answer == "Write to [EMAIL] please."
