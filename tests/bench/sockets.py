"""A Streamlit browser without a browser: a websocket that sends rerun requests and waits until the script has finished."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from backend.access.sessions import COOKIE


class Tab:
    """One session of one signed-in person."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.token = token
        self.socket: ClientConnection | None = None
        self.received = 0
        """Bytes that came from the server."""

    async def open(self) -> None:
        """The handshake, with the session's cookie."""
        self.socket = await connect(
            f"ws://127.0.0.1:{self.port}/_stcore/stream",
            additional_headers={"Cookie": f"{COOKIE}={self.token}", "Origin": f"http://127.0.0.1:{self.port}"},
            subprotocols=["streamlit"],  # type: ignore[list-item]
            max_size=None,
        )

    async def rerun(self, page: str = "") -> float:
        """Ask for a rerun of a page (its url path); seconds until the script has finished."""
        assert self.socket is not None
        message = BackMsg()
        message.rerun_script.query_string = ""
        message.rerun_script.page_name = page
        started = time.perf_counter()
        await self.socket.send(message.SerializeToString())
        while True:
            if (await self.hear()).WhichOneof("type") == "script_finished":
                return time.perf_counter() - started

    async def hear(self) -> ForwardMsg:
        """The next message of the server."""
        assert self.socket is not None
        payload = await asyncio.wait_for(self.socket.recv(decode=False), 60)
        self.received += len(payload)
        received = ForwardMsg()
        received.ParseFromString(payload)
        return received

    async def close(self) -> None:
        """Close the tab."""
        if self.socket is not None:
            await self.socket.close()


class Rater(Tab):
    """A rater's tab on the fast desk: hands in its log as the component in the browser does."""

    def __init__(self, port: int, token: str, task: int) -> None:
        super().__init__(port, token)
        self.task = task
        self.widget = self.fragment = ""
        self.data: dict[str, Any] = {"items": []}

    async def begin(self) -> None:
        """Open the page, hand in an empty log, and wait for the first items."""
        await self.open()
        await self.ask("rate", [])
        while not self.data["items"]:
            await self.ask("rate", [])

    async def answer(self, verdict: str) -> float:
        """Answer the item in front; seconds until the server has acknowledged it."""
        item = self.data["items"][0]
        entry = {
            "id": f"{item['slot']}:{item['fence']}:answer",
            "kind": "answer",
            "slot": item["slot"],
            "fence": item["fence"],
            "verdict": verdict,
            "seconds": 2.0,
            "rubric": self.data["rubric"],
        }
        started = time.perf_counter()
        while entry["id"] not in self.data["acknowledged"]:
            await self.ask("rate", [entry])
        return time.perf_counter() - started

    async def ask(self, page: str, entries: list[dict[str, Any]]) -> None:
        """One rerun: of the page at first, then of the desk's part of it alone."""
        assert self.socket is not None
        message = BackMsg()
        message.rerun_script.page_name = page
        if self.widget:
            state = message.rerun_script.widget_states.widgets.add()
            state.id = self.widget
            state.json_value = json.dumps({"log": {"sent": time.time(), "entries": entries}})
            message.rerun_script.fragment_id = self.fragment
        await self.socket.send(message.SerializeToString())
        while True:
            received = await self.hear()
            kind = received.WhichOneof("type")
            if kind == "delta" and received.delta.new_element.WhichOneof("type") == "bidi_component":
                shown = received.delta.new_element.bidi_component
                if shown.component_name.endswith("touchstone_desk"):
                    self.widget, self.fragment = shown.id, received.delta.fragment_id
                    self.data = json.loads(shown.json)
            if kind == "script_finished":
                return
