"""Rows into drafts, some hundred at a time. Pure, and made to run in other processes: plain values in, bytes out.

A batch is packed where it is made, so that the process that stores it only passes bytes on until then.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from backend.detectors.personal import Search
from backend.intake.conversations import Imported, convert
from backend.intake.drafts import Draft, Making, drafts
from backend.intake.faqs import FaqDraft, faq_draft
from backend.intake.mapping import Mapping
from backend.intake.readers.rows import Rejected, Row

SIZE = 500
"""Rows in a batch."""
LISTED = 20
"""Rejected rows that are at hand without unpacking, for summaries."""


class Recipe(NamedTuple):
    """What rows become."""

    mapping: Mapping
    making: Making
    as_faqs: bool


class Batch(NamedTuple):
    """What rows became, each kind in their order."""

    drafts: list[Draft]
    faqs: list[FaqDraft]
    rejected: list[Rejected]


class Packed(NamedTuple):
    """A batch as bytes, with what must be known of it before it is unpacked."""

    content: bytes
    drafts: int
    versions: int
    """Of all the drafts."""
    faqs: int
    rejected: int
    first_rejected: list[Rejected]
    last_line: int
    keys: bytes
    """The duplicate keys of the drafts, one after another."""


class Drafter:
    """Makes packed batches by a recipe."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._search = Search(recipe.making.rules)

    def __reduce__(self) -> tuple[type[Drafter], tuple[Recipe]]:
        return Drafter, (self._recipe,)  # what it remembers stays here

    def __call__(self, rows: Sequence[Row | Rejected]) -> Packed:
        """What the rows become."""
        return packed(made(rows, self._recipe, self._search), last_line=rows[-1].line if rows else 0)


def made(rows: Sequence[Row | Rejected], recipe: Recipe, search: Search | None = None) -> Batch:
    """The drafts of these rows, and the rows that cannot be taken."""
    items = [row if isinstance(row, Rejected) else convert(row, recipe.mapping) for row in rows]
    taken = [item for item in items if isinstance(item, Imported)]
    if recipe.as_faqs:
        results: Iterator[Draft | FaqDraft | Rejected] = (faq_draft(item, text_max=recipe.making.text_max) for item in taken)
    else:
        results = iter(drafts(taken, recipe.making, search))
    batch = Batch([], [], [])
    for item in items:
        result = item if isinstance(item, Rejected) else next(results)
        if isinstance(result, Draft):
            batch.drafts.append(result)
        elif isinstance(result, FaqDraft):
            batch.faqs.append(result)
        else:
            batch.rejected.append(result)
    return batch


def packed(batch: Batch, *, last_line: int) -> Packed:
    """The batch as bytes."""
    content = pickle.dumps(batch, protocol=pickle.HIGHEST_PROTOCOL)
    keys = b"".join(one.key for one in batch.drafts)
    versions = sum(len(one.versions) for one in batch.drafts)
    rejected = len(batch.rejected)
    return Packed(content, len(batch.drafts), versions, len(batch.faqs), rejected, batch.rejected[:LISTED], last_line, keys)


def unpacked(content: bytes) -> Batch:
    """The batch that `packed` made. Only for bytes of this program's own."""
    batch: Batch = pickle.loads(content)  # noqa: S301 - written by `packed` a moment ago, to a file without a name
    return batch
