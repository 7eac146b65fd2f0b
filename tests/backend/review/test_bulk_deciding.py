"""Bulk decisions, and the filters that they and the lists share."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert
from sqlmodel import Session, col, func, select

from backend.access.actors import SYSTEM, Actor
from backend.errors import Conflict, Forbidden, InvalidInput, LeaseLost
from backend.review import queueing, reviewing
from backend.review.bulk_deciding import BulkResult, bulk_decide, preview
from backend.review.filters import RecordFilter
from backend.review.queries import LIST_COLUMNS, count_records, list_records, slice_values
from backend.store.accounts import AuditEntry
from backend.store.database import Database
from backend.store.findings import refresh_findings
from backend.store.records import Approval, Faq, FaqCitation, Finding, Project, Record, RecordComment, RecordRevision, Source
from backend.vocabulary import FindingKind, RecordStatus, Role
from tests.factories import a_person, a_project, a_record

EVERYTHING = RecordFilter()


def a_shop(session: Session) -> tuple[Project, Actor, list[Record]]:
    """A project, its lead, and records of which the second holds an e-mail address and the third is approved."""
    project = a_project(session)
    lead = a_person(session, "lea@example.org", project=project, role=Role.LEAD)
    texts = ["Do you ship to 30303?", "Mail joe.miller@example.org", "Is 100% wool?"]
    languages = [{"language": "en"}, {"language": "es", 'odd "key"': "x"}, {"language": "en"}]
    records = [
        a_record(session, project, prompt=prompt, answer="Yes.", slices=slices)
        for prompt, slices in zip(texts, languages, strict=True)
    ]
    for record in records:
        revision = session.exec(select(RecordRevision).where(RecordRevision.record_id == record.id)).one()
        refresh_findings(session, record, revision)
    session.commit()
    approve_one = RecordFilter(text="wool")
    bulk_decide(
        session=session, actor=lead, project_id=project.id or 0, record_filter=approve_one, decision="approve", reason="ok"
    )
    return project, lead, records


def test_a_bulk_approval_leaves_personal_data_out_and_says_so(database: Database) -> None:
    with database.writing() as session:
        project, lead, records = a_shop(session)
        here: dict[str, Any] = {"session": session, "actor": lead, "project_id": project.id, "record_filter": EVERYTHING}
        promised = preview(**here, decision="approve")
        assert promised == BulkResult(found=3, decided=1, unchanged=1, personal=1)
        assert bulk_decide(**here, decision="approve", reason="Checked", expected=1) == promised
        session.expire_all()
        assert [record.status.value for record in records] == ["approved", "pending", "approved"]
        heads = {approval.record_id: approval.revision_id for approval in session.exec(select(Approval))}
        assert [record.approved_revision_id for record in records] == [heads[1], None, heads[3]]
        entry = session.exec(select(AuditEntry).order_by(col(AuditEntry.number).desc())).first()
        assert entry is not None
        assert (entry.action, entry.detail["records"], entry.detail["reason"]) == ("bulk_approve", [1], "Checked")


def test_a_bulk_rejection_and_a_bulk_flag_take_approvals_out_of_force(database: Database) -> None:
    with database.writing() as session:
        project, lead, records = a_shop(session)
        here: dict[str, Any] = {"session": session, "actor": lead, "project_id": project.id, "record_filter": EVERYTHING}
        bulk_decide(**here, decision="reject", reason="Old shop")
        session.expire_all()
        assert {record.status for record in records} == {RecordStatus.REJECTED}
        assert {record.approved_revision_id for record in records} == {None}
        bulk_decide(**here, decision="flag", reason="Look again")
        session.expire_all()
        assert {record.status for record in records} == {RecordStatus.FLAGGED}
        living = select(func.count()).select_from(Approval).where(col(Approval.withdrawn_at).is_(None))
        assert session.exec(living).one() == 0
        assert [remark.text for remark in session.exec(select(RecordComment))] == ["Look again"] * 3


def test_nothing_is_decided_when_the_list_has_changed_since_the_preview(database: Database) -> None:
    with database.writing() as session:
        project, lead, records = a_shop(session)
        here: dict[str, Any] = {"session": session, "actor": lead, "project_id": project.id, "record_filter": EVERYTHING}
        with pytest.raises(Conflict, match="changed"):
            bulk_decide(**here, decision="reject", reason="x", expected=2)
        with pytest.raises(InvalidInput):
            bulk_decide(**here, decision="reject", reason=" ")
        with pytest.raises(InvalidInput):
            bulk_decide(**here, decision="drop table", reason="x")
        assert records[0].status is RecordStatus.PENDING


def test_only_a_lead_decides_in_bulk(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project, _, _ = a_shop(session)
        expert = a_person(session, "ann@example.org", project=project, role=Role.EXPERT)
        elsewhere = a_person(session, "zoe@example.org", project=a_project(session, "other"), role=Role.LEAD)
        for actor in (expert, elsewhere):
            here: dict[str, Any] = {"session": session, "actor": actor, "project_id": project.id, "record_filter": EVERYTHING}
            with pytest.raises(Forbidden):
                preview(**here, decision="reject")
            with pytest.raises(Forbidden):
                bulk_decide(**here, decision="reject", reason="x")


def test_a_bulk_decision_reaches_no_other_project(database: Database) -> None:
    with database.writing() as session:
        project, lead, _ = a_shop(session)
        other = a_project(session, "other")
        outside = a_record(session, other, prompt="Do you ship?", answer="No.")
        session.commit()
        done = bulk_decide(
            session=session, actor=lead, project_id=project.id or 0, record_filter=EVERYTHING, decision="reject", reason="x"
        )
        session.refresh(outside)
        assert (done.found, outside.status) == (3, RecordStatus.PENDING)


def test_whoever_held_one_of_the_records_is_told(database: Database) -> None:
    with database.writing() as session:
        project, lead, records = a_shop(session)
        ann = a_person(session, "ann@example.org", project=project, role=Role.EXPERT)
        session.commit()
        here: dict[str, Any] = {"session": session, "actor": ann, "project_id": project.id}
        lease = queueing.claim_record(**here, record_id=records[0].id, seconds=900)
        bulk_decide(
            session=session, actor=lead, project_id=project.id or 0, record_filter=EVERYTHING, decision="reject", reason="x"
        )
        with pytest.raises(LeaseLost):
            reviewing.approve(**here, lease=lease, number=1)
        assert queueing.next_item(**here, seconds=900) is None


def test_five_thousand_records_are_decided_in_one_go(database: Database) -> None:
    with database.writing() as session:
        project = a_project(session)
        session.execute(
            insert(Record),
            [
                {"project_id": project.id, "content_hash": f"{n:064}", "status": "pending", "head": 1, "external_id": "",
                 "group": "", "cluster": "", "prompt": f"q{n}", "answer": "a", "slices": {}, "created_at": project.created_at}
                for n in range(5000)
            ],
        )  # fmt: skip
        ids = session.exec(select(Record.id)).all()
        session.execute(
            insert(RecordRevision),
            [
                {
                    "record_id": i,
                    "number": 1,
                    "messages": [],
                    "content_hash": "",
                    "reason": "",
                    "created_at": project.created_at,
                }
                for i in ids
            ],
        )
        session.commit()
        done = bulk_decide(
            session=session, actor=SYSTEM, project_id=project.id or 0, record_filter=EVERYTHING, decision="approve", reason="x"
        )
        assert done == BulkResult(5000, 5000, 0, 0)
        approved = (
            select(func.count()).select_from(Record).join(RecordRevision, col(Record.approved_revision_id) == RecordRevision.id)
        )
        assert session.exec(approved.where(Record.status == RecordStatus.APPROVED)).one() == 5000


HOSTILE = ["'; DROP TABLE record; --", "%", "_", "\\", '"', "' OR '1'='1", "$.x", "nul\x00", "\N{SNOWMAN}"]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_typed_into_a_filter_is_read_as_sql_or_as_a_pattern(database: Database, text: str) -> None:
    with database.writing() as session:
        project, lead, _ = a_shop(session)
        found = count_records(session, lead, project.id or 0, RecordFilter(text=text))
        assert found == (1 if text == "%" else 0)  # one question really holds a percent sign
        for wanted in (RecordFilter(slice_key=text, slice_value="x"), RecordFilter(slice_key="language", slice_value=text)):
            assert count_records(session, lead, project.id or 0, wanted) == 0
        assert count_records(session, lead, project.id or 0, EVERYTHING) == 3


def test_each_filter_finds_what_it_says(database: Database) -> None:
    with database.writing() as session:
        project, lead, records = a_shop(session)
        source = Source(project_id=project.id or 0, name="file.csv", content_hash="0" * 64)
        faq = Faq(project_id=project.id or 0, key="ship")
        session.add_all([source, faq])
        session.flush()
        session.add(FaqCitation(faq_id=faq.id or 0, record_id=records[0].id or 0))
        records[1].source_id = source.id
        records[0].cluster = "c1"
        head = session.exec(select(RecordRevision.id).where(RecordRevision.record_id == records[2].id)).one()
        session.add(
            Finding(
                project_id=project.id or 0, record_id=records[2].id or 0, revision_id=head or 0, kind=FindingKind.DUPLICATE,
                detector="duplicates", version="1", detail={"of": records[0].id},
            )
        )  # fmt: skip
        session.commit()
        expected = {
            RecordFilter(statuses=(RecordStatus.APPROVED,)): [3],
            RecordFilter(source_id=source.id): [2],
            RecordFilter(slice_key="language", slice_value="en"): [1, 3],
            RecordFilter(slice_key='odd "key"', slice_value="x"): [2],
            RecordFilter(finding=FindingKind.EMAIL): [2],
            RecordFilter(text="SHIP to"): [1],
            RecordFilter(text="2"): [2],
            RecordFilter(duplicates_only=True): [1, 3],
            RecordFilter(faq_id=faq.id): [1],
            RecordFilter(slice_key="language", slice_value="en", statuses=(RecordStatus.PENDING,)): [1],
        }
        found = {wanted: list(list_records(session, lead, project.id or 0, wanted)["id"]) for wanted in expected}
        assert found == expected
        assert slice_values(session, lead, project.id or 0) == {"language": ["en", "es"], 'odd "key"': ["x"]}


def test_a_list_is_read_page_by_page(database: Database) -> None:
    with database.writing() as session:
        project, lead, _ = a_shop(session)
        here = (session, lead, project.id or 0, EVERYTHING)
        assert list(list_records(*here, limit=2)["id"]) == [1, 2]
        assert list(list_records(*here, offset=2, limit=2)["id"]) == [3]
        empty = list_records(*here, offset=9)
        assert list(empty.columns) == LIST_COLUMNS
        assert empty.empty


def test_the_queue_can_be_narrowed_by_a_filter(database: Database) -> None:
    with database.writing() as session:
        project, lead, _ = a_shop(session)
        here: dict[str, Any] = {"session": session, "actor": lead, "project_id": project.id, "seconds": 900}
        spanish = RecordFilter(slice_key="language", slice_value="es")
        lease = queueing.next_item(**here, only=spanish)
        assert lease is not None
        reviewing.skip(session=session, actor=lead, project_id=project.id or 0, lease=lease, reason="later")
        assert queueing.next_item(**here, only=spanish) is None
