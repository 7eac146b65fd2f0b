"""Rows that a use-case holds until its transaction ends: read anew, so that what is changed is what is there now.

Held against others who would change them, not against those who only refer to them: a rater's answer names its task and
project, and does not wait. Not promised: an order between projects and tasks; take the project first.
"""

from __future__ import annotations

from sqlmodel import Session, select

from backend.errors import NotFound
from backend.store.records import Project
from backend.store.work import Task


def locked_project(session: Session, project_id: int) -> Project:
    """The project. Raises NotFound."""
    query = select(Project).where(Project.id == project_id).with_for_update(key_share=True)
    project = session.exec(query.execution_options(populate_existing=True)).one_or_none()
    if project is None:
        raise NotFound("There is no such project.")
    return project


def locked_task(session: Session, project_id: int, task_id: int) -> Task:
    """The task. Raises NotFound, also for a task of another project."""
    query = select(Task).where(Task.id == task_id, Task.project_id == project_id).with_for_update(key_share=True)
    task = session.exec(query.execution_options(populate_existing=True)).one_or_none()
    if task is None:
        raise NotFound("There is no such task in this project.")
    return task
