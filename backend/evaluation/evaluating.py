"""Evaluations: a candidate and its baseline answer the same rows of a snapshot, as a job; the answers become responses.

`start_evaluation` writes the trainer's config and the probes and queues the job; `collect` is called by the worker in the
transaction that finishes the job. The base model and the project's current version are measured beside the two where they are
others; their figures are in the report, their answers are not kept. Promised: an evaluation has all its responses or none, and
collecting twice adds nothing.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.conversations import USER
from backend.errors import InvalidInput, NotFound, NotReady, ServiceUnavailable
from backend.evaluation import conduct, probes
from backend.evaluation.reports import PROBES, Answered, read_probes, read_report, read_responses
from backend.jobs.outcomes import Outcome
from backend.jobs.queue import enqueue
from backend.settings import Settings
from backend.store import frozen, versions
from backend.store.base import now
from backend.store.models import Evaluation, Job, ModelVersion, Response, Run, Snapshot, SnapshotRow
from backend.store.privacy import rules_for
from backend.store.records import Project, Record, RecordRevision
from backend.vocabulary import Action, JobKind, JobStatus, SnapshotKind, Split
from trainer import contract

_CHUNK = 1000
_QUESTIONS = 500
"""Test questions that the probes are drawn from."""


def start_evaluation(
    *,
    session: Session,
    actor: Actor,
    settings: Settings,
    project_id: int,
    candidate_version_id: int,
    base_version_id: int | None = None,
    snapshot_id: int | None = None,
    split: Split = Split.TEST,
    decoding: Mapping[str, Any] | None = None,
    limit: int | None = None,
) -> Evaluation:
    """Queue an evaluation. The baseline is the current version, or the base model while there is none or it is this one.

    `decoding` holds fields of the trainer's Decoding; those left out keep their defaults.
    """
    check(actor, Action.EVALUATE, project_id)
    if limit is not None and limit < 1:
        raise InvalidInput("An evaluation needs at least one question. Raise the limit, or leave it out for all of them.")
    candidate, baseline = _compared(session, project_id, candidate_version_id, base_version_id)
    snapshot = _snapshot(session, project_id, candidate, snapshot_id)
    if snapshot.manifest.get("kind") == SnapshotKind.LABELS.value:
        raise InvalidInput(
            f"Snapshot {snapshot.number} holds classes, so there are no answers to compare with. Choose another."
        )
    if not session.exec(_split_rows(snapshot, split).limit(1)).first():
        raise NotReady(f"Snapshot {snapshot.number} has no {split} rows. Choose another split, or freeze a larger snapshot.")
    data = settings.snapshots / snapshot.folder
    frozen.verify(data, snapshot.manifest)
    folder = settings.runs / f"evaluation-{secrets.token_hex(8)}"
    config = contract.EvaluateConfig(
        data=str(data),
        models=tuple(_spec(version) for version in (baseline, candidate, *_beside(session, project_id, candidate, baseline))),
        split=str(split),
        decoding=_decoding(decoding or {}),
        limit=limit,
        learned=_learned(session, settings, candidate),
        probes=str(folder / PROBES),
        threads=settings.trainer_threads,
    )
    asked = _questions(session, snapshot, split)
    job = _queue(session, actor, settings, project_id, config, folder, probes.build(asked))
    evaluation = Evaluation(
        project_id=project_id,
        snapshot_id=snapshot.id or 0,
        split=split,
        job_id=job.id,
        base_version_id=baseline.id or 0,
        candidate_version_id=candidate.id or 0,
        decoding=dataclasses.asdict(config.decoding),
        created_by=actor.account_id,
    )
    session.add(evaluation)
    session.flush()
    subject = f"evaluation:{evaluation.id}"
    of = {"candidate": candidate.served_as, "baseline": baseline.served_as, "snapshot": snapshot.number, "split": str(split)}
    audit.record(session, actor, "evaluation.start", project_id=project_id, subject=subject, **of)
    session.commit()
    return evaluation


def _compared(session: Session, project_id: int, candidate_id: int, base_id: int | None) -> tuple[ModelVersion, ModelVersion]:
    candidate = chatting_version(session, project_id, candidate_id)
    baseline = chatting_version(session, project_id, base_id) if base_id else baseline_of(session, project_id, candidate)
    if baseline.id == candidate.id:
        raise InvalidInput("Choose two different versions: a version cannot be compared with itself.")
    return candidate, baseline


def collect(*, session: Session, settings: Settings, job: Job, outcome: Outcome) -> None:
    """Store what a finished evaluation job left; the caller commits. Raises IntegrityViolated when its files do not fit."""
    evaluation = session.exec(select(Evaluation).where(Evaluation.job_id == job.id)).one_or_none()
    if evaluation is None or evaluation.finished_at is not None or outcome.status is not JobStatus.SUCCEEDED:
        return
    compared = {
        version.served_as: version.id or 0
        for version in session.exec(
            select(ModelVersion).where(col(ModelVersion.id).in_([evaluation.base_version_id, evaluation.candidate_version_id]))
        )
    }
    snapshot = session.get_one(Snapshot, evaluation.snapshot_id)
    rows = {str(row.record_id): row for row in session.exec(_split_rows(snapshot, evaluation.split))}
    every = [label for label in job.payload.get("models", compared) if label not in compared]
    report = read_report(outcome.folder, [*compared, *every])
    report["named"] = _names(session, evaluation.project_id, [*compared, *every])
    _measure_conduct(session, evaluation, outcome.folder, report, rows)
    evaluation.report = report
    answers = (answer for answer in read_responses(outcome.folder, [*compared, *every], rows) if answer.label in compared)
    while chunk := list(itertools.islice(answers, _CHUNK)):
        session.execute(insert(Response), [_response(evaluation, answer, compared, rows) for answer in chunk])
    evaluation.finished_at = now()
    session.add(evaluation)


def version_of(session: Session, project_id: int, version_id: int) -> ModelVersion:
    """The version, if it is one of this project's."""
    version = session.get(ModelVersion, version_id)
    if version is None or version.project_id != project_id:
        raise NotFound("There is no such model version in this project.")
    return version


