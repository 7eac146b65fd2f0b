"""Client of the engine: any OpenAI-compatible server. Text in, text out; knows no database.

Promised: a slow, absent or broken engine comes out as ServiceUnavailable with a sentence for the person. Not promised:
that an answer that broke off half way can be continued; ask again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from backend.errors import NotReady, ServiceUnavailable

CONNECT_SECONDS = 5.0
READ_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Engine:
    """Where the engine is. `url` has no trailing slash and no /v1; `key` is a bearer key or ""."""

    url: str
    key: str = ""

    def stream(self, *, model: str, messages: Sequence[Mapping[str, str]], decoding: Mapping[str, Any]) -> Iterator[str]:
        """Pieces of the answer as they come. Raises ServiceUnavailable, or NotReady when the engine lacks the model."""
        body = {"model": model, "messages": list(messages), "stream": True, **request_fields(decoding)}
        with self._asking("POST", "/v1/chat/completions", json=body) as response:
            for line in response.iter_lines():
                if line == "data: [DONE]":
                    return
                if line.startswith("data: "):
                    yield _piece(line.removeprefix("data: "))
        raise ServiceUnavailable("The answer broke off before its end. Please ask again.")

    def complete(self, *, model: str, messages: Sequence[Mapping[str, str]], decoding: Mapping[str, Any]) -> str:
        """The whole answer."""
        return "".join(self.stream(model=model, messages=messages, decoding=decoding))

    def models(self) -> list[str]:
        """The names of the models that the engine serves now."""
        with self._asking("GET", "/v1/models") as response:
            try:
                return [str(model["id"]) for model in json.loads(response.read())["data"]]
            except (ValueError, KeyError, TypeError) as error:
                raise ServiceUnavailable("The engine answered in a way that is not OpenAI's.") from error

    @contextmanager
    def _asking(self, method: str, path: str, **content: Any) -> Iterator[httpx.Response]:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        try:
            with httpx.stream(method, self.url + path, headers=headers, timeout=timeout, **content) as response:
                if response.status_code == httpx.codes.NOT_FOUND:
                    raise NotReady("The engine does not have this model. A lead can see why on the Promote page.")
                if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
                    raise ServiceUnavailable("The engine is busy with other questions. Please try again in a moment.")
                if response.is_error:
                    raise ServiceUnavailable("The engine could not answer this. Please try again, or ask for a person.")
                yield response
        except httpx.HTTPError as error:
            raise ServiceUnavailable("The engine does not answer. Please try again in a moment.") from error


def request_fields(decoding: Mapping[str, Any]) -> dict[str, Any]:
    """Decoding settings under the names that OpenAI's API has for them."""
    names = {"max_new_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p", "seed": "seed"}
    return {name: decoding[ours] for ours, name in names.items() if ours in decoding}


def _piece(data: str) -> str:
    try:
        event = json.loads(data)
        if "error" in event:
            raise ServiceUnavailable("The engine stopped in the middle of the answer. Please ask again.")
        return str(event["choices"][0]["delta"].get("content") or "")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ServiceUnavailable("The engine answered in a way that is not OpenAI's.") from error
