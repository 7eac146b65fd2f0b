"""Runs of the checks: what is stored, what is not looked at twice, kills, stops, and many processes as one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from backend.conversations import Message
from backend.curation import checking, cleaning, dismissing
from backend.curation.checking import run_checks
from backend.detectors.checks import MODULES, Family, family
from backend.errors import AlreadyDone, Conflict, Forbidden, InvalidInput
from backend.store.base import now
from backend.store.curation import CheckRun
from backend.store.database import Database
from backend.store.findings import refresh_findings
from backend.store.records import Finding, Project, Record, RecordRevision
from backend.store.revisions import add_revision
from backend.vocabulary import DETECTED, Check, FindingKind, FindingStatus, JobStatus, Role
from tests.backend.curation.families import Words
from tests.factories import a_person, a_project, a_record

BR = {Check.TEXT: Words()}
KILLED = Path(__file__).with_name("killed_run.py")


class Desk:
    """A project with records, and runs over them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.writing() as session:
            project = a_project(session)
            self.project_id = project.id or 0
            self.lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
            self.expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
            session.commit()

    def records(self, *prompts: str, slices: dict[str, str] | None = None) -> list[int]:
        with self.database.writing() as session:
            project = session.get_one(Project, self.project_id)
            made = [a_record(session, project, prompt=prompt, answer="Gladly.", slices=slices) for prompt in prompts]
            session.commit()
            return [record.id or 0 for record in made]

    def ask(self, checks: Any = (Check.TEXT,)) -> int:
        with self.database.writing() as session:
            return cleaning.ask(session=session, actor=self.lead, project_id=self.project_id, checks=checks).id or 0

    def clean(self, families: Mapping[Check, Family] = BR, workers: int = 1, **more: Any) -> CheckRun:
        run_id = self.ask([*families, *more.get("of_project", {})])
        return run_checks(self.database, run_id=run_id, workers=workers, families=families, **more)

    def edit(self, record_id: int, prompt: str) -> None:
        with self.database.writing() as session:
            messages = [Message("user", prompt), Message("assistant", "Gladly.")]
            add_revision(session, session.get_one(Record, record_id), messages, reason="", author_id=None)
            session.commit()

    def findings(self, *record_ids: int) -> list[Finding]:
        with self.database.reading() as session:
            query = select(Finding).where(col(Finding.record_id).in_(record_ids)) if record_ids else select(Finding)
            return list(session.exec(query.order_by(col(Finding.record_id), col(Finding.message), col(Finding.start))))

    def read(self, record_id: int) -> Record:
        with self.database.reading() as session:
            return session.get_one(Record, record_id)

    def run(self, run_id: int) -> CheckRun:
        with self.database.reading() as session:
            return session.get_one(CheckRun, run_id)

    def everything(self) -> list[tuple[Any, ...]]:
        """What runs leave, without ids and times."""
        rows = [(f.record_id, f.kind, f.message, f.start, f.end, f.status, f.proposal, f.detail) for f in self.findings()]
        with self.database.reading() as session:
            records = session.exec(select(Record).order_by(col(Record.id)))
            return [*rows, *((record.id, record.checked, record.slices) for record in records)]


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


@pytest.fixture
def at_sqlite(sqlite: Database) -> Desk:
    return Desk(sqlite)


def test_what_is_found_is_stored_with_the_slice_and_the_mark_that_it_was_seen(desk: Desk) -> None:
    bad, good = desk.records("Where<br>is it?", "Hello?", slices={"channel": "mail"})
    run = desk.clean()
    (finding,) = desk.findings()
    assert (finding.record_id, finding.kind, finding.start, finding.end, finding.proposal, finding.detail) == (
        bad, FindingKind.MARKUP, 5, 9, " ", {"why": "A word of the test."},
    )  # fmt: skip
    assert desk.read(bad).slices == {"channel": "mail", DETECTED + "word": "<br>"}
    assert desk.read(good).slices == {"channel": "mail"}
    assert [desk.read(record).checked for record in (bad, good)] == ["1 text:1"] * 2
    assert (run.status, run.done, run.total, run.found) == (JobStatus.SUCCEEDED, 2, 2, {"markup": 1})