def chatting_version(session: Session, project_id: int, version_id: int) -> ModelVersion:
    """The same, for what only a version that chats can be used for. Raises InvalidInput for any other."""
    version = version_of(session, project_id, version_id)
    versions.refuse_judges(session, version)
    return version


def baseline_of(session: Session, project_id: int, candidate: ModelVersion) -> ModelVersion:
    """What the candidate would replace: the current version, else the base model that it was made from."""
    project = session.get_one(Project, project_id)
    if project.current_version_id is not None and project.current_version_id != candidate.id:
        return session.get_one(ModelVersion, project.current_version_id)
    found = base_of(session, project_id, candidate)
    if found is None:
        raise NotReady("This project has no base model to compare with yet. Train a first model, which brings its base along.")
    return found


def base_of(session: Session, project_id: int, candidate: ModelVersion) -> ModelVersion | None:
    """The version that is the base model which a version was made from; None while the project has no base model."""
    bases = select(ModelVersion).where(ModelVersion.project_id == project_id, col(ModelVersion.run_id).is_(None))
    found = list(session.exec(bases.order_by(col(ModelVersion.number))))
    run = session.get(Run, candidate.run_id) if candidate.run_id else None
    made_from = run.config.get("base_model") if run else None
    return next((base for base in found if base.base_model == made_from), found[0] if found else None)


def _snapshot(session: Session, project_id: int, candidate: ModelVersion, snapshot_id: int | None) -> Snapshot:
    if snapshot_id is None:
        run = session.get(Run, candidate.run_id) if candidate.run_id else None
        if run is None:
            raise InvalidInput("This version came from no run. Choose the snapshot whose rows it should answer.")
        snapshot_id = run.snapshot_id
    snapshot = session.get(Snapshot, snapshot_id)
    if snapshot is None or snapshot.project_id != project_id:
        raise NotFound("There is no such snapshot in this project.")
    return snapshot


def _beside(session: Session, project_id: int, candidate: ModelVersion, baseline: ModelVersion) -> list[ModelVersion]:
    """The base model of the candidate and the current version, where they are not compared already."""
    current = session.get_one(Project, project_id).current_version_id
    found = [base_of(session, project_id, candidate), session.get(ModelVersion, current) if current else None]
    others = {one.id: one for one in found if one is not None and one.id not in (candidate.id, baseline.id)}
    return list(others.values())


def _learned(session: Session, settings: Settings, candidate: ModelVersion) -> str | None:
    """The folder of the snapshot that the candidate was trained on: its canaries and rows are what it could give away."""
    run = session.get(Run, candidate.run_id) if candidate.run_id else None
    snapshot = session.get(Snapshot, run.snapshot_id) if run else None
    if snapshot is None or not (settings.snapshots / snapshot.folder).is_dir():
        return None
    return str(settings.snapshots / snapshot.folder)


