"""Gathers what is known of a candidate against the version that it would replace, for the gate and for the lead.

Reads only. Counted are: the newest finished evaluation of just these two versions on a test split, and every blind
comparison of their responses to test questions, each rater's latest answer to an item. What was shown against another
version is no evidence, nor is what was asked from a training or validation split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from backend.evaluation import safeguards
from backend.evaluation.evaluating import base_of, baseline_of, chatting_version
from backend.evaluation.gates import METRICS, Evidence, Gate, GateResult, Judgement, Measured, RowScore, evaluate
from backend.evaluation.tokens import OTHER_TOKENS, tokens_apart
from backend.store.models import Evaluation, ModelVersion, Response, Run, SnapshotRow
from backend.store.records import Project
from backend.store.work import Annotation, Item
from backend.vocabulary import ItemPurpose, Split


@dataclass(frozen=True, slots=True)
class Standing:
    """A candidate before the gate, as things stand now. `evaluation_id` is None until the two were evaluated."""

    candidate_id: int
    baseline_id: int
    baseline_name: str
    evaluation_id: int | None
    gate: Gate
    evidence: Evidence
    result: GateResult

    def to_json(self) -> dict[str, Any]:
        """As it is stored with a decision."""
        return {
            "baseline_version_id": self.baseline_id,
            "baseline": self.baseline_name,
            "evaluation_id": self.evaluation_id,
            "gate": self.gate.to_json(),
            **self.result.to_json(),
        }


def gate_of(project: Project) -> Gate:
    """The project's gate; the defaults where none was set."""
    return Gate.from_json(project.settings.get("gate"))


def gate_of_project(session: Session, project_id: int) -> Gate:
    """The gate of the project with this id."""
    return gate_of(session.get_one(Project, project_id))


def standing(session: Session, *, project_id: int, version_id: int) -> Standing:
    """Hold a version against the project's gate. Raises NotFound, and NotReady where there is nothing to compare with."""
    candidate = chatting_version(session, project_id, version_id)
    baseline = baseline_of(session, project_id, candidate)
    evaluation = _newest_evaluation(session, candidate, baseline)
    evidence = Evidence(
        judgements=_judgements(session, candidate, baseline),
        measured=_measured(evaluation, candidate, baseline) if evaluation else (),
        rows=_rows(session, evaluation) if evaluation else (),
        seen_in_training=_seen_in_training(session, candidate, evaluation) if evaluation else 0,
        guards=_guards(session, evaluation, candidate, baseline) if evaluation else safeguards.Guards(),
    )
    gate = gate_of_project(session, project_id)
    return Standing(
        candidate_id=version_id,
        baseline_id=baseline.id or 0,
        baseline_name=baseline.name,
        evaluation_id=evaluation.id if evaluation else None,
        gate=gate,
        evidence=evidence,
        result=evaluate(gate, evidence),
    )


def _newest_evaluation(session: Session, candidate: ModelVersion, baseline: ModelVersion) -> Evaluation | None:
    query = select(Evaluation).where(
        Evaluation.candidate_version_id == candidate.id,
        Evaluation.base_version_id == baseline.id,
        Evaluation.split == Split.TEST,
        col(Evaluation.finished_at).is_not(None),
    )
    return session.exec(query.order_by(col(Evaluation.id).desc()).limit(1)).first()


def _judgements(session: Session, candidate: ModelVersion, baseline: ModelVersion) -> tuple[Judgement, ...]:
    first, second = aliased(Response), aliased(Response)
    both = [candidate.id, baseline.id]
    answer = (Annotation.item_id, Annotation.account_id, Annotation.winner_response_id)
    columns: list[Any] = [*answer, first.id, first.version_id, second.id, first.record_id, first.slices]
    query = (
        select(*columns)
        .select_from(Item)
        .join(first, col(first.id) == Item.first_response_id)
        .join(second, col(second.id) == Item.second_response_id)
        .join(Evaluation, col(Evaluation.id) == first.evaluation_id)
        .join(Annotation, col(Annotation.item_id) == Item.id)
        .where(
            Evaluation.split == Split.TEST,
            col(first.version_id).in_(both),
            col(second.version_id).in_(both),
            first.version_id != second.version_id,
            col(Annotation.verdict).is_not(None),
            Item.purpose == ItemPurpose.WORK,
        )
        .order_by(col(Annotation.number))
    )
    found: dict[tuple[int, int | None], Judgement] = {}
    for item_id, rater_id, winner, first_id, first_version, second_id, record_id, slices in session.exec(query):
        ours = first_id if first_version == candidate.id else second_id
        score = 0.5 if winner is None else 1.0 if winner == ours else 0.0
        found[item_id, rater_id] = Judgement(
            question_id=-item_id if record_id is None else record_id, rater_id=rater_id, score=score, slices=slices
        )
    return tuple(found.values())


def _measured(evaluation: Evaluation, candidate: ModelVersion, baseline: ModelVersion) -> tuple[Measured, ...]:
    models = evaluation.report.get("models", {})
    ours, theirs = models.get(candidate.served_as, {}), models.get(baseline.served_as, {})
    found = []
    for name in METRICS:
        old, new, note = theirs.get(name), ours.get(name), ""
        if old is None or new is None:
            continue
        if name == "loss" and (share := tokens_apart(ours, theirs)) is not None:
            new, note = new * share, OTHER_TOKENS
        counts = (report.get(f"{name}_n", report.get("n", 0)) for report in (ours, theirs))
        found.append(Measured(name=name, n=min(counts), baseline=old, candidate=new, note=note))
    return tuple(found)


def _guards(session: Session, evaluation: Evaluation, candidate: ModelVersion, baseline: ModelVersion) -> safeguards.Guards:
    base = base_of(session, evaluation.project_id, candidate)
    return safeguards.read(evaluation.report, candidate.served_as, baseline.served_as, base.served_as if base else "")


def _seen_in_training(session: Session, candidate: ModelVersion, evaluation: Evaluation) -> int:
    """How many of the evaluation's questions the candidate was trained on: another snapshot may split differently."""
    tested, learned = aliased(SnapshotRow), aliased(SnapshotRow)
    query = (
        select(func.count())
        .select_from(tested)
        .join(learned, col(learned.record_id) == tested.record_id)
        .join(Run, col(Run.snapshot_id) == learned.snapshot_id)
        .where(
            tested.snapshot_id == evaluation.snapshot_id,
            tested.split == evaluation.split,
            learned.split == Split.TRAIN,
            Run.id == candidate.run_id,
        )
    )
    return session.exec(query).one()


def _rows(session: Session, evaluation: Evaluation) -> tuple[RowScore, ...]:
    base, tuned = aliased(Response), aliased(Response)

    def exact(metrics: Any) -> Any:
        return metrics["exact_match"].as_float()

    columns: list[Any] = [exact(base.metrics), exact(tuned.metrics), tuned.slices]
    query = (
        select(*columns)
        .join(tuned, (col(tuned.evaluation_id) == base.evaluation_id) & (col(tuned.record_id) == base.record_id))
        .where(
            base.evaluation_id == evaluation.id,
            base.version_id == evaluation.base_version_id,
            tuned.version_id == evaluation.candidate_version_id,
        )
    )
    return tuple(
        RowScore(baseline=baseline, candidate=candidate, slices=slices)
        for baseline, candidate, slices in session.exec(query)
        if baseline is not None and candidate is not None
    )
