"""Single sign-on against a real provider on loopback, with a real RSA key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey
from sqlmodel import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from backend.access import inviting, oidc
from backend.access.actors import SYSTEM, Actor
from backend.access.exchange import Desk
from backend.access.secrets import Signer
from backend.access.sessions import COOKIE, resolve
from backend.settings import Settings
from backend.store.accounts import Account, LoginSession
from backend.store.database import Database
from backend.vocabulary import Role
from tests.backend.access.provider import CLIENT, SECRET, Provider, running
from tests.factories import a_person, a_project


@dataclass
class Site:
    provider: Provider
    client: TestClient
    database: Database

    def start(self, path: str = "/oidc/login") -> str:
        """To the provider and back; the address that the browser is sent to."""
        first = self.client.get(path)
        assert first.status_code in (302, 303), first.text
        return httpx.get(first.headers["location"], trust_env=False).headers["location"]

    def round(self, path: str = "/oidc/login") -> httpx.Response:
        return self.client.get(self.start(path))

    def who(self) -> Actor:
        with self.database.reading() as session:
            return resolve(session, self.client.cookies[COOKIE])


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running() as made:
        yield made


@pytest.fixture
def site(provider: Provider, sqlite: Database, tmp_path: Path) -> Iterator[Site]:
    provider.claims, provider.signed_by = {}, None
    settings = Settings(
        data=tmp_path, public_url="http://testserver", oidc_issuer=provider.address, oidc_client_id=CLIENT,
        oidc_client_secret=SECRET,
    )  # fmt: skip
    desk = Desk(settings, sqlite, Signer(b"k" * 32))
    with sqlite.writing() as session:
        a_person(session, "ada@example.com", admin=True)
        session.commit()
    with TestClient(Starlette(routes=oidc.routes(desk)), follow_redirects=False) as client:
        yield Site(provider, client, sqlite)


def test_a_verified_address_finds_the_account_and_then_the_subject_does(site: Site) -> None:
    answer = site.round("/oidc/login?next=/records")
    assert (answer.status_code, answer.headers["location"]) == (303, "/records")
    assert site.who().label == "ada@example.com"
    site.provider.claims = {"email": "moved@example.com", "email_verified": False}
    site.round()
    assert site.who().label == "ada@example.com"


def test_it_ends_in_our_own_session_that_can_be_revoked(site: Site) -> None:
    site.round()
    token = site.client.cookies[COOKIE]
    with site.database.reading() as session:
        stored = session.exec(select(LoginSession)).one()
    assert stored.revoked_at is None
    assert token not in stored.model_dump_json()


def test_a_foreign_way_on_is_not_followed(site: Site) -> None:
    assert site.round("/oidc/login?next=https://evil.example").headers["location"] == "/"


REFUSED: dict[str, dict[str, Any]] = {
    "for somebody else": {"aud": "another client"},
    "from another issuer": {"iss": "http://evil.example"},
    "too old": {"exp": 1, "iat": 0},
    "of another login": {"nonce": "replayed"},
    "without a verified address": {"email_verified": False},
    "with verification as a word": {"email_verified": "false"},
    "for an unknown person": {"email": "eve@example.com"},
}


@pytest.mark.parametrize("why", REFUSED)
def test_an_id_token_is_refused(site: Site, why: str) -> None:
    site.provider.claims = REFUSED[why]
    answer = site.round()
    assert answer.status_code == 401, answer.text
    assert COOKIE not in site.client.cookies


def test_an_id_token_signed_by_another_key_is_refused(site: Site) -> None:
    site.provider.signed_by = RSAKey.generate_key(2048, {"kid": "one"})
    assert site.round().status_code == 401


def test_a_changed_state_a_used_code_and_a_missing_cookie_are_refused(site: Site) -> None:
    back = site.start()
    assert site.client.get(back.replace("state=", "state=x")).status_code == 401
    assert site.client.get(back).status_code == 303
    back = site.start()
    site.client.cookies.clear()
    assert site.client.get(back).status_code == 401
    assert site.client.get("/oidc/callback?error=access_denied&state=x").status_code == 401


def test_an_invited_person_may_come_by_single_sign_on(site: Site) -> None:
    with site.database.writing() as session:
        project = a_project(session)
        session.commit()
        inviting.invite(
            session=session, actor=SYSTEM, project_id=project.id or 0, email="new@example.com", role=Role.EXPERT, hours=1
        )
    site.provider.claims = {"email": "new@example.com", "sub": "person-2", "name": "New"}
    assert site.round().status_code == 303
    assert site.who().roles == {1: Role.EXPERT}


def test_a_shut_account_stays_out_and_a_taken_one_is_not_taken_over(site: Site) -> None:
    site.round()
    site.client.cookies.clear()
    site.provider.claims = {"sub": "somebody-else"}
    assert site.round().status_code == 403
    with site.database.writing() as session:
        account = session.exec(select(Account)).one()
        account.is_active = False
        session.add(account)
        session.commit()
    site.provider.claims = {}
    assert site.round().status_code == 401


def test_a_provider_that_does_not_answer_is_told(sqlite: Database, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, oidc_issuer="http://127.0.0.1:1", oidc_client_id=CLIENT)
    desk = Desk(settings, sqlite, Signer(b"k" * 32))
    with TestClient(Starlette(routes=oidc.routes(desk)), follow_redirects=False) as client:
        assert client.get("/oidc/login").status_code == 503
