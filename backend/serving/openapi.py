"""The OpenAPI 3.1 document of the HTTP API. Pure; a test holds it against the routes."""

from __future__ import annotations

from typing import Any

_MESSAGES = {
    "type": "array",
    "minItems": 1,
    "maxItems": 200,
    "items": {
        "type": "object",
        "required": ["role", "content"],
        "properties": {"role": {"enum": ["system", "user", "assistant"]}, "content": {"type": "string"}},
    },
}
_OPINION = {
    "thumb": {"enum": ["up", "down"]},
    "csat": {"type": "integer", "minimum": 1, "maximum": 5, "description": "Satisfaction, 5 is best"},
    "resolved": {"type": "boolean"},
    "wants_person": {"type": "boolean"},
    "comment": {"type": "string", "maxLength": 4000},
}


_CHAT = {
    "model": {"type": "string", "description": "The project's short name"},
    "messages": _MESSAGES,
    "stream": {"type": "boolean", "default": False},
    "max_tokens": {"type": "integer", "minimum": 1, "maximum": 1024},
    "temperature": {"type": "number", "minimum": 0, "maximum": 2},
    "top_p": {"type": "number", "minimum": 0.01, "maximum": 1},
    "seed": {"type": "integer", "minimum": 0},
}
_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"message": {"type": "string"}, "type": {"type": "string"}, "code": {"type": "integer"}},
        }
    },
}


def document(address: str) -> dict[str, Any]:
    """The whole document, with `address` as its server."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Touchstone",
            "version": "1",
            "description": "Chat with a project's current model, send feedback, bring records. The Account page makes tokens.",
        },
        "servers": [{"url": address}],
        "security": [{"token": []}],
        "paths": _paths(),
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}, "schemas": {"Error": _ERROR}},
    }


def _paths() -> dict[str, Any]:
    return {
        "/v1/models": {"get": _operation("Projects that have a current model", {"200": "The list, as OpenAI's"})},
        "/v1/chat/completions": {
            "post": _operation(
                "Ask the current model of a project",
                {"200": "The answer; server-sent events when stream is true. `touchstone.turn` names it for feedback."},
                required=["model", "messages"],
                properties=_CHAT,
            )
        },
        "/api/feedback": {
            "post": _operation(
                "Say what an answer was worth; the conversation enters the review queue, masked",
                {"201": "Kept: its id and its record's"},
                properties={
                    "turn": {"type": "integer", "description": "An answer given here"},
                    "project": {"type": "string", "description": "For a conversation held elsewhere, with `messages`"},
                    "messages": _MESSAGES,
                    **_OPINION,
                },
            )
        },
        "/api/records": {
            "post": _operation(
                "Import records",
                {"201": "What was imported, found double and rejected, with reasons"},
                required=["project", "records"],
                properties={
                    "project": {"type": "string"},
                    "name": {"type": "string", "description": "What the source is called"},
                    "records": {"type": "array", "minItems": 1, "items": {"type": "object"}},
                },
            )
        },
    }


def _operation(
    summary: str, answers: dict[str, str], *, required: list[str] | None = None, properties: dict[str, Any] | None = None
) -> dict[str, Any]:
    refusal = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {
            **{status: {"description": text} for status, text in answers.items()},
            "401": {"description": "No token, or it was revoked", **refusal},
            "403": {"description": "The role does not allow this", **refusal},
            "422": {"description": "The request cannot be taken; the message says why", **refusal},
        },
    }
    if properties is not None:
        schema = {"type": "object", "required": required or [], "properties": properties}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation
