"""The one answer to "may ACTOR do ACTION on PROJECT?". Use-cases ask it; pages only mirror it.

Pure: no database, no clock. An admin may do everything; a role may do what its line says, in its own project.
"""

from __future__ import annotations

from backend.access.actors import Actor
from backend.errors import Forbidden
from backend.vocabulary import Action, Role

_RATER = frozenset({Action.VIEW_PROJECT, Action.RATE, Action.CHAT, Action.SEND_FEEDBACK})
_EXPERT = _RATER | {Action.VIEW_RECORDS, Action.REVIEW, Action.EDIT_FAQ, Action.APPROVE_FAQ, Action.ADJUDICATE}
_LEAD = _EXPERT | {
    Action.VIEW_DASHBOARD,
    Action.VIEW_RESULTS,
    Action.VIEW_AUDIT,
    Action.MANAGE_MEMBERS,
    Action.EDIT_SETTINGS,
    Action.IMPORT,
    Action.EXPORT,
    Action.BULK_REVIEW,
    Action.CREATE_TASK,
    Action.SNAPSHOT,
    Action.TRAIN,
    Action.EVALUATE,
    Action.PROMOTE,
}

ALLOWED: dict[Role, frozenset[Action]] = {Role.RATER: _RATER, Role.EXPERT: frozenset(_EXPERT), Role.LEAD: frozenset(_LEAD)}
"""What each role may do in its project. MANAGE_ACCOUNTS, CREATE_PROJECT and OPEN_VAULT are for admins alone."""


def may(actor: Actor, action: Action, project_id: int | None = None) -> bool:
    """Whether `actor` may do `action` in the project (None: outside any project)."""
    if actor.is_admin:
        return True
    role = actor.role_in(project_id)
    return role is not None and action in ALLOWED[role]


def check(actor: Actor, action: Action, project_id: int | None = None) -> None:
    """Raise Forbidden unless `may`."""
    if not may(actor, action, project_id):
        raise Forbidden("Your role does not allow this. Ask a lead or an admin of the project for it.")
