"""A project at the moment of decision: records in a snapshot, a run, base and candidate, an evaluation, judged comparisons."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.evaluation.safeguards import SAFEGUARDS
from backend.store import frozen
from backend.store.base import now
from backend.store.models import Evaluation, ModelVersion, Response, Run, Snapshot, SnapshotRow
from backend.store.records import Approval, Project, Record, RecordRevision
from backend.store.work import Annotation, Item, Task
from backend.vocabulary import Decision, RecordStatus, Role, Split, Stage, TaskKind, Verdict
from tests.factories import a_person, a_project, a_record
from trainer import contract


@dataclass
class Scene:
    """What a test needs to name. Ids only make sense in the session's database."""

    project: Project
    lead: Actor
    expert: Actor
    raters: list[Actor]
    records: list[Record]
    snapshot: Snapshot
    run: Run
    base: ModelVersion
    candidate: ModelVersion

    @property
    def project_id(self) -> int:
        return self.project.id or 0

    @property
    def tested(self) -> list[Record]:
        return self.records[4:]


def a_scene(session: Session, *, slug: str = "shop", tested: int = 12) -> Scene:
    """Four training records and `tested` test records, in two languages, all approved and frozen; a trained candidate."""
    project = a_project(session, slug)
    lead = a_person(session, f"lead@{slug}.example", project=project, role=Role.LEAD)
    expert = a_person(session, f"expert@{slug}.example", project=project, role=Role.EXPERT)
    raters = [a_person(session, f"rater{n}@{slug}.example", project=project, role=Role.RATER) for n in (1, 2)]
    records = [
        a_record(
            session, project, prompt=f"Question {n}?", answer=f"Answer {n}.", slices={"language": "es" if n % 4 == 0 else "en"}
        )
        for n in range(4 + tested)
    ]
    snapshot = Snapshot(
        project_id=project.id or 0, number=1, content_hash="0" * 64, folder=f"{slug}-0001", manifest={"files": {}}
    )
    session.add(snapshot)
    session.flush()
    for position, record in enumerate(records):
        freeze(session, snapshot, record, approve(session, record, expert), Split.TEST if position >= 4 else Split.TRAIN)
    run, candidate = a_trained_version(session, project, snapshot, number=1)
    base = ModelVersion(
        project_id=project.id or 0, number=0, name="touchstone-mini", base_model=contract.EMBEDDED, served_as=f"{slug}-v0"
    )
    session.add(base)
    session.flush()
    return Scene(project, lead, expert, raters, records, snapshot, run, base, candidate)


def approve(session: Session, record: Record, expert: Actor) -> Approval:
    revision = session.exec(select(RecordRevision).where(RecordRevision.record_id == record.id)).one()
    approval = Approval(
        record_id=record.id or 0, revision_id=revision.id or 0, decision=Decision.APPROVED, author_id=expert.account_id
    )
    session.add(approval)
    session.flush()
    record.status, record.approved_revision_id = RecordStatus.APPROVED, revision.id
    return approval


def freeze(session: Session, snapshot: Snapshot, record: Record, approval: Approval, split: Split) -> None:
    row = SnapshotRow(
        snapshot_id=snapshot.id or 0,
        record_id=record.id or 0,
        revision_id=approval.revision_id,
        approval_id=approval.id,
        split=split,
        position=record.id or 0,
        content_hash=record.content_hash,
    )
    session.add(row)
    session.flush()


def a_trained_version(
    session: Session, project: Project, snapshot: Snapshot, *, number: int, initial_adapter: str | None = None
) -> tuple[Run, ModelVersion]:
    config = {"initial_adapter": initial_adapter} if initial_adapter else {}
    run = Run(project_id=project.id or 0, number=number, snapshot_id=snapshot.id or 0, config=config, folder=f"run-{number}")
    session.add(run)
    session.flush()
    version = ModelVersion(
        project_id=project.id or 0,
        number=number,
        name=f"Version {number}",
        run_id=run.id,
        base_model=contract.EMBEDDED,
        adapter=f"/adapters/{project.slug}/{number}",
        served_as=f"{project.slug}-v{number}",
    )
    session.add(version)
    session.flush()
    return run, version


def a_classifier(session: Session, scene: Scene, *, number: int = 2) -> ModelVersion:
    """A version that sorts texts; its run measured it on four test rows."""
    run, version = a_trained_version(session, scene.project, scene.snapshot, number=number)
    confusion = {"classes": ["Returns", "Shipping"], "matrix": [[1, 1], [0, 2]]}
    run.config = {"objective": "classification"}
    run.result = {"test": {"rows": 4, "loss": 0.5, "accuracy": 0.75, "macro_f1": 0.733, "confusion": confusion}}
    version.name = "Intents"
    session.flush()
    return version


