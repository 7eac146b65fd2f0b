"""The device that a run is on: its name, and how much memory was in use."""

from __future__ import annotations

import gc
import os
import resource

import torch

USABLE = 0.92
"""The share of a device's memory that a run can have; the rest is the libraries' and the fragments'."""


def peak_memory(device: torch.device) -> int:
    """The most memory that was in use, in bytes: of the GPU, or of this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def device_name(device: torch.device) -> str:
    """What the run ran on, in words."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def memory_of(device: torch.device) -> int | None:
    """All of a GPU's memory in bytes, or of this machine's; None where nobody says."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None


def free_memory(device: torch.device) -> None:
    """Give back what nothing holds any more, after memory ran out."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether that is what an error says: a CPU's is of no kind of its own."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
