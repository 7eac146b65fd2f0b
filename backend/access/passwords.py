"""Passwords: the rules for new ones, argon2 hashes, verification that takes as long for nobody as for somebody.

A hash costs 64 MiB and some 50 ms, so at most two are made at a time in a process; callers wait their turn. Never call
these on an event loop.
"""

from __future__ import annotations

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from backend.errors import InvalidInput

SHORTEST = 10
LONGEST = 1000
_hasher = PasswordHasher()
_turns = threading.BoundedSemaphore(2)


def check_password(password: str, *, email: str) -> None:
    """Raise InvalidInput where `password` breaks the rules for new passwords."""
    if len(password) < SHORTEST:
        raise InvalidInput(f"A password needs at least {SHORTEST} characters. A few unrelated words make a good one.")
    if len(password) > LONGEST:
        raise InvalidInput(f"A password has at most {LONGEST} characters.")
    if len(set(password)) < 4:
        raise InvalidInput("A password needs at least four different characters.")
    if password.strip().casefold() in {email.casefold(), email.casefold().partition("@")[0]}:
        raise InvalidInput("The password must not be your e-mail address.")


def hash_password(password: str) -> str:
    """The argon2id hash to store."""
    with _turns:
        return _hasher.hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Whether `password` belongs to the stored hash. Without a hash it verifies against a dummy, and says no."""
    with _turns:
        try:
            _hasher.verify(stored or _dummy(), password[: LONGEST + 1])
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


def is_outdated(stored: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(stored)


@cache
def _dummy() -> str:
    return _hasher.hash("nobody's password")
