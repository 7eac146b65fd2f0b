from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from backend.access import audit, commands, inviting
from backend.access.actors import SYSTEM
from backend.access.sessions import resolve
from backend.errors import IntegrityViolated, InvalidInput, NotFound
from backend.runtime import Runtime
from backend.store.accounts import Account, AuditEntry
from backend.vocabulary import Role
from tests.factories import a_project


def run(house: Runtime, *line: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    commands.register(parser.add_subparsers())
    parsed = parser.parse_args(line)
    found: dict[str, Any] = parsed.handler(parsed, house)
    return found


def test_init_makes_the_folders_and_offers_the_setup_link_until_there_is_an_account(house: Runtime, tmp_path: Path) -> None:
    first = run(house, "init")
    assert "/setup?token=" in first["setup_link"]
    assert {"snapshots", "runs", "models"} <= {path.name for path in tmp_path.iterdir()}
    run(house, "user", "add", "ada@example.com", "--admin")
    assert run(house, "init")["setup_link"] is None


def test_user_add_gives_a_link_that_sets_the_password_and_the_role(house: Runtime) -> None:
    with house.database.writing() as session:
        a_project(session)
        session.commit()
    added = run(house, "user", "add", "Bo@Example.com", "--role", "expert")
    token = added["link"].partition("token=")[2]
    with house.database.writing() as session:
        opened = inviting.reset(session=session, token=token, password="four unrelated words", hours=1)
    with house.database.reading() as session:
        actor = resolve(session, opened)
    assert (actor.label, actor.roles, actor.is_admin) == ("bo@example.com", {1: Role.EXPERT}, False)
    run(house, "user", "add", "bo@example.com", "--admin")
    with house.database.reading() as session:
        assert session.exec(select(Account)).one().is_admin


def test_user_add_wants_to_know_what_for_and_where(house: Runtime) -> None:
    with pytest.raises(InvalidInput):
        run(house, "user", "add", "bo@example.com")
    with pytest.raises(NotFound):
        run(house, "user", "add", "bo@example.com", "--role", "lead")
    with house.database.writing() as session:
        a_project(session)
        a_project(session, "other")
        session.commit()
    with pytest.raises(InvalidInput, match="other, shop"):
        run(house, "user", "add", "bo@example.com", "--role", "lead")
    with pytest.raises(NotFound):
        run(house, "user", "add", "bo@example.com", "--role", "lead", "--project", "none")
    with house.database.reading() as session:
        assert session.exec(select(Account)).all() == []


def test_audit_verify_fails_where_the_chain_is_broken(house: Runtime) -> None:
    with house.database.writing() as session:
        audit.record(session, SYSTEM, "tested")
        session.commit()
    assert run(house, "audit", "verify")["entries"] == 1
    with house.database.writing() as session:
        entry = session.exec(select(AuditEntry)).one()
        entry.actor = "somebody else"
        session.add(entry)
        session.commit()
    with pytest.raises(IntegrityViolated, match="entry 1"):
        run(house, "audit", "verify")


def test_status_names_every_setting_and_no_secret(house: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(house, "status")
    assert found["database"]["revision"] == found["database"]["newest_revision"]
    assert found["rows"]["account"] == 0
    assert found["disk_free_bytes"] > 0
    listed = {row["variable"]: row for row in found["settings"]}
    assert listed["TOUCHSTONE_OIDC_CLIENT_SECRET"]["value"] == ""
    assert all(row["help"] for row in listed.values())
