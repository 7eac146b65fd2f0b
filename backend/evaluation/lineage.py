"""Where a version's knowledge came from, and where a record's went.

Reads. Forwards: record → revisions → approvals → snapshots → runs → versions → promotions. Backwards: a version's snapshot
and rows, and what was withdrawn since. A version learned from the rows of its snapshot's train split, and from whatever the
version learned from whose adapter it started with. The test split measured it, the validation split chose its best step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import func, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from backend.errors import NotFound
from backend.store.accounts import Account
from backend.store.models import ModelVersion, Promotion, Run, Snapshot, SnapshotRow
from backend.store.records import Approval, Record, RecordRevision
from backend.store.versions import JUDGES, kind_of, objective_of, standing
from backend.vocabulary import Split, Stage

ROWS_MOST = 500
_FOUND_MOST = 50
USES = {Split.TRAIN: "learned from it", Split.VALIDATION: "was chosen by it", Split.TEST: "was measured on it"}


@dataclass(frozen=True, slots=True)
class RecordLineage:
    """A record's way through the loop, one table a station."""

    record_id: int
    prompt: str
    revisions: pd.DataFrame
    approvals: pd.DataFrame
    snapshots: pd.DataFrame
    versions: pd.DataFrame
    promotions: pd.DataFrame


@dataclass(frozen=True, slots=True)
class VersionLineage:
    """What a version came from. `rows` shows the first `ROWS_MOST`, withdrawn ones first; `counts` counts them all."""

    version_id: int
    facts: dict[str, str]
    counts: pd.DataFrame
    rows: pd.DataFrame
    withdrawn: int
    promotions: pd.DataFrame


def find_records(session: Session, *, project_id: int, text: str) -> pd.DataFrame:
    """Records by number or by words in the prompt or the answer; at most 50, the newest first."""
    wanted = text.strip()
    condition: Any = or_(
        col(Record.prompt).icontains(wanted, autoescape=True), col(Record.answer).icontains(wanted, autoescape=True)
    )
    if wanted.isdigit() and len(wanted) < 10:
        condition = or_(condition, col(Record.id) == int(wanted))
    query = select(Record.id, Record.prompt, Record.answer, Record.status).where(Record.project_id == project_id, condition)
    rows = session.exec(query.order_by(col(Record.id).desc()).limit(_FOUND_MOST))
    return pd.DataFrame([tuple(row) for row in rows], columns=["record", "prompt", "answer", "status"])


def of_record(session: Session, *, project_id: int, record_id: int) -> RecordLineage:
    """The record's way forward. Raises NotFound."""
    record = session.get(Record, record_id)
    if record is None or record.project_id != project_id:
        raise NotFound("There is no such record in this project.")
    versions = _versions_with(session, project_id, record_id)
    return RecordLineage(
        record_id=record_id,
        prompt=record.prompt,
        revisions=_revisions(session, record_id),
        approvals=_approvals(session, record_id),
        snapshots=_snapshots(session, record_id),
        versions=versions,
        promotions=_promotions(session, project_id, [int(number) for number in versions["version_id"]]),
    )


def of_version(session: Session, *, project_id: int, version_id: int) -> VersionLineage:
    """The version's way back. Raises NotFound."""
    version = session.get(ModelVersion, version_id)
    if version is None or version.project_id != project_id:
        raise NotFound("There is no such model version in this project.")
    run = session.get(Run, version.run_id) if version.run_id else None
    snapshot = session.get(Snapshot, run.snapshot_id) if run else None
    learned = objective_of(session, version)
    chats = learned not in JUDGES
    facts = {"Version": version.name, "Kind": kind_of(learned) if run else "base model"}
    facts |= {"Stage": str(version.stage)} if chats else {}
    facts |= {"Base model": version.base_model} | ({"Learned": learned} if learned else {})
    if run and snapshot:
        facts |= {"Run": f"{run.number} {run.name}".strip(), "Snapshot": f"{snapshot.number} {snapshot.name}".strip()}
        facts |= {"Snapshot hash": snapshot.content_hash}
        if parent := _started_from(session, project_id).get(version_id):
            facts |= {"Started from": session.get_one(ModelVersion, parent).name}
    counts, rows = _rows_of(session, snapshot)
    return VersionLineage(
        version_id=version_id,
        facts=facts,
        counts=counts,
        rows=rows,
        withdrawn=int(counts["withdrawn"].sum()),
        promotions=_promotions(session, project_id, [version_id]),
    )


