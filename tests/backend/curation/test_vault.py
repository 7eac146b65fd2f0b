"""A project that wants stand-ins gets them; the vault maps them back, for admins, in the open."""

import pytest
from sqlmodel import select

from backend.access.actors import Actor
from backend.conversations import Message
from backend.curation import cleaning, fixing, setting_rules, undoing, vault
from backend.curation.checking import run_checks
from backend.curation.fix_rules import Rule
from backend.errors import Forbidden, IntegrityViolated, InvalidInput
from backend.store.accounts import AuditEntry
from backend.store.findings import refresh_findings, with_open_personal_data
from backend.store.privacy import VaultEntry
from backend.store.records import Finding, Project, Record, RecordRevision
from backend.store.revisions import add_revision
from backend.vocabulary import Check, FindingKind, FindingStatus, Replacement, Role
from tests.factories import a_person, a_project, a_record

PROMPT = "Hello, my name is Katarzyna Nowak, write to katarzyna.nowak@example.org"
KINDS = [FindingKind.NAME, FindingKind.EMAIL]


@pytest.fixture
def desk(sqlite):
    with sqlite.writing() as session:
        project = a_project(session)
        lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        admin = a_person(session, "a@example.org", admin=True)
        setting_rules.set_rules(
            session=session, actor=lead, project_id=project.id, kinds=KINDS, replacement=Replacement.SURROGATE
        )
        record = a_record(session, project, prompt=PROMPT, answer="We will.")
        revision = session.exec(select(RecordRevision).where(RecordRevision.record_id == record.id)).one()
        refresh_findings(session, record, revision)
        session.commit()
        return {"database": sqlite, "project_id": project.id, "lead": lead, "admin": admin, "record_id": record.id}


def mask(desk, folder):
    with desk["database"].writing() as session:
        return fixing.fix_all(
            session=session, actor=desk["lead"], project_id=desk["project_id"], rule=Rule(kinds=frozenset(KINDS)), folder=folder
        )


def look(desk, folder, actor: Actor, stand_in: str, reason: str = "They asked for their data"):
    with desk["database"].writing() as session:
        return vault.look_up(
            session=session, actor=actor, project_id=desk["project_id"], folder=folder, stand_in=stand_in, reason=reason
        )


def test_stand_ins_take_the_place_and_are_no_personal_data_themselves(desk, tmp_path):
    mask(desk, tmp_path)
    with desk["database"].reading() as session:
        record = session.get_one(Record, desk["record_id"])
        assert "Nowak" not in record.prompt
        assert "[" not in record.prompt
        newest = session.exec(select(RecordRevision).where(RecordRevision.number == record.head)).one()
        assert with_open_personal_data(session, [newest.id]) == set()
        assert {row.status for row in session.exec(select(Finding))} == {FindingStatus.FIXED}


def test_new_personal_data_beside_a_stand_in_is_found(desk, tmp_path):
    mask(desk, tmp_path)
    with desk["database"].writing() as session:
        record = session.get_one(Record, desk["record_id"])
        edited = [Message("user", f"{record.prompt} or ann@example.org"), Message("assistant", "Yes.")]
        add_revision(session, record, edited, reason="More", author_id=None)
        opened = session.exec(select(Finding).where(Finding.status == FindingStatus.OPEN)).all()
        assert [row.kind for row in opened] == [FindingKind.EMAIL]


def test_the_vault_maps_back_for_admins_and_says_so_in_the_audit_trail(desk, tmp_path):
    mask(desk, tmp_path)
    with desk["database"].reading() as session:
        name = session.exec(select(VaultEntry).where(VaultEntry.kind == FindingKind.NAME)).one()
        assert "Nowak" not in name.sealed + name.stand_in + name.fingerprint
    assert [one.original for one in look(desk, tmp_path, desk["admin"], name.stand_in)] == ["Katarzyna Nowak"]
    with desk["database"].reading() as session:
        told = session.exec(select(AuditEntry).where(AuditEntry.action == "vault_opened")).one()
        assert told.detail["reason"] == "They asked for their data"
        assert "Nowak" not in str(told.detail)


def test_a_lead_cannot_open_the_vault_and_nobody_without_a_reason(desk, tmp_path):
    mask(desk, tmp_path)
    with pytest.raises(Forbidden):
        look(desk, tmp_path, desk["lead"], "Anna")
    with pytest.raises(InvalidInput):
        look(desk, tmp_path, desk["admin"], "Anna", " ")


def test_a_copy_of_the_database_alone_opens_nothing(desk, tmp_path):
    mask(desk, tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(IntegrityViolated, match="key"):
        look(desk, tmp_path / "elsewhere", desk["admin"], "example", "Trying")


def test_a_stand_in_is_undone_as_a_mask_is(desk, tmp_path):
    mask(desk, tmp_path)
    with desk["database"].writing() as session:
        fixed = session.exec(select(Finding).where(Finding.kind == FindingKind.NAME)).one()
        undoing.undo(session=session, actor=desk["lead"], project_id=desk["project_id"], finding_id=fixed.id)
    with desk["database"].reading() as session:
        assert session.get_one(Record, desk["record_id"]).prompt == PROMPT
        assert {row.status for row in session.exec(select(Finding))} == {FindingStatus.OPEN}


def test_a_look_by_new_rules_opens_and_closes_findings(desk):
    with desk["database"].writing() as session:
        here = {"session": session, "actor": desk["lead"], "project_id": desk["project_id"]}
        setting_rules.set_rules(**here, kinds=[FindingKind.EMAIL], patterns=["ORD-######"], allowed=["Sofa"])
    with desk["database"].writing() as session:
        here = {"session": session, "actor": desk["lead"], "project_id": desk["project_id"]}
        run_id = cleaning.ask(**here, checks=[Check.PERSONAL]).id
    run_checks(desk["database"], run_id=run_id, workers=1)
    with desk["database"].reading() as session:
        opened = session.exec(select(Finding).where(Finding.status == FindingStatus.OPEN)).all()
        assert [row.kind for row in opened] == [FindingKind.EMAIL]
        assert session.get_one(Project, desk["project_id"]).settings["personal_data"]["allowed"] == ["sofa"]
    with desk["database"].writing() as session, pytest.raises(InvalidInput):
        setting_rules.set_rules(
            session=session, actor=desk["lead"], project_id=desk["project_id"], kinds=[], patterns=["(a+)+"]
        )
