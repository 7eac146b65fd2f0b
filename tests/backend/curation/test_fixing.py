"""Masks are revisions with a reason that can be undone; nothing else changes a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from backend.access.actors import Actor
from backend.access.audit import verify
from backend.conversations import Message
from backend.curation import dismissing, fixing, queries, undoing
from backend.curation.fix_rules import Rule
from backend.curation.masks import Span, masked, snippet
from backend.errors import AlreadyDone, Conflict, Forbidden, InvalidInput, NotFound
from backend.store.accounts import AuditEntry
from backend.store.database import Database
from backend.store.findings import refresh_findings
from backend.store.records import Approval, Finding, Project, Record, RecordRevision
from backend.store.revisions import add_revision
from backend.vocabulary import PERSONAL_FINDINGS, Decision, FindingKind, FindingStatus, RecordStatus, Role
from tests.factories import a_person, a_project, a_record

MAIL, PHONE = "ann@example.org", "+1 404 555 0123"


class Desk:
    """A project with an expert, and what a test does there, each step in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.writing() as session:
            project = a_project(session)
            self.project_id = project.id or 0
            self.expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
            self.lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
            self.rater = a_person(session, "r@example.org", project=project, role=Role.RATER)
            session.commit()

    def record(self, prompt: str) -> int:
        with self.database.writing() as session:
            record = a_record(session, session.get_one(Project, self.project_id), prompt=prompt, answer="We will write.")
            revision = session.exec(select(RecordRevision).where(RecordRevision.record_id == record.id)).one()
            refresh_findings(session, record, revision)
            session.commit()
            return record.id or 0

    def findings(self, record_id: int, status: FindingStatus = FindingStatus.OPEN) -> list[Finding]:
        with self.database.reading() as session:
            query = select(Finding).where(Finding.record_id == record_id, Finding.status == status)
            return list(session.exec(query.order_by(col(Finding.message), col(Finding.start))))

    def read(self, record_id: int) -> Record:
        with self.database.reading() as session:
            return session.get_one(Record, record_id)

    def revisions(self, record_id: int) -> list[RecordRevision]:
        with self.database.reading() as session:
            query = select(RecordRevision).where(RecordRevision.record_id == record_id)
            return list(session.exec(query.order_by(col(RecordRevision.number))))

    def mask(self, finding_ids: list[int], actor: Actor | None = None) -> Record:
        with self.database.writing() as session:
            return fixing.fix(session=session, actor=actor or self.expert, project_id=self.project_id, finding_ids=finding_ids)

    def undo(self, finding_id: int) -> Record:
        with self.database.writing() as session:
            return undoing.undo(session=session, actor=self.expert, project_id=self.project_id, finding_id=finding_id)

    def approve(self, record_id: int) -> None:
        with self.database.writing() as session:
            record = session.get_one(Record, record_id)
            newest = select(RecordRevision.id).where(
                RecordRevision.record_id == record_id, RecordRevision.number == record.head
            )
            record.approved_revision_id = session.exec(newest).one()
            record.status = RecordStatus.APPROVED
            revision_id = record.approved_revision_id or 0
            session.add(Approval(record_id=record_id, revision_id=revision_id, decision=Decision.APPROVED))
            session.add(record)
            session.commit()


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


@pytest.fixture
def desk_on_sqlite(sqlite: Database) -> Desk:
    return Desk(sqlite)


def ids(findings: list[Finding]) -> list[int]:
    return [finding.id or 0 for finding in findings]


def test_a_mask_is_a_new_revision_and_closes_its_finding(desk: Desk) -> None:
    record_id = desk.record(f"Write to {MAIL} or call {PHONE}")
    mail, phone = desk.findings(record_id)
    record = desk.mask([mail.id or 0])
    assert (record.prompt, record.head) == (f"Write to [EMAIL] or call {PHONE}", 2)
    first, second = desk.revisions(record_id)
    assert first.messages[0]["content"] == f"Write to {MAIL} or call {PHONE}"
    assert (second.author_id, second.based_on, second.reason) == (desk.expert.account_id, 1, fixing.MASKED)
    (left,) = desk.findings(record_id)
    assert (left.id, left.revision_id) == (phone.id, second.id)
    assert second.messages[0]["content"][left.start : left.end] == PHONE


def test_masking_one_of_two_equal_spans_leaves_the_other_open(desk_on_sqlite: Desk) -> None:
    record_id = desk_on_sqlite.record(f"{MAIL} and again {MAIL}")
    first, second = desk_on_sqlite.findings(record_id)
    assert desk_on_sqlite.mask([first.id or 0]).prompt == f"[EMAIL] and again {MAIL}"
    assert ids(desk_on_sqlite.findings(record_id)) == [second.id]


