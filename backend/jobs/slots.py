"""GPUs as leased rows: which job a worker takes next, what it leases, who may have which GPU. Nothing here commits.

The rule. Jobs are looked at by priority, then age. One that needs no GPU starts wherever a worker has a slot. One that needs
some starts where enough are free. The first that must wait, though the machine could hold it, keeps back every GPU there
until it has enough, so that smaller ones behind it cannot starve it; it keeps them back on the machine that has the most free
GPUs only (on all of those, when several have). A worker without GPUs takes such a job if no living worker has enough GPUs and
the job does not insist on one. What no worker could ever run is refused after a while (`hopeless`).

Promised: no two jobs hold a GPU, because a claim locks the worker's GPUs first and a held one is one whose job's attempt is
active. Locks are taken in one order: a job before its GPUs, GPUs by their keys; a claim skips locked jobs, so it waits for GPUs
alone. Not promised: that a machine which fell silent no longer uses what its lost jobs held.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, update
from sqlalchemy import select as sql_select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from backend.jobs.gpus import CLUSTER, Device, Offer
from backend.jobs.states import ACTIVE
from backend.store.base import now
from backend.store.machines import Gpu, Presence
from backend.store.models import Job
from backend.vocabulary import JobStatus

LIVING = timedelta(seconds=60)
"""A worker without a sign of life for so long is taken to be gone for now."""
GRACE = timedelta(minutes=10)
"""For so long one that is gone is expected back, with the GPUs that it had."""
KEPT = timedelta(days=1)
"""For so long workers and GPUs that are gone are remembered."""


@dataclass(frozen=True, slots=True)
class Need:
    """How many GPUs a job needs at once, where there are GPUs; with `only` it cannot do without."""

    gpus: int = 1
    only: bool = False


ONE_GPU = Need()
"""What a job needs that nobody said more of: like 'auto', a GPU where there is one."""


def needed(config: Mapping[str, Any]) -> Need:
    """What a run with this config needs on one machine: a GPU for each of its processes, unless it is for the CPU."""
    device = config.get("device", "auto")
    return Need(0) if device == "cpu" else Need(int(config.get("processes", 1)), device == "cuda")


@dataclass(frozen=True, slots=True)
class Standing:
    """A living worker: how many GPUs it may lease, and how many of them are free."""

    name: str
    host: str
    total: int
    free: int
    cluster: bool = False

    def could_run(self, job: Waiting) -> bool:
        """Whether it has what the job needs, free or not."""
        return self.cluster or self.total >= job.gpus


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job in the queue."""

    id: int
    gpus: int
    only: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """What a worker has for one more job: its GPUs, and whether a job without any may start."""

    worker: str = ""
    offer: Offer = field(default=CLUSTER)
    slot: bool = True


# --- the rule, pure ---


def pick(waiting: Sequence[Waiting], *, mine: Standing, slot: bool, others: Sequence[Standing]) -> Waiting | None:
    """Which of the jobs that wait, in their order, this worker starts now. `slot`: it may start one without a GPU."""
    if mine.cluster:
        return waiting[0] if waiting and slot else None
    kept_back = False
    for job in waiting:
        if job.gpus == 0 or (mine.total == 0 and not job.only and not any(one.could_run(job) for one in others)):
            if slot:
                return job
        elif 0 < job.gpus <= mine.total and not kept_back:
            if job.gpus <= mine.free:
                return job
            kept_back = not any(one.could_run(job) and one.free > mine.free for one in others)
    return None


def why_waiting(job: Waiting, *, ahead: int, living: Sequence[Standing]) -> str:
    """A sentence for people on why a job is still in the queue, `ahead` others that want GPUs being before it."""
    if not living:
        return "No worker is running, so nothing starts. Whoever runs this server can start one."
    fitting = sorted((one for one in living if one.could_run(job)), key=lambda one: (-one.free, one.name))
    without = not job.only and any(one.total == 0 for one in living)
    if job.gpus == 0 or any(one.cluster for one in fitting) or (without and not any(one.total for one in living)):
        return "It starts as soon as a worker is free."
    if not fitting:
        if without:
            return "It starts as soon as a worker without GPUs is free, because no machine has enough for it."
        return f"It needs {_gpus(job.gpus)} at once, and no running worker has as many. It fails if none comes soon."
    best = fitting[0]
    if ahead:
        first = "one that needs GPUs is" if ahead == 1 else f"{ahead} that need GPUs are"
        return f"It waits for {_gpus(job.gpus)}; {first} before it."
    if best.free >= job.gpus:
        return "It starts in a moment."
    where = f"{best.host}, where {best.free} of {best.total} are free"
    return f"It waits for {_gpus(job.gpus)} on {where}; what gets free there is kept for it."


