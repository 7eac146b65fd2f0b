"""The commands `evaluate` and `promote`. They act as the system; a person's decisions are made on the page."""

from __future__ import annotations

import argparse
from typing import Any

from sqlmodel import Session, col, select

from backend.access.actors import SYSTEM
from backend.access.queries import project_id_of
from backend.errors import NotFound, TouchstoneError
from backend.evaluation import evaluating, promoting
from backend.jobs.waiting import wait
from backend.runtime import Runtime
from backend.store.models import Evaluation, ModelVersion
from backend.store.records import Project
from backend.vocabulary import JobKind, JobStatus, Split


def register(subparsers: Any) -> None:
    """Add the parsers."""
    evaluate = subparsers.add_parser("evaluate", help="let a version and its baseline answer the test questions")
    evaluate.add_argument("--split", choices=[split.value for split in Split], default=Split.TEST.value)
    evaluate.add_argument("--limit", type=int, metavar="N", help="answer only the first N questions")
    evaluate.add_argument("--wait", action="store_true", help="stay until it has ended; runs it here if no worker takes it")
    evaluate.set_defaults(handler=_evaluate)
    promote = subparsers.add_parser("promote", help="make a version current, if it passes the gate")
    promote.add_argument("--reason", default="", help="why; needed, and kept with the decision")
    promote.add_argument("--override", action="store_true", help="promote although the gate is not passed")
    promote.set_defaults(handler=_promote)
    for parser in (evaluate, promote):
        parser.add_argument("--project", required=True, help="the project's short name")
        parser.add_argument("--version", type=int, metavar="N", help="the version's number; the newest trained one without it")


def _evaluate(arguments: argparse.Namespace, house: Runtime) -> dict[str, Any]:
    with house.database.writing() as session:
        version = _version(session, arguments)
        evaluation = evaluating.start_evaluation(
            session=session,
            actor=SYSTEM,
            settings=house.settings,
            project_id=version.project_id,
            candidate_version_id=version.id or 0,
            split=Split(arguments.split),
            limit=arguments.limit,
        )
    told: dict[str, Any] = {"evaluation": evaluation.id, "job": evaluation.job_id, "candidate": version.served_as}
    if not arguments.wait:
        return told | {"status": JobStatus.QUEUED.value}
    collectors = {JobKind.EVALUATE: evaluating.collect}
    job = wait(database=house.database, settings=house.settings, job_id=evaluation.job_id or 0, collectors=collectors)
    if job.status is not JobStatus.SUCCEEDED:
        raise TouchstoneError(f"Evaluation {evaluation.id} ended as {job.status.value}. {job.error}")
    with house.database.reading() as session:
        report = session.get_one(Evaluation, evaluation.id).report
    return told | {"status": job.status.value, "models": report["models"]}


def _promote(arguments: argparse.Namespace, house: Runtime) -> dict[str, Any]:
    with house.database.writing() as session:
        version = _version(session, arguments)
        decision = promoting.promote(
            session=session,
            actor=SYSTEM,
            settings=house.settings,
            project_id=version.project_id,
            version_id=version.id or 0,
            replaces=session.get_one(Project, version.project_id).current_version_id,
            reason=arguments.reason,
            override=arguments.override,
        )
    return {
        "promoted": version.served_as,
        "overridden": decision.overridden,
        "reason": decision.reason,
        "verdict": decision.evidence["verdict"],
        "checks": [{key: check[key] for key in ("name", "outcome", "measured")} for check in decision.evidence["checks"]],
    }


def _version(session: Session, arguments: argparse.Namespace) -> ModelVersion:
    project_id = project_id_of(session, arguments.project)
    query = select(ModelVersion).where(ModelVersion.project_id == project_id).order_by(col(ModelVersion.number).desc())
    if arguments.version is None:
        query = query.where(col(ModelVersion.run_id).is_not(None))
    else:
        query = query.where(ModelVersion.number == arguments.version)
    version = session.exec(query).first()
    if version is None:
        raise NotFound("This project has no such model version. Train one first.")
    return version
