"""Reads about versions, evaluations, responses and decisions, for the pages.

Every function takes the project and answers only about it. Lists are short by nature (versions, evaluations, decisions);
responses come page by page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import exists, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from backend.errors import NotFound
from backend.evaluation.tokens import NOT_COMPARED, PER_TOKEN, tokens_apart
from backend.statistics.intervals import newcombe, wilson
from backend.statistics.results import Estimate
from backend.store.accounts import Account
from backend.store.models import Evaluation, Job, ModelVersion, Promotion, Response, Snapshot, SnapshotRow
from backend.store.records import Project
from backend.vocabulary import JobStatus, SnapshotKind, Split

MEASURES: tuple[tuple[str, str, bool | None], ...] = (
    ("loss", "Loss (nats a token)", False),
    ("perplexity", "Perplexity", False),
    ("bits_per_byte", "Bits per byte", False),
    ("bleu", "BLEU (0–100)", True),
    ("rouge_l", "ROUGE-L (0–1)", True),
    ("exact_match", "Exact match (share)", True),
    ("distinct_1", "Distinct words (share)", None),
    ("distinct_2", "Distinct pairs of words (share)", None),
    ("burstiness", "Burstiness of sentences (−1 to 1)", None),
)
"""(name in the report, title, whether more is better; None where neither is)."""

SHOWN = {
    "all": "All questions",
    "tuned_wrong": "Candidate not exact",
    "got_worse": "Baseline exact, candidate not",
    "got_better": "Candidate exact, baseline not",
    "different": "Different answers",
}
"""What the responses browser can be narrowed to."""


@dataclass(frozen=True, slots=True)
class EvaluationCard:
    """An evaluation with the names of what it compares."""

    id: int
    candidate_id: int
    candidate: str
    baseline_id: int
    baseline: str
    snapshot: int
    split: str
    status: JobStatus | None
    progress: str
    error: str
    created_at: datetime
    finished_at: datetime | None
    report: dict[str, Any]
    decoding: dict[str, Any]
    candidate_label: str
    baseline_label: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Both versions' answers to one question."""

    record_id: int
    prompt: list[dict[str, str]]
    reference: str
    baseline: str
    candidate: str
    baseline_metrics: dict[str, Any]
    candidate_metrics: dict[str, Any]
    slices: dict[str, str]


def current_version_id(session: Session, *, project_id: int) -> int | None:
    """The current version's id, None while there is none."""
    return session.get_one(Project, project_id).current_version_id


def snapshot_choices(session: Session, *, project_id: int) -> dict[int, str]:
    """Snapshots that have test questions with answers, the newest first: id → what to call it."""
    query = (
        select(Snapshot.id, Snapshot.number, Snapshot.name, func.count())
        .join(SnapshotRow, (col(SnapshotRow.snapshot_id) == Snapshot.id) & (col(SnapshotRow.split) == Split.TEST))
        .where(Snapshot.project_id == project_id, has_answers())
        .group_by(col(Snapshot.id), col(Snapshot.number), col(Snapshot.name))
        .order_by(col(Snapshot.number).desc())
    )
    return {
        number or 0: f"Snapshot {position} {name}".strip() + f", {count} test questions"
        for number, position, name, count in session.exec(query)
    }


def has_answers() -> Any:
    """The condition that a snapshot's rows have answers to compare with: classes have none."""
    kind = Snapshot.manifest["kind"].as_string()
    return func.coalesce(kind, "") != SnapshotKind.LABELS.value


def evaluations(session: Session, *, project_id: int, evaluation_id: int | None = None) -> list[EvaluationCard]:
    """Every evaluation, or the one asked for, the newest first."""
    candidate, baseline = aliased(ModelVersion), aliased(ModelVersion)
    columns: list[Any] = [Evaluation, candidate.name, candidate.served_as, baseline.name, baseline.served_as]
    columns += [Snapshot.number, Job.status, Job.progress, Job.error]
    query = (
        select(*columns)
        .select_from(Evaluation)
        .join(candidate, col(candidate.id) == Evaluation.candidate_version_id)
        .join(baseline, col(baseline.id) == Evaluation.base_version_id)
        .join(Snapshot, col(Snapshot.id) == Evaluation.snapshot_id)
        .outerjoin(Job, col(Job.id) == Evaluation.job_id)
        .where(Evaluation.project_id == project_id)
        .order_by(col(Evaluation.id).desc())
    )
    if evaluation_id is not None:
        query = query.where(Evaluation.id == evaluation_id)
    return [_card(*row) for row in session.exec(query)]


