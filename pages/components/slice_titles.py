"""What the key of a slice is called on pages. What a check gave says so: "topic (detected)"."""

from __future__ import annotations

from backend.vocabulary import DETECTED


def slice_title(key: str) -> str:
    """A key as it is offered and listed."""
    return f"{key.removeprefix(DETECTED)} (detected)" if key.startswith(DETECTED) else key
