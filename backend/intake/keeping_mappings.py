"""Use-cases of column mappings that a project keeps by name, so that next month's export needs no choosing again."""

from __future__ import annotations

from sqlmodel import Session

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import InvalidInput, NotFound
from backend.intake.mapping import Mapping
from backend.store.locking import locked_project
from backend.store.records import Project
from backend.vocabulary import Action

MOST_KEPT = 50
_KEY = "mappings"


def keep_mapping(*, session: Session, actor: Actor, project_id: int, name: str, mapping: Mapping) -> None:
    """Keep a mapping under a name; one of the same name gives way."""
    check(actor, Action.IMPORT, project_id)
    name = name.strip().replace("\x00", "")
    if not 0 < len(name) <= 80:
        raise InvalidInput("Give the mapping a name of at most 80 characters.")
    project = locked_project(session, project_id)
    kept = {**project.settings.get(_KEY, {}), name: mapping.to_json()}
    if len(kept) > MOST_KEPT:
        raise InvalidInput(f"A project keeps at most {MOST_KEPT} mappings. Forget one first.")
    _save(session, actor, project, kept, "mapping_kept", name)


def forget_mapping(*, session: Session, actor: Actor, project_id: int, name: str) -> None:
    """Forget a kept mapping. Imports that used it keep theirs."""
    check(actor, Action.IMPORT, project_id)
    project = locked_project(session, project_id)
    kept = dict(project.settings.get(_KEY, {}))
    if kept.pop(name, None) is None:
        raise NotFound("There is no mapping of this name.")
    _save(session, actor, project, kept, "mapping_forgotten", name)


def kept_mappings(session: Session, *, actor: Actor, project_id: int) -> dict[str, Mapping]:
    """The project's mappings by name."""
    check(actor, Action.IMPORT, project_id)
    project = session.get(Project, project_id)
    stored = project.settings.get(_KEY, {}) if project is not None else {}
    return {name: Mapping.from_json(value) for name, value in sorted(stored.items())}


def _save(session: Session, actor: Actor, project: Project, kept: dict[str, object], action: str, name: str) -> None:
    project.settings = {**project.settings, _KEY: kept}
    session.add(project)
    audit.record(session, actor, action, project_id=project.id, subject=name)
    session.commit()
