"""Checks on a Ray cluster of two nodes: the same findings as in processes of this machine, by both nodes; clear words where
there is no cluster.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import col, select

from backend.__main__ import main
from backend.runtime import Runtime
from backend.store.database import Database
from backend.store.records import Finding, Record
from tests.bench.support_pairs import rows
from tests.factories import a_project, a_record
from tests.ray_nodes import Cluster
from tests.stack import ROOT

WITH_RAY = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed (pip install -r requirements-cluster.txt)"
)
CHECKS = "text,personal,voice"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Both of its nodes look."""
    made = Cluster(head_processors=1)
    try:
        made.start()
        yield made
    finally:
        made.end()


def said_by(cluster: Cluster, data: Path, *arguments: str) -> str:
    """What a command of the product prints that has this cluster as its own."""
    environ = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": cluster.token, "RAY_ADDRESS": cluster.joined}
    program = [sys.executable, *arguments]
    environ["TOUCHSTONE_DATA"] = str(data)
    done = subprocess.run(program, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith(("{", "[")), (done.stdout, done.stderr[-3000:])
    return done.stdout


def filled(data: Path) -> Path:
    """A data folder with a project of 600 records, some with left-overs in them."""
    data.mkdir()
    database = Database(f"sqlite:///{data / 'touchstone.db'}")
    database.migrate()
    with database.writing() as session:
        project = a_project(session)
        for number, row in enumerate(rows(600, seed=3)):
            answer = row["response"] + ("<br/>" if number % 50 == 0 else "")
            a_record(session, project, prompt=row["prompt"], answer=answer)
        session.commit()
    database.dispose()
    return data


def seen_in(data: Path) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """All findings, and every record's slices and marks."""
    database = Database(f"sqlite:///{data / 'touchstone.db'}")
    with database.reading() as session:
        found = [
            (one.record_id, one.kind, one.message, one.start, one.end, one.score, one.version, one.proposal, one.detail)
            for one in session.exec(select(Finding).order_by(col(Finding.id)))
        ]
        records = [(one.id, one.slices, one.checked) for one in session.exec(select(Record).order_by(col(Record.id)))]
    database.dispose()
    return found, records


@WITH_RAY
@pytest.mark.slow
def test_two_nodes_find_what_two_processes_find(cluster: Cluster, tmp_path: Path) -> None:
    here, there = filled(tmp_path / "here"), tmp_path / "there"
    shutil.copytree(here, there)
    clean = ("-m", "backend", "clean", "--project", "shop", "--checks", CHECKS)
    by_processes = json.loads(said_by(cluster, here, *clean, "--workers", "2"))
    by_nodes = json.loads(said_by(cluster, there, *clean, "--on", "ray"))
    assert by_nodes["records"] == by_processes["records"] == 600
    assert by_nodes["findings"] == by_processes["findings"]
    assert by_nodes["findings"]["markup"] == 12
    assert seen_in(there) == seen_in(here)
    assert not list((there / "ray").iterdir())


WHO_LOOKS = """
import json, pathlib, sys, time
from backend.curation import on_ray
from backend.detectors.checks import Seen
from backend.vocabulary import Check

folder = pathlib.Path(sys.argv[1])

def who(batch):
    import ray
    node = ray.get_runtime_context().get_node_id()
    (folder / f"{node}.node").touch()
    until = time.monotonic() + 60
    while len(list(folder.glob("*.node"))) < 2 and time.monotonic() < until:  # a node takes a while to start its first task
        time.sleep(0.1)
    return [{Check.TEXT: Seen(slices=((json.loads(messages)[0]["content"], node),))} for messages, _ in batch]

def shown(number):
    return json.dumps([{"role": "user", "content": str(number)}]), frozenset({Check.TEXT})

pieces = [[shown(10 * n + m) for m in range(n + 1)] for n in range(8)]
views = list(on_ray.looked(who, pieces, data=folder))
print(json.dumps([[one[Check.TEXT].slices[0] for one in piece] for piece in views]))
"""


@WITH_RAY
@pytest.mark.slow
def test_both_nodes_take_part_and_pieces_come_in_order(cluster: Cluster, tmp_path: Path) -> None:
    pieces = json.loads(said_by(cluster, tmp_path, "-c", WHO_LOOKS, str(tmp_path)))
    assert [[name for name, _ in piece] for piece in pieces] == [[str(10 * n + m) for m in range(n + 1)] for n in range(8)]
    assert len({node for piece in pieces for _, node in piece}) == 2


def test_it_says_what_is_missing_where_ray_is_not_installed(
    house: Runtime, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with house.database.writing() as session:
        a_record(session, a_project(session), prompt="Where is it?", answer="On its way.")
        session.commit()
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["clean", "--project", "shop", "--checks", "text", "--on", "ray"]) == 1
    assert "pip install -r requirements-cluster.txt" in capsys.readouterr().err
    assert main(["clean", "--on", "ray"]) == 1
    assert "--project NAME --on ray" in capsys.readouterr().err
