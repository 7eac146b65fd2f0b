"""The commands `snapshot` and `export`. They act as the system: whoever may run them can read the database anyway."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from backend.access.actors import SYSTEM
from backend.access.queries import project_id_of
from backend.datasets import canaries
from backend.datasets.exporting import Export, export
from backend.datasets.formats import FITTING, Form, What
from backend.datasets.freezing import freeze
from backend.datasets.kinds import Labelling
from backend.datasets.placement import General
from backend.datasets.splits import Ratios
from backend.errors import InvalidInput, ServiceUnavailable
from backend.runtime import Runtime
from backend.store.frozen import snapshot_id
from backend.vocabulary import SnapshotKind, Split


def register(subparsers: Any) -> None:
    """Add the parsers."""
    snapshot = subparsers.add_parser("snapshot", help="freeze approved records, or what people said about answers")
    snapshot.add_argument("--project", required=True, help="the project's short name")
    snapshot.add_argument("--name", default="", help="what to call it")
    snapshot.add_argument("--seed", type=int, default=0, help="another seed draws another test set (default: 0)")
    snapshot.add_argument("--ratios", default="80/10/10", help="train/validation/test (default: 80/10/10)")
    snapshot.add_argument("--leave-out-personal", action="store_true", help="leave out records with open personal data")
    snapshot.add_argument(
        "--kind", choices=[kind.value for kind in SnapshotKind], default="sft", help="what its rows hold (default: sft)"
    )
    snapshot.add_argument("--edits", action="store_true", help="preferences: what experts wrote is preferred to the import")
    snapshot.add_argument(
        "--question",
        default="",
        help="thumbs: the rubric's question that decides; the mean "
        "without it. labels: the question with one choice of several whose answers are the classes",
    )
    snapshot.add_argument("--whole", action="store_true", help="labels by --question: of the question with its answer")
    snapshot.add_argument("--up-from", type=float, default=0.7, help="thumbs: ratings (0 to 1) from here on are up")
    snapshot.add_argument("--down-to", type=float, default=0.4, help="thumbs: ratings up to here are down")
    snapshot.add_argument("--label", default="", help="labels: the metadata key that holds the class")
    snapshot.add_argument(
        "--general", type=float, default=0.0, metavar="SHARE", help="mix in general talk as this share of train (default: none)"
    )
    snapshot.add_argument(
        "--canaries", type=int, default=canaries.USUAL, metavar="N",
        help="made-up secrets planted in train, to see later whether a model repeats its data (default: %(default)s)",
    )  # fmt: skip
    snapshot.set_defaults(handler=_snapshot)
    exporter = subparsers.add_parser("export", help="write records, what people said about them, or a snapshot into a file")
    exporter.add_argument("out", type=Path, metavar="OUT", help="the file to write")
    exporter.add_argument("--project", required=True, help="the project's short name")
    goes = "; ".join(f"{what.value}: {', '.join(form.value for form in forms)}" for what, forms in FITTING.items())
    exporter.add_argument("--what", choices=[what.value for what in What], default=What.APPROVED.value)
    exporter.add_argument(
        "--as", dest="form", choices=[form.value for form in Form], help=f"how ({goes}); without it the first of these"
    )
    exporter.add_argument("--snapshot", type=int, metavar="N", help="the snapshot's number; the newest without it")
    exporter.add_argument("--split", choices=[split.value for split in Split], help="only this part of the snapshot")
    exporter.add_argument("--edits", action="store_true", help="preferences: what experts wrote is preferred to the import")
    exporter.set_defaults(handler=_export)


def _snapshot(arguments: argparse.Namespace, house: Runtime) -> dict[str, Any]:
    with house.database.writing() as session:
        made = freeze(
            session=session,
            actor=SYSTEM,
            settings=house.settings,
            project_id=project_id_of(session, arguments.project),
            name=arguments.name,
            seed=arguments.seed,
            ratios=parse_ratios(arguments.ratios),
            leave_out_personal=arguments.leave_out_personal,
            labelling=Labelling(
                kind=SnapshotKind(arguments.kind),
                edits=arguments.edits,
                question=arguments.question,
                up_from=arguments.up_from,
                down_to=arguments.down_to,
                label=arguments.label,
                whole=arguments.whole,
            ),
            general=General(share=arguments.general, seed=arguments.seed),
            canaries=arguments.canaries,
        )
    told = {
        key: made.manifest[key] for key in ("kind", "rows", "counts", "synthetic", "duplicates", "left_out", "content_hash")
    }
    told |= {key: made.manifest[key] for key in ("general",) if key in made.manifest}
    folder = str(house.settings.snapshots / made.folder)
    return {"snapshot": made.number, "id": made.id, "name": made.name, "folder": folder} | told


def parse_ratios(text: str) -> Ratios:
    """`80/10/10` or `0.8/0.1/0.1` as shares. Raises InvalidInput."""
    try:
        train, validation, test = (float(part) for part in text.split("/"))
    except ValueError as error:
        raise InvalidInput("Ratios are three numbers with slashes: train/validation/test, as 80/10/10.") from error
    total = train + validation + test
    scale = 100 if abs(total - 100) < 0.01 else 1
    return Ratios(train / scale, validation / scale, test / scale)


def _export(arguments: argparse.Namespace, house: Runtime) -> dict[str, Any]:
    what = What(arguments.what)

    with house.database.reading() as session:
        project_id = project_id_of(session, arguments.project)
        chosen = snapshot_id(session, project_id, arguments.snapshot) if what is What.SNAPSHOT else None

    def write(out: IO[bytes]) -> Export:
        return export(
            database=house.database,
            actor=SYSTEM,
            project_id=project_id,
            what=what,
            form=Form(arguments.form) if arguments.form else None,
            snapshot_id=chosen,
            split=Split(arguments.split) if arguments.split else None,
            edits=arguments.edits,
            settings=house.settings,
            out=out,
        )

    made = _replaced(arguments.out, write)
    size = arguments.out.stat().st_size
    return {"file": str(arguments.out), "rows": made.rows, "bytes": size, "what": what.value, "as": made.form.value}


def _replaced(path: Path, write: Callable[[IO[bytes]], Export]) -> Export:
    """Put what is written in the file's place in one step, so that a full disk or a refusal leaves no half of one."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            made = write(file)
        os.replace(temporary, path)
    except OSError as error:
        raise ServiceUnavailable(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return made