def _gpus(count: int) -> str:
    return "1 GPU" if count == 1 else f"{count} GPUs"


# --- choosing and leasing, in the claim's transaction ---


def choose(session: Session, room: Room, *, only: int | None = None, passed: Collection[int] = ()) -> int | None:
    """The id of the job that this worker is to take now; its GPUs are locked until the transaction ends.

    A job that somebody waits for (`only`) does not wait for others' turns, but only for GPUs.
    """
    waiting = _first_of_each_kind(session, only, passed)
    if not waiting:
        return None
    keys = [device.key for device in room.offer.devices]
    if any(job.gpus for job in waiting):
        _lock(session, keys)
    others = [one for one in living(session) if one.name != room.worker] if any(job.gpus for job in waiting) else []
    free = len(keys) - len(held(session).keys() & set(keys))
    mine = Standing(room.worker, "", len(keys), free, room.offer.cluster)
    chosen = pick(waiting, mine=mine, slot=room.slot, others=others)
    return chosen.id if chosen else None


def _first_of_each_kind(session: Session, only: int | None, passed: Collection[int]) -> list[Waiting]:
    """In the queue's order. Those of one need are taken or not taken alike, so the first of each is enough."""
    place = func.row_number().over(
        partition_by=(col(Job.gpus), col(Job.gpus_only)), order_by=(col(Job.priority).desc(), col(Job.id))
    )
    columns = (col(Job.id), col(Job.gpus), col(Job.gpus_only), col(Job.priority), place.label("place"))
    query = sql_select(*columns).where(col(Job.status) == JobStatus.QUEUED)
    if only is not None:
        query = query.where(col(Job.id) == only)
    if passed:
        query = query.where(col(Job.id).not_in(passed))
    kinds = query.subquery()
    first = sql_select(kinds.c.id, kinds.c.gpus, kinds.c.gpus_only).where(kinds.c.place == 1)
    return [Waiting(*row) for row in session.execute(first.order_by(kinds.c.priority.desc(), kinds.c.id))]


def lease(session: Session, job: Job, offer: Offer) -> None:
    """Give the job's attempt as many of the worker's free GPUs as it needs: those that `choose` has found, or, for a child
    that was adopted and had leased none, what is left.
    """
    keys = [device.key for device in offer.devices]
    if not keys or not job.gpus:
        return
    _lock(session, keys)
    taken = held(session)
    free = [key for key in keys if key not in taken][: job.gpus]
    values = {"job_id": job.id, "attempt": job.attempt, "leased_at": now()}
    session.connection().execute(update(Gpu).where(col(Gpu.device).in_(free)).values(**values))


def _lock(session: Session, keys: Collection[str]) -> None:
    session.exec(select(Gpu.device).where(col(Gpu.device).in_(keys)).order_by(col(Gpu.device)).with_for_update()).all()


def give_back(session: Session, job_id: int) -> None:
    """Free what the job holds."""
    session.exec(select(Gpu.id).where(Gpu.job_id == job_id).order_by(col(Gpu.device)).with_for_update()).all()
    nobody = {"job_id": None, "attempt": None, "leased_at": None}
    session.connection().execute(update(Gpu).where(col(Gpu.job_id) == job_id).values(**nobody))


def leased(session: Session, job: Job) -> tuple[str, ...]:
    """What the job's attempt holds, as CUDA_VISIBLE_DEVICES names it."""
    query = select(Gpu).where(Gpu.job_id == job.id, Gpu.attempt == job.attempt).order_by(col(Gpu.number), col(Gpu.device))
    found = session.exec(query.execution_options(populate_existing=True))
    return tuple(Device(gpu.device, gpu.number, gpu.uuid).visible for gpu in found)


