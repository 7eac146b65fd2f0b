"""Fixes of any kind: by one finding, by a rule, in their order, and taken back one by one or as a batch."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlmodel import col, select

from backend.access.actors import Actor
from backend.conversations import Message
from backend.curation import check_queries, dismissing, fixing, undoing
from backend.curation.fix_rules import JUDGED, Rule
from backend.curation.fixing import Fixed
from backend.errors import AlreadyDone, Conflict, Forbidden, InvalidInput, NotFound
from backend.store.database import Database
from backend.store.findings import refresh_findings
from backend.store.records import Finding, Project, Record, RecordRevision
from backend.store.revisions import add_revision
from backend.vocabulary import FindingKind, FindingStatus, RecordStatus, Role
from tests.factories import a_person, a_project, a_record

MARKUP, GREETING, WORDING = FindingKind.MARKUP, FindingKind.BOILERPLATE, FindingKind.VOICE
MAIL = "ann@example.org"


class Desk:
    """A project with findings that a test puts where it wants them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.writing() as session:
            project = a_project(session)
            self.project_id = project.id or 0
            self.expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
            self.lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
            session.commit()

    def record(self, prompt: str, *found: tuple[FindingKind, str, str | None], score: float = 1.0, by: str = "test") -> int:
        """A record; each finding is a kind, the words that it stands on, and its proposal."""
        with self.database.writing() as session:
            record = a_record(session, session.get_one(Project, self.project_id), prompt=prompt, answer="Gladly.")
            revision = session.exec(select(RecordRevision).where(RecordRevision.record_id == record.id)).one()
            refresh_findings(session, record, revision)
            for kind, words, proposal in found:
                start = prompt.index(words)
                session.add(
                    Finding(
                        project_id=self.project_id, record_id=record.id or 0, revision_id=revision.id or 0, kind=kind,
                        start=start, end=start + len(words), score=score, detector=by, version="1", proposal=proposal,
                        detail={"why": "The test says so."},
                    )
                )  # fmt: skip
            session.commit()
            return record.id or 0

    def findings(self, record_id: int, status: FindingStatus = FindingStatus.OPEN) -> list[Finding]:
        with self.database.reading() as session:
            query = select(Finding).where(Finding.record_id == record_id, Finding.status == status)
            return list(session.exec(query.order_by(col(Finding.start), col(Finding.id))))

    def standing_on(self, record_id: int) -> list[str]:
        """The words of the open findings in the newest text; what stands on an older one is left out."""
        with self.database.reading() as session:
            newest = session.exec(
                select(RecordRevision).where(RecordRevision.record_id == record_id).order_by(col(RecordRevision.number).desc())
            ).first()
        assert newest is not None
        here = [finding for finding in self.findings(record_id) if finding.revision_id == newest.id]
        return [newest.messages[one.message]["content"][one.start : one.end] for one in here]

    def read(self, record_id: int) -> Record:
        with self.database.reading() as session:
            return session.get_one(Record, record_id)

    def fix(self, findings: Sequence[Finding]) -> Record:
        ids = [finding.id or 0 for finding in findings]
        with self.database.writing() as session:
            return fixing.fix(session=session, actor=self.expert, project_id=self.project_id, finding_ids=ids)

    def fix_all(self, *kinds: FindingKind, actor: Actor | None = None, **rule: object) -> Fixed:
        wanted = Rule(kinds=frozenset(kinds), **rule)  # type: ignore[arg-type]
        with self.database.writing() as session:
            return fixing.fix_all(session=session, actor=actor or self.lead, project_id=self.project_id, rule=wanted)

    def undo_batch(self, batch: str, actor: Actor | None = None) -> undoing.Undone:
        with self.database.writing() as session:
            return undoing.undo_batch(session=session, actor=actor or self.lead, project_id=self.project_id, batch=batch)

    def edit(self, record_id: int, prompt: str) -> None:
        with self.database.writing() as session:
            messages = [Message("user", prompt), Message("assistant", "Gladly.")]
            add_revision(session, session.get_one(Record, record_id), messages, reason="", author_id=None)
            session.commit()


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


@pytest.fixture
def at_sqlite(sqlite: Database) -> Desk:
    return Desk(sqlite)


