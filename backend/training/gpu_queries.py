"""Reads about GPUs: which there are and what runs on each, and why a job still waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.jobs import slots
from backend.jobs.slots import Waiting
from backend.store.machines import Gpu
from backend.store.models import Job
from backend.training.queries import job_label
from backend.vocabulary import Action, JobStatus


@dataclass(frozen=True, slots=True)
class GpuCard:
    """One GPU. `doing` is what runs on it, empty where it is free; a job of a project that one is not in has no name here."""

    host: str
    number: int
    name: str
    memory_mib: int
    doing: str = ""
    since: datetime | None = None


def gpus(session: Session, actor: Actor, project_id: int) -> list[GpuCard]:
    """The GPUs of workers that are there, and those that are still in use, by machine and number."""
    check(actor, Action.TRAIN, project_id)
    offered, held = slots.on_offer(session), slots.held(session)
    found = session.exec(select(Gpu).where(col(Gpu.device).in_(offered | held.keys())).order_by(col(Gpu.host), col(Gpu.number)))
    cards = []
    for gpu in found.all():
        job = session.get(Job, held[gpu.device]) if gpu.device in held else None
        doing = "" if job is None else _name(actor, job)
        cards.append(GpuCard(gpu.host, gpu.number, gpu.name, gpu.memory_mib, doing, gpu.leased_at if job else None))
    return cards


def _name(actor: Actor, job: Job) -> str:
    if actor.is_admin or actor.role_in(job.project_id) is not None:
        return job_label(job)
    return "A job of another project"


def why_waiting(session: Session, actor: Actor, project_id: int) -> dict[int, str]:
    """Why each of the project's queued jobs has not started: job → a sentence."""
    check(actor, Action.TRAIN, project_id)
    query = select(Job.id, Job.gpus, Job.gpus_only, Job.project_id).where(Job.status == JobStatus.QUEUED)
    queued = session.exec(query.order_by(col(Job.priority).desc(), col(Job.id))).all()
    living, ahead, told = slots.living(session), 0, {}
    for job_id, wanted, only, project in queued:
        if project == project_id:
            told[job_id or 0] = slots.why_waiting(Waiting(job_id or 0, wanted, only), ahead=ahead, living=living)
        ahead += wanted > 0
    return told
