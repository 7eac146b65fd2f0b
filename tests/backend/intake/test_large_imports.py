"""Large imports: the same in several processes as in one, only exact repeats compared, nothing left by a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from backend.access.actors import SYSTEM
from backend.detectors.checks import Context, family, versions
from backend.detectors.privacy import SETTING, PrivacyRules, as_setting
from backend.intake import files, filing
from backend.intake.batches import Packed
from backend.intake.files import Options, take
from backend.intake.importing import import_file
from backend.intake.repeats import firsts
from backend.settings import Settings
from backend.store.checked import due
from backend.store.curation import ImportedLabel
from backend.store.database import Database
from backend.store.findings import with_open_personal_data
from backend.store.privacy import VaultEntry
from backend.store.records import Finding, Record, RecordRevision
from backend.vocabulary import Check, FindingKind, Replacement
from tests.factories import a_project

SETTINGS = Settings(clean_workers=2)


def rows(count: int) -> bytes:
    """Pairs of which every fifth repeats one and every tenth holds personal data; some cannot be taken."""
    made: list[dict[str, Any]] = []
    for number in range(count):
        text = f"Where is parcel number {number}?"
        if number % 5 == 4:
            text = made[number // 2]["prompt"]
        elif number % 10 == 7:
            text += f" Write to Anna Miller, anna{number}@example.org."
        made.append(
            {"prompt": text, "response": "" if number % 97 == 5 else f"Caf\u00c3\u00a9 {number % 7}.", "channel": "mail"}
        )
    return "".join(json.dumps(row) + "\n" for row in made).encode()


def test_helpers_make_the_same_drafts_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    content, kept = rows(3000), []

    class Keeping(files.Spool):
        def add(self, batch: Packed) -> None:
            kept[-1].append(batch)
            super().add(batch)

    monkeypatch.setattr(files, "Spool", Keeping)
    monkeypatch.setattr(files, "_ALONE", 1)
    for workers in (1, 2):
        kept.append([])
        settings = replace(SETTINGS, clean_workers=workers)
        taken = take(content, "a.jsonl", mapping=None, options=Options(), settings=settings, progress=lambda *_: None)
        taken.spool.close()
    assert len(kept[0]) == 6
    assert kept[0] == kept[1]


@pytest.fixture
def project_id(database: Database) -> int:
    with database.writing() as session:
        project = a_project(session)
        session.commit()
        return project.id or 0


def bring(database: Database, project_id: int, content: bytes | Path, **more: Any) -> Any:
    with database.writing() as session:
        here = {"session": session, "actor": SYSTEM, "project_id": project_id, "settings": SETTINGS}
        return import_file(**here, name="a.jsonl", content=content, **more)


def test_many_records_are_compared_by_their_keys_alone_and_the_rest_is_left_to_clean(
    database: Database, project_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bring(database, project_id, rows(60))
    assert first.compared
    monkeypatch.setattr(filing, "MOST_COMPARED", 100)
    again = bring(database, project_id, rows(61))
    assert (again.imported, again.compared) == (60, False)
    with database.reading() as session:
        records = session.exec(select(Record).order_by(col(Record.id))).all()
        named = {
            one.record_id: one.detail["of"]
            for one in session.exec(select(Finding).where(Finding.kind == FindingKind.DUPLICATE))
        }
        wanted = versions(Context(), {Check.PERSONAL: family(Check.PERSONAL)})
        assert not any(due(one.checked, one.head, wanted) for one in records), "personal data was looked for already"
    new = [one for one in records if one.source_id == again.source_id]
    old = {(one.prompt, one.answer): one.id for one in reversed(records) if one.source_id == first.source_id}
    assert {one.compared for one in new} == {False}
    assert {one.cluster for one in new} == {""}
    for one in new[:-1]:
        assert named[one.id] == old[(one.prompt, one.answer)]
    assert again.duplicates >= len(new) - 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_the_first_of_equal_keys_is_found(keys: list[tuple[int, int]]) -> None:
    found = firsts(np.array(keys, dtype=np.uint64).reshape(-1, 2))
    assert found.tolist() == [keys.index(key) for key in keys]


KILLED = """
import sys
from pathlib import Path
from backend.access.actors import SYSTEM
from backend.intake import files
from backend.intake.importing import import_file
from backend.settings import Settings
from backend.store.database import Database
from backend.store.findings import with_open_personal_data
from backend.store.privacy import VaultEntry

files._ALONE = 1

def progress(share, words):
    print(words, flush=True)

if __name__ == "__main__":
    with Database(sys.argv[1]).writing() as session:
        import_file(session=session, actor=SYSTEM, project_id=int(sys.argv[2]), name="big.jsonl", content=Path(sys.argv[3]),
                    settings=Settings(clean_workers=2), progress=progress)
"""


def test_a_kill_in_the_middle_leaves_no_row_and_no_helper(sqlite: Database, sqlite_url: str, tmp_path: Path) -> None:
    with sqlite.writing() as session:
        project_id = a_project(session).id or 0
        session.commit()
    script, path = tmp_path / "killed.py", tmp_path / "big.jsonl"
    script.write_text(KILLED)
    path.write_bytes(rows(6000))
    arguments = [sys.executable, str(script), sqlite_url, str(project_id), str(path)]
    with subprocess.Popen(arguments, env={**os.environ, "PYTHONPATH": "."}, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        while "row 1,0" not in (line := started.stdout.readline()) and "row 1,5" not in line:
            assert line, "it ended too early"
        helpers = psutil.Process(started.pid).children(recursive=True)
        assert helpers
        started.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in helpers):
        assert time.monotonic() < deadline, "helpers outlive the import"
        time.sleep(0.1)
    with sqlite.reading() as session:
        assert session.exec(select(Record)).first() is None
    assert bring(sqlite, project_id, rows(300)).imported == 296


def test_stand_ins_take_the_place_of_personal_data_where_the_project_wants_them(sqlite: Database, tmp_path: Path) -> None:
    with sqlite.writing() as session:
        project = a_project(session)
        project.settings = {SETTING: as_setting(PrivacyRules(replacement=Replacement.SURROGATE))}
        session.add(project)
        session.commit()
    asked = "Write to anna.miller@example.net"
    content = [
        {"prompt": asked, "chosen": "We wrote to anna.miller@example.net.", "rejected": "Ask anna.miller@example.net"},
        {"prompt": f"{asked}!", "chosen": "Yes.", "rejected": "Ask bob@example.net"},
    ]
    with sqlite.writing() as session:
        summary = import_file(
            session=session, actor=SYSTEM, project_id=project.id or 0, name="a.json", content=json.dumps(content).encode(),
            settings=Settings(data=tmp_path), options=Options(mask=True),
        )  # fmt: skip
    assert (summary.masked, summary.findings, summary.labels) == (3, {}, 2)
    with sqlite.reading() as session:
        one, two = session.exec(select(Record).order_by(col(Record.id))).all()
        address = one.prompt.removeprefix("Write to ")
        assert "@example." in address
        assert "anna" not in address
        assert (two.prompt, one.answer) == (f"Write to {address}!", f"We wrote to {address}.")
        label, other = session.exec(select(ImportedLabel).order_by(col(ImportedLabel.id))).all()
        assert (label.answer, label.rejected) == (one.answer, f"Ask {address}")
        assert "bob" not in other.rejected
        heads = session.exec(select(RecordRevision.id).where(RecordRevision.number == 2)).all()
        assert with_open_personal_data(session, [number or 0 for number in heads]) == set()
        assert len(session.exec(select(VaultEntry)).all()) == 2
