"""Commands of this package: `init`, `user add`, `audit verify`, `status`."""

from __future__ import annotations

import argparse
import shutil
from typing import Any

from sqlmodel import select

from backend.access import audit
from backend.access.actors import SYSTEM
from backend.access.administering import add_account
from backend.access.entering import offer_setup
from backend.access.health import engine_answers
from backend.access.links import link_address
from backend.access.queries import counts
from backend.errors import IntegrityViolated, InvalidInput, NotFound
from backend.runtime import Runtime
from backend.store.records import Project
from backend.vocabulary import LinkPurpose, Role


def register(subparsers: Any) -> None:
    """Add this package's parsers."""
    init = subparsers.add_parser("init", help="make the data folder and the database; print the set-up link if it is new")
    init.set_defaults(handler=run_init)
    user = subparsers.add_parser("user", help="accounts").add_subparsers(dest="verb", required=True, metavar="VERB")
    add = user.add_parser("add", help="make an account, print a one-time link to set its password")
    add.add_argument("email", metavar="EMAIL")
    add.add_argument("--role", choices=[role.value for role in Role], help="the role in the project")
    add.add_argument("--project", metavar="SLUG", help="the project; may be left out where there is only one")
    add.add_argument("--admin", action="store_true", help="make the account an admin")
    add.set_defaults(handler=run_user_add)
    trail = subparsers.add_parser("audit", help="the audit trail").add_subparsers(dest="verb", required=True, metavar="VERB")
    trail.add_parser("verify", help="check the chain of hashes").set_defaults(handler=run_audit_verify)
    status = subparsers.add_parser("status", help="settings, database, counts, disk, engine")
    status.set_defaults(handler=run_status)


def run_init(_arguments: argparse.Namespace, runtime: Runtime) -> dict[str, Any]:
    """Make every folder; the schema is up to date since the runtime was made."""
    settings = runtime.settings
    for folder in (settings.data, settings.snapshots, settings.runs, settings.models):
        folder.mkdir(parents=True, exist_ok=True)
    with runtime.database.writing() as session:
        token = offer_setup(session=session, hours=settings.link_hours)
    link = link_address(settings, LinkPurpose.SETUP, token) if token else None
    return {"data": settings.data, "revision": runtime.database.revision()[0], "setup_link": link}


def run_user_add(arguments: argparse.Namespace, runtime: Runtime) -> dict[str, Any]:
    """Add an account and its membership."""
    if not arguments.role and not arguments.admin:
        raise InvalidInput("Say what the account is for: --role rater|expert|lead, or --admin.")
    with runtime.database.writing() as session:
        project_id = None
        if arguments.role:
            query = select(Project).order_by(Project.slug)
            found = session.exec(query.where(Project.slug == arguments.project) if arguments.project else query).all()
            if not found:
                raise NotFound(
                    f"There is no project called {arguments.project!r}." if arguments.project else "There is no project yet."
                )
            if len(found) > 1:
                raise InvalidInput("There are several projects; name one with --project: " + ", ".join(p.slug for p in found))
            project_id = found[0].id
        account, token = add_account(
            session=session,
            actor=SYSTEM,
            email=arguments.email,
            role=Role(arguments.role) if arguments.role else None,
            project_id=project_id,
            is_admin=arguments.admin,
            hours=runtime.settings.link_hours,
        )
    link = link_address(runtime.settings, LinkPurpose.RESET, token)
    return {"email": account.email, "admin": account.is_admin, "role": arguments.role, "link": link}


def run_audit_verify(_arguments: argparse.Namespace, runtime: Runtime) -> dict[str, Any]:
    """Walk the chain; a broken one is an error."""
    with runtime.database.reading() as session:
        found = audit.verify(session)
    if found.broken_at is not None:
        raise IntegrityViolated(f"The audit trail is broken at entry {found.broken_at}. {found.reason}")
    return {"entries": found.entries, "head": found.head, "intact": True}


def run_status(_arguments: argparse.Namespace, runtime: Runtime) -> dict[str, Any]:
    """What there is and whether it answers."""
    settings, database = runtime.settings, runtime.database
    current, newest = database.revision()
    with database.reading() as session:
        rows = counts(session)
    return {
        "address": settings.address,
        "database": {"kind": "sqlite" if database.is_sqlite else "postgresql", "revision": current, "newest_revision": newest},
        "engine": {"address": settings.engine, "answers": engine_answers(settings)},
        "disk_free_bytes": shutil.disk_usage(settings.data).free,
        "rows": rows,
        "settings": settings.describe(),
    }
