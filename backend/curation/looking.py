"""Shows conversations to families of checks, in this process or in helpers (`backend.jobs.crew`). It knows no database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import ModuleType

from backend.conversations import Message, messages_from_json
from backend.detectors.checks import Context, Family, Seen, family
from backend.vocabulary import Check

Shown = tuple[str, frozenset[Check]]
"""Messages as the JSON that is stored, and the families that are to look at them."""
Views = list[dict[Check, Seen]]
"""For each conversation what each of its families saw."""


class Look:
    """What the families see in a batch, each in the conversations that it is to look at.

    It can be sent to helpers: of a family that is a module only the name goes along, and each loads it for itself.
    """

    def __init__(self, families: Mapping[Check, Family], context: Context) -> None:
        self._families = {check: None if isinstance(one, ModuleType) else one for check, one in families.items()}
        self._context = context

    def __call__(self, batch: Sequence[Shown]) -> Views:
        """Look at a batch."""
        conversations = [messages_from_json(json.loads(messages)) for messages, _ in batch]
        views: Views = [{} for _ in batch]
        plain: dict[tuple[Check, tuple[tuple[str, str], ...]], Seen] = {}  # what is the same is sent back once
        for check, one in self._families.items():
            places = [place for place, (_, wanted) in enumerate(batch) if check in wanted]
            mine: list[Sequence[Message]] = [conversations[place] for place in places]
            seen = (one or family(check)).look(mine, self._context) if mine else []
            for place, view in zip(places, seen, strict=True):
                views[place][check] = view if view.findings else plain.setdefault((check, view.slices), view)
        return views
