"""Freezing approved revisions into an immutable snapshot, and checking that it still is what was frozen.

A snapshot is rows in the database and a folder of the same content. The folder is written first and the rows are saved
after it; when saving fails the folder goes away again, and a folder that a killed process left is replaced by the next
freeze, so that no row is ever without its folder. Not promised: that nobody edits the folder; `verify` notices.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, insert
from sqlmodel import Session, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.datasets import candidates as picking
from backend.datasets import folders, manifests, queries, splits
from backend.datasets.candidates import Candidate, Selection
from backend.datasets.manifests import FrozenRow
from backend.datasets.splits import Ratios
from backend.errors import NotFound, NotReady
from backend.settings import Settings
from backend.store import frozen
from backend.store.models import Snapshot, SnapshotRow
from backend.store.records import Project
from backend.vocabulary import Action, Split


def freeze(
    *,
    session: Session,
    actor: Actor,
    settings: Settings,
    project_id: int,
    name: str = "",
    seed: int = 0,
    ratios: Ratios | None = None,
    leave_out_personal: bool = False,
) -> Snapshot:
    """Freeze every approved revision of a project.

    Raises NotReady when nothing is approved, and when approved rows hold personal data, unless `leave_out_personal` says
    to freeze the others. What was left out, and why, is in the manifest.
    """
    check(actor, Action.SNAPSHOT, project_id)
    project = session.exec(select(Project).where(Project.id == project_id).with_for_update()).one_or_none()
    if project is None:
        raise NotFound("There is no such project.")
    shares = ratios or Ratios()
    selection = queries.selection(session, project_id)
    _refuse_unless_ready(selection, leave_out_personal)
    rows = _split(selection.rows, seed=seed, ratios=shares)
    files = manifests.files_of(rows)
    manifest = manifests.build(
        project=project.slug,
        seed=seed,
        ratios=shares.to_json(),
        rows=rows,
        files=files,
        duplicates=selection.duplicates,
        left_out={"personal data": selection.personal},
    )
    number = 1 + (session.exec(select(func.max(Snapshot.number)).where(Snapshot.project_id == project_id)).one() or 0)
    snapshot = Snapshot(
        project_id=project_id,
        number=number,
        name=name.strip()[:200] or f"Snapshot {number}",
        seed=seed,
        manifest=manifest,
        content_hash=manifest["content_hash"],
        folder=f"{project.slug}-{number:04d}-{manifest['content_hash'][:8]}",
        created_by=actor.account_id,
    )
    folder = settings.snapshots / snapshot.folder
    folders.write(folder, files | {frozen.MANIFEST: frozen.manifest_bytes(manifest)})
    try:
        _save(session, actor, snapshot, rows)
    except BaseException:
        folders.remove(folder)
        raise
    return snapshot


def verify(*, session: Session, actor: Actor, settings: Settings, snapshot_id: int) -> Snapshot:
    """The snapshot, once its folder is found to be byte for byte what was frozen. Raises IntegrityViolated."""
    snapshot = queries.get_snapshot(session, actor, snapshot_id)
    frozen.verify(settings.snapshots / snapshot.folder, snapshot.manifest)
    return snapshot


def _refuse_unless_ready(selection: Selection, leave_out_personal: bool) -> None:
    if selection.personal and not leave_out_personal:
        named = ", ".join(str(record_id) for record_id in selection.personal[:20])
        more = f" and {len(selection.personal) - 20} more" if len(selection.personal) > 20 else ""
        raise NotReady(
            f"{len(selection.personal)} approved records hold personal data, neither masked nor dismissed: {named}{more}. "
            "Mask or dismiss it first, or choose to leave these records out."
        )
    if not selection.rows:
        raise NotReady("There is nothing to freeze: no record of this project is approved. Approve some on the review page.")


def _split(rows: Sequence[Candidate], *, seed: int, ratios: Ratios) -> list[FrozenRow]:
    """Rows in the order of their ids, each with its split and the bundle that it may not be parted from."""
    tied = picking.members(rows)
    split_of = splits.assign(tied, seed=seed, ratios=ratios)
    bundle_of = {record_id: str(bundle[0]) for bundle in splits.bundles(tied) for record_id in bundle}
    return [
        FrozenRow(
            record_id=row.record_id,
            revision_id=row.revision_id,
            approval_id=row.approval_id,
            split=split_of[row.record_id],
            group=bundle_of[row.record_id],
            content_hash=row.content_hash,
            messages=tuple(message.to_json() for message in row.messages),
            slices=row.slices,
        )
        for row in rows
    ]


def _save(session: Session, actor: Actor, snapshot: Snapshot, rows: Sequence[FrozenRow]) -> None:
    session.add(snapshot)
    session.flush()
    position = dict.fromkeys(Split, 0)
    values = []
    for row in rows:
        values.append(
            {
                "snapshot_id": snapshot.id,
                "record_id": row.record_id,
                "revision_id": row.revision_id,
                "approval_id": row.approval_id,
                "split": row.split,
                "position": position[row.split],
                "group": row.group,
                "content_hash": row.content_hash,
            }
        )
        position[row.split] += 1
    session.execute(insert(SnapshotRow), values)
    audit.record(
        session,
        actor,
        "snapshot.freeze",
        project_id=snapshot.project_id,
        subject=f"snapshot:{snapshot.id}",
        number=snapshot.number,
        rows=len(rows),
        content_hash=snapshot.content_hash,
        left_out={reason: entry["count"] for reason, entry in snapshot.manifest["left_out"].items()},
    )
    session.commit()
