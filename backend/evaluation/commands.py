"""The commands `evaluate`, `promote`, `export-model` and `figures`. They act as the system; people decide on the pages."""

from __future__ import annotations

import argparse
import os
import socket
import time
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from backend.access.actors import SYSTEM
from backend.access.queries import project_id_of
from backend.errors import InvalidInput, NotFound, TouchstoneError
from backend.evaluation import evaluating, exporting, figuring, file_commands, promoting
from backend.evaluation.exporting import ModelForm
from backend.jobs.processes import leaving_on_sigterm
from backend.jobs.waiting import wait
from backend.runtime import Runtime
from backend.store import versions
from backend.store.models import Evaluation, ModelVersion
from backend.store.records import Project
from backend.vocabulary import JobKind, JobStatus, Split


def register(subparsers: Any) -> None:
    """Add the parsers."""
    file_commands.register(subparsers)
    evaluate = subparsers.add_parser("evaluate", help="let a version and its baseline answer the test questions")
    evaluate.add_argument("--split", choices=[split.value for split in Split], default=Split.TEST.value)
    evaluate.add_argument("--limit", type=int, metavar="N", help="answer only the first N questions")
    evaluate.add_argument("--wait", action="store_true", help="stay until it has ended; runs it here if no worker takes it")
    evaluate.set_defaults(handler=_evaluate)
    promote = subparsers.add_parser("promote", help="make a version current, if it passes the gate")
    promote.add_argument("--reason", default="", help="why; needed, and kept with the decision")
    promote.add_argument("--override", action="store_true", help="promote although the gate is not passed")
    promote.set_defaults(handler=_promote)
    taking = subparsers.add_parser("export-model", help="write a version's weights with its model card, checked, into a folder")
    taking.add_argument("out", type=Path, metavar="OUT", help="the folder to write; new or empty")
    taking.add_argument("--as", dest="form", choices=[form.value for form in ModelForm], default=ModelForm.MERGED.value)
    taking.set_defaults(handler=_export)
    figures = subparsers.add_parser("figures", help="work out and keep the figures of projects with many judgements")
    figures.add_argument("--project", help="the project's short name; without it every project whose figures are due")
    figures.set_defaults(handler=_figures)
    for parser in (evaluate, promote, taking):
        parser.add_argument("--project", required=True, help="the project's short name")
        parser.add_argument("--version", type=int, metavar="N", help="the version's number; the newest trained one without it")


def _evaluate(arguments: argparse.Namespace, house: Runtime) -> dict[str, Any]:
    with house.database.writing() as session:
        version = _version(session, arguments, chats=True)
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
        version = _version(session, arguments, chats=True)
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


def _export(arguments: argparse.Namespace, house: Runtime) -> dict[str, Any]:
    out = arguments.out.absolute()
    if out.exists() and any(out.iterdir()):
        raise InvalidInput(f"{out} is there already. Name a folder that is new or empty.")
    with house.database.writing() as session:
        version = _version(session, arguments)
        job = exporting.start_export(
            session=session,
            actor=SYSTEM,
            settings=house.settings,
            project_id=version.project_id,
            version_id=version.id or 0,
            form=ModelForm(arguments.form),
        )
    ended = wait(database=house.database, settings=house.settings, job_id=job.id or 0, collectors={})
    if ended.status is not JobStatus.SUCCEEDED:
        raise TouchstoneError(f"The export ended as {ended.status.value}. {ended.error}")
    with house.database.reading() as session:
        card = exporting.export_card(session, SYSTEM, house.settings, project_id=version.project_id, job_id=job.id or 0)
    files = exporting.copy_to(card, out)
    return {
        "version": version.served_as,
        "form": arguments.form,
        "folder": str(out),
        "files": files,
        "parity": card.result["parity"],
    }


def _figures(arguments: argparse.Namespace, house: Runtime) -> list[dict[str, Any]]:
    with house.database.reading() as session:
        projects = [project_id_of(session, arguments.project)] if arguments.project else figuring.due(session)
    if not arguments.project:
        os.nice(10)  # the worker's chore: people and jobs come first
    holder, told = f"{socket.gethostname()}:{os.getpid()}", []
    with leaving_on_sigterm():  # lets go of the project whose figures are half done
        for project_id in projects:
            started = time.monotonic()
            kept = figuring.refresh(house.database, project_id=project_id, holder=holder)
            told.append({"project": project_id, "figures": kept, "seconds": round(time.monotonic() - started, 1)})
    return told


def _version(session: Session, arguments: argparse.Namespace, *, chats: bool = False) -> ModelVersion:
    """The version that was named, or the newest trained one; of those that chat, where only they will do."""
    project_id = project_id_of(session, arguments.project)
    query = select(ModelVersion).where(ModelVersion.project_id == project_id).order_by(col(ModelVersion.number).desc())
    if arguments.version is None:
        query = query.where(col(ModelVersion.run_id).is_not(None), *([versions.chatting()] if chats else []))
    else:
        query = query.where(ModelVersion.number == arguments.version)
    version = session.exec(query).first()
    if version is None:
        raise NotFound("This project has no such model version. Train one first.")
    return version
