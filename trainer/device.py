"""The device that a run is on: its name, and how much memory was in use."""

from __future__ import annotations

import resource

import torch


def peak_memory(device: torch.device) -> int:
    """The most memory that was in use, in bytes: of the GPU, or of this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def device_name(device: torch.device) -> str:
    """What the run ran on, in words."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
