"""The commands `import` and `sample`. They act as the system: whoever may run them can read the database anyway."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.access.actors import SYSTEM
from backend.access.queries import project_id_of
from backend.conversations import Shape
from backend.errors import AlreadyDone, InvalidInput, TouchstoneError
from backend.intake.archives import is_archive, members, with_mails_joined
from backend.intake.files import Options, Progress, limits_of, preview
from backend.intake.importing import import_file
from backend.intake.mapping import Mapping
from backend.intake.sampling import SLUG, load_sample
from backend.runtime import Runtime

_HINT = "--map prompt=question,response=answer,meta=language+channel"


def register(subparsers: Any) -> None:
    """Add the parsers."""
    importer = subparsers.add_parser("import", help="import files into a project")
    importer.add_argument("files", nargs="+", type=Path, metavar="FILE")
    importer.add_argument("--project", required=True, help="the project's short name")
    importer.add_argument("--shape", choices=[shape.value for shape in Shape], help="how rows carry conversations")
    importer.add_argument("--map", default="", metavar="FIELD=COLUMN,…", help=f"which column is which, e.g. {_HINT}")
    importer.add_argument("--mask", action="store_true", help="mask personal data, by stand-ins where the project wants those")
    importer.add_argument("--general", action="store_true", help="general talk, to be mixed in by a share")
    importer.add_argument("--as", dest="kind", choices=("records", "faqs"), default="records", help="what the rows are")
    importer.add_argument("--approved", action="store_true", help="the FAQs are already approved")
    importer.add_argument("--allow-prompts", action="store_true", help="also take rows without an answer")
    importer.set_defaults(handler=import_files)
    sampler = subparsers.add_parser("sample", help="load the sample project")
    sampler.add_argument("--project", default=SLUG, help="the short name that the project gets")
    sampler.set_defaults(handler=sample)


def import_files(arguments: argparse.Namespace, runtime: Runtime) -> dict[str, Any]:
    """Import each file in a transaction of its own. Raises InvalidInput, after the others, when one was refused."""
    with runtime.database.reading() as session:
        project_id = project_id_of(session, arguments.project)
    options = Options(
        mask=arguments.mask, as_faqs=arguments.kind == "faqs", approved=arguments.approved, general=arguments.general
    )
    files: list[dict[str, Any]] = []
    refused: list[str] = []
    for name, content in _contents(arguments.files, runtime, refused):
        try:
            files.append(_import(name, content, arguments, runtime, project_id, options))
        except TouchstoneError as error:
            refused.append(error.message)
            if sys.stderr.isatty():
                print(file=sys.stderr)  # leaves the progress line
    outcome = {"files": files, "imported": sum(file["imported"] for file in files), "refused": refused}
    if refused:
        raise InvalidInput(" ".join(refused) + _landed(files))
    return outcome


def _contents(paths: Sequence[Path], runtime: Runtime, refused: list[str]) -> Iterator[tuple[str, Path | bytes]]:
    """(name, content) of each file, and of each file in an archive; what cannot be opened goes into `refused`."""
    limits = limits_of(runtime.settings)
    mails = [path for path in paths if path.suffix.lower() == ".eml" and path.is_file()]
    if len(mails) > 1:
        yield from with_mails_joined([(path.name, path.read_bytes()) for path in mails])
    for path in (path for path in paths if len(mails) < 2 or path not in mails):
        if not path.is_file():
            refused.append(f"There is no file {str(path)!r}.")
            continue
        try:
            inside = members(path, path.name, limits=limits) if is_archive(path, path.name, limits=limits) else None
        except TouchstoneError as error:
            refused.append(error.message)
            continue
        if inside is None:
            yield path.name, path
        for member in inside or ():
            if member.looked is None:
                refused.append(member.problem)
            else:
                yield member.name, member.content


def _landed(files: list[dict[str, Any]]) -> str:
    """What was imported beside a refused file, for the error."""
    if not files:
        return ""
    return " Imported: " + ", ".join(f"{file['name']} ({file['imported']} rows)" for file in files) + "."


def _import(
    name: str, content: Path | bytes, arguments: argparse.Namespace, runtime: Runtime, project_id: int, options: Options
) -> dict[str, Any]:
    mapping = _mapping(name, content, arguments, runtime)
    with runtime.database.writing() as session:
        summary = import_file(
            session=session,
            actor=SYSTEM,
            project_id=project_id,
            name=name,
            content=content,
            settings=runtime.settings,
            mapping=mapping,
            options=options,
            progress=_progress(name),
        )
    return summary.to_json()


def _mapping(name: str, content: Path | bytes, arguments: argparse.Namespace, runtime: Runtime) -> Mapping | None:
    """The recognised mapping with what the command line says laid over it; None where it says nothing."""
    chosen = parse_map(arguments.map)
    if not chosen and not arguments.shape and not arguments.allow_prompts:
        return None
    recognised = preview(content, name, limits=limits_of(runtime.settings)).recognition.mapping
    if arguments.allow_prompts:
        chosen["allow_prompts"] = True
    shape = Shape(arguments.shape) if arguments.shape else recognised.shape if recognised else Shape.PAIRS
    if recognised is None or recognised.shape is not shape:
        return Mapping(shape=shape, **chosen)
    taken = {column for name, column in chosen.items() if isinstance(column, str)}
    kept = tuple(column for column in recognised.metadata if column not in taken)
    return replace(recognised, **({"metadata": kept} | chosen))


def parse_map(text: str) -> dict[str, Any]:
    """`prompt=a,response=b,meta=c+d` as fields of a mapping. Raises InvalidInput."""
    fields: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, column = (piece.strip() for piece in part.partition("="))
        name = {"meta": "metadata", "answer": "response", "messages": "conversation", "rating": "verdict"}.get(name, name)
        if (
            name not in Mapping.__dataclass_fields__
            or name in ("shape", "allow_prompts", "join_turns", "escaped")
            or not column
        ):
            raise InvalidInput(f"--map cannot read {part[:60]!r}. Write {_HINT}.")
        if name == "best" and not column.isdigit():
            raise InvalidInput("--map best=… is the highest mark of the ratings, such as best=5.")
        fields[name] = tuple(column.split("+")) if name == "metadata" else int(column) if name == "best" else column
    return fields


def _progress(name: str) -> Progress | None:
    """A line on stderr that is written over, for a person at a terminal."""
    if not sys.stderr.isatty():
        return None

    def tell(share: float, words: str) -> None:
        end = "\n" if share >= 1 else ""
        print(f"\r\033[K{name[:60]}: {share:4.0%} {words}", end=end, file=sys.stderr, flush=True)

    return tell


def sample(arguments: argparse.Namespace, runtime: Runtime) -> dict[str, Any]:
    """Load the sample; a second time says so and changes nothing."""
    try:
        with runtime.database.writing() as session:
            summary = load_sample(session=session, actor=SYSTEM, settings=runtime.settings, slug=arguments.project)
    except AlreadyDone as done:
        return {"already": done.message}
    return summary.to_json()
