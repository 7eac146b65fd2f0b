"""How long a million pairs take from a file to clean records, and how much memory (`make bench-curation ROWS=1000000`).

    make bench-curation ROWS=100000
    make bench-curation ROWS=1000000 ON=--postgres     # a PostgreSQL server of its own in place of SQLite

Prints one JSON object. Every step is the command that people use, as a process of its own, in a temporary folder. Its memory is
the most that it and its helpers held together, looked at ten times a second, pages that they share counted once for each of
them. CPU seconds stand beside seconds: on a machine that does other work as well only they tell. What was planted is asked for
in the database afterwards. Which family of checks costs what is measured on a few thousand records apart, in one process,
because the command shows each text to all of them at once.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import text

from backend.conversations import Message
from backend.detectors import checks
from backend.store.database import Database
from backend.vocabulary import PROJECT_CHECKS, Check
from tests.bench.bench_dashboards import databases
from tests.bench.support_pairs import EXACT, NEAR, SHARES, UNIQUE, rows
from tests.factories import a_project

GOAL_SECONDS, GOAL_MB = 600, 4096
SEED = 11
SLUG = "bench"
_SAMPLE = 4000
_LOOKS = 0.1


class Watched:
    """A command and its memory."""

    def __init__(self, arguments: Sequence[str], environ: Mapping[str, str]) -> None:
        self._arguments, self._environ, self._peak = list(arguments), dict(environ), 0

    def run(self) -> dict[str, Any]:
        """Seconds, megabytes and what it printed. Raises RuntimeError with its last words where it failed."""
        started, worked = time.monotonic(), _worked()
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "backend", *self._arguments], env=self._environ, stdout=out, stderr=err, text=True
            )
            ended = threading.Event()
            watching = threading.Thread(target=self._watch, args=(process.pid, ended))
            watching.start()
            code = process.wait()
            ended.set()
            watching.join()
            out.seek(0)
            err.seek(0)
            if code:
                raise RuntimeError(f"{' '.join(self._arguments)} ended with {code}: {err.read()[-2000:]}")
            printed = json.loads(out.read() or "null")
        seconds, cpu = round(time.monotonic() - started, 1), round(_worked() - worked, 1)
        return {"seconds": seconds, "cpu_seconds": cpu, "peak_mb": self._peak >> 20, "printed": printed}

    def _watch(self, pid: int, ended: threading.Event) -> None:
        while not ended.wait(_LOOKS):
            total = 0
            try:
                tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            for process in tree:
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:  # ended between the two looks
                    continue
            self._peak = max(self._peak, total)


def _worked() -> float:
    """CPU seconds of the commands that have ended, with their helpers'."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def generate(path: Path, count: int) -> Counter[str]:
    """Write the file; returns how many rows of which sort were planted."""
    planted: Counter[str] = Counter()
    with path.open("w", encoding="utf-8") as file:
        for row in rows(count, seed=SEED):
            _, what, _, personal = row["id"].split(":")
            planted.update([what, *(["personal"] if personal else [])])
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return planted


def measure(database: Database, folder: Path, count: int) -> dict[str, Any]:
    """All steps, one after the other."""
    with database.writing() as session:
        project = a_project(session, SLUG)
        session.commit()
        project_id = project.id or 0
    environ = {**os.environ, "TOUCHSTONE_DATA": str(folder), "DATABASE_URL": database.url.render_as_string(hide_password=False)}
    steps: dict[str, dict[str, Any]] = {}
    file = folder / "pairs.jsonl"
    started = time.monotonic()
    planted = generate(file, count)
    made = {"seconds": round(time.monotonic() - started, 1), "megabytes": file.stat().st_size >> 20}
    steps["import"] = Watched(["import", str(file), "--project", SLUG], environ).run()
    of_records = ",".join(check.value for check in Check if check not in PROJECT_CHECKS)
    for name, which in {"checks of records": of_records, **{check.value: check.value for check in PROJECT_CHECKS}}.items():
        steps[name] = Watched(["clean", "--project", SLUG, "--checks", which], environ).run()
        print(f"{name}: {steps[name]['seconds']} s, {steps[name]['peak_mb']} MB", file=sys.stderr)
    found = {name: count for step in steps.values() for name, count in (step.pop("printed").get("findings") or {}).items()}
    seconds = sum(step["seconds"] for step in steps.values())
    peak = max(step["peak_mb"] for step in steps.values())
    return {
        "rows": count,
        "cpus": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(sum(step["cpu_seconds"] for step in steps.values()), 1),
        "rows_per_second": round(count / seconds),
        "peak_mb": peak,
        "goal": {"seconds_for_a_million": GOAL_SECONDS, "peak_mb": GOAL_MB},
        "reached": seconds * 1_000_000 / count <= GOAL_SECONDS and peak <= GOAL_MB,
        "generate": made,
        "steps": steps,
        "findings": dict(sorted(found.items())),
        "planted": dict(planted),
        "planted_and_found": recall(database, project_id),
        "families_on_a_sample": families(file),
    }


