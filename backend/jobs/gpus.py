"""Which GPUs a worker gives to jobs: found with `nvidia-smi`, without torch, and narrowed down or stated by the settings.

What TOUCHSTONE_GPUS names must be there where nvidia-smi says what is; without nvidia-smi it is taken at its word. Where that
is empty, CUDA_VISIBLE_DEVICES narrows down as it does for any program. Parts of a GPU (MIG) are named by their UUIDs.

Not promised: that GPUs which appear or break later are noticed before the worker is started anew; nor that two workers know
a GPU that has only a number as the same one, where they are in different containers.
"""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from backend.errors import InvalidInput
from backend.jobs import processes
from backend.settings import Settings

log = structlog.get_logger("worker")
VISIBLE = "CUDA_VISIBLE_DEVICES"
NONE = "none"
_QUERY = ("--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits")
_PATIENCE = 30.0
"""Seconds; a driver that nobody has used since the machine's start takes several."""
_ENTRY = re.compile(r"\d{1,4}|(?:GPU|MIG)-[\w/-]{1,90}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU. `key` is by which all workers know it, `memory_mib` is 0 where it is not known."""

    key: str
    number: int
    uuid: str = ""
    name: str = ""
    memory_mib: int = 0

    @property
    def visible(self) -> str:
        """What CUDA_VISIBLE_DEVICES says of it: the UUID, because CUDA may count GPUs in another order."""
        return self.uuid or str(self.number)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a worker has for jobs that want GPUs. `known`: what there is was found or stated, so that a child is told which
    ones are its own, or that none are. `cluster`: the jobs run on a cluster, which finds room for them itself.
    """

    devices: tuple[Device, ...] = ()
    known: bool = False
    cluster: bool = False

    def environment(self, leased: Sequence[str]) -> dict[str, str]:
        """What a child is told that holds these (`Device.visible`)."""
        if not self.known:
            return {}
        return {VISIBLE: ",".join(leased), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


CLUSTER = Offer(cluster=True)


def offered(settings: Settings) -> Offer:
    """What a worker with these settings offers. Raises InvalidInput for GPUs that there are not."""
    if settings.launcher != "local":
        return CLUSTER
    if settings.gpus.lower() == NONE:
        return Offer(known=True)
    found = _listed()
    if settings.gpus:
        return Offer(tuple(_stated(settings.gpus, found)), known=True)
    if settings.gpus_seen:
        found = _seen(settings.gpus_seen, found)
    return Offer(tuple(found), known=bool(found))


def _listed() -> list[Device]:
    """The GPUs that nvidia-smi lists; none where it is missing or fails, which is logged."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        said = subprocess.run(  # noqa: S603 - the driver's own program, with fixed arguments
            [program, *_QUERY], capture_output=True, text=True, errors="replace", timeout=_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        why = getattr(error, "stdout", None) or getattr(error, "stderr", None) or str(error)
        log.warning("gpus_not_listed", program=program, reason=str(why).strip()[:300])
        return []
    return read(said.stdout)


def read(text: str) -> list[Device]:
    """The GPUs in nvidia-smi's answer. A line that says no number and UUID is left out; some drivers do not tell the memory."""
    found: dict[str, Device] = {}
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        number, uuid, name, memory = (*(cell.strip() for cell in row[:4]), "", "", "", "")[:4]
        if number.isdecimal() and _ENTRY.fullmatch(uuid):
            mib = int(memory) if memory.isdecimal() else 0
            found.setdefault(uuid, Device(uuid, int(number), uuid, name[:200], mib))
    return sorted(found.values(), key=lambda device: device.number)


def _stated(entries: str, found: Sequence[Device]) -> list[Device]:
    """The GPUs that TOUCHSTONE_GPUS names. Raises InvalidInput."""
    chosen: dict[str, Device] = {}
    for place, entry in enumerate(part.strip() for part in entries.split(",")):
        if not _ENTRY.fullmatch(entry):
            raise InvalidInput(
                f"TOUCHSTONE_GPUS must be numbers or UUIDs of GPUs with commas between them (0,1), or 'none'; it has {entry!r}."
            )
        device = _named(entry, found)
        if device is None and found and not entry.startswith("MIG-"):
            there = ", ".join(str(one.number) for one in found)
            raise InvalidInput(f"TOUCHSTONE_GPUS names the GPU {entry}, but nvidia-smi lists only {there}.")
        if device is None:
            is_number = entry.isdecimal()
            key = f"{processes.here()}/{int(entry)}" if is_number else entry
            device = Device(key, int(entry) if is_number else place, "" if is_number else entry)
        chosen.setdefault(device.key, device)
    return list(chosen.values())


def _seen(entries: str, found: Sequence[Device]) -> list[Device]:
    """What CUDA_VISIBLE_DEVICES leaves of the GPUs: as CUDA reads it, up to the first that there is not."""
    left: dict[str, Device] = {}
    for place, entry in enumerate(part.strip() for part in entries.split(",")):
        is_part = entry.startswith("MIG-") and _ENTRY.fullmatch(entry)
        device = Device(entry, place, entry) if is_part else _named(entry, found)
        if device is None:
            break
        left.setdefault(device.key, device)
    return list(left.values())


def _named(entry: str, found: Sequence[Device]) -> Device | None:
    """By its number or its UUID, whose beginning is enough where it fits only one."""
    if entry.isdecimal():
        return next((device for device in found if device.number == int(entry)), None)
    fitting = [device for device in found if entry.startswith("GPU-") and device.uuid.startswith(entry)]
    return fitting[0] if len(fitting) == 1 else None
