"""FAQs: propose, rule, restore, conflicts, and the records that rest on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import Session, select

from backend.access.actors import Actor
from backend.errors import AlreadyDone, Forbidden, InvalidInput, NotFound, StaleRevision
from backend.review import amending, curating_faqs, reviewing
from backend.review.faq_queries import citing_records, faq_detail, list_faqs
from backend.review.queueing import claim_record
from backend.store.accounts import AuditEntry
from backend.store.database import Database
from backend.store.records import Approval, Project, RecordComment
from backend.vocabulary import Decision, FaqState, RecordStatus, Role
from tests.factories import a_person, a_project, a_record

APPROVED, REJECTED = Decision.APPROVED, Decision.REJECTED


def a_shop(session: Session) -> tuple[Project, dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A project, and what two experts and a lead hand to every use-case."""
    project = a_project(session)
    people = [("ann", Role.EXPERT), ("bob", Role.EXPERT), ("lea", Role.LEAD)]
    actors = [a_person(session, f"{name}@example.org", project=project, role=role) for name, role in people]
    session.commit()
    ann, bob, lea = ({"session": session, "actor": actor, "project_id": project.id} for actor in actors)
    return project, ann, bob, lea


def test_a_proposal_is_in_force_once_another_expert_approves_it(database: Database) -> None:
    with database.writing() as session:
        project, ann, bob, _ = a_shop(session)
        faq = curating_faqs.add(**ann, question="Do you ship to 30303?", answer="Yes, in 2 days.", topic="Shipping")
        assert (faq.key, faq.approved) == ("do_you_ship_to_30303", None)
        with pytest.raises(Forbidden, match="another expert"):
            curating_faqs.rule(**ann, faq_id=faq.id, number=1, decision=APPROVED)
        revision = curating_faqs.rule(**bob, faq_id=faq.id, number=1, decision=APPROVED)
        assert (revision.state, revision.ruled_by) == (FaqState.APPROVED, bob["actor"].account_id)
        with pytest.raises(AlreadyDone):
            curating_faqs.rule(**bob, faq_id=faq.id, number=1, decision=REJECTED, reason="x")
        curating_faqs.propose(
            **bob, faq_id=faq.id, based_on=1, question="Do you ship to 30303?", answer="Yes, in 3 days.", reason="New carrier"
        )
        detail = faq_detail(session, ann["actor"], project.id or 0, faq.id or 0)
        assert (detail.approved, detail.head, detail.in_force and detail.in_force.answer) == (1, 2, "Yes, in 2 days.")
        assert list(list_faqs(session, ann["actor"], project.id or 0)["state"]) == ["change waiting"]
        with pytest.raises(InvalidInput, match="reason"):
            curating_faqs.rule(**ann, faq_id=faq.id, number=2, decision=REJECTED)
        curating_faqs.rule(**ann, faq_id=faq.id, number=2, decision=REJECTED, reason="It is still 2 days")
        detail = faq_detail(session, ann["actor"], project.id or 0, faq.id or 0)
        assert (detail.approved, detail.newest.state, detail.newest.ruled_reason) == (
            1,
            FaqState.REJECTED,
            "It is still 2 days",
        )


def test_a_lead_and_the_only_expert_may_approve_their_own_text_and_the_trail_says_so(database: Database) -> None:
    with database.writing() as session:
        _, _, _, lea = a_shop(session)
        faq = curating_faqs.add(**lea, question="Is it wool?", answer="Yes.")
        curating_faqs.rule(**lea, faq_id=faq.id, number=1, decision=APPROVED)
        small = a_project(session, "small")
        zoe = a_person(session, "zoe@example.org", project=small, role=Role.EXPERT)
        a_person(session, "rae@example.org", project=small, role=Role.RATER)
        alone: dict[str, Any] = {"session": session, "actor": zoe, "project_id": small.id}
        faq = curating_faqs.add(**alone, question="Is it wool?", answer="Yes.")
        curating_faqs.rule(**alone, faq_id=faq.id, number=1, decision=APPROVED)
        entries = session.exec(select(AuditEntry).where(AuditEntry.action == "faq_approved")).all()
        assert [entry.detail["own_text"] for entry in entries] == [True, True]


def test_two_people_change_one_faq_and_both_texts_are_kept(database: Database) -> None:
    with database.writing() as session:
        project, ann, bob, _ = a_shop(session)
        faq = curating_faqs.add(**ann, question="Is it wool?", answer="Yes.")
        here = {"faq_id": faq.id, "question": "Is it wool?", "reason": "why"}
        curating_faqs.propose(**bob, **here, based_on=1, answer="Bob's answer.")
        with pytest.raises(StaleRevision) as caught:
            curating_faqs.propose(**ann, **here, based_on=1, answer="Ann's answer.")
        assert "Bob's answer." in caught.value.theirs
        assert "Ann's answer." in caught.value.yours
        with pytest.raises(StaleRevision):
            curating_faqs.rule(**bob, faq_id=faq.id, number=1, decision=APPROVED)
        curating_faqs.propose(**ann, **here, based_on=caught.value.newest, answer="Ann's answer.")
        answers = [r.answer for r in faq_detail(session, ann["actor"], project.id or 0, faq.id or 0).revisions]
        assert answers == ["Ann's answer.", "Bob's answer.", "Yes."]


