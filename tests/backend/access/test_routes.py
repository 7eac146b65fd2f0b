"""The gate and the login pages over HTTP, in front of a stand-in for Streamlit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from sqlmodel import select
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from backend.access import entering, inviting, routes
from backend.access.actors import SYSTEM
from backend.access.exchange import Desk, local_path
from backend.access.gate import Gate
from backend.access.health import Health
from backend.access.secrets import Signer
from backend.access.sessions import COOKIE, cookie_name
from backend.settings import Settings
from backend.store.accounts import Account, LoginSession
from backend.store.database import Database
from backend.vocabulary import Role
from tests.factories import a_project

PASSWORD = "four unrelated words"
HOST = "http://testserver"
FORM = {"origin": HOST, "content-type": "application/x-www-form-urlencoded"}


async def page(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("the app")


async def stream(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("open")
    await socket.close()


@dataclass
class House:
    database: Database
    client: TestClient
    settings: Settings
    samples: list[str]

    def token(self, path: str) -> str:
        """The form's token on this page; the client keeps the cookie."""
        found = re.search(r'name="form_token" value="([0-9a-f]+)"', self.client.get(path).text)
        assert found, path
        return found[1]

    def post(self, path: str, form: str, **values: str) -> httpx.Response:
        sent = {"form_token": self.token(form), **values}
        return self.client.post(path, data=sent, headers={"origin": HOST}, follow_redirects=False)

    def sign_in(self, password: str = PASSWORD, **values: str) -> httpx.Response:
        return self.post("/login", "/login", email="ada@example.com", password=password, **values)

    def setup_link(self) -> str:
        with self.database.writing() as session:
            token = entering.offer_setup(session=session, hours=1)
        return f"/setup?token={token}"

    def set_up(self, **values: str) -> httpx.Response:
        link = self.setup_link()
        given = {"token": link.partition("=")[2], "name": "Ada", "email": "ada@example.com", "password": PASSWORD} | values
        return self.post("/setup", link, **given)


def build(database: Database, settings: Settings, base: str = HOST, load_sample: Callable[[str], None] | None = None) -> House:
    samples: list[str] = []
    desk = Desk(settings, database, Signer(b"k" * 32), load_sample or samples.append)
    app = Starlette(
        routes=[
            *routes.routes(desk),
            Route("/healthz", Health(settings, database).handle),
            WebSocketRoute("/_stcore/stream", stream),
            Mount("/", Starlette(routes=[Route("/{path:path}", page, methods=["GET", "POST", "PUT"])])),
        ],
        middleware=[Middleware(Gate, settings=settings, database=database)],
    )
    return House(database, TestClient(app, base_url=base, follow_redirects=False), settings, samples)


@pytest.fixture
def house(sqlite: Database, tmp_path: Path) -> Iterator[House]:
    made = build(sqlite, Settings(data=tmp_path, login_attempts=3, engine_port=1))
    with made.client:
        yield made


@pytest.fixture
def inside(house: House) -> House:
    """Set up and signed in."""
    assert house.set_up().status_code == 303
    return house


def test_a_page_without_a_session_leads_to_the_login_and_back(house: House) -> None:
    answer = house.client.get("/records")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Frecords")
    assert house.set_up().headers["location"] == "/"
    assert house.client.get("/records").text == "the app"
    assert house.client.get("/login?next=/records").headers["location"] == "/records"


@pytest.mark.parametrize("path", ["/media/x.png", "/_stcore/upload_file/a/b", "/component/x/y.js", "/_stcore/metrics"])
def test_what_the_browser_fetches_by_itself_is_refused_without_a_session(house: House, path: str) -> None:
    assert house.client.get(path).status_code == 401
    assert house.client.put(path).status_code == 401


@pytest.mark.parametrize("path", ["/static/js/index.js", "/_stcore/health", "/favicon.png", "/api/feedback", "/v1/models"])
def test_scripts_health_and_the_token_guarded_api_pass_without_a_session(house: House, path: str) -> None:
    assert house.client.get(path).text == "the app"


def refused(house: House, **headers: str) -> bool:
    try:
        with house.client.websocket_connect("/_stcore/stream", headers={"host": "testserver"} | headers) as socket:
            return socket.receive_text() != "open"
    except WebSocketDisconnect as closed:
        return closed.code == 1008


def test_a_websocket_needs_a_living_session_and_this_origin(house: House) -> None:
    assert refused(house, origin=HOST)
    house.set_up()
    assert not refused(house, origin=HOST)
    assert refused(house, origin="http://evil.example")
    assert refused(house, origin="null")
    assert refused(house, origin="http://testserver.evil.example")
    with house.database.writing() as session:
        for found in session.exec(select(LoginSession)):
            found.revoked_at = found.created_at
            session.add(found)
        session.commit()
    assert refused(house, origin=HOST)
    assert house.client.get("/records").status_code == 303


