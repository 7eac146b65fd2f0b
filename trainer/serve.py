"""The engine: an HTTP server for the models of a folder, in the format of OpenAI's chat completions.

One answer is generated at a time; a bounded number of requests wait, further ones get 429. A client that goes away stops its
generation at the next token. Prompts that are too long lose their oldest turns. It answers whoever can reach its address,
so it listens on loopback by default and takes nothing but JSON, which a foreign web page cannot send unasked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
import threading
import time
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from trainer.chat import BadRequest, ChatRequest, parse
from trainer.contract import EMBEDDED
from trainer.generate import Answer, stream
from trainer.model import BadModel
from trainer.shelf import Shelf, UnknownModel, find, is_name, served_names

log = logging.getLogger("trainer.serve")

BODY_LIMIT = 1_000_000
QUEUE_LIMIT = 16
_DONE = object()


class Busy(RuntimeError):
    """Too many requests are waiting already."""


class Engine:
    """Generates answers one after the other in a thread of its own."""

    def __init__(self, models: Path, *, keep: int = 4, queue_limit: int = QUEUE_LIMIT, threads: int = 1) -> None:
        self.shelf, self.queue_limit, self.waiting = Shelf(models, keep=keep), queue_limit, 0
        self._thread = ThreadPoolExecutor(
            max_workers=1, thread_name_prefix="generate", initializer=_limit_threads, initargs=(threads,)
        )
        self._open: set[threading.Event] = set()

    async def answer(self, request: ChatRequest, gone: threading.Event) -> AsyncIterator[str | Answer]:
        """Pieces of text, then the whole answer. `gone` ends it early. Raises Busy, UnknownModel or BadModel."""
        if self.waiting >= self.queue_limit:
            raise Busy
        pieces: asyncio.Queue[Any] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        self.waiting += 1
        self._open.add(gone)
        try:
            self._thread.submit(self._work, request, gone, lambda item: loop.call_soon_threadsafe(pieces.put_nowait, item))
            while (item := await pieces.get()) is not _DONE:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            gone.set()
            self._open.discard(gone)
            self.waiting -= 1

    def _work(self, request: ChatRequest, gone: threading.Event, put: Any) -> None:
        try:
            if not gone.is_set():
                with self.shelf.model(request.model) as loaded:
                    for piece in stream(loaded, request.messages, request.decoding, stop=gone.is_set):
                        put(piece)
            put(_DONE)
        except Exception as error:  # noqa: BLE001  handed to the request that waits for it
            with contextlib.suppress(RuntimeError):  # the server's loop is closed: nobody waits any more
                put(error)

    def close(self) -> None:
        """Ends what is being generated."""
        for gone in tuple(self._open):
            gone.set()
        self._thread.shutdown(wait=True, cancel_futures=True)


def _limit_threads(threads: int) -> None:
    torch.set_num_threads(threads)


def make_app(engine: Engine) -> Starlette:
    """The ASGI application around an engine."""

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "waiting": engine.waiting, "loaded": engine.shelf.loaded})

    async def models(request: Request) -> Response:
        names = await asyncio.to_thread(served_names, engine.shelf.folder)
        return JSONResponse({"object": "list", "data": [_model(name) for name in names]})

    async def model(request: Request) -> Response:
        name = request.path_params["name"]
        if not is_name(name) or name not in served_names(engine.shelf.folder):
            raise UnknownModel(name)
        return JSONResponse(_model(name))

    async def completions(request: Request) -> Response:
        chat = parse(await _json_body(request))
        find(engine.shelf.folder, chat.model)  # an unknown model is refused before it queues
        gone = threading.Event()
        answers = engine.answer(chat, gone)
        if chat.stream:
            first = await anext(answers)  # errors become a status while there is no status yet
            return StreamingResponse(_events(chat, first, answers), media_type="text/event-stream", headers=_NO_CACHE)
        return JSONResponse(_completion(chat, await _whole(request, answers, gone)))

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(engine.close)

    routes = [
        Route("/healthz", health),
        Route("/v1/models", models),
        Route("/v1/models/{name}", model),
        Route("/v1/chat/completions", completions, methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=_HANDLERS)


_NO_CACHE = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "touchstone"}


async def _json_body(request: Request) -> Any:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise BadRequest("Send the request as application/json.", status=415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise BadRequest(f"The request is larger than {BODY_LIMIT} bytes.", status=413)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The request is not valid JSON.") from error


async def _whole(request: Request, answers: AsyncIterator[str | Answer], gone: threading.Event) -> Answer:
    """The whole answer; a watcher stops it when the client goes away."""

    async def watch() -> None:
        while not await request.is_disconnected():
            await asyncio.sleep(0.1)
        gone.set()

    watcher = asyncio.create_task(watch())
    try:
        last: str | Answer | None = None
        async for item in answers:
            last = item
    finally:
        watcher.cancel()
    if not isinstance(last, Answer):
        raise Busy  # the engine is shutting down
    return last


def _completion(chat: ChatRequest, answer: Answer) -> dict[str, Any]:
    text, cut = chat.cut(answer.text)
    message = {"role": "assistant", "content": text}
    reason = "stop" if answer.complete or cut else "length"
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": chat.model,
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": _usage(answer),
    }


def _usage(answer: Answer) -> dict[str, int]:
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.tokens,
        "total_tokens": answer.prompt_tokens + answer.tokens,
    }


async def _events(chat: ChatRequest, first: str | Answer, rest: AsyncIterator[str | Answer]) -> AsyncIterator[str]:
    """The answer as server-sent events. Closing this generator (the client left) closes the answer's."""
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": "chat.completion.chunk", "created": int(time.time())}
    head |= {"model": chat.model}

    def event(delta: dict[str, str], reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return f"data: {json.dumps(head | {'choices': [choice]}, ensure_ascii=False)}\n\n"

    cutter = chat.cutter()
    yield event({"role": "assistant", "content": ""})
    try:
        item: str | Answer | None = first
        while item is not None and not isinstance(item, Answer):
            if text := cutter.push(item):
                yield event({"content": text})
            item = await anext(rest, None)
        if text := cutter.finish():
            yield event({"content": text})
        complete = isinstance(item, Answer) and (item.complete or cutter.cut)
        yield event({}, "stop" if complete else "length")
        if chat.include_usage and isinstance(item, Answer):
            yield f"data: {json.dumps(head | {'choices': [], 'usage': _usage(item)})}\n\n"
        yield "data: [DONE]\n\n"
    except (UnknownModel, BadModel, Busy, RuntimeError):
        log.exception("a streamed answer broke off")
        yield f"data: {json.dumps(_body('The answer broke off.', 'server_error'))}\n\n"
    finally:
        await rest.aclose()  # type: ignore[attr-defined]


def _body(message: str, kind: str, *, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


async def _on_error(request: Request, error: Exception) -> Response:
    if isinstance(error, BadRequest):
        return JSONResponse(_body(str(error), "invalid_request_error", param=error.param), status_code=error.status)
    if isinstance(error, UnknownModel):
        body = _body("No model of that name is served here.", "invalid_request_error", param="model", code="model_not_found")
        return JSONResponse(body, status_code=404)
    if isinstance(error, Busy):
        body = _body("The engine is busy; try again shortly.", "rate_limit_error", code="queue_full")
        return JSONResponse(body, status_code=429, headers={"Retry-After": "2"})
    if isinstance(error, BadModel):
        log.error("%s", error)
        return JSONResponse(_body(str(error), "server_error", code="model_unavailable"), status_code=503)
    if isinstance(error, HTTPException):
        return JSONResponse(_body(error.detail, "invalid_request_error"), status_code=error.status_code)
    return JSONResponse(_body("The engine failed; its log has the details.", "server_error"), status_code=500)


_HANDLERS: Any = dict.fromkeys((BadRequest, UnknownModel, Busy, BadModel, HTTPException, Exception), _on_error)


class _Server(uvicorn.Server):
    """Says on standard output, once, that it is ready and where."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts listening, then prints the line."""
        await super().startup(sockets=sockets)
        if self.started and self.servers:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            print(json.dumps({"ready": f"http://{host}:{port}", "model": EMBEDDED}), flush=True)


def serve(*, models: Path, host: str, port: int, keep: int = 4, threads: int = 1) -> None:
    """Serves until SIGTERM or SIGINT. Port 0 takes a free one, which the ready line names."""
    torch.set_num_threads(threads)
    app = make_app(Engine(models, keep=keep, threads=threads))
    config = uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=5)
    # uvicorn shuts down in order and then raises the signal again; asked to stop and stopped is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: None)
    _Server(config).run()