def test_only_what_was_not_seen_is_looked_at_again(desk: Desk) -> None:
    first, second = desk.records("a<br>", "b<br>")
    desk.clean()
    assert desk.clean().done == 0
    (third,) = desk.records("c")
    desk.edit(second, "b<br> and more")
    assert desk.clean().done == 2
    assert desk.clean({Check.TEXT: Words(VERSION="2")}).done == 3
    assert desk.clean({Check.TEXT: Words(VERSION="2"), Check.SPELLING: Words("hello", FindingKind.SPELLING)}).done == 3
    assert desk.read(third).checked == "1 text:2 spelling:" + desk.read(third).checked.split("spelling:")[1]
    assert [finding.record_id for finding in desk.findings()] == [first, second]


def test_a_finding_that_is_gone_is_closed_and_its_slice_goes_with_it(desk: Desk) -> None:
    (record,) = desk.records("a<br>b<br>")
    desk.clean()
    desk.clean({Check.TEXT: Words("<hr>", VERSION="2")})
    assert {(finding.status, finding.detail["gone_in"]) for finding in desk.findings()} == {(FindingStatus.FIXED, 1)}
    assert desk.read(record).slices == {}
    run = desk.clean({Check.TEXT: Words(VERSION="3")})
    assert {finding.status for finding in desk.findings()} == {FindingStatus.OPEN}
    assert (len(desk.findings()), run.found) == (2, {"markup": 2})


def test_what_was_dismissed_stays_dismissed_also_in_the_next_text(desk: Desk) -> None:
    (record,) = desk.records("a<br>")
    desk.clean()
    with desk.database.writing() as session:
        ids = [finding.id or 0 for finding in desk.findings()]
        dismissing.dismiss(session=session, actor=desk.expert, project_id=desk.project_id, finding_ids=ids, reason="Meant")
    desk.edit(record, "Longer: a<br>, and <br>")
    run = desk.clean()
    dismissed, fresh = desk.findings()
    assert (dismissed.status, dismissed.start, dismissed.detail["reason"]) == (FindingStatus.DISMISSED, 9, "Meant")
    assert (fresh.status, run.found) == (FindingStatus.OPEN, {"markup": 1})


def test_other_checks_findings_are_left_alone(at_sqlite: Desk) -> None:
    (record,) = at_sqlite.records("a<br> ann@example.org")
    with at_sqlite.database.writing() as session:
        revision = session.exec(select(RecordRevision)).one()
        refresh_findings(session, session.get_one(Record, record), revision)
        session.commit()
    at_sqlite.clean()
    assert {finding.kind: finding.status for finding in at_sqlite.findings()} == {
        FindingKind.MARKUP: FindingStatus.OPEN, FindingKind.EMAIL: FindingStatus.OPEN,
    }  # fmt: skip


def test_personal_data_is_looked_for_again_when_the_rules_change_and_stand_ins_are_none(desk: Desk) -> None:
    (record,) = desk.records("Write to ann@example.org in Vienna")
    personal = {Check.PERSONAL: family(Check.PERSONAL)}
    assert desk.clean(personal).found == {"email": 1}
    with desk.database.writing() as session:
        project = session.get_one(Project, desk.project_id)
        project.settings = {"personal_data": {"kinds": ["place"], "allowed": [], "patterns": [], "replacement": "surrogate"}}
        session.add(project)
        session.commit()
    assert desk.clean(personal).found == {"place": 1}
    email, place = sorted(desk.findings(record), key=lambda finding: finding.start)
    assert (email.status, place.status) == (FindingStatus.FIXED, FindingStatus.OPEN)
    with desk.database.writing() as session:
        place.status, place.detail = FindingStatus.FIXED, {"stand_in": "Vienna", "gone_in": 1}
        session.merge(place)
        session.commit()
    with desk.database.writing() as session:
        held = session.get_one(Record, record)
        held.checked = ""
        session.add(held)
        session.commit()
    assert desk.clean(personal).found == {}


