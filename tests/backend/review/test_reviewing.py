"""Decisions on one record: each of them, its refusals, and what is left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from backend.access.actors import Actor
from backend.access.audit import verify
from backend.conversations import Message
from backend.errors import AlreadyDone, Conflict, Forbidden, InvalidInput, LeaseLost, NotFound, StaleRevision, TouchstoneError
from backend.review import amending, queueing, reviewing
from backend.review.leases import Lease
from backend.review.queries import queue_counts, record_detail, record_of
from backend.store.accounts import AuditEntry
from backend.store.base import now
from backend.store.database import Database
from backend.store.findings import refresh_findings
from backend.store.records import Approval, Project, Record, RecordComment, RecordRevision
from backend.store.work import Item, Skip, Slot, Task
from backend.vocabulary import Decision, RecordStatus, Role
from tests.factories import a_person, a_project, a_record


@dataclass
class Shop:
    """A project with two experts and some pending records."""

    session: Session
    project: Project
    ann: Actor
    bob: Actor
    records: list[Record]

    @property
    def here(self) -> dict[str, Any]:
        return {"session": self.session, "actor": self.ann, "project_id": self.project.id}

    @property
    def as_bob(self) -> dict[str, Any]:
        return {**self.here, "actor": self.bob}

    def claim(self, record: Record, actor: Actor | None = None) -> Lease:
        who = {**self.here, "actor": actor or self.ann}
        return queueing.claim_record(**who, record_id=record.id or 0, seconds=900)

    def approvals(self, record: Record) -> list[Approval]:
        self.session.expire_all()
        return list(self.session.exec(select(Approval).where(Approval.record_id == record.id).order_by(Approval.id)))  # type: ignore[arg-type]

    def fresh(self, record: Record) -> Record:
        self.session.refresh(record)
        return record


def open_shop(session: Session, records: int = 2) -> Shop:
    project = a_project(session)
    ann = a_person(session, "ann@example.org", project=project, role=Role.EXPERT)
    bob = a_person(session, "bob@example.org", project=project, role=Role.EXPERT)
    made = [a_record(session, project, prompt=f"Question {n}?", answer=f"Answer {n}.") for n in range(1, records + 1)]
    session.commit()
    return Shop(session, project, ann, bob, made)


def turns(prompt: str, answer: str) -> list[Message]:
    return [Message("user", prompt), Message("assistant", answer)]


def test_an_approval_names_the_revision_and_ends_the_item(database: Database) -> None:
    with database.writing() as session:
        shop = open_shop(session)
        lease = queueing.next_item(**shop.here, seconds=900)
        assert lease is not None
        detail = record_of(session, shop.ann, shop.project.id or 0, lease)
        reviewing.approve(**shop.here, lease=lease, number=detail.head)
        record = shop.fresh(shop.records[0])
        (approval,) = shop.approvals(record)
        assert (record.status, record.approved_revision_id) == (RecordStatus.APPROVED, approval.revision_id)
        assert (approval.decision, approval.author_id) == (Decision.APPROVED, shop.ann.account_id)
        assert session.get_one(Slot, lease.slot_id).done_at is not None
        following = queueing.next_item(**shop.here, seconds=900)
        assert following is not None
        assert record_of(session, shop.ann, shop.project.id or 0, following).id == shop.records[1].id
        assert queue_counts(session, shop.ann, shop.project.id or 0).yours_today == 1


def test_the_queue_hands_each_record_to_one_person_and_then_is_empty(database: Database) -> None:
    with database.writing() as session:
        shop = open_shop(session)
        mine = queueing.next_item(**shop.here, seconds=900)
        theirs = queueing.next_item(**shop.as_bob, seconds=900)
        carol = a_person(session, "carol@example.org", project=shop.project, role=Role.LEAD)
        assert mine is not None
        assert theirs is not None
        assert mine.item_id != theirs.item_id
        assert queueing.next_item(**{**shop.here, "actor": carol}, seconds=900) is None
        assert len(session.exec(select(Item)).all()) == 2


def test_people_who_start_at_once_get_one_queue_and_different_records(database: Database) -> None:
    with database.writing() as session:
        shop = open_shop(session, records=4)
    found: list[int] = []

    def start(actor: Actor) -> None:
        with database.writing() as session:
            lease = queueing.next_item(session=session, actor=actor, project_id=shop.project.id or 0, seconds=900)
            assert lease is not None
            found.append(lease.item_id)

    with database.writing() as session:
        people = [a_person(session, f"p{n}@example.org", project=shop.project, role=Role.EXPERT) for n in range(4)]
        session.commit()
    threads = [threading.Thread(target=start, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        assert len(session.exec(select(Task)).all()) == 1
        assert (len(set(found)), len(session.exec(select(Item)).all())) == (4, 4)


def test_a_flagged_record_comes_before_pending_ones_and_not_to_who_flagged_it(database: Database) -> None:
    with database.writing() as session:
        shop = open_shop(session, records=3)
        last = shop.records[2]
        reviewing.flag(**shop.here, lease=shop.claim(last), number=1, comment="Is this still true?")
        assert shop.fresh(last).status is RecordStatus.FLAGGED
        (remark,) = session.exec(select(RecordComment)).all()
        assert (remark.text, remark.is_flag) == ("Is this still true?", True)
        lease = queueing.next_item(**shop.as_bob, seconds=900)
        assert lease is not None
        assert record_of(session, shop.bob, shop.project.id or 0, lease).id == last.id
        mine = queueing.next_item(**shop.here, seconds=900)
        assert mine is not None
        assert record_of(session, shop.ann, shop.project.id or 0, mine).id == shop.records[0].id


def test_a_record_that_waits_again_is_offered_again(database: Database) -> None:
    with database.writing() as session:
        shop = open_shop(session, records=1)
        record = shop.records[0]
        reviewing.approve(**shop.here, lease=shop.claim(record), number=1)
        assert queueing.next_item(**shop.here, seconds=900) is None
        amending.withdraw(**shop.here, record_id=record.id or 0, reason="Prices changed")
        assert (shop.fresh(record).status, record.approved_revision_id) == (RecordStatus.PENDING, None)
        assert shop.approvals(record)[0].withdrawn_reason == "Prices changed"
        assert queueing.next_item(**shop.here, seconds=900) is not None
        with pytest.raises(AlreadyDone):
            amending.withdraw(**shop.here, record_id=record.id or 0, reason="again")


def test_a_record_decided_elsewhere_is_never_shown(database: Database) -> None:
    with database.writing() as session:
        shop = open_shop(session)
        held = queueing.next_item(**shop.as_bob, seconds=900)
        assert held is not None
        first = shop.records[0]
        first.status = RecordStatus.REJECTED
        session.add(first)
        queueing.give_back(session=session, actor=shop.bob, lease=held)
        lease = queueing.next_item(**shop.as_bob, seconds=900)
        assert lease is not None
        assert record_of(session, shop.bob, shop.project.id or 0, lease).id == shop.records[1].id


def test_a_rejection_needs_a_reason_and_takes_the_earlier_approval_out_of_force(database: Database) -> None:
    with database.writing() as session:
        shop = open_shop(session, records=1)
        record = shop.records[0]
        reviewing.approve(**shop.here, lease=shop.claim(record), number=1)
        lease = shop.claim(record)
        with pytest.raises(InvalidInput, match="reason"):
            reviewing.reject(**shop.here, lease=lease, number=1, reason="  ")
        reviewing.reject(**shop.here, lease=lease, number=1, reason="Wrong fact")
        approved, rejected = shop.approvals(record)
        assert approved.withdrawn_at is not None
        assert (rejected.decision, rejected.reason, rejected.withdrawn_at) == (Decision.REJECTED, "Wrong fact", None)
        assert (shop.fresh(record).status, record.approved_revision_id) == (RecordStatus.REJECTED, None)


def test_an_edit_is_a_new_revision_and_the_approved_one_stays_in_force(database: Database) -> None:
    with database.writing() as session:
        shop = open_shop(session, records=1)
        record = shop.records[0]
        reviewing.approve(**shop.here, lease=shop.claim(record), number=1)
        in_force = shop.fresh(record).approved_revision_id
        lease = shop.claim(record)
        reviewing.edit(**shop.here, lease=lease, based_on=1, messages=turns("Question 1?", "Better answer."), reason="Clearer")
        shop.fresh(record)
        assert (record.head, record.status, record.answer) == (2, RecordStatus.PENDING, "Better answer.")
        assert record.approved_revision_id == in_force
        second = session.exec(select(RecordRevision).where(RecordRevision.number == 2)).one()
        assert (second.based_on, second.reason, second.author_id) == (1, "Clearer", shop.ann.account_id)
        reviewing.approve(**shop.here, lease=lease, number=2)
        first, newest = shop.approvals(record)
        assert first.withdrawn_at is not None
        assert (newest.revision_id, newest.withdrawn_at) == (second.id, None)
        assert shop.fresh(record).approved_revision_id == second.id


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([Message("user", "Question 1?"), Message("assistant", " ")], "empty"),
        ([Message("user", "Question 1?")], "answer"),
        ([Message("user", "Question 1?"), Message("assistant", "Answer 1.")], "changed"),
        ([Message("user", "Question 1?"), Message("assistant", "x" * 100_001)], "longer"),
        ([Message("user", "Question 1?"), Message("assistant", "nul \x00")], "NUL"),
    ],
)
def test_an_edit_that_is_no_conversation_is_refused(sqlite: Database, messages: list[Message], message: str) -> None:
    with sqlite.writing() as session:
        shop = open_shop(session, records=1)
        lease = shop.claim(shop.records[0])
        with pytest.raises(InvalidInput, match=message):
            reviewing.edit(**shop.here, lease=lease, based_on=1, messages=messages, reason="why")
        assert shop.fresh(shop.records[0]).head == 1


def test_two_people_edit_one_text_and_both_texts_are_kept(database: Database) -> None:
    with database.writing() as session:
        shop = open_shop(session, records=1)
        record = shop.records[0]
        late = shop.claim(record)
        amended = turns("Question 1?", "Bob was faster.")
        reviewing.edit(**shop.here, lease=late, based_on=1, messages=amended, reason="first")
        with pytest.raises(StaleRevision) as caught:
            reviewing.edit(**shop.here, lease=late, based_on=1, messages=turns("Question 1?", "Ann's text."), reason="second")
        assert "Bob was faster." in caught.value.theirs
        assert "Ann's text." in caught.value.yours
        assert caught.value.newest == 2
        merged = turns("Question 1?", "Both texts.")
        reviewing.edit(**shop.here, lease=late, based_on=caught.value.newest, messages=merged, reason="merged")
        answers = [
            revision.messages[-1].content for revision in record_detail(session, shop.ann, shop.project.id or 0, 1).revisions
        ]
        assert answers == ["Both texts.", "Bob was faster.", "Answer 1."]


def test_nobody_approves_a_text_that_they_have_not_seen(database: Database) -> None:
    with database.writing() as session:
        shop = open_shop(session, records=1)
        lease = shop.claim(shop.records[0])
        reviewing.edit(**shop.here, lease=lease, based_on=1, messages=turns("Question 1?", "New."), reason="why")
        for decide in (
            lambda: reviewing.approve(**shop.here, lease=lease, number=1),
            lambda: reviewing.reject(**shop.here, lease=lease, number=1, reason="no"),
            lambda: reviewing.flag(**shop.here, lease=lease, number=1, comment="hm"),
        ):
            with pytest.raises(StaleRevision):
                decide()
        assert shop.approvals(shop.records[0]) == []


def test_whoever_lost_the_lease_saves_nothing(database: Database) -> None:
    with database.writing() as session:
        shop = open_shop(session, records=1)
        record = shop.records[0]
        lost = shop.claim(record)
        slot = session.get_one(Slot, lost.slot_id)
        slot.expires_at = now() - timedelta(seconds=1)
        session.add(slot)
        session.commit()
        shop.claim(record, shop.bob)
        edited = turns("Question 1?", "Late.")
        for decide in (
            lambda: reviewing.approve(**shop.here, lease=lost, number=1),
            lambda: reviewing.reject(**shop.here, lease=lost, number=1, reason="no"),
            lambda: reviewing.flag(**shop.here, lease=lost, number=1, comment="hm"),
            lambda: reviewing.skip(**shop.here, lease=lost, reason="later"),
            lambda: reviewing.edit(**shop.here, lease=lost, based_on=1, messages=edited, reason="why"),
            lambda: queueing.heartbeat(**shop.here, lease=lost, seconds=900),
        ):
            with pytest.raises(LeaseLost):
                decide()
        assert (shop.fresh(record).status, record.head) == (RecordStatus.PENDING, 1)
        assert session.exec(select(Skip)).all() == []


def test_a_second_press_does_not_decide_twice(database: Database) -> None:
    with database.writing() as session:
        shop = open_shop(session)
        lease = queueing.next_item(**shop.here, seconds=900)
        assert lease is not None
        reviewing.approve(**shop.here, lease=lease, number=1)
        with pytest.raises(AlreadyDone):
            reviewing.approve(**shop.here, lease=lease, number=1)
        assert len(session.exec(select(Approval)).all()) == 1


def test_a_skipped_record_goes_to_others_and_only_on_request_back(database: Database) -> None:
    with database.writing() as session:
        shop = open_shop(session, records=1)
        record = shop.records[0]
        done = reviewing.skip(**shop.here, lease=shop.claim(record), reason="Not my field")
        assert queueing.next_item(**shop.here, seconds=900) is None
        theirs = queueing.next_item(**shop.as_bob, seconds=900)
        assert theirs is not None
        with pytest.raises(Conflict, match="bob is looking"):
            shop.claim(record)
        queueing.give_back(session=session, actor=shop.bob, lease=theirs)
        again = reviewing.undo(**shop.here, done=done, seconds=900)
        reviewing.approve(**shop.here, lease=again, number=1)
        assert shop.fresh(record).status is RecordStatus.APPROVED


def test_personal_data_keeps_a_record_from_approval_until_it_is_edited_out(database: Database) -> None:
    with database.writing() as session:
        shop = open_shop(session, records=1)
        record = a_record(session, shop.project, prompt="Mail me at joe.miller@example.org please", answer="We will.")
        revision = session.exec(select(RecordRevision).where(RecordRevision.record_id == record.id)).one()
        refresh_findings(session, record, revision)
        session.commit()
        lease = shop.claim(record)
        with pytest.raises(Conflict, match="personal data"):
            reviewing.approve(**shop.here, lease=lease, number=1)
        leaking = turns("Mail me at joe.miller@example.org please", "Sure.")
        with pytest.raises(Conflict, match="personal data"):
            reviewing.edit(**shop.here, lease=lease, based_on=1, messages=leaking, reason="why", then_approve=True)
        session.rollback()
        assert shop.fresh(record).head == 1
        clean = turns("Mail me at [E-MAIL] please", "We will.")
        edited, approved = reviewing.edit(
            **shop.here, lease=lease, based_on=1, messages=clean, reason="Masked", then_approve=True
        )
        assert (edited.act, approved.act) == (reviewing.Act.EDITED, reviewing.Act.APPROVED)
        assert (shop.fresh(record).status, record.head) == (RecordStatus.APPROVED, 2)


DECISIONS: dict[str, Callable[[Shop, Lease], reviewing.Done]] = {
    "approve": lambda shop, lease: reviewing.approve(**shop.here, lease=lease, number=2),
    "reject": lambda shop, lease: reviewing.reject(**shop.here, lease=lease, number=2, reason="no"),
    "flag": lambda shop, lease: reviewing.flag(**shop.here, lease=lease, number=2, comment="hm"),
    "skip": lambda shop, lease: reviewing.skip(**shop.here, lease=lease, reason="later"),
    "edit": lambda shop, lease: reviewing.edit(
        **shop.here, lease=lease, based_on=2, messages=turns("Question 1?", "Third."), reason="why"
    )[0],
}


@pytest.mark.parametrize("decision", DECISIONS)
def test_an_undo_puts_things_back_by_further_rows_and_holds_the_record_again(database: Database, decision: str) -> None:
    with database.writing() as session:
        shop = open_shop(session, records=1)
        record = shop.records[0]
        reviewing.approve(**shop.here, lease=shop.claim(record), number=1)
        in_force = shop.fresh(record).approved_revision_id
        lease = shop.claim(record)
        reviewing.edit(**shop.here, lease=lease, based_on=1, messages=turns("Question 1?", "Second."), reason="why")
        before = (shop.fresh(record).status, record.answer, in_force)
        done = DECISIONS[decision](shop, lease)
        rows = len(shop.approvals(record))
        again = reviewing.undo(**shop.here, done=done, seconds=900)
        assert (shop.fresh(record).status, record.answer, record.approved_revision_id) == before
        assert len(shop.approvals(record)) >= rows
        living = [approval for approval in shop.approvals(record) if approval.withdrawn_at is None]
        assert [approval.revision_id for approval in living] == [in_force]
        reviewing.approve(**shop.here, lease=again, number=record.head)


def test_an_undo_is_refused_once_somebody_else_has_acted(database: Database) -> None:
    with database.writing() as session:
        shop = open_shop(session, records=1)
        record = shop.records[0]
        done = reviewing.approve(**shop.here, lease=shop.claim(record), number=1)
        with pytest.raises(Conflict, match="Only the person"):
            reviewing.undo(**shop.as_bob, done=done, seconds=900)
        amending.withdraw(**shop.as_bob, record_id=record.id or 0, reason="no")
        with pytest.raises(Conflict, match="since"):
            reviewing.undo(**shop.here, done=done, seconds=900)


def test_a_restored_revision_is_a_new_one_and_waits(database: Database) -> None:
    with database.writing() as session:
        shop = open_shop(session, records=1)
        record = shop.records[0]
        lease = shop.claim(record)
        edited = turns("Question 1?", "Second.")
        reviewing.edit(**shop.here, lease=lease, based_on=1, messages=edited, reason="why", then_approve=True)
        who = {**shop.as_bob, "record_id": record.id}
        with pytest.raises(StaleRevision):
            amending.restore(**who, number=1, based_on=1, reason="The first was right")
        with pytest.raises(InvalidInput, match="same"):
            amending.restore(**who, number=2, based_on=2, reason="The first was right")
        with pytest.raises(NotFound):
            amending.restore(**who, number=9, based_on=2, reason="The first was right")
        revision = amending.restore(**who, number=1, based_on=2, reason="The first was right")
        shop.fresh(record)
        assert (revision.number, record.answer, record.status) == (3, "Answer 1.", RecordStatus.PENDING)


def test_every_decision_stands_in_an_unbroken_audit_trail(database: Database) -> None:
    with database.writing() as session:
        shop = open_shop(session, records=1)
        record = shop.records[0]
        lease = shop.claim(record)
        edited = turns("Question 1?", "Second.")
        done = reviewing.edit(**shop.here, lease=lease, based_on=1, messages=edited, reason="why", then_approve=True)
        reviewing.undo(**shop.here, done=done[-1], seconds=900)
        amending.comment(**shop.here, record_id=record.id or 0, text="Look at the price")
        actions = session.exec(select(AuditEntry.action).order_by(AuditEntry.number)).all()  # type: ignore[arg-type]
        assert actions == ["record_edited", "record_approved", "decision_undone", "record_commented"]
        assert verify(session).broken_at is None


def _cases(shop: Shop, lease: Lease, done: reviewing.Done, who: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    record_id = shop.records[0].id or 0
    return {
        "next_item": lambda: queueing.next_item(**who, seconds=900),
        "claim_record": lambda: queueing.claim_record(**who, record_id=record_id, seconds=900),
        "heartbeat": lambda: queueing.heartbeat(**who, lease=lease, seconds=900),
        "approve": lambda: reviewing.approve(**who, lease=lease, number=1),
        "reject": lambda: reviewing.reject(**who, lease=lease, number=1, reason="x"),
        "edit": lambda: reviewing.edit(**who, lease=lease, based_on=1, messages=turns("a", "b"), reason="x"),
        "flag": lambda: reviewing.flag(**who, lease=lease, number=1, comment="x"),
        "skip": lambda: reviewing.skip(**who, lease=lease, reason="x"),
        "undo": lambda: reviewing.undo(**who, done=done, seconds=900),
        "comment": lambda: amending.comment(**who, record_id=record_id, text="x"),
        "withdraw": lambda: amending.withdraw(**who, record_id=record_id, reason="x"),
        "restore": lambda: amending.restore(**who, record_id=record_id, number=1, based_on=1, reason="x"),
        "cite": lambda: amending.cite(**who, record_id=record_id, faq_id=1),
    }


def _refusal(call: Callable[[], Any]) -> type[BaseException] | None:
    try:
        call()
    except TouchstoneError as error:
        return type(error)
    return None


@pytest.mark.parametrize("role", [Role.RATER, None])
def test_only_who_may_review_gets_through_any_use_case(sqlite: Database, role: Role | None) -> None:
    with sqlite.writing() as session:
        shop = open_shop(session)
        lease = shop.claim(shop.records[0])
        done = reviewing.skip(**shop.here, lease=shop.claim(shop.records[1]), reason="later")
        stranger = a_person(session, "eve@example.org", project=shop.project if role else None, role=role)
        session.commit()
        cases = _cases(shop, lease, done, {**shop.here, "actor": stranger})
        assert {name: _refusal(call) for name, call in cases.items()} == dict.fromkeys(cases, Forbidden)
        assert shop.fresh(shop.records[0]).status is RecordStatus.PENDING


def test_a_record_of_another_project_is_not_found_by_any_use_case(sqlite: Database) -> None:
    with sqlite.writing() as session:
        shop = open_shop(session)
        lease = shop.claim(shop.records[0])
        done = reviewing.skip(**shop.here, lease=shop.claim(shop.records[1]), reason="later")
        other = a_project(session, "other")
        session.commit()
        both = Actor(shop.ann.account_id, shop.ann.label, roles={shop.project.id or 0: Role.LEAD, other.id or 0: Role.LEAD})
        cases = _cases(shop, lease, done, {"session": session, "actor": both, "project_id": other.id})
        assert cases.pop("next_item")() is None
        cases.pop("heartbeat")
        assert {name: _refusal(call) for name, call in cases.items()} == dict.fromkeys(cases, NotFound)
        assert (shop.fresh(shop.records[0]).status, shop.records[0].head) == (RecordStatus.PENDING, 1)
