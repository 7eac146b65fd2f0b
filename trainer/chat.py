"""Requests in the format of OpenAI's chat completions as checked values. Standard library only, no server, no model.

Taken: model, messages, max_tokens or max_completion_tokens, temperature (0 when not given), top_p, seed, stop, stream,
stream_options.include_usage. `n` other than 1 and tools are refused; other fields are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trainer.contract import ConfigError, Decoding

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_MAX_MESSAGES, _MAX_NEW_TOKENS, _DEFAULT_NEW_TOKENS = 500, 4096, 160


class BadRequest(ValueError):
    """A request that cannot be served as it is; the message says what would do."""

    def __init__(self, message: str, *, param: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.param, self.status = param, status


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A valid request."""

    model: str
    messages: list[dict[str, str]]
    decoding: Decoding
    stop: tuple[str, ...]
    stream: bool
    include_usage: bool

    def cutter(self) -> Cutter:
        """Cuts this request's stop texts out of streamed pieces."""
        return Cutter(self.stop)

    def cut(self, text: str) -> tuple[str, bool]:
        """The text before the first stop text, and whether there was one."""
        cutter = self.cutter()
        kept = cutter.push(text) + cutter.finish()
        return kept, cutter.cut


@dataclass(slots=True)
class Cutter:
    """Passes text through until a stop text begins, even one that is spread over several pieces."""

    stop: tuple[str, ...]
    cut: bool = False
    _held: str = field(default="")

    def push(self, piece: str) -> str:
        """What may be shown now that `piece` has come."""
        if self.cut:
            return ""
        text = self._held + piece
        starts = [at for at in (text.find(stop) for stop in self.stop) if at >= 0]
        if starts:
            self.cut, self._held = True, ""
            return text[: min(starts)]
        keep = max((self._overlap(text, stop) for stop in self.stop), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def finish(self) -> str:
        """What was held back and turned out to be no stop text."""
        held, self._held = self._held, ""
        return held

    @staticmethod
    def _overlap(text: str, stop: str) -> int:
        """How many characters at the end of `text` might begin `stop`."""
        return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)


def parse(value: Any) -> ChatRequest:
    """The request in a JSON value. Raises BadRequest."""
    if not isinstance(value, dict):
        raise BadRequest("The request must be a JSON object.")
    if not isinstance(value.get("model"), str) or not value["model"]:
        raise BadRequest("model must name a served model.", param="model")
    if value.get("n") not in (None, 1):
        raise BadRequest("n must be 1.", param="n")
    if value.get("tools") or value.get("functions"):
        raise BadRequest("Tools are not supported.", param="tools")
    options = value.get("stream_options") or {}
    return ChatRequest(
        model=value["model"],
        messages=_messages(value.get("messages")),
        decoding=_decoding(value),
        stop=_stop(value.get("stop")),
        stream=_flag(value, "stream"),
        include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
    )


def _messages(value: Any) -> list[dict[str, str]]:
    if not isinstance(value, list) or not 0 < len(value) <= _MAX_MESSAGES:
        raise BadRequest(f"messages must be a list of 1 to {_MAX_MESSAGES} messages.", param="messages")
    messages = [_message(message, index) for index, message in enumerate(value)]
    if messages[-1]["role"] != "user":
        raise BadRequest("The last message must be the user's.", param=f"messages.{len(messages) - 1}.role")
    return messages


def _message(value: Any, index: int) -> dict[str, str]:
    if not isinstance(value, dict) or not isinstance(value.get("role"), str) or value["role"] not in _ROLES:
        raise BadRequest("A message needs the role system, user or assistant.", param=f"messages.{index}.role")
    content = value.get("content")
    if isinstance(content, list):
        if not all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content):
            raise BadRequest("Only text is understood in a message.", param=f"messages.{index}.content")
        content = "".join(part["text"] for part in content)
    if not isinstance(content, str):
        raise BadRequest("A message needs a text as content.", param=f"messages.{index}.content")
    # Half a surrogate pair is valid JSON but no text; tokenizers refuse it.
    return {"role": _ROLES[value["role"]], "content": content.encode("utf-8", "replace").decode("utf-8")}


def _decoding(value: dict[str, Any]) -> Decoding:
    longest = value.get("max_completion_tokens", value.get("max_tokens"))
    longest = _DEFAULT_NEW_TOKENS if longest is None else _number(longest, "max_tokens", whole=True)
    temperature = _number(value.get("temperature") or 0.0, "temperature")
    if not 0 <= temperature <= 2:
        raise BadRequest("temperature must be between 0 and 2.", param="temperature")
    top_p = 1.0 if value.get("top_p") is None else _number(value["top_p"], "top_p")
    seed = _number(value.get("seed") or 0, "seed", whole=True)
    try:
        return Decoding(
            max_new_tokens=min(int(longest), _MAX_NEW_TOKENS), temperature=temperature, top_p=top_p, seed=int(seed) % 2**32
        )
    except ConfigError as error:
        raise BadRequest(str(error)) from error


def _number(value: Any, name: str, *, whole: bool = False) -> float:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or value != value:
        raise BadRequest(f"{name} must be a {'whole ' if whole else ''}number.", param=name)
    return value


def _flag(value: dict[str, Any], name: str) -> bool:
    if not isinstance(value.get(name), bool | None):
        raise BadRequest(f"{name} must be true or false.", param=name)
    return bool(value.get(name))


def _stop(value: Any) -> tuple[str, ...]:
    stops = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or len(stops) > 4 or not all(isinstance(stop, str) and stop for stop in stops):
        raise BadRequest("stop must be a text or a list of up to four.", param="stop")
    return tuple(stops)
