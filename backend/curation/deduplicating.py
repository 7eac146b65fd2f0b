"""The checks of a whole project: `compare_project` finds exact repeats and near duplicates of up to a million records.

Promised: clusters only ever grow; what was dismissed stays dismissed; a run that was killed goes on where it was and ends with
what an uninterrupted one finds; where only a few records are new or edited, those alone are compared with the rest. A batch is
saved together: clusters, findings, and that the records were compared. Nothing is locked while texts are compared.

Not promised: that records which others add meanwhile are compared; the next run does that. `find_contradictions` is the other
check of this kind, and lives in `contradicting`.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import bindparam, select, update
from sqlmodel import Session, col

from backend.curation import sketching
from backend.curation.contradicting import find_contradictions as find_contradictions
from backend.curation.relations import Related, Relation, keep
from backend.curation.sketching import Held
from backend.detectors.alike import Alike, compare
from backend.detectors.duplicates import THRESHOLD, VERSION
from backend.detectors.neighbours import cluster_names
from backend.errors import Conflict
from backend.store.curation import Likeness
from backend.store.locking import locked_project
from backend.store.records import Record
from backend.vocabulary import FindingKind

DETECTOR = "duplicates"
KINDS = (FindingKind.DUPLICATE, FindingKind.NEAR_DUPLICATE)
BATCH = 2000
_DIGITS = 3
_TRIES = 5
"""How often the comparison begins anew because an import moved clusters meanwhile."""

_RECORD, _LIKENESS = Record.__table__, Likeness.__table__  # type: ignore[attr-defined]
_MOVE = update(_RECORD).where(_RECORD.c.id == bindparam("its_id")).values(cluster=bindparam("cluster"))
_SETTLE = (
    update(_LIKENESS)
    .where(_LIKENESS.c.record_id == bindparam("its_id"))
    .values({name: bindparam(name) for name in ("settled", "nearest_id", "similarity")})
)
_UNSEEN = {"synchronize_session": False}

Tell = Callable[[float, str], None]


class _Moved(Exception):
    """Somebody put records into other clusters after they were read."""


def compare_project(*, session: Session, project_id: int, tell: Tell, workers: int = 1) -> dict[str, int]:
    """Compare what is new or edited with everything; returns new findings by kind. Commits batch by batch. That many processes
    read the texts.
    """
    found: Counter[str] = Counter()
    sketching.refresh(session, project_id, lambda made, total: tell(0.4 * (made / total), f"{made:,} read"), workers=workers)
    for _ in range(_TRIES):
        if sketching.is_settled(session, project_id):
            session.rollback()
            return dict(found)
        held = sketching.read(session, project_id)
        tell(0.4, f"{int((~held.settled).sum()):,} of {len(held.ids):,} to compare")
        alike = compare(
            held.sketches,
            lambda places, held=held: sketching.words_of(session, held, places),  # type: ignore[misc]
            fresh=~held.settled,
            before=held.known,
            tell=lambda share: tell(0.4 + 0.3 * share, ""),
        )
        with contextlib.suppress(_Moved):
            _settle(session, project_id, held, alike, found, tell)
            return dict(found)
    raise Conflict("Imports kept changing what was compared. What was found so far is kept; start the check again.")


def _settle(session: Session, project_id: int, held: Held, alike: Alike, found: Counter[str], tell: Tell) -> None:
    """Write what was found, batch by batch."""
    names = _names(session, held, alike)
    changed = alike.looked | (alike.nearest != held.known.nearest) | (alike.similarity != held.known.similarity)
    renamed = [name != before for name, before in zip(names, held.clusters, strict=True)]
    places = np.flatnonzero(changed | np.array(renamed, dtype=bool))
    for begin in range(0, len(places), BATCH):
        batch = places[begin : begin + BATCH]
        found += _write(session, project_id, held, alike, names, batch)
        session.commit()
        tell(0.7 + 0.3 * (begin + len(batch)) / len(places), f"{begin + len(batch):,} of {len(places):,} saved")


def _names(session: Session, held: Held, alike: Alike) -> list[str]:
    """The cluster of each record, "" for one that is like no other."""
    several = np.bincount(alike.root, minlength=len(alike.root))[alike.root] > 1
    members = np.flatnonzero(several | np.array([bool(name) for name in held.clusters], dtype=bool))
    roots = alike.root[members].tolist()
    before = [held.clusters[place] for place in members]
    named = {root for root, name in zip(roots, before, strict=True) if name}
    new = np.array(sorted(set(roots) - named), dtype=np.int64)
    texts = dict(zip(new.tolist(), sketching.words_of(session, held, new), strict=True))
    names = cluster_names(roots, before, texts.__getitem__)
    result = [""] * len(held.clusters)
    for place, root in zip(members.tolist(), roots, strict=True):
        result[place] = names.get(root, "")
    return result


def _write(
    session: Session, project_id: int, held: Held, alike: Alike, names: list[str], places: NDArray[np.int64]
) -> Counter[str]:
    """One batch: clusters, likenesses, findings. Raises _Moved where the clusters are no longer those that were read."""
    ids = {int(held.ids[place]): int(place) for place in places}
    locked_project(session, project_id)  # imports change clusters too, and hold it as well
    query = select(_RECORD.c.id, _RECORD.c.cluster, _RECORD.c.head).where(_RECORD.c.id.in_(ids))
    rows = session.connection().execute(query).all()
    if any(cluster != held.clusters[ids[record_id]] for record_id, cluster, _ in rows):
        session.rollback()
        raise _Moved
    moved = [{"its_id": one, "cluster": names[place]} for one, place in ids.items() if names[place] != held.clusters[place]]
    if moved:
        session.connection().execute(_MOVE, moved)
    uncompared = update(Record).where(col(Record.id).in_(ids), col(Record.compared).is_(False))
    session.execute(uncompared.values(compared=True), execution_options=_UNSEEN)
    alone = [one for one, place in ids.items() if alike.nearest[place] < 0]
    settled = {"settled": True, "nearest_id": None, "similarity": 0.0}
    session.execute(update(Likeness).where(col(Likeness.record_id).in_(alone)).values(settled), execution_options=_UNSEEN)
    if others := [_likeness(held, alike, one, place) for one, place in ids.items() if alike.nearest[place] >= 0]:
        session.connection().execute(_SETTLE, others)
    related = [_related(held, alike, one, ids[one], head) for one, _, head in rows]
    return keep(session, project_id, related, KINDS)


def _likeness(held: Held, alike: Alike, record_id: int, place: int) -> Mapping[str, Any]:
    nearest = int(alike.nearest[place])
    return {
        "its_id": record_id,
        "settled": True,
        "nearest_id": int(held.ids[nearest]) if nearest >= 0 else None,
        "similarity": float(alike.similarity[place]),
    }


def _related(held: Held, alike: Alike, record_id: int, place: int, head: int) -> Related:
    """What the record repeats, as a finding says it."""
    relations: list[Relation] = []
    if alike.similarity[place] >= THRESHOLD:
        of, value = int(held.ids[alike.nearest[place]]), float(alike.similarity[place])
        exact = bool(alike.exact[place])
        detail: dict[str, Any] = {"of": of} if exact else {"of": of, "similarity": round(value, _DIGITS)}
        kind = FindingKind.DUPLICATE if exact else FindingKind.NEAR_DUPLICATE
        relations.append(Relation(kind=kind, detector=DETECTOR, version=VERSION, detail=detail, score=value))
    revision_id = int(held.revisions[place])
    return Related(record_id=record_id, revision_id=revision_id, head=head, relations=relations)
