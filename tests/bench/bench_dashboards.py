"""The p95 of each leads' page's queries on a generated database (`make bench-dashboards`). Prints one JSON object.

    make bench-dashboards ROWS=1000000                  # annotations; SQLite in a temporary folder
    make bench-dashboards ROWS=1000000 ON=--postgres    # a PostgreSQL server of its own

Every page's questions to the backend are asked as the page asks them, `ROUNDS` times each, with nothing kept between two
rounds. A project of this size shows kept figures; how long the background takes to work them all out is printed too, and so is
how many judgements a project may have before its figures are kept.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlmodel import Session, select

from backend.access.actors import Actor
from backend.access.overview import overview
from backend.access.sessions import actor_of
from backend.evaluation import activity, example_queries, figure_queries, figures, figuring
from backend.review import adjudication_queries, gold_queries, quality_queries
from backend.store.accounts import Account
from backend.store.database import Database
from backend.vocabulary import Action
from tests import postgres
from tests.bench.judged_project import Maker

ROUNDS = 20
GOAL_SECONDS = 1.0


class Lead:
    """Asks for pages."""

    def __init__(self, session: Session, actor: Actor, project_id: int) -> None:
        self.session, self.actor, self.project_id = session, actor, project_id
        self.where: dict[str, Any] = {"actor": actor, "project_id": project_id}
        self.here: dict[str, Any] = {"project_id": project_id}

    def figure(self, name: str, subject: str = "", action: Action = Action.VIEW_RESULTS) -> Any:
        """As pages/components/figure_view.py has it."""
        figure_queries.state(self.session, action=action, **self.where)
        kept = figure_queries.kept(self.session, name=name, subject=subject, action=action, **self.where)
        return kept.value if kept else None

    def models(self) -> None:
        figure_queries.task_names(self.session, **self.where)
        value = self.figure(figures.MODELS)
        example_queries.examples(self.session, found=value["heads"][0]["won"], **self.where)

    def models_of_a_task(self) -> None:
        task = next(iter(figure_queries.task_names(self.session, **self.where)))
        self.figure(figures.MODELS, figures.subject_of(task))

    def slices(self) -> None:
        measures = self.figure(figures.INDEX)["measures"]
        self.figure(figures.SLICES, figures.slice_subject(measures[0]["key"], measures[0]["versions"][0]))

    def progress(self) -> None:
        value = self.figure(figures.PROGRESS)
        figure_queries.people(self.session, accounts={one["account"] for one in value["raters"]}, **self.where)

    def quality(self) -> None:
        task = quality_queries.tasks(self.session, **self.where)[0].id
        quality_queries.notices(self.session, **self.where)
        self.figure(figures.QUALITY, figures.subject_of(task))
        self.figure(figures.PROGRESS)
        quality_queries.raters(self.session, task_id=task, **self.where)
        gold_queries.gold_rows(self.session, task_id=task, **self.where)
        gold_queries.candidates(self.session, task_id=task, **self.where)
        quality_queries.changed_minds(self.session, task_id=task, **self.where)

    def disputes(self) -> None:
        first = adjudication_queries.disputes(self.session, **self.where)[0].item_id
        adjudication_queries.case_of(self.session, item_id=first, **self.where)
        adjudication_queries.suggestion_for(self.session, item_id=first, **self.where)

    def dashboard(self) -> None:
        activity.funnel(self.session, **self.here)
        activity.current(self.session, **self.here)
        work = self.figure(figures.WORK, action=Action.VIEW_DASHBOARD)
        rated = activity.answers(self.session, rows=work["rows"])
        activity.together(activity.work(self.session, **self.here), rated)
        activity.runs(self.session, **self.here)
        activity.feedback(self.session, **self.here)
        activity.agreement(self.figure(figures.AGREEMENT, action=Action.VIEW_DASHBOARD)["weeks"])

    def home(self) -> None:
        overview(self.session, **self.where)


def timed(call: Callable[[], object]) -> float:
    """Seconds."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def pages(database: Database, project_id: int, lead_id: int) -> dict[str, dict[str, float]]:
    """Each page's queries, every round in a session of its own."""
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name in ("home", "progress", "quality", "disputes", "models", "models_of_a_task", "slices", "dashboard"):
            with database.reading() as session:
                account = session.exec(select(Account).where(Account.id == lead_id)).one()
                lead = Lead(session, actor_of(session, account), project_id)
                found.setdefault(name, []).append(timed(getattr(lead, name)))
    return {
        name: {
            "median_ms": round(statistics.median(seconds) * 1000, 1),
            "p95_ms": round(statistics.quantiles(seconds, n=20)[-1] * 1000, 1),
        }
        for name, seconds in found.items()
    }


def live(database: Database) -> dict[str, Any]:
    """What the largest project whose figures are worked out on the spot takes, for the first who looks."""
    maker = Maker(figure_queries.LIVE_MOST)
    project_id = maker.make(database)
    with database.reading() as session:
        started = time.perf_counter()
        given = figure_queries.material(session, project_id=project_id, measures=False)
        figures.worked_out(given, figures.MODELS, "")
        return {"annotations": figure_queries.LIVE_MOST, "models_page_first_look_s": round(time.perf_counter() - started, 2)}


def measure(make: Callable[[str], Database], rows: int) -> dict[str, Any]:
    """Fill a database and ask."""
    database = make("large")
    maker = Maker(rows)
    making = timed(lambda: maker.make(database))
    refresh = timed(lambda: figuring.refresh(database, project_id=maker.project, holder="bench"))
    found = pages(database, maker.project, maker.lead)
    return {
        "annotations": rows,
        "goal_p95_s": GOAL_SECONDS,
        "reached": all(one["p95_ms"] <= GOAL_SECONDS * 1000 for one in found.values()),
        "pages": found,
        "background_refresh_s": round(refresh, 1),
        "background_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "on_the_spot": live(make("small")),
        "making_it_s": round(making, 1),
    }


@contextmanager
def databases(on_postgres: bool) -> Iterator[Callable[[str], Database]]:
    """Makes migrated databases by name, which go away afterwards."""
    made: list[Database] = []

    def kept(url: str) -> Database:
        made.append(Database(url))
        made[-1].migrate()
        return made[-1]

    if on_postgres:
        with postgres.server() as server:
            maintenance = create_engine(server, isolation_level="AUTOCOMMIT")

            def make(name: str) -> Database:
                with maintenance.connect() as connection:
                    connection.execute(text(f'CREATE DATABASE "bench_{name}"'))
                return kept(make_url(server).set(database=f"bench_{name}").render_as_string(hide_password=False))

            yield make
            for one in made:
                one.dispose()
            maintenance.dispose()
        return
    with tempfile.TemporaryDirectory() as folder:
        yield lambda name: kept(f"sqlite:///{Path(folder) / name}.db")
        for one in made:
            one.dispose()


def main() -> dict[str, Any]:
    """By the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="annotations")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL instead of SQLite")
    arguments = parser.parse_args()
    with databases(arguments.postgres) as make:
        return {"on": "PostgreSQL" if arguments.postgres else "SQLite", **measure(make, arguments.rows)}


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
