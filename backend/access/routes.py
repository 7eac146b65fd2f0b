"""The login pages as Starlette routes: /login, /logout, /setup, /invite, /reset, /forgot. `oidc` adds single sign-on.

Handlers read the form, call one use-case in a worker thread, and answer. No scripts; every form is guarded by `exchange`.
"""

from __future__ import annotations

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from backend.access import entering, forms, inviting
from backend.access.exchange import Desk, answer, entered, left, local_path, read_form, session_token, told
from backend.access.forms import Field
from backend.access.links import find_link
from backend.access.passwords import LONGEST, SHORTEST
from backend.access.sessions import look_up
from backend.errors import Forbidden, NotSignedIn, TooManyAttempts, TouchstoneError
from backend.vocabulary import LinkPurpose

log = structlog.get_logger("login")
_PASSWORD_HINT = f"At least {SHORTEST} characters. A few unrelated words make a good one."


def routes(desk: Desk) -> list[BaseRoute]:
    """Every route of this module."""
    pages = Pages(desk)
    return [
        Route("/login", told(pages.login), methods=["GET", "POST"]),
        Route("/logout", told(pages.logout), methods=["GET", "POST"]),
        Route("/setup", told(pages.setup), methods=["GET", "POST"]),
        Route("/invite", told(pages.invite), methods=["GET", "POST"]),
        Route("/reset", told(pages.reset), methods=["GET", "POST"]),
        Route("/forgot", told(pages.forgot), methods=["GET"]),
    ]


def _email(value: str = "", *, readonly: bool = False, focus: bool = False) -> forms.Html:
    return forms.field(
        Field(name="email", label="E-mail", kind="email", value=value, autocomplete="username", readonly=readonly, focus=focus)
    )


def _name(value: str = "", *, focus: bool = False) -> forms.Html:
    return forms.field(Field(name="name", label="Your name", value=value, autocomplete="name", longest=200, focus=focus))


def _new_password(*, focus: bool = False) -> forms.Html:
    return forms.field(
        Field(
            name="password",
            label="Password",
            kind="password",
            autocomplete="new-password",
            hint=_PASSWORD_HINT,
            shortest=SHORTEST,
            longest=LONGEST,
            focus=focus,
        )
    )