def test_processes_find_what_one_finds(sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "FEWEST_FOR_POOL", 1)
    monkeypatch.setattr(checking, "BATCH", 7)
    desk = Desk(sqlite)
    ids = desk.records(*(f"number {number}" + "<br>" * (number % 3) for number in range(60)))
    one = Words(seen_by=str(tmp_path / "one"))
    many = Words(seen_by=str(tmp_path / "many"))
    for folder in ("one", "many"):
        (tmp_path / folder).mkdir()
    desk.clean({Check.TEXT: one}, workers=1)
    inline = desk.everything()
    with sqlite.writing() as session:
        for finding in session.exec(select(Finding)):
            session.delete(finding)
        for record in session.exec(select(Record)):
            record.checked, record.slices = "", {}
        session.commit()
    desk.clean({Check.TEXT: many}, workers=2)
    assert desk.everything() == inline
    assert len(inline) == 60 + len(ids)
    assert [int(path.name) for path in (tmp_path / "one").iterdir()] == [os.getpid()]
    others = {int(path.name) for path in (tmp_path / "many").iterdir()}
    assert others
    assert os.getpid() not in others


def test_a_killed_run_goes_on_and_finds_what_an_uninterrupted_one_finds(
    database_url: str, database: Database, sqlite_template: Path, tmp_path: Path
) -> None:
    """A real process with real children, ended by SIGKILL in the middle."""
    desk = Desk(database)
    desk.records(*(f"number {number}<br>" for number in range(80)))
    run_id = desk.ask()
    (tmp_path / "seen").mkdir()
    child = subprocess.Popen([sys.executable, str(KILLED), database_url, str(run_id), str(tmp_path / "seen")])
    wait_until(lambda: desk.run(run_id).done >= 10)
    child.send_signal(signal.SIGKILL)
    child.wait()
    stopped = desk.run(run_id)
    assert (stopped.status, stopped.done < 80) == (JobStatus.RUNNING, True)
    assert len(desk.findings()) == stopped.done, "a batch is stored whole or not at all"
    wait_until(lambda: not any(alive(int(path.name)) for path in (tmp_path / "seen").iterdir()))
    assert desk.ask() == run_id, "it is the same run that goes on"
    run = run_checks(database, run_id=run_id, workers=1, families=BR)
    assert (run.status, run.done, run.total, run.found) == (JobStatus.SUCCEEDED, 80, 80, {"markup": 80})
    assert [finding.record_id for finding in desk.findings()] == sorted({finding.record_id for finding in desk.findings()})


