"""The vault: which stand-in belongs to which original, encrypted by a key that lies in the data folder, not in the database.

Promised: a look into it needs the right to, and is in the audit trail, also when nothing was found. Not promised: that a
vault can be opened once the key file is lost; it belongs into the backup, apart from the database's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.access.secrets import load_key
from backend.curation.stand_ins import StandIns
from backend.errors import IntegrityViolated, InvalidInput
from backend.store.privacy import VaultEntry
from backend.vocabulary import Action, FindingKind

KEY_FILE = "vault.key"
_MOST = 200


@dataclass(frozen=True, slots=True)
class Original:
    """What a stand-in stands for."""

    kind: FindingKind
    stand_in: str
    original: str


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
    held = select(VaultEntry.fingerprint).where(VaultEntry.project_id == project_id, col(VaultEntry.fingerprint).in_(by_print))
    known = set(session.exec(held))
    for fingerprint, (kind, original, made) in by_print.items():
        if fingerprint not in known:
            sealed = keys.cipher.encrypt(original.encode(errors="surrogatepass")).decode()
            session.add(
                VaultEntry(
                    project_id=project_id, kind=kind, fingerprint=fingerprint, sealed=sealed, stand_in=made,
                    created_by=actor.account_id,
                )
            )  # fmt: skip
    session.flush()


def look_up(*, session: Session, actor: Actor, project_id: int, folder: Path, stand_in: str, reason: str) -> list[Original]:
    """The originals that a stand-in, or a word of one, stands for. For admins; every look is in the audit trail."""
    check(actor, Action.OPEN_VAULT, project_id)
    wanted = stand_in.strip()
    if len(wanted) < 2 or not reason.strip() or len(reason) > _MOST:
        raise InvalidInput("Say which stand-in you look for, and in a few words why: others will read it in the audit trail.")
    cipher = Keys(folder, project_id).cipher
    like = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    entries = session.exec(
        select(VaultEntry)
        .where(VaultEntry.project_id == project_id, col(VaultEntry.stand_in).ilike(f"%{like}%", escape="\\"))
        .order_by(col(VaultEntry.id))
        .limit(_MOST)
    ).all()
    try:
        found = [
            Original(entry.kind, entry.stand_in, cipher.decrypt(entry.sealed.encode()).decode(errors="surrogatepass"))
            for entry in entries
        ]
    except InvalidToken:
        raise IntegrityViolated(
            "The vault cannot be opened with the key in the data folder. Put the key file of the same backup back."
        ) from None
    audit.record(
        session, actor, "vault_opened", project_id=project_id, subject=f"project {project_id}",
        stand_in=wanted, found=len(found), reason=reason.strip(),
    )  # fmt: skip
    session.commit()
    return found