class Pages:
    """The handlers, with what they share."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.settings = desk.settings
        self.database = desk.database

    async def login(self, request: Request) -> Response:
        """Sign in with e-mail and password."""
        if request.method == "POST":
            return await self._sign_in(request)
        target = local_path(request.query_params.get("next", "/"))
        token = session_token(request, self.settings)
        if token:
            try:
                await run_in_threadpool(look_up, self.database, token)
                return RedirectResponse(target, 303)
            except NotSignedIn:
                pass
        good = "You are signed out." if "signed_out" in request.query_params else ""
        return self._login_page(request, target=target, good=good)

    def _login_page(
        self, request: Request, *, target: str, email: str = "", bad: str = "", good: str = "", status: int = 200
    ) -> Response:
        after = forms.Html()
        if self.settings.oidc_issuer:
            after = forms.link("/oidc/login", "Sign in with single sign-on", "button plain")
        after = forms.Html(after + '<p class="links"><a href="/forgot">Forgot your password?</a></p>')
        password = Field(
            name="password",
            label="Password",
            kind="password",
            autocomplete="current-password",
            longest=LONGEST,
            focus=bool(email),
        )
        return answer(
            self.desk,
            request,
            title="Sign in",
            status=status,
            bad=bad,
            good=good,
            action="/login",
            button="Sign in",
            fields=[_email(email, focus=not email), forms.field(password)],
            hidden={"next": target},
            after=after,
        )

    async def _sign_in(self, request: Request) -> Response:
        values = await read_form(self.desk, request)
        target, email = local_path(values.get("next", "/")), values.get("email", "")[:320]
        try:
            token = await run_in_threadpool(
                entering.sign_in,
                database=self.database,
                email=email,
                password=values.get("password", ""),
                address=request.client.host if request.client else "",
                hours=self.settings.session_hours,
                attempts=self.settings.login_attempts,
                user_agent=request.headers.get("user-agent", ""),
                replaces=session_token(request, self.settings) or None,
            )
        except TooManyAttempts as error:
            response = self._login_page(request, target=target, email=email, bad=error.message, status=error.status)
            response.headers["retry-after"] = str(error.retry_after)
            return response
        except NotSignedIn as error:
            return self._login_page(request, target=target, email=email, bad=error.message, status=error.status)
        return entered(self.desk, token, target)

    async def logout(self, request: Request) -> Response:
        """Ask, then end the session."""
        token = session_token(request, self.settings)
        if request.method == "POST":
            await read_form(self.desk, request)
            await run_in_threadpool(self._write, entering.sign_out, token=token)
            return left(self.desk, RedirectResponse("/login?signed_out=1", 303))
        try:
            actor = await run_in_threadpool(look_up, self.database, token)
        except NotSignedIn:
            return left(self.desk, RedirectResponse("/login?signed_out=1", 303))
        return answer(
            self.desk,
            request,
            title="Sign out?",
            lead=f"You are signed in as {actor.label}. What you saved is safe.",
            action="/logout",
            button="Sign out",
            after=forms.link("/", "Stay", "button plain"),
        )

    async def setup(self, request: Request) -> Response:
        """Create the admin account by the one-time link that the first start prints."""
        if request.method == "GET":
            token = request.query_params.get("token", "")
            await run_in_threadpool(self._read_link, token, LinkPurpose.SETUP)
            return self._setup_page(request, {"token": token})
        values = await read_form(self.desk, request)
        try:
            opened = await run_in_threadpool(
                self._write,
                entering.set_up,
                token=values.get("token", ""),
                email=values.get("email", ""),
                name=values.get("name", ""),
                password=values.get("password", ""),
                hours=self.settings.session_hours,
                user_agent=request.headers.get("user-agent", ""),
            )
        except TouchstoneError as error:
            if error.status != 422:
                raise
            return self._setup_page(request, values, bad=error.message)
        if values.get("sample") and self.desk.load_sample is not None:
            try:
                await run_in_threadpool(self.desk.load_sample, opened)
            except Exception as error:
                log.error("sample_not_loaded", exc_info=error)
        return entered(self.desk, opened, "/")

    def _setup_page(self, request: Request, values: dict[str, str], bad: str = "") -> Response:
        fields = [_name(values.get("name", ""), focus=True), _email(values.get("email", "")), _new_password()]
        if self.desk.load_sample is not None:
            hint = "A small web shop's support chats, with real mistakes to find. Good for a first look."
            fields.append(forms.check("sample", "Load the sample project", hint))
        return answer(
            self.desk,
            request,
            title="Set up Touchstone",
            lead="This makes the admin account. You can invite everybody else from inside.",
            status=422 if bad else 200,
            bad=bad,
            action="/setup",
            button="Create the account",
            fields=fields,
            hidden={"token": values.get("token", "")},
        )

    async def invite(self, request: Request) -> Response:
        """Accept an invitation to a project."""
        if request.method == "GET":
            return await self._invite_page(request, {"token": request.query_params.get("token", "")})
        values = await read_form(self.desk, request)
        try:
            opened = await run_in_threadpool(
                self._write,
                inviting.accept,
                token=values.get("token", ""),
                name=values.get("name", ""),
                password=values.get("password", ""),
                hours=self.settings.session_hours,
                user_agent=request.headers.get("user-agent", ""),
            )
        except TouchstoneError as error:
            if error.status != 422:
                raise
            return await self._invite_page(request, values, bad=error.message)
        return entered(self.desk, opened, "/")

    async def _invite_page(self, request: Request, values: dict[str, str], bad: str = "") -> Response:
        found = await run_in_threadpool(self._read, inviting.look_at_invitation, token=values["token"])
        if found.has_account:
            raise Forbidden("There is an account for this address already. Please sign in.")
        return answer(
            self.desk,
            request,
            title="Join Touchstone",
            lead=f"You are invited to “{found.project}” as {found.role.value}.",
            status=422 if bad else 200,
            bad=bad,
            action="/invite",
            button="Create my account",
            fields=[_email(found.email, readonly=True), _name(values.get("name", ""), focus=True), _new_password()],
            hidden={"token": values["token"]},
        )

    async def reset(self, request: Request) -> Response:
        """Set a new password by a one-time link."""
        if request.method == "GET":
            return await self._reset_page(request, request.query_params.get("token", ""))
        values = await read_form(self.desk, request)
        try:
            opened = await run_in_threadpool(
                self._write,
                inviting.reset,
                token=values.get("token", ""),
                password=values.get("password", ""),
                hours=self.settings.session_hours,
                user_agent=request.headers.get("user-agent", ""),
            )
        except TouchstoneError as error:
            if error.status != 422:
                raise
            return await self._reset_page(request, values.get("token", ""), bad=error.message)
        return entered(self.desk, opened, "/")

    async def _reset_page(self, request: Request, token: str, bad: str = "") -> Response:
        email = await run_in_threadpool(self._read, inviting.look_at_reset, token=token)
        return answer(
            self.desk,
            request,
            title="Choose a password",
            lead="Everywhere else you are signed in, you will be signed out.",
            status=422 if bad else 200,
            bad=bad,
            action="/reset",
            button="Save the password",
            fields=[_email(email, readonly=True), _new_password(focus=True)],
            hidden={"token": token},
        )

    async def forgot(self, request: Request) -> Response:
        """Say how a password is reset where no mail is sent."""
        return answer(
            self.desk,
            request,
            title="Forgot your password?",
            lead="Touchstone sends no mail. Ask an admin for a reset link: they make one on the "
            "Administration page. The link works once. An admin who is locked out makes one on the machine "
            "itself with “python -m backend user add” and the admin's address.",
            after=forms.link("/login", "Back to the sign-in page"),
        )

    def _read(self, use_case, **values):  # type: ignore[no-untyped-def]
        with self.database.reading() as session:
            return use_case(session=session, **values)

    def _write(self, use_case, **values):  # type: ignore[no-untyped-def]
        with self.database.writing() as session:
            return use_case(session=session, **values)

    def _read_link(self, token: str, purpose: LinkPurpose) -> None:
        with self.database.reading() as session:
            find_link(session, token, purpose)