def withdrawn(session: Session, *, project_id: int, approval_id: int | None = None) -> pd.DataFrame:
    """One row a withdrawn approval and version that learned from it, the newest withdrawal first.

    Columns: approval_id, record, prompt, withdrawn_at, by, reason, version_id, version, stage, current.
    """
    by = aliased(Account)
    columns: list[Any] = [
        Approval.id, Record.id, Record.prompt, Approval.withdrawn_at, by.email, Approval.withdrawn_reason,
        ModelVersion.id, ModelVersion.name, ModelVersion.stage,
    ]  # fmt: skip
    query = (
        select(*columns)
        .select_from(Approval)
        .join(Record, col(Record.id) == Approval.record_id)
        .join(SnapshotRow, (col(SnapshotRow.record_id) == Record.id) & (col(SnapshotRow.approval_id) == Approval.id))
        .join(Run, col(Run.snapshot_id) == SnapshotRow.snapshot_id)
        .join(ModelVersion, col(ModelVersion.run_id) == Run.id)
        .outerjoin(by, col(by.id) == Approval.withdrawn_by)
        .where(Record.project_id == project_id, SnapshotRow.split == Split.TRAIN, col(Approval.withdrawn_at).is_not(None))
    )
    if approval_id is not None:
        query = query.where(Approval.id == approval_id)
    rows = [tuple(row) for row in session.exec(query.order_by(col(Approval.withdrawn_at).desc(), col(ModelVersion.number)))]
    names = ["approval_id", "record", "prompt", "withdrawn_at", "by", "reason", "version_id", "version", "stage"]
    frame = pd.DataFrame(_with_heirs(session, project_id, rows), columns=names)
    frame["by"] = frame["by"].fillna("system")
    return frame.assign(current=frame["stage"] == Stage.CURRENT)


