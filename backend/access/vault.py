"""What fills the vault: which stand-in belongs to which original, encrypted by a key that lies in the data folder, not in the
database.

Not promised: that a vault can be opened once the key file is lost; it belongs into the backup, apart from the database's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

from cryptography.fernet import Fernet
from sqlalchemy import insert
from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.secrets import load_key
from backend.detectors.stand_ins import StandIns
from backend.store.base import now
from backend.store.privacy import VaultEntry
from backend.vocabulary import FindingKind

KEY_FILE = "vault.key"
_BATCH = 500


class Keys:
    """The keys of one project, made from the file in the data folder. One hides nothing without the other's file."""

    def __init__(self, folder: Path, project_id: int) -> None:
        master = load_key(folder, KEY_FILE)

        def derived(what: str) -> bytes:
            return hmac.new(master, f"{what} of project {project_id}".encode(), hashlib.sha256).digest()

        self.stand_ins = StandIns(derived("stand-ins"))
        self.cipher = Fernet(base64.urlsafe_b64encode(derived("vault")))


def keep(session: Session, actor: Actor, project_id: int, keys: Keys, pairs: Iterable[tuple[FindingKind, str, str]]) -> None:
    """Hold (kind, original, stand-in) in the vault, each once; the caller commits."""
    by_print = {keys.stand_ins.fingerprint(kind, original): (kind, original, made) for kind, original, made in pairs}
    prints = list(by_print)
    for start in range(0, len(prints), _BATCH):
        batch = prints[start : start + _BATCH]
        held = select(VaultEntry.fingerprint).where(VaultEntry.project_id == project_id, col(VaultEntry.fingerprint).in_(batch))
        known = set(session.exec(held))
        new = [
            _entry(project_id, actor, keys, fingerprint, *by_print[fingerprint])
            for fingerprint in batch
            if fingerprint not in known
        ]
        if new:
            session.execute(insert(VaultEntry), new)


def _entry(
    project_id: int, actor: Actor, keys: Keys, fingerprint: str, kind: FindingKind, original: str, made: str
) -> dict[str, object]:
    return {
        "project_id": project_id,
        "kind": kind,
        "fingerprint": fingerprint,
        "sealed": keys.cipher.encrypt(original.encode(errors="surrogatepass")).decode(),
        "stand_in": made,
        "created_by": actor.account_id,
        "created_at": now(),
    }