def test_the_session_cookie_is_out_of_the_reach_of_scripts_and_foreign_sites(house: House) -> None:
    cookie = house.set_up().headers["set-cookie"].lower()
    assert cookie.startswith(COOKIE)
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie


def test_behind_tls_cookies_are_secure_and_bound_to_the_host(sqlite: Database, tmp_path: Path) -> None:
    base = "https://touchstone.example"
    made = build(sqlite, Settings(data=tmp_path, public_url=base), base)
    link = made.setup_link()
    values = {"token": link.partition("=")[2], "name": "Ada", "email": "ada@example.com", "password": PASSWORD}
    sent = {"form_token": made.token(link), **values}
    answer = made.client.post("/setup", data=sent, headers={"origin": base})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(cookie_name(True) + "=")
    assert cookie_name(True).startswith("__Host-")
    assert "Secure" in cookie
    assert answer.headers["strict-transport-security"]


def test_every_answer_carries_the_security_headers(inside: House) -> None:
    for path in ("/login", "/records", "/healthz", "/forgot", "/nowhere"):
        headers = inside.client.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    form = inside.client.get("/forgot").headers
    assert "default-src 'none'" in form["content-security-policy"]
    assert form["cache-control"] == "no-store"
    assert "'unsafe-inline'" not in form["content-security-policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"referer": "http://evil.example/login"},
        {},
        {"origin": "http://["},
    ],
)
def test_a_form_from_elsewhere_is_refused(house: House, headers: dict[str, str]) -> None:
    token = house.token("/login")
    values = {"form_token": token, "email": "ada@example.com", "password": PASSWORD}
    assert house.client.post("/login", data=values, headers=headers).status_code == 403


def test_a_form_without_its_token_or_its_cookie_or_of_another_session_is_refused(inside: House) -> None:
    values = {"form_token": inside.token("/logout")}
    assert inside.client.post("/logout", data={}, headers=FORM).status_code == 403
    assert inside.client.post("/logout", data={"form_token": "0" * 64}, headers=FORM).status_code == 403
    session = inside.client.cookies[COOKIE]
    inside.client.cookies.delete("touchstone_form")
    assert inside.client.post("/logout", data=values, headers=FORM).status_code == 403
    values = {"form_token": inside.token("/logout")}
    inside.client.cookies.delete(COOKIE)
    assert inside.client.post("/logout", data=values, headers=FORM).status_code == 403
    inside.client.cookies.set(COOKIE, session)
    assert inside.client.get("/records").text == "the app"
    assert inside.client.post("/logout", data=values, headers=FORM).status_code == 303


def test_signing_out_needs_the_button_and_then_ends_the_session(inside: House) -> None:
    session = inside.client.cookies[COOKIE]
    assert "Sign out?" in inside.client.get("/logout").text
    assert inside.client.get("/records").text == "the app"
    answer = inside.post("/logout", "/logout")
    assert answer.headers["location"] == "/login?signed_out=1"
    assert COOKIE not in inside.client.cookies
    inside.client.cookies.set(COOKIE, session)
    assert inside.client.get("/records").status_code == 303


def test_a_login_changes_the_session_token(inside: House) -> None:
    before = inside.client.cookies[COOKIE]
    inside.post("/logout", "/logout")
    answer = inside.sign_in(next="/faqs")
    assert (answer.status_code, answer.headers["location"]) == (303, "/faqs")
    assert inside.client.cookies[COOKIE] != before


def test_failed_logins_are_limited_and_say_how_long_to_wait(inside: House) -> None:
    inside.post("/logout", "/logout")
    for _ in range(3):
        answer = inside.sign_in("wrong password")
        assert answer.status_code == 401
        assert "is not right" in answer.text
    answer = inside.sign_in()
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "Too many failed tries" in answer.text


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "javascript:alert(1)", "/a\nb", "/\t/evil", "",
     "/login", "/logout?x=1", "evil", "/" + "x" * 600, "///evil", "http:evil"],
)  # fmt: skip
def test_a_way_on_that_leads_off_the_site_becomes_the_home_page(target: str) -> None:
    assert local_path(target) == "/"


def test_the_way_on_to_the_home_page_is_its_address() -> None:
    assert (local_path("/home"), local_path("/home?project=2"), local_path("/homes")) == ("/", "/?project=2", "/homes")


def test_a_login_with_a_foreign_way_on_goes_home(inside: House) -> None:
    assert inside.client.get("/login?next=https://evil.example").headers["location"] == "/"
    inside.post("/logout", "/logout")
    assert inside.sign_in(next="//evil.example").headers["location"] == "/"


