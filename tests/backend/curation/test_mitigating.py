"""Mitigations are previewed, applied and undone; what undoing leaves is what was there before."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlmodel import col, select

from backend.access.actors import Actor
from backend.curation import mitigating
from backend.curation.mitigation_queries import group_labels, history, outcome_labels, standing
from backend.curation.plans import Plan
from backend.curation.synthesis import take_back
from backend.curation.weights import Resampling
from backend.errors import AlreadyDone, Conflict, Forbidden, InvalidInput, NotFound, NotReady
from backend.store.accounts import AuditEntry
from backend.store.curation import Mitigation
from backend.store.database import Database
from backend.store.records import Approval, Finding, Project, Record, RecordRevision, Source
from backend.vocabulary import Decision, FindingStatus, MadeBy, MitigationKind, RecordStatus, Role, SourcePurpose
from tests.factories import a_person, a_project, a_record

SORRY, HELPS = "Sorry, I can't help with that.", "Of course. The chair ships on Monday."


class Shop:
    """A project in which mails are refused more often than calls, and a lead."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.writing() as session:
            project = a_project(session)
            self.project_id = project.id or 0
            self.lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
            self.expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
            for channel, answer, count in (("mail", SORRY, 6), ("mail", HELPS, 4), ("phone", SORRY, 2), ("phone", HELPS, 8)):
                for number in range(count):
                    self.approved(session, f"Question {number} by {channel}", answer, {"channel": channel})
            session.commit()

    def approved(self, session: Any, prompt: str, answer: str, slices: dict[str, str] | None = None) -> Record:
        record = a_record(session, session.get_one(Project, self.project_id), prompt=prompt, answer=answer, slices=slices)
        revision = session.exec(select(RecordRevision).where(RecordRevision.record_id == record.id)).one()
        record.status, record.approved_revision_id = RecordStatus.APPROVED, revision.id
        session.add(Approval(record_id=record.id, revision_id=revision.id, decision=Decision.APPROVED))
        session.flush()
        return record

    def apply(self, plan: Plan, actor: Actor | None = None) -> Mitigation:
        with self.database.writing() as session:
            return mitigating.apply(session=session, actor=actor or self.lead, project_id=self.project_id, plan=plan)

    def preview(self, plan: Plan) -> mitigating.Preview:
        with self.database.reading() as session:
            return mitigating.preview(session=session, actor=self.lead, project_id=self.project_id, plan=plan)

    def undo(self, mitigation_id: int | None) -> int:
        with self.database.writing() as session:
            return mitigating.undo(
                session=session, actor=self.lead, project_id=self.project_id, mitigation_id=mitigation_id or 0
            )

    def records(self) -> list[Record]:
        with self.database.reading() as session:
            return list(session.exec(select(Record).order_by(col(Record.id))))


REWEIGH = Plan(kind=MitigationKind.REWEIGHING, slice_by="slice:channel", outcome="answer:refuses")
COPY = Plan(kind=MitigationKind.RESAMPLING, slice_by="answer:refuses", how=Resampling.OVER)
SWAP = Plan(kind=MitigationKind.COUNTERFACTUALS, swaps=("gender", "names"))


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop(database)


@pytest.fixture
def small_shop(sqlite: Database) -> Shop:
    return Shop(sqlite)


def test_reweighing_evens_out_refusals_between_channels_as_its_preview_said(shop: Shop) -> None:
    seen = shop.preview(REWEIGH)
    assert {record.weight for record in shop.records()} == {1.0}
    done = shop.apply(REWEIGH)
    assert done.after["gap"] == pytest.approx(0, abs=1e-9)
    assert (done.after["slices"], done.before["gap"]) == (seen.after["slices"], pytest.approx(0.4))
    weights = Counter((record.slices["channel"], record.answer, round(record.weight, 6)) for record in shop.records())
    # P(mail)·P(refuses) / P(mail, refuses) = .5 · .4 / .3
    assert weights["mail", SORRY, round(2 / 3, 6)] == 6
    assert weights["phone", SORRY, 2.0] == 2
    assert sum(record.weight for record in shop.records()) == pytest.approx(20)