def _card(
    one: Evaluation,
    candidate: str,
    candidate_label: str,
    baseline: str,
    baseline_label: str,
    snapshot: int,
    status: JobStatus | None,
    progress: dict[str, Any] | None,
    error: str | None,
) -> EvaluationCard:
    return EvaluationCard(
        id=one.id or 0,
        candidate_id=one.candidate_version_id,
        candidate=candidate,
        baseline_id=one.base_version_id,
        baseline=baseline,
        snapshot=snapshot,
        split=str(one.split),
        status=status,
        progress=str((progress or {}).get("message", "")),
        error=error or "",
        created_at=one.created_at,
        finished_at=one.finished_at,
        report=one.report,
        decoding=one.decoding,
        candidate_label=candidate_label,
        baseline_label=baseline_label,
    )


def measures(card: EvaluationCard) -> pd.DataFrame:
    """Both versions' measures beside each other: measure, baseline, candidate, difference, better, n, interval.

    The intervals are the report's, the baseline's first; exact match has Newcombe's for the difference too. Reports of before
    have no intervals, and lack some measures. Figures a token have no difference where the two count tokens differently.
    """
    models = card.report.get("models", {})
    base, tuned = models.get(card.baseline_label, {}), models.get(card.candidate_label, {})
    rows = []
    for name, title, more in MEASURES:
        old, new = base.get(name), tuned.get(name)
        unlike = name in PER_TOKEN and not counts_alike(card)
        difference = None if old is None or new is None or unlike else new - old
        better = None if not difference or more is None else (difference > 0) == more
        n = min(model.get(f"{name}_n", model.get("n", 0)) for model in (base, tuned))
        rows.append((title, n, old, new, difference, better, _intervals(name, n, base, tuned)))
    names = ["measure", "n", "baseline", "candidate", "difference", "better", "95% intervals"]
    return pd.DataFrame(rows, columns=names)


def counts_alike(card: EvaluationCard) -> bool:
    """Whether both versions cut texts into the same tokens, so that their figures a token can be compared."""
    models = card.report.get("models", {})
    return tokens_apart(models.get(card.candidate_label, {}), models.get(card.baseline_label, {})) is None


def about(card: EvaluationCard) -> str:
    """What the measures were taken on, and how."""
    signature = card.report["models"].get(card.candidate_label, {}).get("bleu_signature", "")
    decoded = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in card.decoding.items())
    told = f"{card.split.capitalize()} rows of snapshot {card.snapshot}. Decoding: {decoded}. BLEU signature: {signature}"
    return told if counts_alike(card) else f"{told}. {NOT_COMPARED}"


def _intervals(name: str, n: int, base: dict[str, Any], tuned: dict[str, Any]) -> str:
    old, new = base.get(name), tuned.get(name)
    if name != "exact_match" or not n or old is None or new is None:
        found = [model.get("intervals", {}).get(name) for model in (base, tuned)]
        told = [f"{one[0]:.3g} to {one[1]:.3g}" if one else "none" for one in found]
        return "; ".join(told) if any(found) else ""
    shares, gain = (wilson(round(share * n), n) for share in (old, new)), newcombe(round(new * n), n, round(old * n), n)
    bounds = [f"{one.low:.2f} to {one.high:.2f}" for one in (*shares, gain) if isinstance(one, Estimate)]
    return "{}; {}; difference {}".format(*bounds) if len(bounds) == 3 else ""