def test_a_mask_is_undone_by_another_revision_and_the_finding_is_open_again(desk: Desk) -> None:
    record_id = desk.record(f"Write to {MAIL}")
    (finding,) = desk.findings(record_id)
    desk.mask([finding.id or 0])
    record = desk.undo(finding.id or 0)
    assert (record.prompt, record.head) == (f"Write to {MAIL}", 3)
    (again,) = desk.findings(record_id)
    assert (again.id, again.revision_id) == (finding.id, desk.revisions(record_id)[-1].id)
    with pytest.raises(Conflict, match="nothing to undo"):
        desk.undo(finding.id or 0)


def test_an_undo_after_a_later_edit_is_refused_and_loses_nothing(desk_on_sqlite: Desk) -> None:
    desk = desk_on_sqlite
    record_id = desk.record(f"Write to {MAIL}")
    (finding,) = desk.findings(record_id)
    desk.mask([finding.id or 0])
    with desk.database.writing() as session:
        edited = [Message("user", "Please write to [EMAIL]"), Message("assistant", "Gladly.")]
        add_revision(session, session.get_one(Record, record_id), edited, reason="kinder", author_id=None)
        session.commit()
    with pytest.raises(Conflict, match="changed after the fix"):
        desk.undo(finding.id or 0)
    assert desk.read(record_id).prompt == "Please write to [EMAIL]"


def test_an_edit_that_took_the_data_out_is_no_mask_to_undo(desk_on_sqlite: Desk) -> None:
    desk = desk_on_sqlite
    record_id = desk.record(f"Write to {MAIL}")
    (finding,) = desk.findings(record_id)
    with desk.database.writing() as session:
        edited = [Message("user", "Write to me"), Message("assistant", "Gladly.")]
        add_revision(session, session.get_one(Record, record_id), edited, reason="", author_id=None)
        session.commit()
    with pytest.raises(Conflict, match="nothing to undo"):
        desk.undo(finding.id or 0)


def test_a_mask_of_a_text_that_changed_meanwhile_is_refused(desk_on_sqlite: Desk) -> None:
    desk = desk_on_sqlite
    record_id = desk.record(f"Write to {MAIL}")
    (finding,) = desk.findings(record_id)
    desk.mask([finding.id or 0])
    with pytest.raises(AlreadyDone, match="already fixed"):
        desk.mask([finding.id or 0])
    assert desk.read(record_id).head == 2


def test_an_approval_of_the_unmasked_text_is_withdrawn(desk: Desk) -> None:
    record_id = desk.record(f"Write to {MAIL}")
    desk.approve(record_id)
    record = desk.mask(ids(desk.findings(record_id)))
    assert (record.status, record.approved_revision_id) == (RecordStatus.PENDING, None)
    with desk.database.reading() as session:
        approval = session.exec(select(Approval)).one()
        assert approval.withdrawn_by == desk.expert.account_id
        assert approval.withdrawn_reason == fixing.MASKED


def test_an_approval_of_a_clean_older_text_stays(desk_on_sqlite: Desk) -> None:
    desk = desk_on_sqlite
    record_id = desk.record("Where is my order?")
    desk.approve(record_id)
    with desk.database.writing() as session:
        edited = [Message("user", f"Where is my order? {MAIL}"), Message("assistant", "On its way.")]
        add_revision(session, session.get_one(Record, record_id), edited, reason="", author_id=None)
        session.commit()
    record = desk.mask(ids(desk.findings(record_id)))
    assert record.approved_revision_id is not None
    assert record.status is RecordStatus.PENDING


def test_a_dismissed_finding_stays_and_can_be_opened_again(desk: Desk) -> None:
    record_id = desk.record(f"Our own address is {MAIL}")
    (finding,) = desk.findings(record_id)
    with desk.database.writing() as session:
        dismissing.dismiss(
            session=session, actor=desk.expert, project_id=desk.project_id, finding_ids=ids([finding]), reason="It is ours"
        )
    (dismissed,) = desk.findings(record_id, FindingStatus.DISMISSED)
    assert (dismissed.closed_by, dismissed.detail) == (desk.expert.account_id, {"reason": "It is ours"})
    assert desk.read(record_id).head == 1
    with desk.database.writing() as session:
        dismissing.reopen(session=session, actor=desk.expert, project_id=desk.project_id, finding_id=finding.id or 0)
    assert ids(desk.findings(record_id)) == [finding.id]


def test_a_dismissal_needs_a_reason(desk_on_sqlite: Desk) -> None:
    desk = desk_on_sqlite
    record_id = desk.record(MAIL)
    with desk.database.writing() as session, pytest.raises(InvalidInput, match="why"):
        dismissing.dismiss(
            session=session,
            actor=desk.expert,
            project_id=desk.project_id,
            finding_ids=ids(desk.findings(record_id)),
            reason=" ",
        )


