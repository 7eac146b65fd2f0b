"""A Streamlit browser without a browser: a websocket that sends rerun requests and waits until the script has finished."""

from __future__ import annotations

import asyncio
import time

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
            received = ForwardMsg()
            received.ParseFromString(await asyncio.wait_for(self.socket.recv(decode=False), 60))
            if received.WhichOneof("type") == "script_finished":
                return time.perf_counter() - started

    async def close(self) -> None:
        """Close the tab."""
        if self.socket is not None:
            await self.socket.close()
