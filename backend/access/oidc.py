"""Single sign-on by OpenID Connect (authorization code, PKCE, state, nonce), through Authlib. It ends in our own session.

Authlib fetches the provider's metadata and keys, exchanges the code and validates the id_token; what it must remember
between the two requests travels in a signed cookie of ten minutes. An account is found by issuer and subject, else by an
e-mail address that the provider says is verified, else by an open invitation to that address.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from backend.access.exchange import Desk, entered, local_path, session_token, told
from backend.access.identifying import Identity, sign_in_by_identity
from backend.errors import InvalidInput, NotFound, NotSignedIn, ServiceUnavailable

REMEMBERED_SECONDS = 600
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a key pair only: an id_token signed with a shared secret, or not at all, is refused."""
log = structlog.get_logger("oidc")


def routes(desk: Desk) -> list[BaseRoute]:
    """The two routes; without an issuer in the settings they answer that single sign-on is off."""
    single = SingleSignOn(desk)
    return [
        Route("/oidc/login", told(single.login), methods=["GET"]),
        Route("/oidc/callback", told(single.callback), methods=["GET"]),
    ]


class SingleSignOn:
    """The handlers. The Authlib client is made on first use: importing it takes time that no start should pay."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._settings = desk.settings
        self._made: Any = None

    async def login(self, request: Request) -> Response:
        """Send the browser to the provider."""
        client = await self._client()
        request.scope["session"] = remembered = {"next": local_path(request.query_params.get("next", "/"))}
        response: Response = await client.authorize_redirect(request, f"{self._settings.address}/oidc/callback")
        sealed = self._desk.signer.seal("oidc", remembered, seconds=REMEMBERED_SECONDS)
        response.set_cookie(
            self._cookie,
            sealed,
            max_age=REMEMBERED_SECONDS,
            path="/",
            secure=self._settings.secure,
            httponly=True,
            samesite="lax",
        )
        return response

    async def callback(self, request: Request) -> Response:
        """Take the provider's answer, open a session."""
        remembered = self._desk.signer.unseal("oidc", request.cookies.get(self._cookie, ""))
        if not isinstance(remembered, dict):
            raise NotSignedIn("Signing in took too long, or cookies are switched off. Please start again.")
        identity = await self._identity(request, remembered)
        opened = await run_in_threadpool(
            sign_in_by_identity,
            database=self._desk.database,
            identity=identity,
            hours=self._settings.session_hours,
            user_agent=request.headers.get("user-agent", ""),
            replaces=session_token(request, self._settings) or None,
        )
        response = entered(self._desk, opened, remembered.get("next", "/"))
        response.delete_cookie(self._cookie, path="/", secure=self._settings.secure, httponly=True, samesite="lax")
        return response

    async def _identity(self, request: Request, remembered: dict[str, Any]) -> Identity:
        from authlib.integrations.base_client import OAuthError
        from authlib.oauth2.rfc6749 import OAuth2Error
        from joserfc.errors import JoseError

        client = await self._client()
        request.scope["session"] = remembered
        try:
            token = await client.authorize_access_token(request)
        except (OAuthError, OAuth2Error, JoseError, ValueError) as error:
            log.warning("sign_on_refused", reason=type(error).__name__, detail=str(error)[:200])
            raise NotSignedIn(
                "The sign-on service's answer could not be trusted, or you declined. Please start again."
            ) from None
        except _transport_errors() as error:
            raise ServiceUnavailable("The sign-on service did not answer. Please try again later.") from error
        claims = token.get("userinfo")
        if not claims or not claims.get("sub"):
            raise NotSignedIn("The sign-on service did not say who you are. Please start again.")
        return Identity(
            subject=f"{claims['iss']}|{claims['sub']}"[:500],
            email=str(claims.get("email") or "").strip().casefold() if claims.get("email_verified") is True else "",
            name=str(claims.get("name") or ""),
        )

    @property
    def _cookie(self) -> str:
        return "__Host-touchstone_oidc" if self._settings.secure else "touchstone_oidc"

    async def _client(self) -> Any:
        issuer = self._settings.oidc_issuer.rstrip("/")
        if not issuer:
            raise NotFound("Single sign-on is switched off here. Sign in with your password.")
        parts = urlsplit(issuer)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise InvalidInput("The sign-on service's address must begin with https://. Tell an admin.")
        if self._made is None:
            from authlib.integrations.starlette_client import OAuth

            self._made = OAuth().register(
                "touchstone",
                client_id=self._settings.oidc_client_id,
                client_secret=self._settings.oidc_client_secret or None,
                server_metadata_url=f"{issuer}/.well-known/openid-configuration",
                client_kwargs={
                    "scope": "openid email profile",
                    "code_challenge_method": "S256",
                    "timeout": 10,
                    "trust_env": False,
                },
            )
        await self._check_metadata(issuer)
        return self._made

    async def _check_metadata(self, issuer: str) -> None:
        unreadable: tuple[type[Exception], ...] = (*_transport_errors(), ValueError)
        try:
            metadata = await self._made.load_server_metadata()
        except unreadable as error:
            raise ServiceUnavailable("The sign-on service did not answer. Please try again later.") from error
        if str(metadata.get("issuer", "")).rstrip("/") != issuer:
            raise ServiceUnavailable("The sign-on service names another issuer than the settings do. Tell an admin.")
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = [name for name in offered if name in ALGORITHMS] or ["RS256"]


def _transport_errors() -> tuple[type[Exception], ...]:
    """What Authlib's HTTP client raises: it prefers httpx2 where that is installed, and takes httpx elsewhere."""
    found = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name) is not None]
    return tuple(importlib.import_module(name).HTTPError for name in found)
