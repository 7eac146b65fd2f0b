"""The commands `evaluate` and `promote`, as somebody at the command line calls them."""

from __future__ import annotations

import json

import pytest
from sqlmodel import select

from backend.__main__ import main
from backend.runtime import Runtime
from backend.store.models import Evaluation, Promotion
from tests.backend.evaluation.scene import Scene, a_scene, compared, evaluated, serve, write_folder


@pytest.fixture
def scene(house: Runtime) -> Scene:
    with house.database.writing() as session:
        made = a_scene(session)
        serve(house.settings.models, made.candidate)
        write_folder(house.settings.snapshots, made.snapshot)
        session.commit()
    return made


def test_an_evaluation_is_queued_for_the_newest_trained_version(
    house: Runtime, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--project", "shop"]) == 0
    assert json.loads(capsys.readouterr().out)["candidate"] == scene.candidate.served_as
    with house.database.reading() as session:
        assert session.exec(select(Evaluation.base_version_id)).all() == [scene.base.id]


def test_a_promotion_that_the_gate_refuses_is_an_error_in_words(
    house: Runtime, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["promote", "--project", "shop", "--reason", "Because."]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "not enough evidence" in err.lower()
    with house.database.reading() as session:
        assert session.exec(select(Promotion)).all() == []


def test_a_version_with_its_evidence_is_promoted_with_the_checks_printed(
    house: Runtime, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    with house.database.writing() as session:
        compared(session, scene, evaluated(session, scene))
        session.commit()
    assert main(["promote", "--project", "shop", "--version", "1", "--reason", "It won."]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["promoted"], told["verdict"], told["overridden"]) == (scene.candidate.served_as, "passed", False)


@pytest.mark.parametrize("arguments", [["--project", "nowhere"], ["--project", "shop", "--version", "77"]])
def test_what_is_not_there_is_said_so(scene: Scene, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["promote", *arguments, "--reason", "x"]) == 1
    assert "There is no project" in (err := capsys.readouterr().err) or "no such model version" in err