def held(session: Session) -> dict[str, int]:
    """GPU → the job that holds it. A lease of an attempt that has ended holds nothing."""
    query = select(Gpu.device, Job.id).join(Job, col(Gpu.job_id) == Job.id)
    query = query.where(col(Job.status).in_(ACTIVE), Gpu.attempt == Job.attempt)
    return {device: job_id or 0 for device, job_id in session.exec(query)}


# --- who is there ---


def register(session: Session, *, worker: str, machine: str, host: str, offer: Offer) -> None:
    """Note a worker and its GPUs. What nobody has named for a day is forgotten."""
    at, host = now(), host[:60]
    keys = [device.key for device in offer.devices]
    there = {"machine": machine, "host": host, "devices": keys, "cluster": offer.cluster, "seen_at": at, "left_at": None}
    _put(session, Presence, {"name": worker}, there, {"started_at": at})
    for device in sorted(offer.devices, key=lambda device: device.key):
        about = {name: getattr(device, name) for name in ("number", "uuid", "name", "memory_mib")}
        _put(session, Gpu, {"device": device.key}, {"machine": machine, "host": host, "named_at": at, **about}, {})
    session.execute(delete(Presence).where(col(Presence.seen_at) < at - KEPT))
    named = {key for keys in session.exec(select(Presence.devices)) for key in keys}
    old = select(Gpu.id).where(Gpu.named_at < at - KEPT, col(Gpu.job_id).is_(None), col(Gpu.device).not_in(named))
    session.execute(delete(Gpu).where(col(Gpu.id).in_(session.exec(old).all()), col(Gpu.named_at) < at - KEPT))


def _put(session: Session, table: Any, key: dict[str, Any], values: dict[str, Any], once: dict[str, Any]) -> None:
    """Insert a row or change it, also while others do the same."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement: Any = insert(table.__table__).values(**key, **values, **once)
    session.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values))


def seen(session: Session, worker: str) -> bool:
    """A sign of life. False when nobody knows the worker."""
    statement = update(Presence).where(col(Presence.name) == worker).values(seen_at=now(), left_at=None)
    return session.connection().execute(statement).rowcount == 1


def leave(session: Session, *workers: str) -> None:
    """Note that these workers are gone."""
    statement = update(Presence).where(col(Presence.name).in_(workers)).values(left_at=now())
    session.connection().execute(statement)


def living_on(session: Session, machine: str) -> list[str]:
    """The names of the workers of a machine that have not left."""
    return list(session.exec(select(Presence.name).where(Presence.machine == machine, col(Presence.left_at).is_(None))))


def living(session: Session) -> list[Standing]:
    """The workers that are there, and how many of their GPUs are free."""
    since, taken = now() - LIVING, held(session)
    query = select(Presence).where(Presence.seen_at > since, col(Presence.left_at).is_(None)).order_by(col(Presence.name))
    found = session.exec(query.execution_options(populate_existing=True))
    return [
        Standing(one.name, one.host, len(one.devices), sum(key not in taken for key in one.devices), one.cluster)
        for one in found
    ]


def on_offer(session: Session) -> set[str]:
    """The GPUs of the workers that are there."""
    query = select(Presence.devices).where(Presence.seen_at > now() - LIVING, col(Presence.left_at).is_(None))
    return {key for keys in session.exec(query) for key in keys}


def hopeless(session: Session) -> dict[int, str]:
    """Jobs in the queue that no worker, there or expected back, could ever run, and why."""
    known = list(session.exec(select(Presence.devices, Presence.cluster).where(Presence.seen_at > now() - GRACE)))
    if not known or any(cluster for _, cluster in known):
        return {}
    most = max(len(devices) for devices, _ in known)
    query = select(Job.id, Job.gpus).where(Job.status == JobStatus.QUEUED, Job.gpus > most)
    if any(not devices for devices, _ in known):
        query = query.where(col(Job.gpus_only))
    return {job_id or 0: _never(gpus, most) for job_id, gpus in session.exec(query)}


def _never(gpus: int, most: int) -> str:
    there = f"no worker's machine has more than {most}" if most else "no worker's machine has one"
    instead = "Ask for fewer processes" if gpus > 1 else "Choose the device 'auto' or 'cpu'"
    return f"This job needs {_gpus(gpus)} at once, and {there}. {instead}, or start a worker that has them, and try again."
