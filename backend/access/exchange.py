"""What every form handler needs: reading a form safely, the form's token against forgery, cookies, error pages.

A form counts only with (1) an Origin or Referer of this very site and (2) a token signed for the value of the browser's
form cookie and its session. Bodies are bounded; fields are text.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from backend.access import forms
from backend.access.gate import is_own_origin, token_in
from backend.access.secrets import Signer, new_token
from backend.access.sessions import cookie_name
from backend.errors import Forbidden, InvalidInput, TooManyAttempts, TouchstoneError
from backend.settings import Settings
from backend.store.database import Database

FORM_FIELD = "form_token"
LARGEST_FORM = 64 * 1024
MOST_FIELDS = 40
_CONTROLS = {chr(code) for code in range(32)} | {"\x7f", "\\"}
log = structlog.get_logger("forms")


@dataclass(frozen=True, slots=True)
class Desk:
    """What the handlers share."""

    settings: Settings
    database: Database
    signer: Signer
    load_sample: Callable[[str], None] | None = None
    """Loads the sample project as the person behind this session token; None where there is none to load."""


def local_path(text: str) -> str:
    """`text` where it is a path on this site to go on to after the login, else "/"."""
    if not text.startswith("/") or text.startswith("//") or _CONTROLS & set(text) or len(text) > 500:
        return "/"
    if text.split("?", 1)[0] in ("/login", "/logout", "/setup", "/invite", "/reset", "/forgot", "/signed-out"):
        return "/"
    if text.split("?", 1)[0] == "/home":  # the page's name; its address is the root
        return "/" + text.removeprefix("/home")
    return text


def form_cookie(settings: Settings) -> str:
    """The name of the cookie that forms are bound to."""
    return "__Host-touchstone_form" if settings.secure else "touchstone_form"


def session_token(request: Request, settings: Settings) -> str:
    """The session token that the browser sent, or ''."""
    return token_in(request.headers, secure=settings.secure) or ""


def answer(desk: Desk, request: Request, *, title: str, status: int = 200, lead: str = "", bad: str = "", good: str = "",
           action: str = "", button: str = "", fields: list[forms.Html] | None = None, hidden: dict[str, str] | None = None,
           after: forms.Html | None = None) -> Response:  # fmt: skip
    """A page, with a form where `action` is given; the form carries its token, and the cookie that it is bound to."""
    body, cookie = forms.Html(), request.cookies.get(form_cookie(desk.settings)) or new_token()
    if action:
        bound = f"{cookie}|{session_token(request, desk.settings)}"
        carried = {FORM_FIELD: desk.signer.signature("form", bound), **(hidden or {})}
        body = forms.form(action, button, fields or [], carried)
    response = HTMLResponse(
        forms.page(title, lead=lead, bad=bad, good=good, body=forms.Html(body + (after or forms.Html()))), status
    )
    if action:
        _set_cookie(response, desk.settings, form_cookie(desk.settings), cookie, seconds=None)
    return response


async def read_form(desk: Desk, request: Request) -> dict[str, str]:
    """The posted fields. Raises Forbidden for a forged, InvalidInput for an unreadable form."""
    if not is_own_origin(request.headers, desk.settings, required=True):
        log.warning("form_refused", reason="foreign_origin", path=request.url.path)
        raise Forbidden("This form was not sent from Touchstone's own page. Open the page again and send it from there.")
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise InvalidInput("This form came in a shape that is not understood. Open the page again and send it from there.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise InvalidInput("This form is too long.")
    try:
        values = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"))
    except (UnicodeDecodeError, ValueError):
        raise InvalidInput("This form cannot be read. Open the page again and send it from there.") from None
    cookie = request.cookies.get(form_cookie(desk.settings), "")
    bound = f"{cookie}|{session_token(request, desk.settings)}"
    if not cookie or not desk.signer.holds("form", bound, values.get(FORM_FIELD, "")):
        log.warning("form_refused", reason="token", path=request.url.path)
        raise Forbidden("This page was open for too long, or cookies are switched off. Open it again and try once more.")
    return {name: value.replace("\x00", "") for name, value in values.items()}


def entered(desk: Desk, token: str, path: str) -> Response:
    """Go on to `path`, signed in. The cookie is the browser's own for the session's hours."""
    response = RedirectResponse(local_path(path), 303)
    _set_cookie(response, desk.settings, cookie_name(desk.settings.secure), token, seconds=desk.settings.session_hours * 3600)
    return response


def left(desk: Desk, response: Response) -> Response:
    """`response`, with the session's cookie taken back."""
    _set_cookie(response, desk.settings, cookie_name(desk.settings.secure), "", seconds=0)
    return response


def _set_cookie(response: Response, settings: Settings, name: str, value: str, *, seconds: int | None) -> None:
    response.set_cookie(name, value, max_age=seconds, path="/", secure=settings.secure, httponly=True, samesite="lax")


Handler = Callable[[Request], Awaitable[Response]]


def told(handler: Handler) -> Handler:
    """`handler`, with a known error as a page that says what to do, and an unknown one as an id (its trace is in the log)."""

    async def handling(request: Request) -> Response:
        try:
            return await handler(request)
        except TouchstoneError as error:
            headers = {"retry-after": str(error.retry_after)} if isinstance(error, TooManyAttempts) else None
            again = forms.link("/login", "Go to the sign-in page")
            return HTMLResponse(forms.page("That did not work", bad=error.message, body=again), error.status, headers)
        except Exception as error:
            number = new_token()[:8]
            log.error("unexpected_error", error_id=number, exc_info=error)
            bad = (
                f"Something went wrong here, and nothing was half saved. If it happens again, tell an admin this id: {number}."
            )
            return HTMLResponse(forms.page("That did not work", bad=bad), 500)

    return handling