def _with_heirs(session: Session, project_id: int, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows, and one for each version that started from an affected version's adapter, however far down."""
    parents = _started_from(session, project_id)
    if not parents or not rows:
        return rows
    versions = {one.id: one for one in session.exec(select(ModelVersion).where(ModelVersion.project_id == project_id))}
    found = list(rows)
    known = {(row[0], row[6]) for row in rows}
    for row in found:  # grows while it is walked
        for heir, parent in parents.items():
            if parent == row[6] and (row[0], heir) not in known:
                known.add((row[0], heir))
                found.append((*row[:6], heir, versions[heir].name, versions[heir].stage))
    return found


def _started_from(session: Session, project_id: int) -> Mapping[int, int]:
    """version id → id of the version whose adapter its run started with."""
    query = (
        select(ModelVersion.id, ModelVersion.adapter, Run.config)
        .outerjoin(Run, col(Run.id) == ModelVersion.run_id)
        .where(ModelVersion.project_id == project_id)
    )
    rows = session.exec(query).all()
    by_adapter = {adapter: number for number, adapter, _config in rows if adapter}
    found = {}
    for number, _adapter, config in rows:
        start = (config or {}).get("initial_adapter")
        if number is not None and start in by_adapter:
            found[number] = by_adapter[start] or 0
    return found


def _revisions(session: Session, record_id: int) -> pd.DataFrame:
    query = (
        select(RecordRevision, Account.email)
        .outerjoin(Account, col(Account.id) == RecordRevision.author_id)
        .where(RecordRevision.record_id == record_id)
        .order_by(col(RecordRevision.number))
    )
    rows = [
        (one.number, one.created_at, who or "system", one.reason, one.messages[-1]["content"] if one.messages else "")
        for one, who in session.exec(query)
    ]
    return pd.DataFrame(rows, columns=["revision", "at", "by", "reason", "answer"])


def _approvals(session: Session, record_id: int) -> pd.DataFrame:
    author, withdrawer = aliased(Account), aliased(Account)
    columns: list[Any] = [
        Approval.id, RecordRevision.number, Approval.decision, author.email, Approval.created_at, Approval.reason,
        Approval.withdrawn_at, withdrawer.email, Approval.withdrawn_reason,
    ]  # fmt: skip
    query = (
        select(*columns)
        .select_from(Approval)
        .join(RecordRevision, col(RecordRevision.id) == Approval.revision_id)
        .outerjoin(author, col(author.id) == Approval.author_id)
        .outerjoin(withdrawer, col(withdrawer.id) == Approval.withdrawn_by)
        .where(Approval.record_id == record_id)
        .order_by(col(Approval.id))
    )
    names = ["approval", "revision", "decision", "by", "at", "reason", "withdrawn_at", "withdrawn_by", "withdrawn_reason"]
    frame = pd.DataFrame([tuple(row) for row in session.exec(query)], columns=names)
    return frame.assign(by=frame["by"].fillna("system"))


def _snapshots(session: Session, record_id: int) -> pd.DataFrame:
    where: list[Any] = [Snapshot.number, Snapshot.name, Snapshot.created_at, SnapshotRow.split]
    columns = [*where, RecordRevision.number, SnapshotRow.approval_id]
    query = (
        select(*columns)
        .select_from(SnapshotRow)
        .join(Snapshot, col(Snapshot.id) == SnapshotRow.snapshot_id)
        .join(RecordRevision, col(RecordRevision.id) == SnapshotRow.revision_id)
        .where(SnapshotRow.record_id == record_id)
        .order_by(col(Snapshot.number))
    )
    rows = [(*row[:3], str(row[3]), *row[4:]) for row in session.exec(query)]
    return pd.DataFrame(rows, columns=["snapshot", "name", "at", "split", "revision", "approval"])


def _versions_with(session: Session, project_id: int, record_id: int) -> pd.DataFrame:
    columns: list[Any] = [
        ModelVersion.id, ModelVersion.name, ModelVersion.stage, Run.number, Snapshot.number, SnapshotRow.split,
        Approval.withdrawn_at, Run.config,
    ]  # fmt: skip
    query = (
        select(*columns)
        .select_from(SnapshotRow)
        .join(Snapshot, col(Snapshot.id) == SnapshotRow.snapshot_id)
        .join(Run, col(Run.snapshot_id) == SnapshotRow.snapshot_id)
        .join(ModelVersion, col(ModelVersion.run_id) == Run.id)
        .outerjoin(Approval, col(Approval.id) == SnapshotRow.approval_id)
        .where(SnapshotRow.record_id == record_id, ModelVersion.project_id == project_id)
        .order_by(col(ModelVersion.number))
    )
    rows = [
        (
            number,
            name,
            standing(stage, config.get("objective", "sft")),
            run,
            snapshot,
            str(split),
            USES[split],
            gone is not None and split is Split.TRAIN,
        )
        for number, name, stage, run, snapshot, split, gone, config in session.exec(query)
    ]
    names = ["version_id", "version", "stage", "run", "snapshot", "split", "use", "learned_withdrawn"]
    return pd.DataFrame(rows, columns=names)


def _promotions(session: Session, project_id: int, version_ids: list[int]) -> pd.DataFrame:
    columns: list[Any] = [ModelVersion.name, Promotion.kind, Promotion.overridden, Account.email, Promotion.created_at]
    query = (
        select(*columns)
        .select_from(Promotion)
        .join(ModelVersion, col(ModelVersion.id) == Promotion.version_id)
        .outerjoin(Account, col(Account.id) == Promotion.author_id)
        .where(Promotion.project_id == project_id, col(Promotion.version_id).in_(version_ids))
        .order_by(col(Promotion.id))
    )
    rows = [(name, str(kind), overridden, who or "system", at) for name, kind, overridden, who, at in session.exec(query)]
    return pd.DataFrame(rows, columns=["version", "decision", "against the gate", "by", "at"])


def _rows_of(session: Session, snapshot: Snapshot | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    gone = col(Approval.withdrawn_at).is_not(None)
    totals: list[Any] = [SnapshotRow.split, func.count(), func.count(col(Approval.withdrawn_at))]
    counting = (
        select(*totals)
        .select_from(SnapshotRow)
        .outerjoin(Approval, col(Approval.id) == SnapshotRow.approval_id)
        .where(SnapshotRow.snapshot_id == (snapshot.id if snapshot else None))
        .group_by(col(SnapshotRow.split))
    )
    counts = [(str(split), USES[split], count, out) for split, count, out in session.exec(counting)]
    columns: list[Any] = [
        SnapshotRow.record_id, Record.prompt, SnapshotRow.split, RecordRevision.number, Account.email,
        Approval.created_at, Approval.withdrawn_at,
    ]  # fmt: skip
    listing = (
        select(*columns)
        .select_from(SnapshotRow)
        .join(Record, col(Record.id) == SnapshotRow.record_id)
        .join(RecordRevision, col(RecordRevision.id) == SnapshotRow.revision_id)
        .outerjoin(Approval, col(Approval.id) == SnapshotRow.approval_id)
        .outerjoin(Account, col(Account.id) == Approval.author_id)
        .where(SnapshotRow.snapshot_id == (snapshot.id if snapshot else None))
        .order_by(gone.desc(), col(SnapshotRow.split), col(SnapshotRow.position))
        .limit(ROWS_MOST)
    )
    rows = [(*row[:2], str(row[2]), row[3], row[4] or "system", *row[5:]) for row in session.exec(listing)]
    names = ["record", "prompt", "split", "revision", "approved by", "approved at", "withdrawn at"]
    return pd.DataFrame(counts, columns=["split", "use", "rows", "withdrawn"]), pd.DataFrame(rows, columns=names)


STATIONS = ("Record", "Revision", "Ruling", "Snapshot", "Version")
"""The columns of `flow`."""


def flow(lineage: RecordLineage) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Nodes and links of a record's way, for a figure. Marked is what rests on a withdrawn approval."""
    nodes: list[tuple[str, int, bool]] = [(f"{lineage.record_id}", 0, False)]
    links: list[tuple[int, int, bool]] = []
    revisions: dict[Any, int] = {}
    approvals: dict[Any, tuple[int, bool]] = {}
    snapshots: dict[Any, tuple[int, bool]] = {}

    def add(name: str, column: int, marked: bool, source: int) -> int:
        nodes.append((name, column, marked))
        links.append((source, len(nodes) - 1, marked))
        return len(nodes) - 1

    for row in lineage.revisions.itertuples():
        revisions[row.revision] = add(f"{row.revision}\nby {row.by}", 1, False, 0)
    withdrawn_ids = set(lineage.approvals.loc[lineage.approvals["withdrawn_at"].notna(), "approval"])
    for row in lineage.approvals.itertuples():
        gone = row.approval in withdrawn_ids
        word = "Approval withdrawn" if gone else str(row.decision).capitalize()
        approvals[row.approval] = (add(f"{word}\nby {row.by}", 2, gone, revisions[row.revision]), gone)
    for row in lineage.snapshots.itertuples():
        source, gone = approvals.get(row.approval, (revisions[row.revision], False))
        snapshots[row.snapshot] = (add(f"{row.snapshot}\n{row.split} split", 3, gone, source), gone)
    for row in lineage.versions.itertuples():
        source, _gone = snapshots[row.snapshot]
        add(f"{row.version} ({row.stage})\n{row.use}", 4, bool(row.learned_withdrawn), source)
    return (
        pd.DataFrame(nodes, columns=["name", "column", "marked"]),
        pd.DataFrame(links, columns=["source", "target", "marked"]),
    )