def a_t5(session: Session, scene: Scene, *, number: int = 2) -> tuple[ModelVersion, ModelVersion]:
    """A version that a run of the T5 family made, and its base model."""
    run, version = a_trained_version(session, scene.project, scene.snapshot, number=number)
    run.config = {"objective": "seq2seq", "base_model": "some/t5"}
    version.name, version.base_model, version.adapter = "Writes", f"/runs/{scene.project.slug}/{number}/model", None
    base = ModelVersion(
        project_id=scene.project_id,
        number=number + 1,
        name="t5 as it is",
        base_model="some/t5",
        served_as=f"{version.served_as}-base",
    )
    session.add(base)
    session.flush()
    return version, base


def write_folder(snapshots: Path, snapshot: Snapshot) -> None:
    (snapshots / snapshot.folder).mkdir(parents=True, exist_ok=True)
    (snapshots / snapshot.folder / frozen.MANIFEST).write_bytes(frozen.manifest_bytes(snapshot.manifest))


def serve(models: Path, *versions: ModelVersion) -> None:
    for version in versions:
        folder = models / version.served_as
        folder.mkdir(parents=True, exist_ok=True)
        (folder / contract.SERVED).write_text("{}")


GUARDED = dict.fromkeys(SAFEGUARDS, 0.5)
"""Figures of the safeguards that nobody falls behind in."""


def evaluated(
    session: Session,
    scene: Scene,
    *,
    candidate: ModelVersion | None = None,
    baseline: ModelVersion | None = None,
    exact: int = 12,
) -> Evaluation:
    """The candidate answers `exact` of the test records exactly, the baseline none."""
    ours, theirs = candidate or scene.candidate, baseline or scene.base
    n = len(scene.tested)
    measures = {
        "n": n,
        "loss": 1.0,
        "perplexity": 2.7,
        "bleu": 10.0,
        "bleu_signature": "sig",
        "rouge_l": 0.3,
        "exact_match": 0.0,
    }
    measures |= GUARDED
    better = measures | {"loss": 0.5, "perplexity": 1.6, "bleu": 80.0, "rouge_l": 0.9, "exact_match": exact / n}
    evaluation = Evaluation(
        project_id=scene.project_id,
        snapshot_id=scene.snapshot.id or 0,
        base_version_id=theirs.id or 0,
        candidate_version_id=ours.id or 0,
        report={"models": {theirs.served_as: measures, ours.served_as: better}, "suites": {}},
        finished_at=now(),
    )
    session.add(evaluation)
    session.flush()
    for position, record in enumerate(scene.tested):
        right = position < exact
        for version, text, match in ((theirs, "I do not know.", 0.0), (ours, record.answer if right else "No.", float(right))):
            session.add(
                Response(
                    project_id=scene.project_id,
                    evaluation_id=evaluation.id,
                    version_id=version.id,
                    record_id=record.id,
                    prompt=[{"role": "user", "content": record.prompt}],
                    reference=record.answer,
                    text=text,
                    metrics={"exact_match": match, "rouge_l": match, "loss": 1.0},
                    slices=record.slices,
                )
            )
    session.flush()
    return evaluation


def compared(session: Session, scene: Scene, evaluation: Evaluation, *, lost: int = 0) -> Task:
    """Both raters judge every question: the candidate wins all but the first `lost`."""
    task = Task(project_id=scene.project_id, kind=TaskKind.COMPARE, name="Blind", overlap=2, evaluation_id=evaluation.id)
    session.add(task)
    session.flush()
    answered = select(Response).where(Response.evaluation_id == evaluation.id)
    answers = session.exec(answered.order_by(col(Response.record_id), col(Response.id))).all()
    pairs = [(answers[n], answers[n + 1]) for n in range(0, len(answers), 2)]
    for position, (theirs, ours) in enumerate(pairs):
        item = Item(task_id=task.id or 0, position=position, first_response_id=theirs.id, second_response_id=ours.id)
        session.add(item)
        session.flush()
        for rater in scene.raters:
            winner = theirs if position < lost else ours
            session.add(
                Annotation(
                    project_id=scene.project_id,
                    task_id=task.id or 0,
                    item_id=item.id or 0,
                    account_id=rater.account_id,
                    verdict=Verdict.LEFT if winner is theirs else Verdict.RIGHT,
                    left_response_id=theirs.id,
                    right_response_id=ours.id,
                    winner_response_id=winner.id,
                )
            )
    session.flush()
    return task


def stage_of(session: Session, version: ModelVersion) -> Stage:
    return session.get_one(ModelVersion, version.id).stage