def test_one_kind_after_the_other_is_fixed_and_undone_in_turn(desk: Desk) -> None:
    """The findings that were not fixed move along with the text, there and back."""
    record = desk.record("Hi Team,<br>the lmap broke. Hi Team,", (MARKUP, "<br>", " "), (WORDING, "lmap", "lamp"))
    first = desk.fix_all(MARKUP)
    assert (first.records, first.findings, first.left, first.skipped) == (1, 1, 0, 0)
    assert desk.read(record).prompt == "Hi Team, the lmap broke. Hi Team,"
    assert desk.standing_on(record) == ["lmap"]
    second = desk.fix_all(WORDING)
    assert desk.read(record).prompt == "Hi Team, the lamp broke. Hi Team,"
    assert desk.undo_batch(first.batch) == undoing.Undone(0, 1, 0), "a later fix stands on it"
    assert desk.undo_batch(second.batch) == undoing.Undone(1, 0, 0)
    assert desk.undo_batch(first.batch) == undoing.Undone(1, 0, 0)
    assert desk.read(record).prompt == "Hi Team,<br>the lmap broke. Hi Team,"
    assert desk.standing_on(record) == ["<br>", "lmap"]
    assert [finding.detail for finding in desk.findings(record)] == [{"why": "The test says so."}] * 2
    with pytest.raises(NotFound, match="left to undo"):
        desk.undo_batch(first.batch)


def test_what_lies_in_words_that_a_fix_takes_away_goes_and_comes_back_with_them(desk: Desk) -> None:
    record = desk.record(f"Thanks!\n--\nAnn Lmap, {MAIL}", (GREETING, f"\n--\nAnn Lmap, {MAIL}", ""), (WORDING, "Lmap", "Lamp"))
    boilerplate = next(finding for finding in desk.findings(record) if finding.kind is GREETING)
    desk.fix([boilerplate])
    assert desk.read(record).prompt == "Thanks!"
    assert desk.findings(record) == []
    with desk.database.writing() as session:
        undoing.undo(session=session, actor=desk.expert, project_id=desk.project_id, finding_id=boilerplate.id or 0)
    assert sorted({finding.kind for finding in desk.findings(record)}) == sorted(
        {GREETING, WORDING, FindingKind.EMAIL, FindingKind.NAME}
    )
    assert len(desk.standing_on(record)) == len(desk.findings(record))


def test_of_overlapping_findings_the_first_is_fixed_and_the_other_waits_or_goes(at_sqlite: Desk) -> None:
    record = at_sqlite.record("where is my order?", (MARKUP, "where is", "wo ist"), (MARKUP, "is my", "y"))
    at_sqlite.fix(at_sqlite.findings(record))
    assert at_sqlite.read(record).prompt == "wo ist my order?"
    fixed = at_sqlite.findings(record, FindingStatus.FIXED)
    assert [("batch" in finding.detail) for finding in fixed] == [True, False]


def test_a_rule_means_only_what_is_sure_enough_and_of_the_detector(at_sqlite: Desk) -> None:
    desk = at_sqlite
    sure = desk.record("a<br>", (MARKUP, "<br>", ""), score=0.95)
    unsure = desk.record("b<br>", (MARKUP, "<br>", ""), score=0.5)
    other = desk.record("c<br>", (MARKUP, "<br>", ""), score=0.95, by="another")
    assert desk.fix_all(MARKUP, min_score=0.9, detector="test").records == 1
    assert [desk.read(record).prompt for record in (sure, unsure, other)] == ["a", "b<br>", "c<br>"]


def test_what_says_only_what_is_wrong_is_left_to_people(at_sqlite: Desk) -> None:
    record = at_sqlite.record("Dear {{name}}", (FindingKind.PLACEHOLDER, "{{name}}", None))
    with pytest.raises(InvalidInput, match="no machine can fix it"):
        at_sqlite.fix(at_sqlite.findings(record))
    with pytest.raises(NotFound, match="can be fixed by a machine"):
        at_sqlite.fix_all(FindingKind.PLACEHOLDER)
    assert at_sqlite.read(record).head == 1


@pytest.mark.parametrize("kind", sorted(JUDGED))
def test_what_is_only_a_proposal_is_fixed_one_by_one_and_by_no_bulk(at_sqlite: Desk, kind: FindingKind) -> None:
    record = at_sqlite.record("Two years.<br>", (kind, "Two", "Five"), (MARKUP, "<br>", ""))
    with pytest.raises(InvalidInput, match="one by one"):
        at_sqlite.fix_all(kind)
    assert at_sqlite.fix_all(kind, MARKUP).findings == 1
    assert at_sqlite.read(record).prompt == "Two years."
    with at_sqlite.database.reading() as session:
        left = session.exec(select(Finding).where(Finding.kind == kind, Finding.status == FindingStatus.OPEN)).all()
    assert len(left) == 1
    other = at_sqlite.record("Two years.", (kind, "Two", "Five"))
    at_sqlite.fix(at_sqlite.findings(other))
    assert at_sqlite.read(other).prompt == "Five years."


