"""Reads about snapshots and about what could be frozen now."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import func
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.conversations import messages_from_json
from backend.datasets import candidates as picking
from backend.datasets import imported_queries as imported
from backend.datasets import judgement_queries as judging
from backend.datasets import lessons
from backend.datasets.candidates import Candidate
from backend.datasets.diff import Difference, Place, compare
from backend.datasets.judgement_queries import Ground
from backend.datasets.judgements import classes, majority, thumbs
from backend.datasets.kinds import Labelling, kind_of
from backend.datasets.lessons import Harvest
from backend.detectors.checks import Context, family, versions
from backend.detectors.privacy import PrivacyRules, rules_of
from backend.errors import IntegrityViolated, NotFound
from backend.store.accounts import Account
from backend.store.checked import due
from backend.store.findings import stand_ins_of
from backend.store.models import Run, Snapshot, SnapshotRow
from backend.store.privacy import VaultEntry
from backend.store.records import Approval, Finding, Project, Record, RecordRevision, Source
from backend.vocabulary import (
    PERSONAL_FINDINGS,
    Action,
    Check,
    Decision,
    FindingStatus,
    RecordStatus,
    SnapshotKind,
    SourcePurpose,
    Split,
)


def get_snapshot(session: Session, actor: Actor, snapshot_id: int) -> Snapshot:
    """A snapshot of a project that the actor may look into; NotFound otherwise, also where it is another project's."""
    snapshot = session.get(Snapshot, snapshot_id)
    if snapshot is None or (not actor.is_admin and actor.role_in(snapshot.project_id) is None):
        raise NotFound("There is no such snapshot.")
    check(actor, Action.VIEW_DASHBOARD, snapshot.project_id)
    return snapshot


def ground(session: Session, project_id: int) -> Ground:
    """The approved records that a freeze would take now, and what it would leave out: what every kind of snapshot stands on."""
    rules = rules_of(session.get_one(Project, project_id).settings)
    found = _approved(session, project_id, rules)
    ids = {candidate.record_id for candidate in found}
    revision_of = {candidate.record_id: candidate.revision_id for candidate in found}
    open_findings: set[int] = set()
    dismissed: dict[int, set[str]] = defaultdict(set)
    personal = (
        select(Finding, RecordRevision.messages)
        .join(RecordRevision, col(Finding.revision_id) == RecordRevision.id)
        .where(Finding.project_id == project_id, col(Finding.kind).in_(PERSONAL_FINDINGS))
        .where(col(Finding.status).in_([FindingStatus.OPEN, FindingStatus.DISMISSED]))
    )
    for finding, messages in session.exec(personal):
        if finding.record_id not in ids:
            continue
        if finding.status is FindingStatus.DISMISSED:
            if finding.message < len(messages):
                dismissed[finding.record_id].add(messages[finding.message]["content"][finding.start : finding.end])
        elif finding.revision_id == revision_of[finding.record_id]:
            open_findings.add(finding.record_id)
    put_in = stand_ins_of(session, project_id)
    chosen = picking.select(found, open_findings=open_findings, dismissed=dismissed, rules=rules, stand_ins=put_in)
    made_up = frozenset(session.exec(select(VaultEntry.stand_in).where(VaultEntry.project_id == project_id)))
    return Ground(chosen, rules, dismissed, put_in, made_up)


def uncompared(session: Session, project_id: int) -> int:
    """Approved records that were not compared with the others for near duplicates."""
    query = select(func.count()).where(Record.project_id == project_id, col(Record.approved_revision_id).is_not(None))
    return session.exec(query.where(col(Record.compared).is_(False))).one()


def harvest(session: Session, project_id: int, labelling: Labelling) -> Harvest:
    """What a freeze of this kind would hold now."""
    base = ground(session, project_id)
    if labelling.kind is SnapshotKind.SFT:
        return lessons.of_answers(base.selection)
    told: dict[str, Any] = {"kind": labelling.kind.value, "labelling": labelling.to_json()}
    if labelling.kind is SnapshotKind.LABELS and not labelling.question:
        lines, without = lessons.of_labels(base.selection, labelling.label)
        told["classes"] = dict(sorted(Counter(made[0]["label"] for made in lines.values()).items()))
        base.left["no class"].update(without)
        base.left["personal data"].update(base.selection.personal)
        return lessons.harvest(base.selection, lines, base.left, told)
    if labelling.kind is SnapshotKind.PREFERENCES:
        voted = majority([*judging.votes(session, project_id, base), *imported.votes(session, project_id, base)])
        wanted = (*voted.labels, *(judging.edits(session, project_id, base) if labelling.edits else ()))
        lines, sources = lessons.of_preferences(base.selection, wanted, base.clean)
        undecided = voted.undecided
    elif labelling.kind is SnapshotKind.LABELS:
        sorted_ = classes(judging.choices(session, project_id, base, labelling))
        lines, sources = lessons.of_classes(base.selection, sorted_.labels, base.clean)
        undecided = sorted_.undecided
        told["classes"] = dict(sorted(Counter(line["label"] for made in lines.values() for line in made).items()))
    else:
        scored = [*judging.scores(session, project_id, base, labelling), *imported.scores(session, project_id, base)]
        rated = thumbs(scored, up_from=labelling.up_from, down_to=labelling.down_to)
        lines, sources = lessons.of_thumbs(base.selection, rated.labels, base.clean)
        undecided = rated.undecided
        made = [line["desirable"] for lines_ in lines.values() for line in lines_]
        told["thumbs"] = {"up": sum(made), "down": len(made) - sum(made)}
    return lessons.harvest(base.selection, lines, base.left, told | {"undecided": undecided, "from": sources.to_json()})