def recall(database: Database, project_id: int) -> dict[str, Any]:
    """Of what was planted, which share has its finding; and how many unique rows are said to repeat another."""
    planted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    query = text(
        "SELECT record.external_id, finding.kind FROM record LEFT JOIN finding ON finding.record_id = record.id"
        " AND finding.status = 'open' WHERE record.project_id = :project ORDER BY record.id"
    )
    with database.reading() as session:
        said: set[str] = set()
        planting = ""
        result = session.connection().execution_options(yield_per=10_000).execute(query, {"project": project_id})
        for external_id, kind in result:
            if external_id != planting:
                _judge(planting, said, planted, found)
                planting, said = external_id, set()
            said.add(str(kind).lower())
        _judge(planting, said, planted, found)
    repeats = {what: round(found[what] / max(1, planted[what]), 4) for what in (EXACT, NEAR)}
    personal = {
        name.removeprefix("personal "): round(found[name] / planted[name], 4)
        for name in sorted(planted)
        if name.startswith("personal ")
    }
    return {
        **{f"recall of {what} duplicates": share for what, share in repeats.items()},
        "recall of personal data": personal,
        "unique rows said to be near duplicates": round(found[UNIQUE] / max(1, planted[UNIQUE]), 4),
        "shares planted": {what: round(planted[what] / max(1, sum(planted[one] for one in SHARES)), 3) for what in SHARES},
    }


def _judge(planting: str, said: set[str], planted: Counter[str], found: Counter[str]) -> None:
    if not planting:
        return
    _, what, _, personal = planting.split(":")
    planted[what] += 1
    found[what] += bool(said & ({"duplicate"} if what == EXACT else {"duplicate", "near_duplicate"}))
    for kind in filter(None, personal.split(",")):
        planted[f"personal {kind}"] += 1
        found[f"personal {kind}"] += kind in said


def families(file: Path) -> dict[str, dict[str, float]]:
    """What each family that looks at one record at a time costs: CPU milliseconds for a thousand records, once it is loaded."""
    with file.open(encoding="utf-8") as lines:
        pairs = [json.loads(line) for _, line in zip(range(_SAMPLE), lines, strict=False)]
    batch = [[Message("user", pair["prompt"]), Message("assistant", pair["response"])] for pair in pairs]
    costs = {}
    for check in checks.MODULES:
        started = time.process_time()
        one = checks.family(check)
        one.look(batch[:10], checks.Context())
        loaded = time.process_time()
        one.look(batch, checks.Context())
        took = time.process_time() - loaded
        costs[check.value] = {"load_s": round(loaded - started, 2), "ms_per_1000": round(1e6 * took / len(batch), 1)}
    return costs


def main() -> dict[str, Any]:
    """By the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="pairs")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL instead of SQLite")
    arguments = parser.parse_args()
    with databases(arguments.postgres) as make, tempfile.TemporaryDirectory() as folder:
        return {
            "on": "PostgreSQL" if arguments.postgres else "SQLite",
            **measure(make("curation"), Path(folder), arguments.rows),
        }


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