def test_masking_all_takes_every_open_finding_of_the_kinds_and_only_those(desk: Desk) -> None:
    both, mail, clean = desk.record(f"{MAIL}, {PHONE}"), desk.record(MAIL), desk.record("Hello?")
    with desk.database.writing() as session:
        done = fixing.fix_all(
            session=session,
            actor=desk.lead,
            project_id=desk.project_id,
            rule=Rule(kinds=frozenset({FindingKind.EMAIL})),
            reason="Before review",
        )
    assert (done.records, done.findings, done.left) == (2, 2, 0)
    assert [desk.read(record).prompt for record in (both, mail, clean)] == [f"[EMAIL], {PHONE}", "[EMAIL]", "Hello?"]
    assert desk.revisions(mail)[-1].reason == "Before review"
    with desk.database.reading() as session:
        counts = queries.open_counts(session, actor=desk.lead, project_id=desk.project_id)
        assert counts == {FindingKind.PHONE: (1, 1)}
        acts = session.exec(select(AuditEntry.detail).where(AuditEntry.action == "personal_data_masked")).all()
        assert acts == [{"records": 2, "findings": 2, "kinds": ["email"], "batch": done.batch}]
        assert verify(session).broken_at is None


def test_the_list_of_findings_shows_the_span_in_its_sentence(desk_on_sqlite: Desk) -> None:
    desk = desk_on_sqlite
    desk.record(f"Please write to {MAIL} soon")
    with desk.database.reading() as session:
        rows = queries.findings(session, actor=desk.expert, project_id=desk.project_id)
    assert rows[["kind", "text", "becomes"]].to_numpy().tolist() == [
        ["E-mail address", f"Please write to {MAIL} soon", "[EMAIL]"]
    ]


def test_who_may_not_review_or_is_elsewhere_can_do_nothing(desk_on_sqlite: Desk) -> None:
    desk = desk_on_sqlite
    record_id = desk.record(MAIL)
    (finding_id,) = ids(desk.findings(record_id))
    with pytest.raises(Forbidden):
        desk.mask([finding_id], desk.rater)
    calls = (
        lambda s: fixing.fix_all(session=s, actor=desk.expert, project_id=desk.project_id, rule=Rule(kinds=PERSONAL_FINDINGS)),
        lambda s: dismissing.dismiss(
            session=s, actor=desk.rater, project_id=desk.project_id, finding_ids=[finding_id], reason="x"
        ),
        lambda s: undoing.undo(session=s, actor=desk.rater, project_id=desk.project_id, finding_id=finding_id),
        lambda s: dismissing.reopen(session=s, actor=desk.rater, project_id=desk.project_id, finding_id=finding_id),
        lambda s: queries.findings(s, actor=desk.rater, project_id=desk.project_id),
        lambda s: queries.open_counts(s, actor=desk.rater, project_id=desk.project_id),
    )
    for call in calls:
        with desk.database.writing() as session, pytest.raises(Forbidden):
            call(session)
    with desk.database.writing() as session:
        other = a_project(session, "other")
        stranger = a_person(session, "s@example.org", project=other, role=Role.LEAD)
        session.commit()
    with desk.database.writing() as session, pytest.raises(NotFound):
        fixing.fix(session=session, actor=stranger, project_id=other.id or 0, finding_ids=[finding_id])
    assert desk.read(record_id).head == 1


spans = st.builds(Span, st.integers(0, 1), st.integers(0, 12), st.integers(0, 14), st.just("#"))
words = st.text("abc ", min_size=1, max_size=12)


@given(words, words, st.lists(spans, max_size=4))
def test_a_mask_replaces_whole_spans_or_nothing(first: str, second: str, chosen: list[Span]) -> None:
    messages = (Message("user", first), Message("assistant", second))
    if not all(span.start < span.end <= len(messages[span.message].content) for span in chosen):
        with pytest.raises(Conflict):
            masked(messages, chosen)
        return
    for index, result in enumerate(masked(messages, chosen)):
        here = [span for span in chosen if span.message == index]
        covered = {place for span in here for place in range(span.start, span.end)}
        left = iter(result.content)
        outside = [char for place, char in enumerate(messages[index].content) if place not in covered]
        assert all(char in left for char in outside), "what no span covers stays, in order"
        assert min(1, len(here)) <= result.content.count("#") <= len(here)


@given(st.text(max_size=100), st.integers(0, 100), st.integers(0, 100))
def test_a_snippet_is_a_part_of_its_text(text: str, start: int, size: int) -> None:
    start = min(start, len(text))
    part = snippet(text, start, min(len(text), start + size))
    assert part.strip("…") in text or part in text
    assert text[start : start + size] in part
