"""Random tokens and their hashes. A token has 256 bits, so SHA-256 without salt is enough to keep it; passwords use argon2."""

from __future__ import annotations

import hashlib
import secrets


def new_token() -> str:
    """A URL-safe random token of 256 bits."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What is stored instead of the token: 64 hex digits."""
    return hashlib.sha256(token.encode()).hexdigest()
