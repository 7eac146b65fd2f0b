from __future__ import annotations

import pytest
from sqlmodel import Session, select

from backend.errors import NotFound
from backend.evaluation import lineage
from backend.store.base import now
from backend.store.database import Database
from backend.store.models import Snapshot
from backend.store.records import Approval, Record, RecordRevision
from backend.vocabulary import Decision, Stage
from tests.backend.evaluation.scene import Scene, a_scene, a_trained_version
from tests.factories import a_record


def withdraw(session: Session, scene: Scene, record: Record) -> Approval:
    approval = session.exec(select(Approval).where(Approval.record_id == record.id)).one()
    approval.withdrawn_at, approval.withdrawn_by, approval.withdrawn_reason = now(), scene.lead.account_id, "It is wrong."
    record.approved_revision_id = None
    session.flush()
    return approval


def test_a_record_is_followed_to_the_versions_that_learned_from_it(database: Database) -> None:
    with database.writing() as session:
        scene = a_scene(session)
        found = lineage.of_record(session, project_id=scene.project_id, record_id=scene.records[0].id or 0)
        assert list(found.revisions["answer"]) == ["Answer 0."]
        assert list(found.approvals["by"]) == [scene.expert.label]
        assert list(found.snapshots["split"]) == ["train"]
        assert list(found.versions["version"]) == ["Version 1"]
        assert list(found.versions["use"]) == ["learned from it"]
        tested = lineage.of_record(session, project_id=scene.project_id, record_id=scene.tested[0].id or 0)
        assert list(tested.versions["use"]) == ["was measured on it"]


def test_withdrawing_an_approval_names_the_versions_that_learned_from_it(database: Database) -> None:
    with database.writing() as session:
        scene = a_scene(session)
        assert lineage.withdrawn(session, project_id=scene.project_id).empty
        approval = withdraw(session, scene, scene.records[0])
        withdraw(session, scene, scene.tested[0])
        scene.candidate.stage = Stage.CURRENT
        session.flush()
        affected = lineage.withdrawn(session, project_id=scene.project_id)
        assert list(affected["version"]) == ["Version 1"]
        assert list(affected["approval_id"]) == [approval.id]
        assert list(affected["current"]) == [True]
        assert list(affected["reason"]) == ["It is wrong."]
        assert list(affected["by"]) == [scene.lead.label]


def test_a_version_started_from_an_affected_one_is_affected_too(sqlite: Database) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        withdraw(session, scene, scene.records[0])
        later = scene.snapshot.number + 1
        clean = Snapshot(project_id=scene.project_id, number=later, content_hash="1" * 64, folder="clean")
        session.add(clean)
        session.flush()
        _run, second = a_trained_version(session, scene.project, clean, number=2, initial_adapter=scene.candidate.adapter)
        a_trained_version(session, scene.project, clean, number=3, initial_adapter=second.adapter)
        a_trained_version(session, scene.project, clean, number=4)
        affected = lineage.withdrawn(session, project_id=scene.project_id)
        assert sorted(affected["version"]) == ["Version 1", "Version 2", "Version 3"]


def test_a_version_shows_its_rows_with_the_withdrawn_ones_first(database: Database) -> None:
    with database.writing() as session:
        scene = a_scene(session)
        withdraw(session, scene, scene.records[3])
        found = lineage.of_version(session, project_id=scene.project_id, version_id=scene.candidate.id or 0)
        assert found.withdrawn == 1
        assert found.rows["record"].iloc[0] == scene.records[3].id
        assert dict(zip(found.counts["split"], found.counts["rows"], strict=True)) == {"train": 4, "test": 12}
        assert found.facts["Snapshot hash"] == "0" * 64
        base = lineage.of_version(session, project_id=scene.project_id, version_id=scene.base.id or 0)
        assert base.rows.empty


def test_the_figure_marks_what_rests_on_a_withdrawn_approval(sqlite: Database) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        record = scene.records[0]
        withdraw(session, scene, record)
        session.add(RecordRevision(record_id=record.id or 0, number=2, messages=[], content_hash="2" * 64))
        session.flush()
        nodes, links = lineage.flow(lineage.of_record(session, project_id=scene.project_id, record_id=record.id or 0))
        assert list(nodes.loc[nodes["marked"], "column"]) == [2, 3, 4]
        assert len(links) == len(nodes) - 1
        assert links["source"].max() < len(nodes)


def test_a_rejection_leads_nowhere(sqlite: Database) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        record = a_record(session, scene.project, prompt="Hm?", answer="Go away.")
        revision = session.exec(select(RecordRevision).where(RecordRevision.record_id == record.id)).one()
        session.add(Approval(record_id=record.id or 0, revision_id=revision.id or 0, decision=Decision.REJECTED))
        session.flush()
        found = lineage.of_record(session, project_id=scene.project_id, record_id=record.id or 0)
        assert list(found.approvals["decision"]) == [Decision.REJECTED]
        assert found.versions.empty
        nodes, _links = lineage.flow(found)
        assert list(nodes["name"]) == [f"{record.id}", "1\nby system", "Rejected\nby system"]


@pytest.mark.parametrize("text", ["'; DROP TABLE record; --", "%", "_", "\\", "Question 3"])
def test_a_search_takes_every_sign_literally(database: Database, text: str) -> None:
    with database.writing() as session:
        scene = a_scene(session)
        found = lineage.find_records(session, project_id=scene.project_id, text=text)
        assert list(found["prompt"]) == (["Question 3?"] if text == "Question 3" else [])


def test_a_search_finds_a_record_by_its_number(sqlite: Database) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        number = scene.records[5].id or 0
        assert number in list(lineage.find_records(session, project_id=scene.project_id, text=f" {number} ")["record"])


def test_other_projects_are_not_shown(sqlite: Database) -> None:
    with sqlite.writing() as session:
        scene, other = a_scene(session), a_scene(session, slug="other")
        withdraw(session, other, other.records[0])
        assert lineage.withdrawn(session, project_id=scene.project_id).empty
        with pytest.raises(NotFound):
            lineage.of_record(session, project_id=scene.project_id, record_id=other.records[0].id or 0)
        with pytest.raises(NotFound):
            lineage.of_version(session, project_id=scene.project_id, version_id=other.candidate.id or 0)
