"""What a plan estimated, for the run that is started after it: so that the estimate can be held against what was measured."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session, col, select

from backend.jobs import outcomes
from backend.settings import Settings
from backend.store.models import Job
from backend.vocabulary import JobKind, JobStatus
from trainer import contract

PLANNED = "config"
"""The key in a plan's payload under which the config lies that was planned."""
_LOOKED_AT = 50


def estimate_for(session: Session, settings: Settings, project_id: int, config: dict[str, Any]) -> dict[str, Any]:
    """What the newest plan of this very config estimated, or nothing."""
    query = select(Job).where(Job.project_id == project_id, Job.kind == JobKind.PLAN, Job.status == JobStatus.SUCCEEDED)
    for job in session.exec(query.order_by(col(Job.id).desc()).limit(_LOOKED_AT)):
        if job.payload.get(PLANNED) == config:
            told = outcomes.read_object(settings.data / job.folder / contract.RESULT) or {}
            return {name: value for name, value in told.items() if name.startswith("estimated_")}
    return {}