def test_undoing_puts_the_earlier_weights_back_the_newest_first(shop: Shop) -> None:
    first = shop.apply(REWEIGH)
    between = {record.id: record.weight for record in shop.records()}
    with pytest.raises(AlreadyDone):
        shop.apply(REWEIGH)
    second = shop.apply(Plan(kind=MitigationKind.REWEIGHING, slice_by="slice:channel", outcome="answer:refuses", highest=1.2))
    assert max(record.weight for record in shop.records()) <= 1.2
    with pytest.raises(Conflict):
        shop.undo(first.id)
    shop.undo(second.id)
    assert {record.id: record.weight for record in shop.records()} == between
    assert shop.undo(first.id) == 20
    assert {record.weight for record in shop.records()} == {1.0}
    with pytest.raises(AlreadyDone):
        shop.undo(first.id)
    with shop.database.reading() as session:
        actions = [entry.action for entry in session.exec(select(AuditEntry).order_by(col(AuditEntry.number)))]
    assert actions == ["mitigation_applied"] * 2 + ["mitigation_undone"] * 2


def test_copies_bring_both_outcomes_to_one_size_and_go_again(shop: Shop) -> None:
    done = shop.apply(COPY)
    held = Counter[str]()
    for record in shop.records():
        held[record.answer] += record.copies
    assert held == {SORRY: 12, HELPS: 12}
    assert done.after["rows"] == 24
    shop.undo(done.id)
    assert {record.copies for record in shop.records()} == {1}


def test_only_what_can_be_trained_on_is_weighed_and_general_talk_is_not(small_shop: Shop) -> None:
    with small_shop.database.writing() as session:
        general = Source(project_id=small_shop.project_id, name="talk", content_hash="g", purpose=SourcePurpose.GENERAL)
        session.add(general)
        session.flush()
        talk = small_shop.approved(session, "Hello?", SORRY, {"channel": "mail"})
        talk.source_id = general.id
        a_record(
            session, session.get_one(Project, small_shop.project_id), prompt="New", answer=SORRY, slices={"channel": "mail"}
        )
        session.commit()
    small_shop.apply(REWEIGH)
    assert [record.weight for record in small_shop.records()[-2:]] == [1.0, 1.0]


def test_counterfactuals_wait_for_review_with_their_originals_group_and_no_open_finding(shop: Shop) -> None:
    with shop.database.writing() as session:
        original = shop.approved(session, "My wife Emily wants her chair", "We will call her on Monday.", {"channel": "mail"})
        session.commit()
    seen = shop.preview(SWAP)
    assert seen.changes == 2
    assert seen.examples[0].variant.messages[0].content == "My husband Greg wants his chair"
    done = shop.apply(SWAP)
    made = [record for record in shop.records() if record.made_by is MadeBy.COUNTERFACTUAL]
    assert [(record.made_from, record.status, record.approved_revision_id) for record in made] == [
        (original.id, RecordStatus.PENDING, None)
    ] * 2
    kept = next(record for record in shop.records() if record.id == original.id)
    assert kept.group
    assert {record.group for record in made} == {kept.group}
    with shop.database.reading() as session:
        findings = session.exec(select(Finding).where(col(Finding.record_id).in_([record.id for record in made]))).all()
        assert not [finding for finding in findings if finding.status is FindingStatus.OPEN]
        assert "Counterfactuals" in session.exec(select(Source)).one().name
    with pytest.raises(AlreadyDone):
        shop.apply(SWAP)
    assert done.after["made"] == 2


def test_undoing_counterfactuals_leaves_what_somebody_has_worked_on(small_shop: Shop) -> None:
    with small_shop.database.writing() as session:
        small_shop.approved(session, "My wife wants a chair", "Here it is.")
        small_shop.approved(session, "My husband is deaf", "Here it is.")
        session.commit()
    done = small_shop.apply(Plan(kind=MitigationKind.COUNTERFACTUALS, swaps=("gender",)))
    made = [record for record in small_shop.records() if record.made_by is MadeBy.COUNTERFACTUAL]
    with small_shop.database.writing() as session:
        touched = session.get_one(Record, made[0].id)
        touched.status = RecordStatus.REJECTED
        session.add(touched)
        session.commit()
    assert small_shop.undo(done.id) == 1
    left = [record for record in small_shop.records() if record.made_by is MadeBy.COUNTERFACTUAL]
    assert [record.id for record in left] == [made[0].id]