def test_a_fix_that_would_leave_nothing_is_refused_alone_and_skipped_in_bulk(at_sqlite: Desk) -> None:
    empty = at_sqlite.record("<br>", (MARKUP, "<br>", ""))
    other = at_sqlite.record("a<br>", (MARKUP, "<br>", ""))
    with pytest.raises(Conflict, match="is empty"):
        at_sqlite.fix(at_sqlite.findings(empty))
    done = at_sqlite.fix_all(MARKUP)
    assert (done.records, done.skipped, done.left) == (1, 1, 0)
    assert [at_sqlite.read(record).prompt for record in (empty, other)] == ["<br>", "a"]
    assert len(at_sqlite.findings(empty)) == 1


def test_a_finding_on_an_older_text_is_not_fixed_by_guess(at_sqlite: Desk) -> None:
    record = at_sqlite.record("all of it", (FindingKind.ECHO, "all of it", "x"))
    at_sqlite.edit(record, "something else")
    with pytest.raises(Conflict, match="has changed since"):
        at_sqlite.fix(at_sqlite.findings(record))
    with pytest.raises(NotFound):
        at_sqlite.fix_all(FindingKind.ECHO)


def test_a_fixed_record_waits_for_review_again(at_sqlite: Desk) -> None:
    record = at_sqlite.record("a<br>", (MARKUP, "<br>", ""))
    with at_sqlite.database.writing() as session:
        held = session.get_one(Record, record)
        held.status = RecordStatus.REJECTED
        session.add(held)
        session.commit()
    assert at_sqlite.fix(at_sqlite.findings(record)).status is RecordStatus.PENDING


def test_an_edit_by_hand_moves_findings_along_or_closes_them(desk: Desk) -> None:
    record = desk.record("one <br> two <br> lmap", (MARKUP, "<br>", " "), (WORDING, "lmap", "lamp"))
    desk.edit(record, "Hello! one and <br> two, lamp")
    assert desk.standing_on(record) == ["<br>"]
    (gone,) = desk.findings(record, FindingStatus.FIXED)
    assert (gone.kind, gone.detail["gone_in"]) == (WORDING, 2)


def test_batches_are_listed_with_who_made_them_and_undone_by_whom_may(desk: Desk) -> None:
    for number in range(2):
        desk.record(f"{number}<br> {MAIL}", (MARKUP, "<br>", ""))
    done = desk.fix_all(MARKUP)
    with desk.database.reading() as session:
        (batch,) = check_queries.batches(session, actor=desk.expert, project_id=desk.project_id)
    assert (batch.name, batch.kinds, batch.findings, batch.records, batch.by) == (done.batch, (MARKUP,), 2, 2, "l")
    with pytest.raises(Forbidden):
        desk.undo_batch(done.batch, desk.expert)
    with pytest.raises(Forbidden):
        desk.fix_all(MARKUP, actor=desk.expert)
    desk.undo_batch(done.batch)
    with desk.database.reading() as session:
        assert check_queries.batches(session, actor=desk.expert, project_id=desk.project_id) == []


def test_a_preview_shows_each_message_before_and_after(desk: Desk) -> None:
    desk.record("a<br>b", (MARKUP, "<br>", " "), score=0.9)
    desk.record("Dear {{name}}", (FindingKind.PLACEHOLDER, "{{name}}", None), score=0.5)
    rule = Rule(kinds=frozenset({MARKUP, FindingKind.PLACEHOLDER}))
    with desk.database.reading() as session:
        here = {"actor": desk.expert, "project_id": desk.project_id}
        shown = check_queries.examples(session, **here, rule=rule)  # type: ignore[arg-type]
        assert [(one.before, one.after, one.why) for one in shown] == [
            ("Dear {{name}}", None, "The test says so."), ("a<br>b", "a b", "The test says so."),
        ]  # fmt: skip
        assert check_queries.fixable(session, **here, rule=rule) == (1, 1)  # type: ignore[arg-type]


def test_a_kind_is_dismissed_as_a_whole_with_a_reason(desk: Desk) -> None:
    rule = Rule(kinds=frozenset({MARKUP}))
    desk.record("a<br>", (MARKUP, "<br>", ""))
    here = {"actor": desk.lead, "project_id": desk.project_id, "rule": rule}
    with desk.database.writing() as session, pytest.raises(InvalidInput):
        dismissing.dismiss_all(session=session, **here, reason=" ")  # type: ignore[arg-type]
    with desk.database.writing() as session:
        assert dismissing.dismiss_all(session=session, **here, reason="Meant") == (1, 0)  # type: ignore[arg-type]
    with desk.database.writing() as session, pytest.raises(NotFound):
        dismissing.dismiss_all(session=session, **here, reason="Meant")  # type: ignore[arg-type]


def test_what_was_fixed_or_dismissed_is_not_fixed_again(at_sqlite: Desk) -> None:
    record = at_sqlite.record("a<br>", (MARKUP, "<br>", ""))
    found = at_sqlite.findings(record)
    at_sqlite.fix(found)
    with pytest.raises(AlreadyDone, match="already fixed"):
        at_sqlite.fix(found)
