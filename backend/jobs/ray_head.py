"""The head of a Ray cluster, as far as jobs are concerned: Ray's Jobs API over HTTP.

This is the interface that Ray documents for programs other than its own, so a worker needs no Ray installed; only the
nodes do (requirements-cluster.txt). Every request has a time limit: a head that hangs must not hang the worker, which
watches other jobs too. Not promised: that a request which was not answered was not carried out; `HeadAway.sent` says
which ones may have been.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from backend.errors import InvalidInput
from backend.settings import Settings

DEFAULT_PORT = 8265
"""Where the head of a Ray cluster takes jobs unless it was told otherwise."""
WAITING, SUCCEEDED = "PENDING", "SUCCEEDED"
LIVING = frozenset({WAITING, "RUNNING"})
ENDED = frozenset({SUCCEEDED, "FAILED", "STOPPED"})
"""Ray's words for what becomes of a job."""
_NOT_TAKEN = ("No available agent", "Cannot connect to host")
"""What a head says whose nodes are not there yet; nothing was done then."""
_SECONDS = 5.0
_SECONDS_TO_SUBMIT = 20.0
"""The head answers once a node has taken the job in, which takes a while just after the cluster's start."""


class HeadAway(Exception):
    """The head did not answer, or not as one does. `sent`: whether it may have done what it was asked."""

    def __init__(self, reason: str, *, sent: bool = True) -> None:
        super().__init__(reason)
        self.sent = sent


class HeadRefused(Exception):
    """The head says that the request itself is wrong."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the head knows about a submission, in Ray's words."""

    status: str
    exit_code: int | None = None
    error: str = ""


class Head(Protocol):
    """What a launcher needs of a head. Everything raises HeadAway."""

    address: str

    def greet(self) -> None:
        """Return if it is there and lets this worker in."""
        ...

    def submit(self, submission: str, request: Mapping[str, Any]) -> None:
        """Hand a job in. Raises HeadRefused."""
        ...

    def look(self, submission: str) -> Told | None:
        """What became of a job; None when the head knows none of that name."""
        ...

    def stop(self, submission: str) -> None:
        """Have a job end: SIGTERM, and after a while SIGKILL. One that is not known is none to stop."""
        ...


def job_server(settings: Settings) -> str:
    """The address of the head's job server, from the settings that Ray's own programs read too. Raises InvalidInput."""
    given = settings.ray_job_server or settings.ray_address
    if given in ("", "auto", "local"):
        return f"http://127.0.0.1:{DEFAULT_PORT}"
    named = urlsplit(given if "://" in given else f"//{given}")
    try:
        host, port = named.hostname, named.port
    except ValueError:
        host, port = None, None
    name = "RAY_API_SERVER_ADDRESS" if settings.ray_job_server else "RAY_ADDRESS"
    if not host or named.scheme not in ("http", "https", "ray", "") or named.username or named.password:
        raise InvalidInput(f"{name} must be the address of the Ray cluster's head, such as http://HOST:{DEFAULT_PORT}.")
    host = f"[{host}]" if ":" in host else host
    if named.scheme in ("http", "https"):
        return f"{named.scheme}://{host}" + (f":{port}" if port else "") + named.path.rstrip("/")
    return f"http://{host}:{DEFAULT_PORT}"  # the port of the cluster itself, at which no jobs are taken


class HttpHead:
    """A head at an address."""

    def __init__(self, address: str, token: str = "") -> None:
        self.address = address
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=address, headers=headers, timeout=_SECONDS, trust_env=False)

    def greet(self) -> None:
        """Return if a head of Ray is there and takes the token."""
        if "ray_version" not in self._json(self._answer("GET", "/api/version")):
            raise HeadAway("something else than Ray answers there", sent=False)

    def submit(self, submission: str, request: Mapping[str, Any]) -> None:
        """Hand a job in."""
        body = {"submission_id": submission, **request}
        answer = self._answer("POST", "/api/jobs/", allowed=(400, 500), json=body, timeout=_SECONDS_TO_SUBMIT)
        if answer.status_code == 400:
            raise HeadRefused(answer.text[-2000:])
        if answer.status_code == 500:
            raise HeadAway("it could not take a job in", sent=not any(said in answer.text for said in _NOT_TAKEN))

    def look(self, submission: str) -> Told | None:
        """What became of a job. That it is not known must be said in Ray's words: a proxy's 404 is no end of a job."""
        answer = self._answer("GET", f"/api/jobs/{submission}", allowed=(404,))
        if answer.status_code == 404:
            if "does not exist" in answer.text:
                return None
            raise HeadAway("something else than Ray answers there")
        details = self._json(answer)
        status, code = details.get("status"), details.get("driver_exit_code")
        if status not in LIVING | ENDED:
            raise HeadAway("its answer cannot be read")
        return Told(status, code if isinstance(code, int) else None, str(details.get("error_type") or ""))

    def stop(self, submission: str) -> None:
        """Have a job end."""
        self._answer("POST", f"/api/jobs/{submission}/stop", allowed=(400, 404))

    def _answer(self, method: str, path: str, *, allowed: tuple[int, ...] = (), **more: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **more)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise HeadAway(f"no connection ({type(error).__name__})", sent=False) from error
        except httpx.HTTPError as error:
            raise HeadAway(f"no answer ({type(error).__name__})") from error
        if answer.status_code in (401, 403):
            raise HeadAway("it does not take the token; RAY_AUTH_TOKEN must be the cluster's", sent=False)
        if answer.status_code != 200 and answer.status_code not in allowed:
            raise HeadAway(f"it answers with status {answer.status_code}")
        return answer

    def _json(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            value = answer.json()
        except ValueError as error:
            raise HeadAway("its answer cannot be read") from error
        return value if isinstance(value, dict) else {}
