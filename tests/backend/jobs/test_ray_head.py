"""What is made of the answers of a head, given by a real HTTP server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from backend.jobs.ray_head import HeadAway, HeadRefused, HttpHead, Told
from tests.ray_nodes import free_ports


class Answers(ThreadingHTTPServer):
    """Answers every request alike, and remembers the last."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.text = 200, "{}"
        self.asked: tuple[str, str, str | None, Any] = ("", "", None, None)


class _Handler(BaseHTTPRequestHandler):
    server: Answers

    def _reply(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = json.loads(body) if body else None
        self.server.asked = (self.command, self.path, self.headers.get("Authorization"), asked)
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.text.encode())

    do_GET = do_POST = _reply

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Answers]:
    with Answers() as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def head(server: Answers) -> HttpHead:
    return HttpHead(f"http://127.0.0.1:{server.server_address[1]}", "the-token")


def test_a_job_is_handed_in_by_name_with_the_token(server: Answers, head: HttpHead) -> None:
    head.submit("touchstone-1", {"entrypoint": "true"})
    assert server.asked == (
        "POST", "/api/jobs/", "Bearer the-token", {"submission_id": "touchstone-1", "entrypoint": "true"},
    )  # fmt: skip
    head.stop("touchstone-1")
    assert server.asked[:2] == ("POST", "/api/jobs/touchstone-1/stop")


def test_what_became_of_a_job_is_read(server: Answers, head: HttpHead) -> None:
    server.text = json.dumps({"status": "FAILED", "driver_exit_code": 3, "error_type": None, "more": 1})
    assert head.look("x") == Told("FAILED", 3, "")
    server.text = json.dumps({"status": "FAILED", "driver_exit_code": None, "error_type": "JOB_SUPERVISOR_ACTOR_DIED"})
    assert head.look("x") == Told("FAILED", None, "JOB_SUPERVISOR_ACTOR_DIED")


def test_only_ray_itself_can_say_that_it_does_not_know_a_job(server: Answers, head: HttpHead) -> None:
    server.status, server.text = 404, "Job x does not exist"
    assert head.look("x") is None
    head.stop("x")
    server.text = "404: Not Found"
    with pytest.raises(HeadAway):
        head.look("x")


def test_a_refused_job_and_a_refused_token_are_told_apart_from_silence(server: Answers, head: HttpHead) -> None:
    server.status, server.text = 400, "TypeError"
    with pytest.raises(HeadRefused):
        head.submit("x", {})
    for status, text, sent in (
        (401, "", False),
        (403, "", False),
        (500, "Traceback", True),
        (500, "No available agent to submit job, please try again later.", False),
        (302, "", True),
    ):
        server.status, server.text = status, text
        with pytest.raises(HeadAway) as away:
            head.submit("x", {})
        assert away.value.sent is sent
        assert "the-token" not in str(away.value)


@pytest.mark.parametrize("ask", [HttpHead.greet, lambda head: head.look("x")])
def test_an_answer_that_is_not_rays_is_no_answer(server: Answers, head: HttpHead, ask: Callable[[HttpHead], Any]) -> None:
    for text in ("<html>Welcome</html>", "[]", '{"status": "UP"}'):
        server.text = text
        with pytest.raises(HeadAway):
            ask(head)
    server.text = '{"ray_version": "2.60.0", "status": "RUNNING"}'
    ask(head)


def test_where_nobody_listens_nothing_was_sent() -> None:
    with pytest.raises(HeadAway) as away:
        HttpHead(f"http://127.0.0.1:{free_ports(1)[0]}").submit("x", {})
    assert not away.value.sent
