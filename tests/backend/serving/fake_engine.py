"""A small OpenAI-compatible server for tests: it answers by a rule, over real HTTP on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """Repeats the last message in two pieces; the words below make it misbehave."""

    asked: list[dict[str, Any]]

    def do_GET(self) -> None:
        self._send(200, json.dumps({"data": [{"id": "shop-v1"}]}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).asked.append(body)
        text = body["messages"][-1]["content"]
        if body["model"] != "shop-v1":
            self._send(404, "{}")
        elif text == "busy":
            self._send(429, "{}")
        elif text == "break":
            self._send(200, self._event("half an ans"))
        elif text == "rubbish":
            self._send(200, "data: {]\n\n")
        else:
            self._send(200, self._event("You asked: ") + self._event(text) + "data: [DONE]\n\n")

    @staticmethod
    def _event(piece: str) -> str:
        return f"data: {json.dumps({'choices': [{'delta': {'content': piece}}]})}\n\n"

    def _send(self, status: int, content: str) -> None:
        encoded = content.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Quiet."""


@contextmanager
def fake_engine() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The server's address, and the bodies that it was asked with."""
    handler = type("Handler", (Handler,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.asked
    finally:
        server.shutdown()
        server.server_close()
