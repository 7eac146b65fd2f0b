"""Taking a trained version along: a job writes its weights, tokenizer and model card, and checks them against the original.

The export is a job of its own and a folder under `exports`; nothing else is kept of it. Promised: an export that is said to
have succeeded was loaded again and gave what the training model gives. Not promised: that a folder which somebody has changed
since still does.
"""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import InvalidInput, NotFound, NotReady, ServiceUnavailable
from backend.evaluation.evaluating import base_of, version_of
from backend.jobs import outcomes, queue
from backend.settings import Settings
from backend.store.models import Evaluation, Job, ModelVersion, Promotion, Run, Snapshot
from backend.store.records import Project
from backend.vocabulary import FINISHED_JOBS, Action, JobKind, JobStatus, PromotionKind, Split
from trainer import contract

ASKED = "card.json"
MOST_BYTES = 500_000_000
"""The largest export that a browser is given; larger ones lie in the data folder, and the command line copies them."""


class ModelForm(StrEnum):
    """What an export holds: the whole weights, or those that were added by training."""

    MERGED = "merged"
    ADAPTER = "adapter"


def start_export(
    *, session: Session, actor: Actor, settings: Settings, project_id: int, version_id: int, form: ModelForm
) -> Job:
    """Queue an export of a trained version. Raises InvalidInput for a base model, or an adapter that there is not."""
    check(actor, Action.EXPORT, project_id)
    version = version_of(session, project_id, version_id)
    run = session.get(Run, version.run_id) if version.run_id else None
    if run is None:
        raise InvalidInput(f"{version.name} is a base model as it is. Take it from where it comes from.")
    if form is ModelForm.ADAPTER and version.adapter is None:
        raise InvalidInput(f"{version.name} was trained whole, so it has no adapter. Export it merged.")
    if not (settings.runs / run.folder).is_dir():
        raise NotReady(f"The folder of {version.name}'s run is missing. Restore it from a backup, or train again.")
    folder = settings.exports / f"{version.served_as}-{form.value}-{token_hex(6)}"
    try:
        folder.mkdir(parents=True)
        told = json.dumps(_card(session, version, run), ensure_ascii=False, indent=1)
        (folder / ASKED).write_text(told, encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ServiceUnavailable(
            "The exports folder cannot be written (is the disk full?), so nothing was started. Free some space and try again."
        ) from error
    try:
        job = queue.enqueue(
            session,
            actor=actor,
            project_id=project_id,
            kind=JobKind.EXPORT,
            arguments=_arguments(settings.runs / run.folder, form, folder),
            folder=f"{folder.parent.name}/{folder.name}",
            max_attempts=1,
            payload={"run": f"of {version.name}, {form.value}", "version": version.name, "form": form.value},
        )
        subject = f"version:{version.id}"
        audit.record(session, actor, "version.export", project_id=project_id, subject=subject, form=form.value, job=job.id)
        session.commit()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return job


def _arguments(run: Path, form: ModelForm, folder: Path) -> list[str]:
    return ["export", "--run", str(run), "--as", form.value, "--out", str(folder), "--card", str(folder / ASKED)]


def _card(session: Session, version: ModelVersion, run: Run) -> dict[str, Any]:
    """What the model card says of the version: where it comes from, how it did last, what was decided."""
    project, snapshot = session.get_one(Project, version.project_id), session.get_one(Snapshot, run.snapshot_id)
    told: dict[str, Any] = {
        "name": f"{project.name}: {version.name}",
        "project": project.name,
        "snapshot": {
            "number": snapshot.number,
            "content_hash": snapshot.content_hash,
            "counts": snapshot.manifest.get("counts", {}),
            "canaries": snapshot.manifest.get("canaries", {}).get("count", 0),
        },
    }
    query = select(Evaluation).where(
        Evaluation.candidate_version_id == version.id,
        Evaluation.split == Split.TEST,
        col(Evaluation.finished_at).is_not(None),
    )
    evaluation = session.exec(query.order_by(col(Evaluation.id).desc()).limit(1)).first()
    if evaluation is not None:
        models = evaluation.report.get("models", {})
        base = base_of(session, version.project_id, version)
        before = session.get_one(ModelVersion, evaluation.base_version_id)
        theirs = base if base is not None and base.served_as in models else before
        told["figures"] = models.get(version.served_as, {})
        told["baseline"] = {"name": theirs.name, "figures": models.get(theirs.served_as, {})}
    promoted = select(Promotion).where(Promotion.version_id == version.id, Promotion.kind == PromotionKind.PROMOTED)
    decision = session.exec(promoted.order_by(col(Promotion.id).desc()).limit(1)).first()
    if decision is not None:
        against = " against its gate" if decision.overridden else " and passed its gate"
        told["decision"] = f"It was promoted on {decision.created_at:%Y-%m-%d}{against}."
    return told


@dataclass(frozen=True, slots=True)
class ExportCard:
    """An export as the page shows it. `result` is what the trainer told at its end, with the parity check."""

    job_id: int
    title: str
    status: JobStatus
    error: str
    folder: Path
    result: dict[str, Any]

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.status in FINISHED_JOBS

    @property
    def files(self) -> list[Path]:
        """The files of the model; none until it has succeeded."""
        return [path for name in self.result.get("files", []) if (path := self.folder / Path(str(name)).name).is_file()]

    @property
    def size(self) -> int:
        """Their bytes."""
        return sum(path.stat().st_size for path in self.files)


def exports(session: Session, actor: Actor, settings: Settings, project_id: int, *, limit: int = 5) -> list[ExportCard]:
    """The project's newest exports."""
    check(actor, Action.EXPORT, project_id)
    query = select(Job).where(Job.project_id == project_id, Job.kind == JobKind.EXPORT)
    return [_shown(settings, job) for job in session.exec(query.order_by(col(Job.id).desc()).limit(limit))]


def export_card(session: Session, actor: Actor, settings: Settings, *, project_id: int, job_id: int) -> ExportCard:
    """One export. Raises NotFound."""
    check(actor, Action.EXPORT, project_id)
    job = session.get(Job, job_id)
    if job is None or job.kind is not JobKind.EXPORT or job.project_id != project_id:
        raise NotFound("There is no such export in this project.")
    return _shown(settings, job)


def _shown(settings: Settings, job: Job) -> ExportCard:
    folder = settings.data / job.folder
    told = outcomes.read_object(folder / contract.RESULT) if job.status is JobStatus.SUCCEEDED else None
    title = f"{job.payload.get('version', '')}, {job.payload.get('form', '')}"
    return ExportCard(job.id or 0, title, job.status, job.error, folder, told or {})


def archive(card: ExportCard) -> bytes:
    """The model's files as a ZIP. Raises NotReady where they are not there, or too large for a browser."""
    if not card.files:
        raise NotReady("This export has no files. Make it again.")
    if card.size > MOST_BYTES:
        raise NotReady(f"This export is too large for a browser. Its files lie in {card.folder.name} in the exports folder.")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:  # weights hardly shrink
        for path in card.files:
            file.write(path, path.name)
    return buffer.getvalue()


def copy_to(card: ExportCard, out: Path) -> list[str]:
    """Copy the model's files into a folder that is new or empty. Raises InvalidInput and ServiceUnavailable."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InvalidInput(f"{out} is there already. Name a folder that is new or empty.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in card.files:
            shutil.copyfile(path, out / path.name)
    except OSError as error:
        raise ServiceUnavailable(f"{out} cannot be written (is the disk full?).") from error
    return [path.name for path in card.files]
