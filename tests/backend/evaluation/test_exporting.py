"""Taking a version along: a job with a card, files that can be taken, and what is refused."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from backend.access.actors import Actor
from backend.errors import Forbidden, InvalidInput, NotFound, NotReady
from backend.evaluation import exporting
from backend.evaluation.exporting import ExportCard, ModelForm
from backend.settings import Settings
from backend.store.database import Database
from backend.store.models import Job
from backend.vocabulary import JobKind, JobStatus
from tests.backend.evaluation.scene import Scene, a_scene, evaluated
from trainer import contract


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)


def start(session: Session, settings: Settings, scene: Scene, actor: Actor | None = None, **extra: Any) -> Job:
    (settings.runs / scene.run.folder).mkdir(parents=True, exist_ok=True)
    given: dict[str, Any] = {"version_id": scene.candidate.id, "form": ModelForm.MERGED} | extra
    return exporting.start_export(
        session=session, actor=actor or scene.lead, settings=settings, project_id=scene.project_id, **given
    )


def finished(session: Session, settings: Settings, scene: Scene, job: Job) -> ExportCard:
    """What the trainer leaves, and the worker notes."""
    folder = settings.data / job.folder
    (folder / "README.md").write_text("# A card")
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / contract.LOG).write_text("a log")
    told = {"form": "merged", "files": ["README.md", "model.safetensors", "../gone.txt"], "parity": {}}
    (folder / contract.RESULT).write_text(json.dumps(told))
    job.status = JobStatus.SUCCEEDED
    session.add(job)
    session.commit()
    return exporting.export_card(session, scene.lead, settings, project_id=scene.project_id, job_id=job.id or 0)


def test_an_export_is_a_job_that_knows_what_the_card_says(database: Database, settings: Settings) -> None:
    with database.writing() as session:
        scene = a_scene(session)
        evaluated(session, scene)
        job = start(session, settings, scene)
    assert (job.kind, job.status) == (JobKind.EXPORT, JobStatus.QUEUED)
    arguments = job.payload["arguments"]
    assert arguments[:4] == ["export", "--run", str(settings.runs / scene.run.folder), "--as"]
    card = json.loads(Path(arguments[arguments.index("--card") + 1]).read_text())
    assert card["snapshot"]["content_hash"] == scene.snapshot.content_hash
    assert (card["figures"]["exact_match"], card["baseline"]["figures"]["exact_match"]) == (1.0, 0.0)
    assert card["baseline"]["name"] == scene.base.name


def test_what_the_export_left_can_be_taken_and_nothing_else(sqlite: Database, settings: Settings, tmp_path: Path) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        job = start(session, settings, scene)
        assert not exporting.exports(session, scene.lead, settings, scene.project_id)[0].is_over
        card = finished(session, settings, scene, job)
    assert [path.name for path in card.files] == ["README.md", "model.safetensors"]
    with zipfile.ZipFile(io.BytesIO(exporting.archive(card))) as file:
        assert {name: file.read(name) for name in file.namelist()} == {
            "README.md": b"# A card",
            "model.safetensors": b"weights",
        }
    assert exporting.copy_to(card, tmp_path / "taken") == ["README.md", "model.safetensors"]
    assert (tmp_path / "taken" / "model.safetensors").read_bytes() == b"weights"
    with pytest.raises(InvalidInput, match="new or empty"):
        exporting.copy_to(card, tmp_path / "taken")


def test_a_failed_export_has_no_files_and_tells_why(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene = a_scene(session)
        job = start(session, settings, scene)
        job.status, job.error = JobStatus.FAILED, "The export does not give what the training model gives."
        session.add(job)
        session.commit()
        (card,) = exporting.exports(session, scene.lead, settings, scene.project_id)
    assert (card.files, card.error) == ([], "The export does not give what the training model gives.")
    with pytest.raises(NotReady, match="no files"):
        exporting.archive(card)


def test_what_cannot_be_exported_leaves_no_job_and_no_folder(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene, other = a_scene(session), a_scene(session, slug="other")
        with pytest.raises(InvalidInput, match="base model"):
            start(session, settings, scene, version_id=scene.base.id)
        with pytest.raises(NotFound):
            start(session, settings, scene, version_id=other.candidate.id)
        for person in (scene.raters[0], other.lead):
            with pytest.raises(Forbidden):
                start(session, settings, scene, actor=person)
        scene.candidate.adapter = None
        with pytest.raises(InvalidInput, match="no adapter"):
            start(session, settings, scene, form=ModelForm.ADAPTER)
        (settings.runs / scene.run.folder).rmdir()
        with pytest.raises(NotReady, match="missing"):
            exporting.start_export(
                session=session, actor=scene.lead, settings=settings, project_id=scene.project_id,
                version_id=scene.candidate.id or 0, form=ModelForm.MERGED,
            )  # fmt: skip
        assert session.exec(select(Job)).all() == []
    assert not settings.exports.exists()


def test_an_export_of_another_project_is_not_found(sqlite: Database, settings: Settings) -> None:
    with sqlite.writing() as session:
        scene, other = a_scene(session), a_scene(session, slug="other")
        job = start(session, settings, scene)
        with pytest.raises(NotFound):
            exporting.export_card(session, other.lead, settings, project_id=other.project_id, job_id=job.id or 0)
