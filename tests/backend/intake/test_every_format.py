"""Every format and shape on the command line, from a file on disk to records, FAQs, labels and rejected rows."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from sqlmodel import col, select

from backend.__main__ import main
from backend.runtime import Runtime
from backend.store.curation import ImportedLabel
from backend.store.records import Faq, FaqRevision, Record, RejectedRow, Source
from backend.vocabulary import SourcePurpose
from tests.backend.intake.example_files import EXAMPLES, MAILS, Example, archive
from tests.factories import a_project


@pytest.fixture
def shop(house: Runtime) -> Runtime:
    with house.database.writing() as session:
        a_project(session, "shop")
        session.commit()
    return house


def check_what_came(house: Runtime, *examples: Example) -> None:
    """Everything that the database holds came from these files."""
    with house.database.reading() as session:
        records = [(one.prompt, one.answer) for one in session.exec(select(Record).order_by(col(Record.id)))]
        faqs = [one.question for one in session.exec(select(FaqRevision).order_by(col(FaqRevision.id)))]
        labels = [one.thumb or one.rejected for one in session.exec(select(ImportedLabel).order_by(col(ImportedLabel.id)))]
        bad = [(one.line, one.reason) for one in session.exec(select(RejectedRow).order_by(col(RejectedRow.id)))]
    assert records == [pair for one in examples for pair in one.records]
    assert faqs == [question for one in examples for question in one.faqs]
    assert labels == [label for one in examples for label in one.labels]
    expected = [row for one in examples for row in one.bad]
    assert [line for line, _ in bad] == [line for line, _ in expected]
    assert all(part in reason for (_, reason), (_, part) in zip(bad, expected, strict=True)), bad


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_file_of_each_format_comes_in_by_the_command_line(
    shop: Runtime, example: Example, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / example.name
    path.write_bytes(example.content)
    code = main(["import", str(path), "--project", "shop", "--as", "faqs" if example.faqs else "records"])
    out = capsys.readouterr()
    if not example.records and not example.faqs:
        assert (code, example.bad[0][1] in out.err) == (1, True), out.err
        return
    assert code == 0, out.err
    (file,) = json.loads(out.out)["files"]
    assert (file["imported"], file["rejected"], file["labels"]) == (
        len(example.records) + len(example.faqs), len(example.bad), len(example.labels),
    )  # fmt: skip
    assert [row["line"] for row in file["rejected_rows"]] == [line for line, _ in example.bad]
    check_what_came(shop, example)


def test_an_archive_of_them_comes_in_by_the_command_line(
    shop: Runtime, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = [example for example in EXAMPLES if example.records]
    path = tmp_path / "all.zip"
    path.write_bytes(archive({f"folder/{one.name}": one.content for one in taken}))
    assert main(["import", str(path), "--project", "shop", "--general"]) == 0, capsys.readouterr().err
    check_what_came(shop, *taken)
    with shop.database.reading() as session:
        assert {one.purpose for one in session.exec(select(Source))} == {SourcePurpose.GENERAL}
        assert not session.exec(select(Faq)).all()


def test_columns_of_a_survey_are_named_on_the_command_line(
    shop: Runtime, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "survey.csv"
    path.write_bytes(b"asked,said,points\nDo you ship?,Yes.,9\nFree?,Maybe.,2\n")
    wanted = "prompt=asked,response=said,rating=points,best=10"
    assert main(["import", str(path), "--project", "shop", "--map", wanted]) == 0, capsys.readouterr().err
    with shop.database.reading() as session:
        assert [one.thumb for one in session.exec(select(ImportedLabel).order_by(col(ImportedLabel.id)))] == ["up", "down"]
    assert main(["import", str(path), "--project", "shop", "--map", f"{wanted},best=ten"]) == 1
    assert "best=5" in capsys.readouterr().err


def test_mails_saved_one_by_one_are_threads_together(shop: Runtime, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / MAILS.name
    path.write_bytes(MAILS.content)
    assert main(["import", str(path), "--project", "shop"]) == 0, capsys.readouterr().err
    check_what_came(shop, MAILS)
    unpacked = tmp_path / "unpacked"
    zipfile.ZipFile(path).extractall(unpacked)
    assert main(["import", *map(str, sorted(unpacked.iterdir())), "--project", "shop"]) == 1
    assert "already imported" in capsys.readouterr().err
