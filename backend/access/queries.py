"""Reads about people and projects."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.store.records import Project


@dataclass(frozen=True, slots=True)
class ProjectCard:
    """A project as the switcher shows it."""

    id: int
    slug: str
    name: str
    description: str


def projects_of(session: Session, actor: Actor) -> list[ProjectCard]:
    """The projects that the actor may enter, by name; an admin's are all."""
    query = select(Project).order_by(col(Project.name))
    if not actor.is_admin:
        query = query.where(col(Project.id).in_(list(actor.roles)))
    return [ProjectCard(project.id or 0, project.slug, project.name, project.description) for project in session.exec(query)]
