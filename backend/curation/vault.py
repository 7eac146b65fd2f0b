"""A look into the vault, which says which original a stand-in belongs to.

Promised: it needs the right to, and is in the audit trail, also when nothing was found.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import InvalidToken
from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.access.vault import Keys, keep
from backend.errors import IntegrityViolated, InvalidInput
from backend.store.privacy import VaultEntry
from backend.vocabulary import Action, FindingKind

__all__ = ["Keys", "Original", "keep", "look_up"]

_MOST = 200


@dataclass(frozen=True, slots=True)
class Original:
    """What a stand-in stands for."""

    kind: FindingKind
    stand_in: str
    original: str


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