def wait_until(what: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_text_that_is_edited_meanwhile_is_left_for_the_next_run(at_sqlite: Desk) -> None:
    desk = at_sqlite
    first, second = desk.records("a<br>", "b<br>")

    class Editor(Words):
        def look(self, *given: Any) -> Any:
            seen = super().look(*given)
            if desk.read(second).head == 1:
                desk.edit(second, "quite different")
            return seen

    desk.clean({Check.TEXT: Editor()})
    assert [finding.record_id for finding in desk.findings()] == [first]
    assert [desk.read(first).checked, desk.read(second).checked] == ["1 text:1", ""]
    assert desk.clean().done == 1


def test_a_stop_is_heeded_between_batches_and_keeps_what_was_found(at_sqlite: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = at_sqlite
    monkeypatch.setattr(checking, "BATCH", 2)
    desk.records(*(f"{number}<br>" for number in range(8)))

    def tell(step: str, done: int, total: int) -> None:
        if done == 4:
            with desk.database.writing() as session:
                cleaning.stop(session=session, actor=desk.lead, project_id=desk.project_id, run_id=1)

    run = desk.clean(tell=tell)
    assert (run.status, run.done, len(desk.findings())) == (JobStatus.CANCELLED, 6, 6)
    assert desk.clean().done == 2


def test_of_one_project_one_run_is_at_work_and_a_dead_one_is_taken_over(desk: Desk) -> None:
    desk.records("a<br>")
    waiting = desk.ask()
    assert desk.ask() == waiting, "asked for twice, it is one"
    with pytest.raises(AlreadyDone, match="wait for the worker"):
        desk.ask([Check.SPELLING])
    with desk.database.writing() as session:
        run = cleaning.take_up(session=session, run_id=waiting)
        assert run is not None
    with pytest.raises(Conflict, match="at work right now"):
        desk.ask()
    with pytest.raises(Conflict, match="another process"):
        run_checks(desk.database, run_id=waiting, workers=1, families=BR)
    gone(desk, waiting, run.holder.rpartition(" ")[0] + " 1.0")
    with desk.database.reading() as session:
        assert cleaning.due(session) == [waiting]
    other = desk.ask([Check.SPELLING])
    assert desk.run(waiting).status is JobStatus.LOST
    with desk.database.writing() as session:
        assert cleaning.take_up(session=session, run_id=other) is not None
    gone(desk, other, "elsewhere 7 1.0")
    with pytest.raises(Conflict, match="at work right now"):
        desk.ask([Check.SPELLING])
    gone(desk, other, "elsewhere 7 1.0", silent=True)
    assert desk.ask([Check.SPELLING]) == other


def gone(desk: Desk, run_id: int, holder: str, *, silent: bool = False) -> None:
    with desk.database.writing() as session:
        run = session.get_one(CheckRun, run_id)
        run.holder, run.beat_at = holder, now() - (cleaning.SILENT if silent else cleaning.SILENT / 2)
        session.add(run)
        session.commit()


def test_a_process_that_lost_its_run_writes_nothing_more(at_sqlite: Desk) -> None:
    desk = at_sqlite
    desk.records("a<br>")

    class Late(Words):
        def look(self, *given: Any) -> Any:
            gone(desk, 1, "elsewhere 7 1.0")
            return super().look(*given)

    with pytest.raises(Conflict, match="took this run over"):
        desk.clean({Check.TEXT: Late()})
    assert desk.findings() == []
    assert desk.run(1).status is JobStatus.RUNNING


def test_a_bug_in_a_detector_ends_the_run_as_failed_and_keeps_the_batches_before(
    at_sqlite: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "BATCH", 2)
    at_sqlite.records("a<br>", "b<br>", "c", "the bad one")
    with pytest.raises(ValueError, match="a bug"):
        at_sqlite.clean({Check.TEXT: Words(fails_at="bad")})
    run = at_sqlite.run(1)
    assert (run.status, run.done, len(at_sqlite.findings())) == (JobStatus.FAILED, 2, 2)
    assert "a bug" not in run.error
    with at_sqlite.database.reading() as session:
        assert cleaning.due(session) == [], "a worker does not try it for ever"
    assert at_sqlite.clean().done == 2


def test_checks_of_the_project_run_after_the_others_and_add_to_what_was_found(desk: Desk) -> None:
    desk.records("a<br>")
    order: list[Any] = []

    def compare(name: str) -> Any:
        def call(*, session: Any, project_id: int, tell: Any) -> dict[str, int]:
            tell(0.5, "half")
            order.append((name, project_id, desk.read(1).checked))
            return {name: 2}

        return call

    checks = {Check.CONTRADICTIONS: compare("contradiction"), Check.DUPLICATES: compare("near_duplicate")}
    run = desk.clean(of_project=checks)
    assert order == [(name, desk.project_id, "1 text:1") for name in ("near_duplicate", "contradiction")]
    assert run.found == {"markup": 1, "near_duplicate": 2, "contradiction": 2}


def test_who_may_not_or_names_no_check_starts_nothing(at_sqlite: Desk) -> None:
    desk = at_sqlite
    for actor, checks, error in ((desk.expert, [Check.TEXT], Forbidden), (desk.lead, [], InvalidInput)):
        with desk.database.writing() as session, pytest.raises(error):
            cleaning.ask(session=session, actor=actor, project_id=desk.project_id, checks=checks)
    with pytest.raises(InvalidInput, match=r"no check called 'speling'. There are: text, language, spelling"):
        cleaning.named(["text", "speling"])
    assert cleaning.named(["spelling", " text"]) == [Check.TEXT, Check.SPELLING]
    assert cleaning.named([""]) == list(Check)
    run_id = desk.ask()
    with desk.database.writing() as session, pytest.raises(Forbidden):
        cleaning.stop(session=session, actor=desk.expert, project_id=desk.project_id, run_id=run_id)


def test_no_two_families_find_the_same_kind_and_each_names_its_slices() -> None:
    found: dict[FindingKind, Check] = {}
    for check in MODULES:
        for kind in family(check).KINDS:
            assert found.setdefault(kind, check) is check
        assert all(name.startswith(DETECTED) for name in family(check).SLICES)
