"""The command `reorder`: puts tasks whose order is due in the order that teaches most. The worker runs it."""

from __future__ import annotations

import argparse
from typing import Any

from backend.access.actors import SYSTEM
from backend.review import ordering
from backend.runtime import Runtime


def register(subparsers: Any) -> None:
    """Add `reorder` to the command line."""
    parser = subparsers.add_parser(
        "reorder", help="put the open items of tasks in the order that teaches most, where it is due"
    )
    parser.set_defaults(handler=reorder_due)


def reorder_due(_arguments: argparse.Namespace, house: Runtime) -> list[dict[str, Any]]:
    """Look for each order while reading only, then write it: raters do not wait for the looking."""
    with house.database.reading() as session:
        waiting = ordering.due(session)
    done = []
    for project_id, task_id in waiting:
        which: dict[str, Any] = {"actor": SYSTEM, "project_id": project_id, "task_id": task_id}
        with house.database.reading() as session:
            order = ordering.find_order(session, **which)
        with house.database.writing() as session:
            ordering.reorder(session=session, **which, order=order)
        done.append({"task": task_id, "items": len(order.places), "note": order.note})
    return done
