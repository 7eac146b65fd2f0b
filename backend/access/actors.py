"""Who acts. An Actor is made from a session, a token, or by the command line, and handed to every use-case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from backend.vocabulary import Role


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that acts. `roles` maps project ids to the role held there.

    `account_id` is None for the system (command line, worker) and for visitors of the public chat.
    """

    account_id: int | None
    label: str
    is_admin: bool = False
    roles: Mapping[int, Role] = field(default_factory=dict)

    def role_in(self, project_id: int | None) -> Role | None:
        """The role held in a project, or None."""
        return None if project_id is None else self.roles.get(project_id)


SYSTEM = Actor(account_id=None, label="system", is_admin=True)
"""The command line and the worker on the machine that holds the data: whoever can run them can read the database anyway."""
