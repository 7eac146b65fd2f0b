"""Which approved texts are nearly the same although nobody has compared them: those that were edited since they came.

Pure. Records are compared when they come in and when they are cleaned; what is edited and approved afterwards could be a near
duplicate of a row of the test set, and would be learned from. So edited texts are compared once more, with all that enter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from backend.datasets.candidates import Candidate
from backend.detectors.alike import EXACT_UP_TO, Alike, compare
from backend.detectors.duplicates import THRESHOLD, customer_words, duplicate_key, near_pairs
from backend.detectors.sketches import sketches
from backend.detectors.unions import Unions


def tied(rows: Sequence[Candidate], *, exact_up_to: int = EXACT_UP_TO) -> dict[int, int]:
    """Record id → the lowest id of those that it is alike to, directly or through others: of edited texts and their like."""
    edited = [row for row in rows if row.revision_number > 1]
    if not edited:
        return {}
    ordered = [*(row for row in rows if row.revision_number == 1), *edited]
    texts, since = [customer_words(row.messages) for row in ordered], len(ordered) - len(edited)
    pairs = _exactly(texts, since) if len(ordered) <= exact_up_to else _by_sketches(ordered, texts, since)
    linked = Unions()
    for first, second in pairs:
        linked.join(ordered[first].record_id, ordered[second].record_id)
    return linked.roots()


def _exactly(texts: Sequence[str], since: int) -> Iterable[tuple[int, int]]:
    return ((first, second) for first, second, _ in near_pairs(texts, threshold=THRESHOLD, since=since))


def _by_sketches(rows: Sequence[Candidate], texts: Sequence[str], since: int) -> Iterable[tuple[int, int]]:
    found = compare(
        sketches([duplicate_key(row.messages) for row in rows], texts),
        lambda places: [texts[place] for place in places],
        fresh=np.arange(len(rows)) >= since,
        before=Alike.nothing(len(rows)),
    )
    return ((int(root), place) for place, root in enumerate(found.root) if root != place)
