"""The HTTP API: chat completions in OpenAI's shape, feedback, records. Bearer tokens; errors in OpenAI's shape.

Every route resolves its token to an actor and calls one use-case, which asks the policy. Nothing blocks the event loop:
database and engine are used from worker threads. Cookies are not read here, so that a foreign page cannot use them.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog
from sqlmodel import Session, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from backend.access.actors import Actor
from backend.access.policy import check
from backend.access.queries import projects_of
from backend.access.tokening import look_up_bearer
from backend.conversations import fault, messages_from_json
from backend.engine import Engine
from backend.errors import InvalidInput, NotFound, NotReady, NotSignedIn, TouchstoneError
from backend.serving.chatting import completion_id, keep_exchange, speaker
from backend.serving.guardrails import checked_message, context
from backend.serving.openapi import document
from backend.serving.receiving import Opinion, give_feedback, send_feedback
from backend.settings import Settings
from backend.store.database import Database
from backend.store.records import Project
from backend.vocabulary import Action, Thumb

MAX_BODY = 20_000_000
MAX_TURNS = 200
MAX_TURN = 100_000
"""Characters of one message of a conversation that a client holds; the newest one has the chat's own, lower limit."""
_HALF = re.compile(r"[\x00\ud800-\udfff]")
log = structlog.get_logger("api")

ImportRecords = Callable[..., Mapping[str, Any]]
"""The intake stage's use-case: (session, actor, settings, project_id, name, rows) → summary. The app passes it in."""


def routes(settings: Settings, database: Database, import_records: ImportRecords) -> list[Route]:
    """The API's routes over this process's database."""
    return Api(settings, database, import_records).routes()


