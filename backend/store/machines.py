"""Tables of where jobs run: the workers that are there, and the GPUs of their machines.

A GPU is held by an attempt of a job, as long as that attempt is running or stopping. Its lease is the job's own, so that the
two cannot differ: whoever adopts the job adopts its GPUs, and what an older attempt held counts as free.
"""

from datetime import datetime

from sqlmodel import Field

from backend.store.base import Table, created, document, moment


class Presence(Table, table=True):
    """A worker, and which GPUs it may lease (`Gpu.device`). With `cluster` it leases none: a cluster finds the room.

    It is there while `seen_at` is fresh and `left_at` is empty. `machine` is the boot and process namespace that it runs in.
    """

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=120)
    machine: str = Field(max_length=64)
    host: str = Field(default="", max_length=60)
    devices: list[str] = document(list)
    cluster: bool = False
    started_at: datetime = created()
    seen_at: datetime = created()
    left_at: datetime | None = moment()


class Gpu(Table, table=True):
    """A GPU, and who holds it. `device` is its UUID, by which it is the same for every container of a machine; where that is
    not known, the machine and its number. `machine` and `host` are of the worker that named it last, `named_at` is when.
    """

    id: int | None = Field(default=None, primary_key=True)
    device: str = Field(unique=True, max_length=120)
    machine: str = Field(max_length=64)
    host: str = Field(default="", max_length=60)
    number: int = 0
    uuid: str = Field(default="", max_length=100)
    name: str = Field(default="", max_length=200)
    memory_mib: int = 0
    named_at: datetime = created()
    job_id: int | None = Field(default=None, foreign_key="job.id", index=True)
    attempt: int | None = None
    leased_at: datetime | None = moment()
