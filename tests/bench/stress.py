"""Leases under stress (`make stress`): many raters in processes of their own, killed at random and restarted, some late.

Every client is a process that takes items and answers them through the desk's use-cases, writes each acknowledged answer
into a log of its own right after the commit, and now and then walks away from an item until its lease has run out and comes
back with the answer. SIGKILL hits them at any moment; a new process takes the account's place. The database's clients die,
not its server. What is counted afterwards is read from the database and the logs. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.sessions import actor_of
from backend.errors import AlreadyDone, LeaseLost, ServiceUnavailable
from backend.review import annotating
from backend.review.work_items import WorkItem
from backend.rubrics import Question, Rubric
from backend.store.accounts import Account
from backend.store.database import Database
from backend.store.items import add_items
from backend.store.models import Response
from backend.store.work import Annotation, Item, Slot, Task
from backend.task_options import TaskOptions
from backend.vocabulary import FINISHED_ITEMS, Role, TaskKind
from tests import postgres
from tests.factories import a_person, a_project

LATE, WALK_AWAY, AHEAD = 0.5, 0.05, 2
"""Chance that what was walked away from is answered late; chance to walk away; items taken at a time."""
RUBRIC = Rubric((Question("good", "Is it good?", ("no", "so so", "yes")),))
_fork = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True)
class Load:
    """How much there is to do, by how many, and how rough it gets."""

    clients: int = 32
    items: int = 2000
    overlap: int = 3
    overlap_max: int | None = None
    lease_seconds: int = 5
    kill_every: float = 0.5
    most_kills: int = 1_000_000
    longest: float = 900.0


def prepare(url: str, load: Load) -> tuple[int, list[int]]:
    """A migrated database with a task and its raters; (the task's id, the accounts' ids)."""
    database = Database(url)
    database.migrate()
    with database.writing() as session:
        project = a_project(session)
        raters = [a_person(session, f"r{n}@example.org", project=project, role=Role.RATER) for n in range(load.clients)]
        responses = [Response(project_id=project.id or 0, text=f"answer {n}") for n in range(load.items)]
        task = Task(
            project_id=project.id or 0,
            kind=TaskKind.RATE,
            name="stress",
            rubric=RUBRIC.to_json(),
            options=TaskOptions().to_json(),
            overlap=load.overlap,
            overlap_max=load.overlap_max,
            lease_seconds=load.lease_seconds,
        )
        session.add_all([*responses, task])
        session.flush()
        add_items(session, task=task, subjects=[{"response_id": response.id or 0} for response in responses])
        session.commit()
        found = task.id or 0, [rater.account_id or 0 for rater in raters]
    database.dispose()
    return found


def client(url: str, task_id: int, account_id: int, log: Path, seed: int, lease_seconds: int) -> None:
    """One rater, until nothing is left for them; what was acknowledged goes into the log, line by line, unbuffered."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    chance, database, written = random.Random(seed), Database(url), os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with database.reading() as session:
        actor = actor_of(session, session.get_one(Account, account_id))
    forgotten: list[tuple[float, WorkItem]] = []
    parent = os.getppid()
    while os.getppid() == parent:  # nobody is left behind when the run itself is ended
        items = _take(database, actor, task_id)
        if not items and not forgotten:
            time.sleep(0.1)
            if _is_finished(database, task_id):
                return
        for item in items:
            if chance.random() < WALK_AWAY:
                forgotten.append((time.monotonic() + lease_seconds * 1.2, item))
            else:
                _answer(database, actor, item, chance, written, "in time")
        ripe = [one for one in forgotten if time.monotonic() >= one[0]]
        forgotten = [one for one in forgotten if one not in ripe]
        for _, item in ripe:
            if chance.random() < LATE:
                _answer(database, actor, item, chance, written, "late")
        if not items and forgotten:
            time.sleep(0.05)


def _take(database: Database, actor: Actor, task_id: int) -> tuple[WorkItem, ...]:
    try:
        with database.writing() as session:
            return annotating.next_items(session=session, actor=actor, task_id=task_id, count=AHEAD)
    except ServiceUnavailable:
        return ()


def _answer(database: Database, actor: Actor, item: WorkItem, chance: random.Random, written: int, when: str) -> None:
    here: dict[str, Any] = {"actor": actor, "slot_id": item.slot_id, "fence": item.fence}
    try:
        with database.writing() as session:
            saved = annotating.submit(session=session, **here, answers={"good": chance.randint(1, 3)})
        line = f"saved {when}\t{saved.item_id}\t{saved.account_id}\t{saved.id}\n"
    except (LeaseLost, AlreadyDone, ServiceUnavailable) as error:
        line = f"{type(error).__name__} {when}\t{item.slot_id}\t{item.fence}\t0\n"
    os.write(written, line.encode())