def test_the_setup_link_works_once_and_can_load_the_sample(house: House) -> None:
    answer = house.set_up(sample="yes")
    assert answer.status_code == 303
    assert house.samples == [house.client.cookies[COOKIE]]
    other = build(house.database, house.settings)
    assert other.client.get("/setup?token=invented").status_code == 404
    with house.database.reading() as session:
        assert [(account.email, account.is_admin) for account in session.exec(select(Account))] == [("ada@example.com", True)]


def test_a_sample_that_cannot_be_loaded_does_not_keep_the_admin_out(sqlite: Database, tmp_path: Path) -> None:
    def broken(_token: str) -> None:
        raise OSError("disk full")

    made = build(sqlite, Settings(data=tmp_path), load_sample=broken)
    assert made.set_up(sample="yes").status_code == 303
    assert made.client.get("/records").text == "the app"


def test_a_bad_password_at_setup_keeps_what_was_typed_and_the_link(house: House) -> None:
    link = house.setup_link()
    values = {"token": link.partition("=")[2], "name": '"><script>alert(1)</script>', "email": "ada@example.com"}
    answer = house.post("/setup", link, password="short", **values)
    assert answer.status_code == 422
    assert "at least 10 characters" in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "<script" not in answer.text
    assert house.post("/setup", link, password=PASSWORD, **values).status_code == 303


def test_html_in_names_and_addresses_stays_text_on_every_form(house: House) -> None:
    with house.database.writing() as session:
        project = a_project(session)
        project.name = "<img src=x onerror=alert(1)>"
        session.add(project)
        session.commit()
        token = inviting.invite(
            session=session, actor=SYSTEM, project_id=project.id or 0, email="new@example.com", role=Role.RATER, hours=1
        ).token
    link = f"/invite?token={token}"
    assert "&lt;img src=x" in house.client.get(link).text
    for path in (link, "/login?next=/%22%3E%3Cscript%3E", "/setup?token=%3Cscript%3E", "/reset?token=%22%3E%3Cscript%3E"):
        text = house.client.get(path).text
        assert "<img" not in text
        assert "<script" not in text


def test_an_invitation_and_a_reset_go_through_over_http_and_work_once(house: House) -> None:
    with house.database.writing() as session:
        project = a_project(session)
        session.commit()
        token = inviting.invite(
            session=session, actor=SYSTEM, project_id=project.id or 0, email="new@example.com", role=Role.RATER, hours=1
        ).token
    link = f"/invite?token={token}"
    assert house.post("/invite", link, token=str(token), name="New", password=PASSWORD).status_code == 303
    assert house.client.get("/records").text == "the app"
    assert house.client.get(link).status_code == 409
    with house.database.writing() as session:
        account = session.exec(select(Account)).one()
        reset = inviting.request_reset(session=session, actor=SYSTEM, account_id=account.id or 0, hours=1)
    link = f"/reset?token={reset}"
    assert house.post("/reset", link, token=reset, password="quite another one").status_code == 303
    assert house.client.get(link).status_code == 409


def test_a_form_that_is_too_long_or_no_form_is_refused(house: House) -> None:
    token = house.token("/login")
    headers = {"origin": HOST}
    assert house.client.post("/login", data={"form_token": token, "email": "x" * 70_000}, headers=headers).status_code == 422
    assert house.client.post("/login", json={"form_token": token}, headers=headers).status_code == 422
    assert house.client.post("/login", content=b"\xff=\xfe", headers=FORM).status_code == 422
    many = {f"field{number}": "x" for number in range(60)}
    assert house.client.post("/login", data=many, headers=headers).status_code == 422


def test_a_database_that_is_away_is_told_and_lets_nobody_in(tmp_path: Path) -> None:
    made = build(Database(f"sqlite:///{tmp_path}"), Settings(data=tmp_path, engine_port=1))
    made.client.cookies.set(COOKIE, "any-token")
    answer = made.client.get("/records")
    assert answer.status_code == 503
    assert "The database did not answer" in answer.text
    assert refused(made, origin=HOST)
    assert made.client.get("/healthz").status_code == 503
    assert made.client.get("/login").status_code == 503


def test_health_tells_what_answers_and_no_secrets(house: House) -> None:
    answer = house.client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": "ok", "engine": "away"}


def test_single_sign_on_is_off_without_an_issuer(house: House) -> None:
    from backend.access import oidc

    desk = Desk(house.settings, house.database, Signer(b"k" * 32))
    with TestClient(Starlette(routes=oidc.routes(desk))) as client:
        assert client.get("/oidc/login").status_code == 404
    assert "single sign-on" not in house.client.get("/login").text
    shown = build(house.database, replace(house.settings, oidc_issuer="https://id.example"))
    assert "single sign-on" in shown.client.get("/login").text
