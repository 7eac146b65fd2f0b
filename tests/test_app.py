"""The web process itself: `python app.py` on a free port, spoken to by HTTP and websocket."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlmodel import select
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from backend.access.sessions import COOKIE
from backend.store.accounts import LoginSession
from backend.store.database import Database

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "four unrelated words"


@dataclass
class Web:
    address: str
    output: Path
    data: Path

    @property
    def setup_link(self) -> str:
        links = re.findall(r"http://\S+/setup\?token=\S+", self.output.read_text())
        assert links
        return str(links[-1])

    def client(self, **cookies: str) -> httpx.Client:
        return httpx.Client(base_url=self.address, cookies=cookies, trust_env=False, timeout=20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(data: Path, port: int, *command: str) -> tuple[subprocess.Popen[bytes], Web]:
    output = data / "output.txt"
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TOUCHSTONE_", "DATABASE_URL"))}
    environ |= {"TOUCHSTONE_DATA": str(data), "TOUCHSTONE_PORT": str(port), "TOUCHSTONE_ENGINE_PORT": "1"}
    with output.open("wb") as sink:
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environ, stdout=sink, stderr=subprocess.STDOUT)
    web = Web(f"http://127.0.0.1:{port}", output, data)
    for _ in range(300):
        try:
            if web.client().get("/healthz").status_code == 200:
                return process, web
        except httpx.HTTPError:
            time.sleep(0.2)
        assert process.poll() is None, output.read_text()
    raise TimeoutError(output.read_text())


def stop(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(20)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    process, made = start(tmp_path_factory.mktemp("web"), free_port(), "app.py")
    yield made
    stop(process)


@pytest.fixture(scope="module")
def session_token(web: Web) -> str:
    """The admin's, made through the printed set-up link."""
    with web.client() as client:
        page = client.get(web.setup_link).text
        form = re.search(r'name="form_token" value="([0-9a-f]+)"', page)
        assert form
        values = {"form_token": form[1], "token": web.setup_link.partition("=")[2], "name": "Ada"}
        values |= {"email": "ada@example.com", "password": PASSWORD}
        answer = client.post("/setup", data=values, headers={"origin": web.address})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        return str(client.cookies[COOKIE])


def handshake(web: Web, token: str | None, origin: str | None = None) -> int:
    """101 where the websocket opens, else the refusal's status."""
    url = web.address.replace("http", "ws") + "/_stcore/stream"
    headers = {"Cookie": f"{COOKIE}={token}"} if token else {}
    try:
        with connect(url, origin=origin or web.address, additional_headers=headers, subprotocols=["streamlit"], proxy=None):  # type: ignore[list-item, arg-type]
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def test_the_setup_link_lets_in_the_admin_to_the_real_app(web: Web, session_token: str) -> None:
    with web.client(**{COOKIE: session_token}) as client:
        page = client.get("/")
        assert page.status_code == 200
        assert '<div id="root">' in page.text
        script = re.search(r'src="\./(static/js/index[^"]+)"', page.text)
        assert script
        assert client.get("/" + script[1]).status_code == 200
    with web.client() as client:
        assert client.get("/").status_code == 303
        assert client.get("/admin").headers["location"] == "/login?next=%2Fadmin"
        assert client.get("/_stcore/health").text == "ok"
        assert client.get(web.setup_link).status_code == 409


def test_the_real_websocket_opens_only_with_a_living_session_from_this_site(web: Web, session_token: str) -> None:
    assert handshake(web, None) == 403
    assert handshake(web, "invented") == 403
    assert handshake(web, session_token) == 101
    assert handshake(web, session_token, origin="http://evil.example") == 403


def test_a_revoked_session_opens_no_websocket_and_no_upload(web: Web, session_token: str) -> None:
    database = Database(f"sqlite:///{web.data / 'touchstone.db'}")
    with database.writing() as session:
        found = session.exec(select(LoginSession)).one()
        found.revoked_at = found.created_at
        session.add(found)
        session.commit()
    assert handshake(web, session_token) == 403
    with web.client(**{COOKIE: session_token}) as client:
        assert client.put("/_stcore/upload_file/a/b", files={"file": b"x"}).status_code == 401
        assert client.get("/media/anything").status_code == 401
    with database.writing() as session:
        found.revoked_at = None
        session.merge(found)
        session.commit()
    database.dispose()


def test_the_api_asks_for_its_own_token_and_takes_no_cookie(web: Web, session_token: str) -> None:
    with web.client(**{COOKIE: session_token}) as client:
        assert client.get("/v1/models").status_code == 401
        assert client.get("/openapi.json").status_code == 200


def test_the_web_process_imports_nothing_heavy_at_its_start(tmp_path: Path) -> None:
    heavy = ("torch", "transformers", "peft", "sklearn", "pandas", "authlib")
    code = f"import sys, app; print([name for name in {heavy} if name in sys.modules])"
    environ = os.environ | {"TOUCHSTONE_DATA": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_streamlit_run_serves_the_same_gate(tmp_path: Path) -> None:
    port = free_port()
    process, made = start(tmp_path, port, "-m", "streamlit", "run", "app.py", "--server.port", str(port))
    with made.client() as client:
        assert client.get("/").status_code == 303
    assert f":{port}/setup?token=" in made.setup_link
    assert handshake(made, None) == 403
    stop(process)
    assert "Traceback" not in made.output.read_text()
