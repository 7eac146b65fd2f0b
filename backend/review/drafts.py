"""What a rater has chosen and written about an item before it is saved. Nothing here commits.

A draft belongs to the item and the rater, not to the hold on it: it comes back on another device, and also when the item
was given back meanwhile. Nobody else is ever shown it. Not promised: that it fits the rubric; it is checked when saved.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlmodel import Session, col, delete, select

from backend.errors import InvalidInput
from backend.store.base import now
from backend.store.work import Draft

KEYS = ("answers", "verdict", "ranking", "comment", "at")
"""What a draft may hold; `at` is the browser's clock in milliseconds, by which the newer of two is known."""
LONGEST = 60_000


def of(session: Session, *, item_id: int, account_id: int) -> dict[str, Any]:
    """The draft, or an empty one."""
    found = _row(session, item_id, account_id)
    return dict(found.content) if found else {}


def put(session: Session, *, item_id: int, account_id: int, content: Mapping[str, Any]) -> None:
    """Keep this draft instead of the one before. Raises InvalidInput for one that is too long."""
    kept = {key: content[key] for key in KEYS if key in content}
    if len(json.dumps(kept)) > LONGEST:
        raise InvalidInput("This is more than can be kept as a draft. Please shorten it.")
    row = _row(session, item_id, account_id) or Draft(item_id=item_id, account_id=account_id)
    row.content, row.updated_at = kept, now()
    session.add(row)
    session.flush()


def forget(session: Session, *, item_id: int, account_id: int) -> None:
    """The answer is saved, or the item passed on."""
    session.execute(delete(Draft).where(col(Draft.item_id) == item_id, col(Draft.account_id) == account_id))


def _row(session: Session, item_id: int, account_id: int) -> Draft | None:
    return session.exec(select(Draft).where(Draft.item_id == item_id, Draft.account_id == account_id)).one_or_none()