def _approved(session: Session, project_id: int, rules: PrivacyRules) -> list[Candidate]:
    """Every approved revision. Raises IntegrityViolated for one that no living approval stands behind."""
    searched = versions(Context(rules=rules), {Check.PERSONAL: family(Check.PERSONAL)})
    newest = (
        select(col(Approval.revision_id), func.max(Approval.id).label("id"))
        .where(Approval.decision == Decision.APPROVED, col(Approval.withdrawn_at).is_(None))
        .group_by(col(Approval.revision_id))
        .subquery()
    )
    columns: Any = [  # not whole rows, of which a million would not fit
        Record.slices, Record.group, Record.cluster, Record.weight, Record.copies, Record.made_by, Record.made_from,
        Record.made_with, Record.head, Record.checked,
        RecordRevision.record_id, RecordRevision.number, RecordRevision.content_hash, RecordRevision.messages,
        col(RecordRevision.id).label("revision_id"), newest.c.id.label("approval_id"), Source.purpose,
    ]  # fmt: skip
    query: Any = (
        select_columns(*columns)
        .join(RecordRevision, col(Record.approved_revision_id) == RecordRevision.id)
        .outerjoin(Source, col(Source.id) == col(Record.source_id))
        .outerjoin(newest, newest.c.revision_id == RecordRevision.id)
        .where(col(Record.project_id) == project_id, col(RecordRevision.record_id) == col(Record.id))
        .order_by(col(Record.id))
    )
    found, orphans = [], []
    for row in session.execute(query, execution_options={"yield_per": 1000}):
        if row.approval_id is None:
            orphans.append(str(row.record_id))
        found.append(
            Candidate(
                record_id=row.record_id,
                revision_id=row.revision_id,
                revision_number=row.number,
                approval_id=row.approval_id,
                content_hash=row.content_hash,
                messages=messages_from_json(row.messages),
                slices=row.slices,
                group=row.group,
                cluster=row.cluster,
                weight=row.weight,
                copies=row.copies,
                made_by=row.made_by,
                made_of=(row.made_from, *row.made_with) if row.made_from else (),
                is_general=row.purpose is SourcePurpose.GENERAL,
                is_looked_through=row.number == row.head and not due(row.checked, row.head, searched),
            )
        )
    if orphans:
        raise IntegrityViolated(
            f"Nobody's approval stands behind the approved text of the records {', '.join(orphans[:20])}. Approve them again."
        )
    return found


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a freeze would do now. `by_status` has a row a status, `by_slice` one a metadata value of what would enter.

    `ready` counts rows without general talk, of which there are `general` to mix in; `synthetic` of the ready ones enter
    train alone. `left_out` says what stays out, by reason; `uncompared` records must be cleaned before anything is frozen;
    `told` is what the manifest would tell of labels.
    """

    ready: int
    records: int
    personal: tuple[int, ...]
    left_out: Mapping[str, Sequence[int]]
    duplicates: int
    told: Mapping[str, Any]
    synthetic: int
    general: int
    uncompared: int
    by_status: pd.DataFrame
    by_slice: pd.DataFrame


def outlook(session: Session, actor: Actor, project_id: int, labelling: Labelling | None = None) -> Outlook:
    """The look before freezing."""
    check(actor, Action.SNAPSHOT, project_id)
    chosen = harvest(session, project_id, labelling or Labelling())
    counted = select(Record.status, func.count()).where(Record.project_id == project_id).group_by(col(Record.status))
    counts = {str(status): count for status, count in session.exec(counted)}
    by_status = pd.DataFrame([{"status": status.value, "records": counts.get(status.value, 0)} for status in RecordStatus])
    pairs = [(key, str(value)) for row in chosen.records for key, value in row.slices.items()]
    frame = pd.DataFrame(pairs, columns=["slice", "value"])
    by_slice = frame.groupby(["slice", "value"]).size().rename("records").reset_index()
    few = by_slice.groupby("slice")["value"].transform("size") <= 50
    general = sum(len(chosen.lines[row.record_id]) for row in chosen.records if row.is_general)
    return Outlook(
        ready=chosen.count - general,
        records=len(chosen.records),
        personal=tuple(chosen.left_out.get("personal data", ())),
        left_out=chosen.left_out,
        duplicates=len(chosen.duplicates),
        told=chosen.told,
        synthetic=sum(len(chosen.lines[row.record_id]) for row in chosen.records if row.is_synthetic),
        general=general,
        uncompared=uncompared(session, project_id),
        by_status=by_status,
        by_slice=by_slice[few].reset_index(drop=True),
    )


def label_keys(session: Session, actor: Actor, project_id: int) -> list[str]:
    """Metadata keys of approved records that could be classes: at least two values, and not one for nearly every record."""
    check(actor, Action.SNAPSHOT, project_id)
    query = select(Record.slices).where(Record.project_id == project_id, col(Record.approved_revision_id).is_not(None))
    values: dict[str, Counter[str]] = defaultdict(Counter)
    for slices in session.exec(query):
        for key, value in slices.items():
            values[key][str(value)] += 1
    return sorted(key for key, found in values.items() if 2 <= len(found) <= max(2, found.total() // 2))


def class_questions(session: Session, actor: Actor, project_id: int) -> dict[str, str]:
    """Questions of rating tasks whose answers can be classes: key → text."""
    check(actor, Action.SNAPSHOT, project_id)
    return judging.class_questions(session, project_id)


def rating_questions(session: Session, actor: Actor, project_id: int) -> dict[str, str]:
    """Questions of rating tasks that a thumb can be made of: key → text."""
    check(actor, Action.SNAPSHOT, project_id)
    return judging.rating_questions(session, project_id)


def snapshots(session: Session, actor: Actor, project_id: int) -> pd.DataFrame:
    """Newest first: id, number, name, kind, rows, train, validation, test, runs, seed, hash, created_by, created_at."""
    check(actor, Action.VIEW_DASHBOARD, project_id)
    runs = dict(
        session.exec(
            select(Run.snapshot_id, func.count()).where(Run.project_id == project_id).group_by(col(Run.snapshot_id))
        ).all()
    )
    query = (
        select(Snapshot, Account.email)
        .outerjoin(Account, col(Snapshot.created_by) == Account.id)
        .where(Snapshot.project_id == project_id)
        .order_by(col(Snapshot.number).desc())
    )
    columns = [
        "id",
        "number",
        "name",
        "kind",
        "rows",
        *(split.value for split in Split),
        "runs",
        "seed",
        "hash",
        "created_by",
        "created_at",
    ]
    rows = [
        {
            "id": snapshot.id,
            "number": snapshot.number,
            "name": snapshot.name,
            "kind": kind_of(snapshot.manifest).value,
            "rows": snapshot.manifest["rows"],
            **snapshot.manifest["counts"],
            "runs": runs.get(snapshot.id or 0, 0),
            "seed": snapshot.seed,
            "hash": snapshot.content_hash[:12],
            "created_by": email or "command line",
            "created_at": snapshot.created_at,
        }
        for snapshot, email in session.exec(query)
    ]
    return pd.DataFrame(rows, columns=columns)


def rows_of(session: Session, actor: Actor, snapshot_id: int, *, limit: int = 200) -> pd.DataFrame:
    """The first rows of a snapshot: record, split, prompt, answer as they were frozen."""
    get_snapshot(session, actor, snapshot_id)
    query = (
        select(SnapshotRow, RecordRevision.messages)
        .join(RecordRevision, col(SnapshotRow.revision_id) == RecordRevision.id)
        .where(SnapshotRow.snapshot_id == snapshot_id)
        .order_by(col(SnapshotRow.record_id))
        .limit(limit)
    )
    return pd.DataFrame(
        [
            {
                "record": row.record_id,
                "split": row.split.value,
                "prompt": next((m["content"] for m in reversed(messages) if m["role"] == "user"), ""),
                "answer": messages[-1]["content"],
            }
            for row, messages in session.exec(query)
        ],
        columns=["record", "split", "prompt", "answer"],
    )


def difference(session: Session, actor: Actor, before_id: int, after_id: int) -> Difference:
    """From one snapshot to another of the same project."""
    before, after = get_snapshot(session, actor, before_id), get_snapshot(session, actor, after_id)
    if before.project_id != after.project_id:
        raise NotFound("The two snapshots are of different projects.")
    return compare(_places(session, before_id), _places(session, after_id))


def _places(session: Session, snapshot_id: int) -> dict[int, Place]:
    query = select(SnapshotRow.record_id, SnapshotRow.split, SnapshotRow.content_hash)
    found = session.exec(query.where(SnapshotRow.snapshot_id == snapshot_id))
    return {record_id: Place(Split(split), content_hash) for record_id, split, content_hash in found}