def _questions(session: Session, snapshot: Snapshot, split: Split) -> list[str]:
    """The project's own questions: how each conversation begins."""
    rows = session.exec(_split_rows(snapshot, split).order_by(col(SnapshotRow.record_id)).limit(_QUESTIONS))
    return [next((turn["content"] for turn in row.messages if turn["role"] == USER), "") for row in rows]


def _names(session: Session, project_id: int, labels: Sequence[str]) -> dict[str, str]:
    """What the versions that a report measures are called."""
    query = select(ModelVersion.served_as, ModelVersion.name)
    mine = query.where(ModelVersion.project_id == project_id, col(ModelVersion.served_as).in_(labels))
    return {served_as: name for served_as, name in session.exec(mine).all()}  # noqa: C416  rows are no pairs to mypy


def _measure_conduct(
    session: Session, evaluation: Evaluation, folder: Path, report: dict[str, Any], rows: Mapping[str, Any]
) -> None:
    """Add to a report what the answers to the probes and the test questions say of how each model behaves."""
    asked, answered = read_probes(folder)
    rules = rules_for(session, evaluation.project_id)
    said: dict[str, list[conduct.Said]] = {}
    for one in read_responses(folder, list(report["models"]), rows):
        given = (*(turn["content"] for turn in rows[one.row_id].messages), one.reference)
        said.setdefault(one.label, []).append(conduct.Said(one.row_id, one.text, given))
    for label, figures in report["models"].items():
        for part in (conduct.measure(asked, answered.get(label, {})), conduct.personal_data(said.get(label, []), rules)):
            figures["intervals"] = figures.get("intervals", {}) | part.pop("intervals")
            figures.update(part)


def _split_rows(snapshot: Snapshot, split: Split) -> Any:
    return (
        select(SnapshotRow.record_id, RecordRevision.messages, Record.slices)
        .join(Record, col(Record.id) == SnapshotRow.record_id)
        .join(RecordRevision, col(RecordRevision.id) == SnapshotRow.revision_id)
        .where(SnapshotRow.snapshot_id == snapshot.id, SnapshotRow.split == split)
    )


def _decoding(values: Mapping[str, Any]) -> contract.Decoding:
    try:
        return contract.Decoding(**values)
    except (contract.ConfigError, TypeError) as error:
        raise InvalidInput(f"The answers cannot be made like this: {error}") from error


def _spec(version: ModelVersion) -> contract.ModelSpec:
    return contract.ModelSpec(
        label=version.served_as, base_model=version.base_model, revision=version.revision, adapter=version.adapter
    )


def _queue(
    session: Session,
    actor: Actor,
    settings: Settings,
    project_id: int,
    config: contract.EvaluateConfig,
    folder: Path,
    asked: Sequence[probes.Probe],
) -> Job:
    """Write the trainer's config and the probes into a new folder and queue the job that reads them."""
    config_file = folder / contract.CONFIG
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PROBES).write_text("".join(probe.to_line() for probe in asked), encoding="utf-8")
        config_file.write_text(json.dumps(config.to_json(), ensure_ascii=False, indent=1), encoding="utf-8")
    except OSError as error:
        raise ServiceUnavailable(
            "The evaluation's folder cannot be written; the disk may be full. Nothing was started."
        ) from error
    return enqueue(
        session,
        actor=actor,
        project_id=project_id,
        kind=JobKind.EVALUATE,
        arguments=["evaluate", "--config", str(config_file), "--out", str(folder)],
        folder=str(folder.relative_to(settings.data)),
        payload={"models": [model.label for model in config.models]},
    )


def _response(evaluation: Evaluation, answer: Answered, versions: dict[str, int], rows: dict[str, Any]) -> dict[str, Any]:
    return {
        "project_id": evaluation.project_id,
        "evaluation_id": evaluation.id,
        "version_id": versions[answer.label],
        "record_id": int(answer.row_id),
        "prompt": rows[answer.row_id].messages[:-1],
        "reference": answer.reference,
        "text": answer.text,
        "decoding": evaluation.decoding,
        "metrics": answer.metrics,
        "slices": rows[answer.row_id].slices,
        "created_at": now(),
    }
