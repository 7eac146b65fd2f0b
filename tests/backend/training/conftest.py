"""A frozen snapshot in a project with a lead, made by hand because stages do not know each other."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from backend.access.actors import Actor
from backend.settings import Settings
from backend.store import frozen
from backend.store.database import Database
from backend.store.models import Job, Run, Snapshot
from backend.training import launching
from backend.vocabulary import Role
from tests.factories import a_person, a_project


def as_kind(line: dict[str, Any], kind: str, number: int) -> dict[str, Any]:
    """An approved answer as a row of another kind."""
    *prompt, answer = line["messages"]
    if kind == "preferences":
        other = {"role": "assistant", "content": "I do not know."}
        return {**line, "prompt": prompt, "chosen": [answer], "rejected": [other], "reference": answer["content"]}
    if kind == "thumbs":
        return {**line, "desirable": number % 2 == 0}
    return {**line, "messages": prompt, "label": "odd" if number % 2 else "even"} if kind == "labels" else line


def a_snapshot(project_id: int, folder: Path, *, rows: int = 12, kind: str = "sft", number: int = 1) -> Snapshot:
    """The folder and the row of a snapshot; the caller adds the row."""
    folder.mkdir(parents=True)
    files = {}
    for split, first, count in (("train", 0, rows), ("validation", 100, 2 if rows else 0), ("test", 200, 2 if rows else 0)):
        lines = [
            {
                "id": f"{split}{number}",
                "messages": [
                    {"role": "user", "content": f"Do you ship to zone {first + number}?"},
                    {"role": "assistant", "content": f"Yes, zone {first + number} takes {number + 2} days."},
                ],
                "group": f"{split}{number}",
                "weight": 1.0,
                "metadata": {},
            }
            for number in range(count)
        ]
        lines = [as_kind(line, kind, place) for place, line in enumerate(lines)]
        data = "".join(json.dumps(line) + "\n" for line in lines).encode()
        (folder / f"{split}.jsonl").write_bytes(data)
        files[f"{split}.jsonl"] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "rows": count}
    manifest = {"kind": kind, "rows": rows, "counts": {"train": rows, "validation": 2, "test": 2}, "files": files}
    (folder / frozen.MANIFEST).write_bytes(frozen.manifest_bytes(manifest))
    given = {"project_id": project_id, "number": number, "manifest": manifest, "folder": folder.name}
    return Snapshot(name="First" if number == 1 else kind.title(), content_hash="0" * 64, **given)  # type: ignore[arg-type]


class Studio:
    """A project with a snapshot, its lead, its rater, a data folder."""

    def __init__(self, database: Database, data: Path, *, rows: int = 12) -> None:
        self.database, self.settings = database, Settings(data=data)
        with database.writing() as session:
            project = a_project(session)
            self.project_id = project.id or 0
            self.lead: Actor = a_person(session, "lead@shop.test", project=project, role=Role.LEAD)
            self.rater: Actor = a_person(session, "rater@shop.test", project=project, role=Role.RATER)
            snapshot = a_snapshot(self.project_id, self.settings.snapshots / "shop-0001", rows=rows)
            session.add(snapshot)
            session.commit()
            self.snapshot_id = snapshot.id or 0

    def snapshot(self, kind: str, number: int = 2) -> int:
        """Another snapshot, of another kind; runs start on it from now on."""
        with self.database.writing() as session:
            made = a_snapshot(self.project_id, self.settings.snapshots / f"shop-{number:04d}", kind=kind, number=number)
            session.add(made)
            session.commit()
            self.snapshot_id = made.id or 0
        return self.snapshot_id

    def start(self, actor: Actor | None = None, **extra: Any) -> Run:
        with self.database.writing() as session:
            return launching.start_run(
                session=session,
                actor=actor or self.lead,
                settings=self.settings,
                project_id=self.project_id,
                snapshot_id=self.snapshot_id,
                **extra,
            )

    def job(self, run: Run) -> Job:
        with self.database.reading() as session:
            return session.get_one(Job, run.job_id)


@pytest.fixture
def studio(database: Database, tmp_path: Path) -> Studio:
    return Studio(database, tmp_path / "data")


@pytest.fixture
def small_studio(sqlite: Database, tmp_path: Path) -> Studio:
    return Studio(sqlite, tmp_path / "data")
