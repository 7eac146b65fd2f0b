"""Reads what nobody judged by hand: scores of evaluations, lengths, refusals and abusive language of answers, by version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sqlalchemy import func
from sqlmodel import Session, col, select

from backend.detectors.abuse import abusive
from backend.detectors.refusals import refuses
from backend.evaluation.judgement_queries import CHUNK
from backend.evaluation.judgements import Responses
from backend.evaluation.slicing import Measure
from backend.store.models import Evaluation, Response

SCORES = (("exact_match", "Exact match", True), ("rouge_l", "ROUGE-L", False))


def measured(session: Session, *, project_id: int, responses: Responses, versions: list[str]) -> list[Measure]:
    """Of each version's newest finished evaluation, or of its imported answers where it has none."""
    ids, scores, refused, flagged = _read(session, project_id)
    if not len(ids):
        return []
    place = responses.place(ids)
    version, lengths = responses.version[place], responses.length[place].astype(float)
    found = []
    for number in sorted(set(version.tolist()), reverse=True):
        mine = version == number
        for key, title, shares in SCORES:
            known = mine & ~np.isnan(scores[key])
            if known.any():
                found.append(Measure(key, title, shares, versions[number], scores[key][known], ids[known]))
        found.append(Measure("length", "Length of the answer (characters)", False, versions[number], lengths[mine], ids[mine]))
        found.append(Measure("refusal", "Refusals (share)", True, versions[number], refused[mine], ids[mine]))
        found.append(Measure("toxicity", "Flagged as abusive (share)", True, versions[number], flagged[mine], ids[mine]))
    return sorted(found, key=lambda one: ("exact_match", "rouge_l", "refusal", "toxicity", "length").index(one.key))


def _read(session: Session, project_id: int) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """(response ids, scores, whether it refuses, whether it is abusive), in order of the ids."""
    rows: list[tuple[int, float, float, bool]] = []
    flagged: list[np.ndarray] = [np.zeros(0)]
    for batch in _batches(session, project_id):
        flagged.append(abusive([text for _, text, *_ in batch]).astype(float))
        rows += [(key, *(_score(one) for one in values), refuses(text)) for key, text, *values in batch]
    ids = np.array([row[0] for row in rows], dtype=np.int64)
    scores = {key: np.array([row[place] for row in rows]) for place, (key, _, _) in enumerate(SCORES, start=1)}
    return ids, scores, np.array([float(row[3]) for row in rows]), np.concatenate(flagged)


def _score(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _batches(session: Session, project_id: int) -> Iterator[Any]:
    newest = (
        select(func.max(Response.evaluation_id))
        .join(Evaluation, col(Evaluation.id) == Response.evaluation_id)
        .where(Response.project_id == project_id, col(Evaluation.finished_at).is_not(None))
        .group_by(col(Response.version_id))
    )
    pairs = session.exec(
        select(Response.version_id, func.max(Response.evaluation_id))
        .where(Response.project_id == project_id, col(Response.evaluation_id).in_(newest))
        .group_by(col(Response.version_id))
    ).all()
    scores = [Response.metrics[key].as_float() for key, _, _ in SCORES]
    columns: list[Any] = [Response.id, Response.text, *scores]
    chosen = [(col(Response.version_id) == version) & (col(Response.evaluation_id) == last) for version, last in pairs]
    evaluated = [version for version, _ in pairs if version is not None]
    imported = col(Response.evaluation_id).is_(None) & (
        col(Response.version_id).is_(None) | col(Response.version_id).not_in(evaluated)
    )
    condition = imported
    for one in chosen:
        condition = condition | one
    query = select(*columns).where(Response.project_id == project_id, condition).order_by(col(Response.id))
    yield from session.connection().execute(query.execution_options(yield_per=CHUNK)).partitions()
