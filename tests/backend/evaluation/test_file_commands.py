"""The commands for CSV files, as somebody at the command line calls them."""

from __future__ import annotations

import io
import json
import math
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend.__main__ import main

Told = Callable[..., dict[str, Any]]
LONG = "item,rater,label\n1,ann,yes\n1,bob,yes\n2,ann,no\n2,bob,yes\n3,ann,no\n3,bob,no\n4,ann,yes\n4,bob,\n"
LONG_COLUMNS = ("--item", "item", "--rater", "rater", "--label", "label")
PAIRS = "left,right,winner\n" + "a,b,left\n" * 40 + "a,b,right\n" * 10 + "b,a,tie\n" * 20
PAIR_COLUMNS = ("--left", "left", "--right", "right", "--winner", "winner")


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Told:
    """Runs a command on a file with this content, in an empty folder, and returns its JSON."""
    monkeypatch.chdir(tmp_path)
    # Would fail if it were opened.
    monkeypatch.setenv("DATABASE_URL", "postgresql://nowhere.invalid/none")
    monkeypatch.setenv("TOUCHSTONE_DATA", str(tmp_path / "data"))

    def run(command: str, content: str | bytes, *options: str) -> dict[str, Any]:
        (tmp_path / "in.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        assert main([command, "in.csv", *options]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]
        answer: dict[str, Any] = json.loads(out, parse_constant=pytest.fail)
        return answer

    return run


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must fail, and returns what it says."""

    def run(command: str, content: str | bytes, *options: str) -> str:
        path = tmp_path / "in.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        assert main([command, str(path), *options]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        return err

    return run


def test_agreement_of_answers_in_rows(told: Told) -> None:
    found = told("agreement", LONG + "3,bob,yes\n", *LONG_COLUMNS)
    assert (found["items"], found["raters"], found["answers"]) == (4, ["ann", "bob"], 7)
    assert (found["duplicates"], found["missing"], found["level"]) == (1, 1, "nominal")
    (pair,) = found["cohen_kappa"]
    assert (pair["raters"], pair["n"]) == (["ann", "bob"], 3)
    assert pair["observed"] == 0  # bob's later answer counts, and so he always says yes
    assert pair["value"] is None
    assert found["alpha"]["n"] == 3
    assert found["fleiss_kappa"]["value"] is None
    assert "Krippendorff" in found["fleiss_kappa"]["reason"]


def test_agreement_of_answers_in_columns_with_a_known_value(told: Told) -> None:
    rows = "a,b\n" + "y,y\n" * 20 + "y,n\n" * 5 + "n,y\n" * 10 + "n,n\n" * 15
    found = told("agreement", rows, "--wide", "a,b")
    (pair,) = found["cohen_kappa"]
    assert (round(pair["value"], 4), pair["n"], pair["confidence"]) == (0.4, 50, 0.95)
    assert pair["interval"] == [pair["low"], pair["high"]]
    assert pair["low"] < 0.4 < pair["high"]
    assert found["fleiss_kappa"]["n"] == found["alpha"]["n"] == 50


@pytest.mark.parametrize(
    ("level", "alpha"), [("nominal", 0.7434), ("ordinal", 0.8154), ("interval", 0.8491), ("ratio", 0.7974)]
)
def test_krippendorffs_example_at_each_level(told: Told, level: str, alpha: float) -> None:
    observers = ["1 2 3 3 2 1 4 1 2 - - -", "1 2 3 3 2 2 4 1 2 5 - 3", "- 3 3 3 2 3 4 2 2 5 1 -", "1 2 3 3 2 4 4 1 2 5 1 -"]
    # A table program writes whole numbers with a point where the column has gaps.
    columns = [[cell if cell == "-" or i % 2 else f"{cell}.0" for cell in row.split()] for i, row in enumerate(observers)]
    rows = "\n".join(";".join("" if cell == "-" else cell for cell in row) for row in zip(*columns, strict=True))
    found = told("agreement", f"A;B;C;D\n{rows}\n", "--wide", "A,B,C,D", "--level", level)
    assert round(found["alpha"]["value"], 4) == alpha
    assert found["alpha"]["n"] == 11
    assert len(found["cohen_kappa"]) == 6
    assert ("icc" in found) == ("weighted_kappa" in found) == (level != "nominal")


@pytest.mark.parametrize(
    "content",
    [
        LONG.encode("utf-8-sig"),
        LONG.encode("utf-16"),
        LONG.replace(",", "\t").replace("\n", "\r\n").encode(),
        LONG.replace(",", ";").replace("ann", "änn").encode("cp1252"),
        LONG.replace(",", "|").encode(),
        ("sep=;\n" + LONG.replace(",", ";")).encode(),
        b"\n" + LONG.replace("item,rater,label", ' "item" ,rater , label ').replace("yes", " yes ").replace(' "', '"').encode(),
        LONG.replace("item,", "item,text,").replace("\n", "\n", 1).replace("\n1,", '\n1,"a, b\nc",').replace("\n2,", "\n2,x,")
        .replace("\n3,", "\n3,,").replace("\n4,", "\n4,z,").encode(),
    ],
)  # fmt: skip
def test_encodings_and_separators_are_found_out(told: Told, content: bytes) -> None:
    found = told("agreement", content, *LONG_COLUMNS)
    assert (found["answers"], found["missing"], found["alpha"]["n"]) == (7, 1, 3)
    assert len(found["raters"]) == 2


def test_standard_input_is_a_file_too(told: Told, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(LONG.encode())))
    assert main(["agreement", "-", *LONG_COLUMNS]) == 0
    assert json.loads(capsys.readouterr().out)["answers"] == 7


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("a,b\n", ()),
        ("a,b\n,\n,\n", ()),
        ("a,b\n1,1\n1,1\n", ()),
        ("a,b\n1,1\n2,2\n3,3\n", ()),
        ("a,b\n1,2\n", ()),
        ("a,b\n1,\n2,\n", ("--level", "interval")),
        ("a,b\n4,4\n4,4\n", ("--level", "ratio")),
        ("a,b\n-1,4\n4,4\n", ("--level", "ratio")),
    ],
)
def test_what_cannot_be_estimated_is_said_in_words(told: Told, content: str, options: tuple[str, ...]) -> None:
    found = told("agreement", content, "--wide", "a,b", *options)
    for result in (found["alpha"], *found["cohen_kappa"]):
        if not options:
            assert result["value"] is None
            assert result["reason"]
        assert (result["value"] is None) == ("reason" in result)
    assert found["alpha"]["value"] is None


def test_one_rater_is_not_estimable(told: Told) -> None:
    found = told("agreement", "a\n1\n2\n", "--wide", "a")
    assert found["cohen_kappa"] == []
    assert "two raters" in found["alpha"]["reason"]


@pytest.mark.parametrize(
    ("command", "content", "options", "words"),
    [
        ("agreement", LONG, ("--item", "item", "--rater", "who", "--label", "label"), "no column “who”"),
        ("agreement", LONG, ("--item", "item", "--rater", "who", "--label", "label"), "“item”, “rater”, “label”"),
        ("agreement", LONG, ("--item", "item"), "--wide"),
        ("agreement", LONG, (*LONG_COLUMNS, "--level", "ordinal"), "“yes” is not a number"),
        ("agreement", LONG, (*LONG_COLUMNS, "--level", "ordinal"), "Line 2"),
        ("agreement", "a,b\n1,2\n1,nan\n", ("--wide", "a,b", "--level", "ratio"), "“nan” is not a number"),
        ("agreement", "a,a\n1,2\n", ("--wide", "a"), "2 columns called “a”"),
        ("agreement", "a,b\n1,2\n", ("--wide", "a,a"), "named twice"),
        ("agreement", "a,b\n1,2,3\n", ("--wide", "a,b"), "Line 2"),
        ("agreement", "", ("--wide", "a,b"), "empty"),
        ("agreement", b"PK\x03\x04\x00\x00", ("--wide", "a,b"), "not a text file"),
        ("reliability", LONG, ("--item", "x", "--rater", "rater", "--label", "label"), "no column “x”"),
        ("rank", PAIRS, ("--left", "left", "--right", "right", "--winner", "won"), "no column “won”"),
        ("rank", PAIRS + "a,b,c\n", PAIR_COLUMNS, "“c” is neither"),
        ("rank", PAIRS, (*PAIR_COLUMNS, "--left-value", "tie"), "must differ"),
        ("rank", PAIRS, (*PAIR_COLUMNS, "--ridge", "-1"), "0 or more"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_words(
    refused: Callable[..., str], command: str, content: str | bytes, options: tuple[str, ...], words: str
) -> None:
    assert words in refused(command, content, *options)


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agreement", str(tmp_path / "none.csv"), "--wide", "a,b"]) == 1
    assert "none.csv" in capsys.readouterr().err
    assert main(["agreement", str(tmp_path), "--wide", "a,b"]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_named_texts_mean_no_answer(told: Told) -> None:
    found = told("agreement", "a,b\n1,NA\n2,2\n1,2\n", "--wide", "a,b", "--level", "interval", "--missing", "NA")
    assert (found["missing"], found["alpha"]["n"], found["notes"]) == (1, 2, [])
    (note,) = told("agreement", "a,b\n1,NA\n2,2\n1,2\n", "--wide", "a,b")["notes"]
    assert "--missing NA" in note


def test_reliability_finds_the_labels_and_the_good_raters(told: Told) -> None:
    generator = random.Random(3)
    truth = {f"q{i}": generator.choice(["spam", "ham", "eggs"]) for i in range(300)}
    rows = [
        f"{item},{rater},{right if generator.random() < skill else generator.choice(['spam', 'ham', 'eggs'])}"
        for item, right in truth.items()
        for rater, skill in (("7", 0.95), ("8", 0.9), ("9", 0.2), ("10", 0.2))
    ]
    found = told("reliability", "q,w,l\n" + "\n".join(rows), "--item", "q", "--rater", "w", "--label", "l")
    right = sum(found["items"][item] == label for item, label in truth.items())
    assert right > 270
    assert right > sum(found["majority"][item] == label for item, label in truth.items())
    accuracy = {rater: quality["accuracy"] for rater, quality in found["raters"].items()}
    assert min(accuracy["7"], accuracy["8"]) > 0.9 > 0.6 > max(accuracy["9"], accuracy["10"])
    assert found["raters"]["7"]["low"] < found["raters"]["7"]["accuracy"] < found["raters"]["7"]["high"]
    assert found["raters"]["7"]["n"] == 300
    assert sum(found["marginals"].values()) == pytest.approx(1)
    assert found["estimable"]


def test_reliability_of_one_rater_falls_back_to_the_labels_given_and_says_so(told: Told) -> None:
    found = told("reliability", "item,rater,label\n1,a,x\n2,a,y\n", *LONG_COLUMNS)
    assert not found["estimable"]
    assert "only one rater" in found["reason"]
    assert found["items"] == found["majority"] == {"1": "x", "2": "y"}
    assert found["raters"]["a"]["accuracy"] is None
    assert told("reliability", "item,rater,label\n", *LONG_COLUMNS)["items"] == {}


@pytest.mark.parametrize("name", ["food", "simple"])
def test_rank_gives_evalicas_golden_scores(told: Told, shared_data: Path, name: str) -> None:
    path = shared_data / f"evalica/{name}.csv"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    found = told("rank", path.read_bytes(), *PAIR_COLUMNS)
    rows = (line.split(",") for line in path.with_name(f"{name}-golden.csv").read_text().splitlines())
    golden = {item: float(score) for algorithm, item, score in rows if algorithm == "bradley_terry"}
    assert found["scores"] == pytest.approx(golden, abs=1e-6)
    assert found["estimable"]
    for item, (low, high) in found["intervals"].items():
        assert 0 < low < found["scores"][item] < high < 1


def test_ties_as_halves_and_davidsons_model(told: Told) -> None:
    found = told("rank", PAIRS, *PAIR_COLUMNS)
    assert math.log(found["scores"]["a"] / found["scores"]["b"]) == pytest.approx(0.9163, abs=1e-4)
    assert math.log(found["davidson"]["a"] / found["davidson"]["b"]) == pytest.approx(1.3863, abs=1e-4)
    assert (found["n"], found["ties"], found["win_rates"]["a"]["value"]) == (70, 20, pytest.approx(50 / 70))


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (lambda text: text.replace(",left\n", ",model_a\n").replace(",right\n", ",model_b\n"),
         ("--left-value", "model_a", "--right-value", "model_b")),
        (lambda text: text.replace(",left\n", ",a\n").replace(",right\n", ",b\n"), ()),
        (lambda text: text.replace(",left\n", ",LEFT\n").replace(",tie\n", ",Draw\n"), ()),
        (lambda text: text.replace(",left\n", ",1.0\n").replace(",right\n", ",2\n").replace(",tie\n", ",0\n"),
         ("--left-value", "1", "--right-value", "2", "--tie-value", "0")),
        (lambda text: text.replace("tie\n", "both bad\n", 3) + "a,b,\n,b,left\na,a,tie\n", ()),
    ],
)  # fmt: skip
def test_winners_are_sides_or_names_whatever_they_are_called(
    told: Told, change: Callable[[str], str], options: tuple[str, ...]
) -> None:
    head, _, body = PAIRS.partition("\n")
    found = told("rank", f"{head}\n{change(body)}", *PAIR_COLUMNS, *options)
    assert math.log(found["scores"]["a"] / found["scores"]["b"]) == pytest.approx(0.9163, abs=1e-4)
    assert found["n"] == 70


def test_a_separated_set_has_no_scores_but_a_reason(told: Told) -> None:
    found = told("rank", "left,right,winner\nx,y,left\nx,z,left\ny,z,left\n", *PAIR_COLUMNS)
    assert found["estimable"] is False
    assert found["scores"] is found["intervals"] is found["davidson"] is None
    assert "always win" in found["reason"]
    held = told("rank", "left,right,winner\nx,y,left\nx,z,left\ny,z,left\n", *PAIR_COLUMNS, "--ridge", "0.5")
    assert list(held["scores"]) == ["x", "y", "z"]
    empty = told("rank", "left,right,winner\n", *PAIR_COLUMNS)
    assert (empty["estimable"], empty["n"]) == (False, 0)


def test_without_ties_davidsons_model_is_not_estimable_and_the_scores_are(told: Told) -> None:
    found = told("rank", PAIRS.replace("b,a,tie\n", ""), *PAIR_COLUMNS)
    assert found["scores"]["a"] == pytest.approx(0.8)
    assert found["davidson"] is None
    assert "no ties" in found["davidson_model"]["reason"]


def test_with_items_and_raters_the_intervals_are_redrawn(told: Told) -> None:
    rows = [f"a,b,{'left' if (i + r) % 3 else 'right'},{i},rater {r}" for i in range(30) for r in range(4) if (i * r) % 5 != 3]
    found = told(
        "rank", "left,right,winner,q,who\n" + "\n".join(rows), *PAIR_COLUMNS, "--item", "q", "--rater", "who"
    )  # fmt: skip
    assert "bootstrap by item and rater" in found["bootstrap"]["method"]
    low, high = found["bootstrap"]["intervals"]["a"]
    assert low < found["scores"]["a"] < high