def _is_finished(database: Database, task_id: int) -> bool:
    with database.reading() as session:
        open_items = select(Item.id).where(Item.task_id == task_id, col(Item.status).not_in(FINISHED_ITEMS)).limit(1)
        return session.exec(open_items).first() is None


def storm(url: str, load: Load, folder: Path, seed: int = 7) -> dict[str, Any]:
    """Run the clients, kill and restart them until all items are finished, and count."""
    task_id, accounts = prepare(url, load)
    chance, kills, started = random.Random(seed), 0, time.monotonic()
    running: dict[int, Any] = {}

    def start(account_id: int) -> None:
        arguments = (url, task_id, account_id, folder / f"{account_id}.log", chance.getrandbits(32), load.lease_seconds)
        running[account_id] = _fork.Process(target=client, args=arguments, daemon=True)
        running[account_id].start()

    for account_id in accounts:
        start(account_id)
    while any(process.is_alive() for process in running.values()) and time.monotonic() - started < load.longest:
        time.sleep(load.kill_every)
        alive = [account_id for account_id, process in running.items() if process.is_alive()]
        if len(alive) < load.clients or kills >= load.most_kills:
            continue  # with some gone, nothing is left to do: they are leaving
        victim = chance.choice(alive)
        os.kill(running[victim].pid, signal.SIGKILL)
        running[victim].join()
        kills += 1
        start(victim)
    seconds = time.monotonic() - started
    failed = [process.exitcode for process in running.values() if process.exitcode not in (0, None)]
    for process in running.values():
        process.kill()
    return {**count(url, task_id, load, folder), "killed": kills, "clients_failed": len(failed), "seconds": round(seconds, 1)}


def count(url: str, task_id: int, load: Load, folder: Path) -> dict[str, Any]:
    """What is in the database, against what was acknowledged."""
    lines = [line.split("\t") for log in folder.glob("*.log") for line in log.read_text().splitlines()]
    outcomes = Counter(line[0] for line in lines)
    acknowledged = {(int(line[3]), int(line[1]), int(line[2])) for line in lines if line[0].startswith("saved")}
    database = Database(url)
    with database.reading() as session:
        stored = [tuple(row) for row in session.exec(select(Annotation.id, Annotation.item_id, Annotation.account_id))]
        finished = _count(session, Item.task_id == task_id, col(Item.status).in_(FINISHED_ITEMS))
        claims = session.exec(select(func.coalesce(func.sum(col(Slot.fence)), 0)).where(Slot.task_id == task_id)).one()
        slots = session.exec(select(func.count()).where(Slot.task_id == task_id).group_by(col(Slot.item_id))).all()
    database.dispose()
    per_item = Counter(row[1] for row in stored)
    most = load.overlap_max or load.overlap
    return {
        "clients": load.clients,
        "items": load.items,
        "items_finished": finished,
        "most_answers_allowed": most,
        "most_answers_per_item": max(per_item.values(), default=0),
        "most_slots_per_item": max(slots, default=0),
        "answers": len(stored),
        "acknowledged": len(acknowledged),
        "acknowledged_lost": len(acknowledged - set(stored)),
        "duplicates": len(stored) - len({row[1:] for row in stored}),
        "late_refused": outcomes["LeaseLost late"] + outcomes["AlreadyDone late"],
        "late_taken": outcomes["saved late"],
        "refused_in_time": outcomes["LeaseLost in time"] + outcomes["AlreadyDone in time"],
        "unavailable": outcomes["ServiceUnavailable in time"] + outcomes["ServiceUnavailable late"],
        "claims": int(claims),
    }


def _count(session: Session, *conditions: Any) -> int:
    return session.exec(select(func.count()).select_from(Item).where(*conditions)).one()


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """An empty database of each kind."""
    with tempfile.TemporaryDirectory() as folder, postgres.server() as server:
        yield {"sqlite": f"sqlite:///{folder}/stress.db", "postgresql": server}


def main() -> dict[str, Any]:
    """Both databases, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--overlap", type=int, default=3)
    parser.add_argument("--overlap-max", type=int, default=None)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    load = Load(clients=given.clients, items=given.items, overlap=given.overlap, overlap_max=given.overlap_max)
    report: dict[str, Any] = {}
    with databases() as urls:
        for kind, url in urls.items():
            with tempfile.TemporaryDirectory() as folder:
                found = storm(url, load, Path(folder), given.seed)
                report[kind] = {**found, "claims_per_second": round(found["claims"] / found["seconds"], 1)}
    return report


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
