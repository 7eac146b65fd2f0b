"""Freezing approved revisions into an immutable snapshot, and checking that it still is what was frozen.

A snapshot is rows in the database and a folder of the same content. The folder is written first and the rows are saved
after it; when saving fails the folder goes away again, and a folder that a killed process left is replaced by the next
freeze, so that no row is ever without its folder. Not promised: that nobody edits the folder; `verify` notices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, insert
from sqlmodel import Session, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.datasets import canaries as planted
from backend.datasets import folders, manifests, placement, queries
from backend.datasets.kinds import NEEDS, Labelling
from backend.datasets.lessons import Harvest
from backend.datasets.manifests import FrozenRow
from backend.datasets.placement import General, Placement
from backend.datasets.plain_metadata import PlainMetadata
from backend.datasets.splits import Ratios
from backend.errors import NotReady
from backend.settings import Settings
from backend.store import frozen
from backend.store.locking import locked_project
from backend.store.models import Snapshot, SnapshotRow
from backend.store.privacy import rules_for
from backend.vocabulary import Action, Check, SnapshotKind, Split


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
    labelling: Labelling | None = None,
    general: General | None = None,
    canaries: int = 0,
) -> Snapshot:
    """Freeze every approved revision of a project, or what people said about answers to approved questions.

    Raises NotReady when there is nothing of the kind, when approved rows were not compared for near duplicates, and when
    they hold personal data, unless `leave_out_personal` says to freeze the others. Labels on answers with personal data are
    always left out, and so are values of metadata that hold some. `general` says how much general talk to mix in: none
    without it. `canaries` says how many made-up secrets are planted in train (approved answers only). What was left out, and
    why, is in the manifest.
    """
    check(actor, Action.SNAPSHOT, project_id)
    project = locked_project(session, project_id)
    shares = ratios or Ratios()
    how = labelling or Labelling()
    _refuse_uncompared(project.slug, queries.uncompared(session, project_id))
    found = queries.harvest(session, project_id, how)
    _refuse_unless_ready(found, how, leave_out_personal)
    lines = {record_id: len(made) for record_id, made in found.lines.items()}
    placed = placement.place(found.records, lines, seed=seed, ratios=shares, general=general)
    rows = _rows(found, how, placed, plain := PlainMetadata(rules_for(session, project_id)))
    secrets = planted.draw(canaries if how.kind is SnapshotKind.SFT else 0, project=project.slug, seed=seed)
    files = manifests.files_of(rows, after=[one.to_line() for one in secrets])
    manifest = manifests.build(
        project=project.slug,
        seed=seed,
        ratios=shares.to_json(),
        rows=rows,
        files=files,
        duplicates=found.duplicates,
        left_out={**found.left_out, **placed.left_out},
        told={**found.told, **placed.told, **_told(plain, secrets)},
    )
    number = _next_number(session, project_id)
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
    _keep(session, actor, settings, snapshot, rows, files)
    return snapshot


def _next_number(session: Session, project_id: int) -> int:
    return 1 + (session.exec(select(func.max(Snapshot.number)).where(Snapshot.project_id == project_id)).one() or 0)


def verify(*, session: Session, actor: Actor, settings: Settings, snapshot_id: int) -> Snapshot:
    """The snapshot, once its folder is found to be byte for byte what was frozen. Raises IntegrityViolated."""
    snapshot = queries.get_snapshot(session, actor, snapshot_id)
    frozen.verify(settings.snapshots / snapshot.folder, snapshot.manifest)
    return snapshot


def _refuse_uncompared(slug: str, count: int) -> None:
    if count:
        raise NotReady(
            f"{count} approved records have not been compared for near duplicates, so the test set could hold what the model "
            "learns from. Clean first: on the Clean page, or with "
            f"python -m backend clean --project {slug} --checks {Check.DUPLICATES.value}."
        )


def _refuse_unless_ready(found: Harvest, how: Labelling, leave_out_personal: bool) -> None:
    personal = found.left_out.get("personal data", ()) if how.kind is SnapshotKind.SFT else ()
    if personal and not leave_out_personal:
        named = ", ".join(str(record_id) for record_id in personal[:20])
        more = f" and {len(personal) - 20} more" if len(personal) > 20 else ""
        raise NotReady(
            f"{len(personal)} approved records hold personal data, neither masked nor dismissed: {named}{more}. "
            "Mask or dismiss it first, or choose to leave these records out."
        )
    if all(row.follows for row in found.records):
        if found.count:
            raise NotReady("All that could be frozen is synthetic or general talk. Approve some of the project's own records.")
        what = "no record of this project is approved" if how.kind is SnapshotKind.SFT else "there are no labels of this kind"
        raise NotReady(f"There is nothing to freeze: {what}. {NEEDS[how.kind]}")
    if how.kind is SnapshotKind.LABELS and len(found.told["classes"]) < 2:
        where = f"have the same {how.label!r}" if how.label else "are in the same class"
        raise NotReady(f"All approved records {where}, so there is nothing to tell apart.")


def _told(plain: PlainMetadata, secrets: Sequence[planted.Canary]) -> dict[str, Any]:
    """What the manifest says of metadata that held personal data, by key how often, and of the canaries."""
    left_out = {"metadata_left_out": dict(sorted(plain.left_out.items()))} if plain.left_out else {}
    return left_out | ({"canaries": planted.told(secrets)} if secrets else {})


def _rows(found: Harvest, how: Labelling, placed: Placement, plain: PlainMetadata) -> list[FrozenRow]:
    """What enters, in the order of the records' ids, each with its split and the bundle that it may not be parted from."""
    labelled = how.kind is not SnapshotKind.SFT
    plain.learn(row.slices for row in found.records)
    return [
        FrozenRow(
            record_id=row.record_id,
            revision_id=row.revision_id,
            approval_id=row.approval_id,
            split=placed.split_of[row.record_id],
            group=placed.bundle_of[row.record_id],
            content_hash=manifests.hash_of(found.lines[row.record_id]) if labelled else row.content_hash,
            lines=tuple(found.lines[row.record_id]),
            slices=plain.of(row.slices),
            numbered=labelled,
            weight=row.weight,
            copies=row.copies,
            made_by=row.made_by,
        )
        for row in found.records
        if row.record_id in placed.split_of
    ]


def _keep(
    session: Session, actor: Actor, settings: Settings, snapshot: Snapshot, rows: Sequence[FrozenRow], files: dict[str, bytes]
) -> None:
    """The folder first, then the rows; where they cannot be saved, neither stays."""
    folder = settings.snapshots / snapshot.folder
    folders.write(folder, files | {frozen.MANIFEST: frozen.manifest_bytes(snapshot.manifest)})
    try:
        _save(session, actor, snapshot, rows)
    except BaseException:
        folders.remove(folder)
        raise


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
        position[row.split] += row.count
    session.execute(insert(SnapshotRow), values)
    audit.record(
        session,
        actor,
        "snapshot.freeze",
        project_id=snapshot.project_id,
        subject=f"snapshot:{snapshot.id}",
        number=snapshot.number,
        kind=snapshot.manifest["kind"],
        rows=snapshot.manifest["rows"],
        content_hash=snapshot.content_hash,
        left_out={reason: entry["count"] for reason, entry in snapshot.manifest["left_out"].items()},
    )
    session.commit()