def test_an_older_text_is_restored_as_a_proposal(database: Database) -> None:
    with database.writing() as session:
        _, ann, bob, _ = a_shop(session)
        faq = curating_faqs.add(**ann, question="Is it wool?", answer="Yes.")
        changed = {"faq_id": faq.id, "question": "Is it wool?", "answer": "No.", "reason": "why"}
        curating_faqs.propose(**bob, **changed, based_on=1)
        with pytest.raises(InvalidInput, match="Nothing has changed"):
            curating_faqs.propose(**bob, **changed, based_on=2)
        with pytest.raises(StaleRevision):
            curating_faqs.restore(**ann, faq_id=faq.id, number=1, based_on=1, reason="It is wool")
        restored = curating_faqs.restore(**ann, faq_id=faq.id, number=1, based_on=2, reason="It is wool")
        assert (restored.number, restored.answer, restored.state) == (3, "Yes.", FaqState.PROPOSED)
        with pytest.raises(InvalidInput, match="same"):
            curating_faqs.restore(**ann, faq_id=faq.id, number=1, based_on=3, reason="It is wool")


def test_records_that_cite_a_changed_answer_are_named_and_flagged_on_request(database: Database) -> None:
    with database.writing() as session:
        project, ann, bob, _ = a_shop(session)
        faq = curating_faqs.add(**ann, question="Is it wool?", answer="Yes.")
        curating_faqs.rule(**bob, faq_id=faq.id, number=1, decision=APPROVED)
        records = [a_record(session, project, prompt=f"Wool {n}?", answer="Yes.") for n in range(3)]
        session.commit()
        for record in records[:2]:
            amending.cite(**ann, record_id=record.id, faq_id=faq.id)
            amending.cite(**ann, record_id=record.id, faq_id=faq.id)
        lease = claim_record(**ann, record_id=records[0].id, seconds=900)
        reviewing.approve(**ann, lease=lease, number=1)
        look: Callable[[], list[Any]] = lambda: list(  # noqa: E731
            citing_records(session, ann["actor"], project.id or 0, faq.id or 0)["may_need_an_edit"]
        )
        assert look() == [False, False]
        curating_faqs.propose(**ann, faq_id=faq.id, based_on=1, question="Is it wool?", answer="No, cotton.", reason="why")
        curating_faqs.rule(**bob, faq_id=faq.id, number=2, decision=APPROVED)
        assert look() == [True, True]
        assert curating_faqs.flag_citing(**ann, faq_id=faq.id, comment="It is cotton now") == 2
        assert curating_faqs.flag_citing(**ann, faq_id=faq.id, comment="It is cotton now") == 0
        session.expire_all()
        assert [record.status for record in records] == [RecordStatus.FLAGGED, RecordStatus.FLAGGED, RecordStatus.PENDING]
        assert records[0].approved_revision_id is None
        assert session.exec(select(Approval)).one().withdrawn_reason == "Flagged: It is cotton now"
        assert [remark.is_flag for remark in session.exec(select(RecordComment))] == [True, True]
        assert look() == [False, False]


@pytest.mark.parametrize(
    ("question", "answer", "message"),
    [
        ("", "a", "question"),
        ("q", " ", "answer"),
        ("q" * 2001, "a", "2,000"),
        ("q", "a" * 20001, "20,000"),
        ("q", "\x00", "stored"),
    ],
)
def test_an_faq_needs_a_question_and_an_answer_that_can_be_kept(
    sqlite: Database, question: str, answer: str, message: str
) -> None:
    with sqlite.writing() as session:
        _, ann, _, _ = a_shop(session)
        with pytest.raises(InvalidInput, match=message):
            curating_faqs.add(**ann, question=question, answer=answer)


def test_two_faqs_with_one_question_get_two_keys(sqlite: Database) -> None:
    with sqlite.writing() as session:
        _, ann, _, _ = a_shop(session)
        keys = [curating_faqs.add(**ann, question=question, answer="a").key for question in ("Wool?", "wool!", "¿¿", "??")]
        assert keys == ["wool", "wool_2", "question", "question_2"]


def _cases(who: dict[str, Any], faq_id: int) -> dict[str, Callable[[], Any]]:
    here = {**who, "faq_id": faq_id}
    return {
        "propose": lambda: curating_faqs.propose(**here, based_on=1, question="q", answer="a", reason="x"),
        "rule": lambda: curating_faqs.rule(**here, number=1, decision=APPROVED),
        "restore": lambda: curating_faqs.restore(**here, number=1, based_on=1, reason="x"),
        "flag_citing": lambda: curating_faqs.flag_citing(**here, comment="x"),
    }


@pytest.mark.parametrize("case", [*_cases({}, 0), "add"])
def test_no_faq_use_case_lets_a_rater_or_another_project_in(sqlite: Database, case: str) -> None:
    with sqlite.writing() as session:
        project, ann, _, _ = a_shop(session)
        faq = curating_faqs.add(**ann, question="Is it wool?", answer="Yes.")
        rater = a_person(session, "rae@example.org", project=project, role=Role.RATER)
        other = a_project(session, "other")
        session.commit()
        below = {**ann, "actor": rater}
        adding = lambda: curating_faqs.add(**below, question="q", answer="a")  # noqa: E731
        with pytest.raises(Forbidden):
            (_cases(below, faq.id or 0) | {"add": adding})[case]()
        if case == "add":
            return
        both = Actor(ann["actor"].account_id, "ann", roles={other.id or 0: Role.LEAD})
        with pytest.raises(NotFound):
            _cases({**ann, "actor": both, "project_id": other.id}, faq.id or 0)[case]()
