"""The gate: an ASGI middleware before everything. It lets nobody without a living session at the app, and sets headers.

Open without a session: the login pages, `/healthz`, Streamlit's own scripts and fonts, its health check, and the HTTP
API (which asks for a bearer token itself). A page asked for without a session answers with the way to the login; a
websocket is refused, and so is one from a foreign origin; everything else answers 401.
Promised: a revoked session opens no new websocket. What an open one may still do is decided at every rerun, by `require`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import quote, urlsplit

import streamlit
import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.access import forms
from backend.access.sessions import cookie_name, look_up
from backend.errors import NotSignedIn, ServiceUnavailable
from backend.settings import Settings
from backend.store.database import Database

OPEN_PAGES = ("/login", "/logout", "/setup", "/invite", "/reset", "/forgot", "/healthz", "/openapi.json")
OPEN_FOLDERS = ("/oidc/", "/static/", "/api/", "/v1/")
OPEN_FILES = ("/_stcore/health", "/_stcore/host-config", "/favicon.png", "/manifest.json")
GUARDED_FOLDERS = ("/_stcore/", "/media/", "/component/", "/app/")
"""What the browser fetches by itself: answered with 401, not with the way to the login."""

log = structlog.get_logger("gate")


def _shell_scripts() -> str:
    """Hashes of the scripts inside Streamlit's own page, so that no other inline script runs."""
    index = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script>(.*?)</script>", index, re.DOTALL)
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts)


APP_POLICY = "; ".join(
    [
        "default-src 'self'",
        # Streamlit's charts compile expressions, its components are modules made in memory
        f"script-src 'self' {_shell_scripts()} 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' blob: data:",
        "media-src 'self' blob: data:",
        "worker-src 'self' blob:",
        "frame-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
FORM_POLICY = (
    f"default-src 'none'; style-src '{forms.STYLE_HASH}'; font-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


def token_in(headers: Headers, *, secure: bool) -> str | None:
    """The session token in a request's cookies, or None."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(cookie_name(secure))
    except CookieError:
        return None
    return morsel.value if morsel else None


def is_own_origin(headers: Headers, settings: Settings, *, required: bool) -> bool:
    """Whether Origin (or, where it is missing, Referer) names this very site. Missing both: only if not `required`."""
    claimed = headers.get("origin") or headers.get("referer")
    if not claimed:
        return not required
    try:
        parts = urlsplit(claimed)
    except ValueError:
        return False
    if settings.public_url and (parts.scheme, parts.netloc) == tuple(urlsplit(settings.address)[:2]):
        return True
    return parts.scheme in ("http", "https") and bool(parts.netloc) and parts.netloc == headers.get("host", "")


class Gate:
    """Pure ASGI: no buffering, websockets included."""

    def __init__(self, app: ASGIApp, *, settings: Settings, database: Database) -> None:
        self.app = app
        self.settings = settings
        self.database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer it."""
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, self._with_headers(scope, send))
        else:
            await self.app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        # a browser always names its origin; a program without one has no other person's cookie
        reason = "" if is_own_origin(headers, self.settings, required=False) else "foreign_origin"
        if not reason:
            try:
                reason = "" if await self._is_signed_in(headers) else "no_session"
            except ServiceUnavailable:
                reason = "database_away"
        if not reason:
            await self.app(scope, receive, send)
            return
        log.info("websocket_refused", reason=reason, path=scope["path"])
        await receive()
        await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path in OPEN_PAGES or path in OPEN_FILES or path.startswith(OPEN_FOLDERS):
            await self.app(scope, receive, send)
            return
        try:
            signed_in = await self._is_signed_in(Headers(scope=scope))
        except ServiceUnavailable as error:
            page = forms.page("One moment", bad=error.message, body=forms.link(path, "Try again"))
            await HTMLResponse(page, 503, {"retry-after": "5"})(scope, receive, send)
            return
        if signed_in:
            await self.app(scope, receive, send)
        else:
            await self._refusal(scope)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response:
        path = scope["path"]
        if scope["method"] not in ("GET", "HEAD") or path.startswith(GUARDED_FOLDERS):
            return PlainTextResponse("Please sign in.", 401)
        if path == "/":
            return RedirectResponse("/login", 303)
        return RedirectResponse(f"/login?next={quote(path, safe='')}", 303)

    async def _is_signed_in(self, headers: Headers) -> bool:
        token = token_in(headers, secure=self.settings.secure)
        if not token:
            return False
        try:
            await run_in_threadpool(look_up, self.database, token)
        except NotSignedIn:
            return False
        return True

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        is_form = scope["path"] in OPEN_PAGES or scope["path"].startswith("/oidc/")

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["content-security-policy"] = FORM_POLICY if is_form else APP_POLICY
                headers["x-content-type-options"] = "nosniff"
                headers["x-frame-options"] = "DENY"
                headers["referrer-policy"] = "same-origin"
                headers["cross-origin-opener-policy"] = "same-origin"
                headers["permissions-policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
                if is_form:
                    headers["cache-control"] = "no-store"
                if self.settings.secure:
                    headers["strict-transport-security"] = "max-age=31536000"
            await send(message)

        return sending