class Api:
    """The routes' handlers over one database. `import_records` is what POST /api/records calls."""

    def __init__(self, settings: Settings, database: Database, import_records: ImportRecords) -> None:
        self.settings = settings
        self.database = database
        self.engine = Engine(settings.engine, settings.engine_key)
        self.import_records = import_records

    def routes(self) -> list[Route]:
        """The routes to mount."""
        return [
            Route("/v1/models", self.handle(self.models), methods=["GET"]),
            Route("/v1/chat/completions", self.handle(self.completions), methods=["POST"]),
            Route("/api/feedback", self.handle(self.feedback), methods=["POST"]),
            Route("/api/records", self.handle(self.records), methods=["POST"]),
            Route("/openapi.json", self.describe, methods=["GET"]),
        ]

    async def describe(self, _request: Request) -> Response:
        """The OpenAPI document; needs no token."""
        return JSONResponse(document(self.settings.address))

    def handle(self, work: Callable[[Actor, dict[str, Any]], Response]) -> Callable[[Request], Any]:
        """Wrap a handler: token, body, thread, errors."""

        async def endpoint(request: Request) -> Response:
            try:
                actor = await run_in_threadpool(self._actor, request)  # first: strangers are not read from
                content = await _content(request) if request.method == "POST" else b"{}"
                return await run_in_threadpool(lambda: work(actor, _object(content)))
            except TouchstoneError as error:
                return _error(error)
            except Exception as error:  # noqa: BLE001 - the boundary where unknown errors become an id
                return _shape(500, _unexpected(error), "internal_error")

        return endpoint

    def _actor(self, request: Request) -> Actor:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise NotSignedIn("Send a personal token as 'Authorization: Bearer …'; the Account page makes one.")
        return look_up_bearer(self.database, token.strip())

    def models(self, actor: Actor, _body: dict[str, Any]) -> Response:
        """The actor's projects that have a current version, each as a model."""
        with self.database.reading() as session:
            names = [card.slug for card in projects_of(session, actor) if _speaks(session, card.id)]
        return JSONResponse(
            {"object": "list", "data": [{"id": name, "object": "model", "owned_by": "touchstone"} for name in names]}
        )

    def completions(self, actor: Actor, body: dict[str, Any]) -> Response:
        """An answer of the project's current version, whole or as server-sent events."""
        messages = _messages(body.get("messages"))
        fault_found = fault(messages_from_json(messages), answer=False)
        if fault_found or messages[-1]["role"] != "user":
            raise InvalidInput(f"messages cannot be answered: {fault_found or 'the last message must be the user’s'}.")
        messages[-1]["content"] = checked_message(messages[-1]["content"])
        with self.database.reading() as session:
            project_id = _project(session, actor, body.get("model"), Action.CHAT)
            speaking = speaker(session, project_id)
        decoding = {**speaking.decoding, **_decoding(body)}
        started = time.monotonic()
        pieces = self.engine.stream(model=speaking.served_as, messages=context(messages), decoding=decoding)
        first = next(pieces, "")  # the engine's refusal must become a status, not a broken stream
        answer = _Answer(str(body.get("model")), speaking.version, itertools.chain([first], pieces))

        def keep(text: str) -> dict[str, Any]:
            with self.database.writing() as session:
                turn = keep_exchange(
                    session=session,
                    actor=actor,
                    speaking=replace(speaking, decoding=decoding),
                    messages=messages,
                    text=text,
                    seconds=time.monotonic() - started,
                )
            return {"turn": turn, "version": speaking.version}

        if body.get("stream") is True:
            return StreamingResponse(answer.events(keep), media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        return JSONResponse(answer.whole(keep))

    def feedback(self, actor: Actor, body: dict[str, Any]) -> Response:
        """A verdict on an answer given here (`turn`) or elsewhere (`project`, `messages`)."""
        opinion = _opinion(body)
        with self.database.writing() as session:
            if body.get("turn") is not None:
                kept = give_feedback(session=session, actor=actor, turn_id=_whole(body, "turn"), opinion=opinion)
            else:
                project_id = _project(session, actor, body.get("project"), Action.SEND_FEEDBACK)
                messages = _messages(body.get("messages"))
                kept = send_feedback(session=session, actor=actor, project_id=project_id, messages=messages, opinion=opinion)
        return JSONResponse({"id": kept.id, "record": kept.record_id}, status_code=201)

    def records(self, actor: Actor, body: dict[str, Any]) -> Response:
        """Records in any of the row shapes, imported as one source."""
        rows = body.get("records")
        if not isinstance(rows, list) or not rows:
            raise InvalidInput("records must be a list with at least one object in it.")
        with self.database.writing() as session:
            project_id = _project(session, actor, body.get("project"), Action.IMPORT)
            name = str(body.get("name") or "HTTP API")[:200]
            summary = self.import_records(
                session=session, actor=actor, settings=self.settings, project_id=project_id, name=name, rows=rows
            )
        return JSONResponse(summary, status_code=201)


class _Answer:
    """One answer on its way out, in OpenAI's shapes."""

    def __init__(self, model: str, version: str, pieces: Iterator[str]) -> None:
        self.head = {"id": completion_id(), "created": int(time.time()), "model": model, "system_fingerprint": version}
        self.pieces = pieces

    def whole(self, keep: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
        text = "".join(self.pieces)
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return {**self.head, "object": "chat.completion", "choices": [choice], "touchstone": keep(text)}

    def events(self, keep: Callable[[str], dict[str, Any]]) -> Iterator[str]:
        said = []
        try:
            for piece in self.pieces:
                said.append(piece)
                yield self._event({"content": piece}, None)
            yield self._event({}, "stop", touchstone=keep("".join(said)))
            yield "data: [DONE]\n\n"
        except TouchstoneError as error:
            yield self._failure(error.message, type(error).__name__)
        except Exception as error:  # noqa: BLE001 - the boundary: the status is sent, so the stream itself tells the id
            yield self._failure(_unexpected(error), "internal_error")

    def _failure(self, message: str, kind: str) -> str:
        return f"data: {json.dumps({'error': {'message': message, 'type': kind}})}\n\n"

    def _event(self, delta: dict[str, Any], finish: str | None, **extra: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return f"data: {json.dumps({**self.head, 'object': 'chat.completion.chunk', 'choices': [choice], **extra})}\n\n"


def _unexpected(error: Exception) -> str:
    """Log the trace under a fresh id and return the sentence for the client."""
    number = completion_id()[-8:]
    log.error("unexpected_error", error_id=number, exc_info=error)
    return f"Something went wrong here. Tell an admin this id: {number}."


async def _content(request: Request) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY:
            raise InvalidInput(f"The request is larger than {MAX_BODY:,} bytes. Send it in parts.")
    return bytes(content)


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The request body must be a JSON object in UTF-8.") from error
    if not isinstance(value, dict):
        raise InvalidInput("The request body must be a JSON object.")
    return value


def _error(error: TouchstoneError) -> JSONResponse:
    response = _shape(error.status, error.message, type(error).__name__)
    if (seconds := getattr(error, "retry_after", None)) is not None:
        response.headers["Retry-After"] = str(seconds)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _shape(status: int, message: str, kind: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": kind, "code": status}}, status_code=status)


def _project(session: Session, actor: Actor, slug: Any, action: Action) -> int:
    """The id of the project with this slug, if the actor may do this there; unknown and forbidden ones look alike."""
    known = isinstance(slug, str) and not _HALF.search(slug)
    project = session.exec(select(Project).where(Project.slug == slug)).one_or_none() if known else None
    if project is None or (not actor.is_admin and actor.role_in(project.id) is None):
        raise NotFound("There is no such project for you. Name it by its short name, as GET /v1/models lists it.")
    check(actor, action, project.id)
    return project.id or 0


def _speaks(session: Session, project_id: int) -> bool:
    try:
        speaker(session, project_id)
    except NotReady:
        return False
    return True


def _messages(value: Any) -> list[dict[str, str]]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not 0 < len(value) <= MAX_TURNS:
        raise InvalidInput(f"messages must be a list of 1 to {MAX_TURNS} objects with role and content.")
    for item in value:
        if not isinstance(item, dict) or not isinstance(item.get("role"), str) or not isinstance(item.get("content"), str):
            raise InvalidInput("Each message must have a role and a content, both text.")
        if item["role"] not in ("system", "user", "assistant"):
            raise InvalidInput("A message's role must be system, user or assistant.")
        if len(item["content"]) > MAX_TURN:
            raise InvalidInput(f"A message may have {MAX_TURN:,} characters at most; one has {len(item['content']):,}.")
    return [{"role": item["role"], "content": item["content"]} for item in value]


def _decoding(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the client asked of the decoding, inside bounds."""
    bounds: dict[str, tuple[str, type, float, float]] = {
        "max_tokens": ("max_new_tokens", int, 1, 1024),
        "temperature": ("temperature", float, 0, 2),
        "top_p": ("top_p", float, 0.01, 1),
        "seed": ("seed", int, 0, 2**31),
    }
    found: dict[str, Any] = {}
    for name, (ours, kind, low, high) in bounds.items():
        value = body.get(name)
        if value is None:
            continue
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
            or (kind is int and value % 1)
        ):
            raise InvalidInput(f"{name} must be a number from {low} to {high}.")
        found[ours] = kind(value)
    return found


def _opinion(body: Mapping[str, Any]) -> Opinion:
    thumb, resolved = body.get("thumb"), body.get("resolved")
    if thumb not in (None, "up", "down"):
        raise InvalidInput("thumb must be 'up' or 'down'.")
    if not isinstance(resolved, bool | None) or not isinstance(body.get("wants_person", False), bool):
        raise InvalidInput("resolved and wants_person must be true or false.")
    return Opinion(
        thumb=Thumb(thumb) if thumb else None,
        csat=None if body.get("csat") is None else _whole(body, "csat"),
        resolved=resolved,
        wants_person=body.get("wants_person", False),
        comment=_HALF.sub("\ufffd", str(body.get("comment") or "")),
    )


def _whole(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise InvalidInput(f"{name} must be a whole number, and not a huge one.")
    return value