def responses(
    session: Session,
    *,
    project_id: int,
    evaluation_id: int,
    shown: str = "all",
    slice_key: str = "",
    slice_value: str = "",
    offset: int = 0,
    limit: int = 10,
) -> tuple[list[Pair], int]:
    """One page of the questions that both versions answered, and how many there are."""
    base, tuned = aliased(Response), aliased(Response)
    query = _pairs([base, tuned], base, tuned, project_id, evaluation_id, shown)
    counting = _pairs([func.count()], base, tuned, project_id, evaluation_id, shown)
    if slice_key and slice_value:
        cut = _slice_is(session, base.slices, slice_key, slice_value)
        query, counting = query.where(cut), counting.where(cut)
    rows = session.exec(query.order_by(base.record_id).offset(offset).limit(limit))
    found = [
        Pair(one.record_id or 0, one.prompt, one.reference, one.text, other.text, one.metrics, other.metrics, one.slices)
        for one, other in rows
    ]
    return found, session.exec(counting).one()


def _slice_is(session: Session, slices: Any, key: str, value: str) -> Any:
    """Metadata as rows of key and value: a key of any kind is a parameter, where a JSON path would have to quote it."""
    unfold = func.json_each if session.get_bind().dialect.name == "sqlite" else func.jsonb_each_text
    pair = unfold(slices).table_valued("key", "value").alias("pair")
    return exists(select(pair.c.key).where(pair.c.key == key.replace("\x00", ""), pair.c.value == value.replace("\x00", "")))


def _pairs(columns: list[Any], base: Any, tuned: Any, project_id: int, evaluation_id: int, shown: str) -> Any:
    evaluation = (Evaluation.id == base.evaluation_id) & (Evaluation.base_version_id == base.version_id)
    other = (tuned.evaluation_id == base.evaluation_id) & (tuned.record_id == base.record_id)
    query = (
        select(*columns)
        .select_from(base)
        .join(Evaluation, evaluation)
        .join(tuned, other & (tuned.version_id == Evaluation.candidate_version_id))
        .where(base.evaluation_id == evaluation_id, Evaluation.project_id == project_id)
    )
    old, new = (one.metrics["exact_match"].as_float() for one in (base, tuned))
    narrowed = {
        "tuned_wrong": [new < 1],
        "got_worse": [old >= 1, new < 1],
        "got_better": [old < 1, new >= 1],
        "different": [base.text != tuned.text],
    }
    return query.where(*narrowed.get(shown, []))


def slice_choices(session: Session, *, project_id: int, evaluation_id: int) -> dict[str, list[str]]:
    """The metadata keys of an evaluation's questions and their values."""
    query = (
        select(Response.slices)
        .join(
            Evaluation,
            (col(Evaluation.id) == Response.evaluation_id) & (col(Evaluation.base_version_id) == Response.version_id),
        )
        .where(Response.evaluation_id == evaluation_id, Evaluation.project_id == project_id)
    )
    found: dict[str, set[str]] = {}
    for slices in session.exec(query):
        for key, value in slices.items():
            found.setdefault(key, set()).add(str(value))
    return {key: sorted(values) for key, values in sorted(found.items())}


def decisions(session: Session, *, project_id: int, limit: int = 100) -> pd.DataFrame:
    """Promotions, refusals and roll-backs, the newest first; `evidence` is as it stood then."""
    previous = aliased(ModelVersion)
    columns: list[Any] = [Promotion.id, Promotion.created_at, Promotion.kind, ModelVersion.name, previous.name]
    columns += [Account.email, Promotion.overridden, Promotion.reason, Promotion.evidence]
    query = (
        select(*columns)
        .select_from(Promotion)
        .join(ModelVersion, col(ModelVersion.id) == Promotion.version_id)
        .outerjoin(previous, col(previous.id) == Promotion.previous_version_id)
        .outerjoin(Account, col(Account.id) == Promotion.author_id)
        .where(Promotion.project_id == project_id)
        .order_by(col(Promotion.id).desc())
        .limit(limit)
    )
    rows = [
        (number, at, str(kind).replace("_", " "), name, before or "", who or "system", overridden, reason, evidence)
        for number, at, kind, name, before, who, overridden, reason, evidence in session.exec(query)
    ]
    names = ["id", "at", "decision", "version", "instead of", "by", "against the gate", "reason", "evidence"]
    return pd.DataFrame(rows, columns=names)


def evaluation_card(session: Session, *, project_id: int, evaluation_id: int) -> EvaluationCard:
    """One evaluation. Raises NotFound."""
    found = evaluations(session, project_id=project_id, evaluation_id=evaluation_id)
    if not found:
        raise NotFound("There is no such evaluation in this project.")
    return found[0]