def test_counterfactuals_that_were_taken_back_elsewhere_are_undone_without_a_word(small_shop: Shop) -> None:
    with small_shop.database.writing() as session:
        small_shop.approved(session, "My wife wants a chair", "Here it is.")
        session.commit()
    done = small_shop.apply(Plan(kind=MitigationKind.COUNTERFACTUALS, swaps=("gender",)))
    with small_shop.database.writing() as session:
        take_back(session=session, project_id=small_shop.project_id, source_id=done.after["source_id"])
        session.commit()
    assert small_shop.undo(done.id) == 0


def test_a_plan_that_makes_no_sense_is_refused_in_words(small_shop: Shop) -> None:
    refused = [
        Plan(kind=MitigationKind.REWEIGHING, slice_by="", outcome="answer:refuses"),
        Plan(kind=MitigationKind.REWEIGHING, slice_by="slice:channel", outcome="slice:channel"),
        Plan(kind=MitigationKind.REWEIGHING, slice_by="slice:nothing", outcome="answer:refuses"),
        Plan(kind=MitigationKind.REWEIGHING, slice_by="slice:channel", outcome="answer:refuses", lowest=2.0),
        Plan(kind=MitigationKind.COUNTERFACTUALS, swaps=()),
        Plan(kind=MitigationKind.COUNTERFACTUALS, most=0),
    ]
    for plan in refused:
        with pytest.raises(InvalidInput):
            small_shop.apply(plan)
    with pytest.raises(NotReady):
        small_shop.apply(SWAP)
    assert {record.weight for record in small_shop.records()} == {1.0}


def test_leads_alone_apply_and_undo_and_only_in_their_project(small_shop: Shop) -> None:
    with pytest.raises(Forbidden):
        small_shop.apply(REWEIGH, small_shop.expert)
    done = small_shop.apply(REWEIGH)
    with small_shop.database.writing() as session:
        other = a_project(session, "other")
        stranger = a_person(session, "s@example.org", project=other, role=Role.LEAD)
        session.commit()
        with pytest.raises(NotFound):
            mitigating.undo(session=session, actor=stranger, project_id=other.id or 0, mitigation_id=done.id or 0)
        with pytest.raises(NotReady):
            mitigating.preview(session=session, actor=stranger, project_id=other.id or 0, plan=REWEIGH)


def test_what_was_done_is_listed_with_what_can_be_undone(shop: Shop) -> None:
    first = shop.apply(REWEIGH)
    second = shop.apply(Plan(kind=MitigationKind.REWEIGHING, slice_by="slice:channel", outcome="answer:refuses", highest=1.2))
    third = shop.apply(COPY)
    with shop.database.writing() as session:
        shop.approved(session, "A question that came later", HELPS)
        session.commit()
    with shop.database.reading() as session:
        listed = history(session, actor=shop.lead, project_id=shop.project_id)
        held = standing(session, actor=shop.lead, project_id=shop.project_id)
        groups = group_labels(session, actor=shop.lead, project_id=shop.project_id)
        outcomes = outcome_labels(session, actor=shop.lead, project_id=shop.project_id)
    assert [(one.id, one.can_undo) for one in listed] == [(third.id, True), (second.id, True), (first.id, False)]
    assert "put_back" not in listed[1].before
    assert (held.approved, held.left_out, held.later) == (21, 0, 1)
    assert held.copied == 4
    assert held.weighted == 20
    assert "slice:channel" in [label.key for label in groups]
    assert "answer:refuses" in [label.key for label in outcomes]


def test_a_name_that_the_original_says_too_is_no_stand_in_in_its_copies(small_shop: Shop) -> None:
    with small_shop.database.writing() as session:
        small_shop.approved(session, "I am Emily and my husband Jamal ordered a rug. Where is it?", "On its way to him, Emily.")
        session.commit()
    small_shop.apply(Plan(kind=MitigationKind.COUNTERFACTUALS, swaps=("names",)))
    with small_shop.database.reading() as session:
        copies = session.exec(select(Record).where(Record.made_by == MadeBy.COUNTERFACTUAL)).all()
        for copy in copies:
            rows = session.exec(select(Finding).where(Finding.record_id == copy.id)).all()
            said = {copy.prompt[row.start : row.end]: row.status for row in rows if row.message == 0}
            real = {name for name in ("Emily", "Jamal") if name in copy.prompt}
            assert {name for name, status in said.items() if status is FindingStatus.OPEN} == real
    assert copies
