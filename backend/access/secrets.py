"""Random tokens and their hashes, and the key that signs forms.

A token has 256 bits, so SHA-256 without salt is enough to keep it; passwords use argon2 (see `passwords`). Pure but for
`load_key`, which reads or makes one file in the data folder.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
from pathlib import Path
from typing import Any

KEY_FILE = "web.key"


def new_token() -> str:
    """A URL-safe random token of 256 bits."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What is stored instead of the token: 64 hex digits."""
    return hashlib.sha256(token.encode()).hexdigest()


def load_key(folder: Path, name: str = KEY_FILE) -> bytes:
    """The 32-byte key in `folder`, made on first use, readable by its owner alone. Two processes get the same one."""
    path = folder / name
    draft = folder / f"{name}.{os.getpid()}.{secrets.token_hex(4)}"
    if not path.exists():
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
        try:
            os.link(draft, path)  # fails where another process was first; its key counts
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()


class Signer:
    """Signs short texts with a key. `purpose` keeps a signature from being used elsewhere."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def signature(self, purpose: str, text: str) -> str:
        """A hex signature of `text` for `purpose`."""
        return hmac.new(self._key, f"{purpose}\0{text}".encode(), hashlib.sha256).hexdigest()

    def holds(self, purpose: str, text: str, signature: str) -> bool:
        """Whether `signature` was made by this key for this text and purpose."""
        return hmac.compare_digest(self.signature(purpose, text).encode(), signature.encode())

    def seal(self, purpose: str, value: Any, *, seconds: int) -> str:
        """A signed (not secret) text holding `value` and the time until which it counts."""
        body = base64.urlsafe_b64encode(json.dumps([int(time.time()) + seconds, value]).encode()).decode()
        return f"{body}.{self.signature(purpose, body)}"

    def unseal(self, purpose: str, sealed: str) -> Any:
        """The value inside, or None where the text was changed, is for something else, or is too old."""
        body, _, signature = sealed.partition(".")
        if not self.holds(purpose, body, signature):
            return None
        until, value = json.loads(base64.urlsafe_b64decode(body))
        return value if time.time() < until else None
