"""Model versions by what they do: most answer in a chat, chat models and T5 models alike; some judge a text, by score or class.

What a version has learned stands in its run's config, so nothing else has to be stored; a base model as it is chats.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import exists
from sqlmodel import Session, select

from backend.errors import InvalidInput
from backend.store.models import ModelVersion, Run

CHATTER = "chat model"
KINDS = {"seq2seq": "T5 model", "reward": "reward model", "classification": "classifier"}
"""What people call the result of an objective, where it is another than a chat model."""
JUDGES = frozenset({"reward", "classification"})
"""Objectives whose result writes no answers (the trainer's contract says the same)."""


def kind_of(objective: str) -> str:
    """What people call the result of an objective."""
    return KINDS.get(objective, CHATTER)


def standing(stage: str, objective: str) -> str:
    """Where a version stands: its stage, or its kind where it has no way to be promoted."""
    return kind_of(objective) if objective in JUDGES else str(stage)


def objective_of(session: Session, version: ModelVersion) -> str:
    """What a version has learned; nothing for a base model as it is."""
    run = session.get(Run, version.run_id) if version.run_id else None
    return str(run.config.get("objective", "sft")) if run else ""


def chatting() -> Any:
    """The condition, in a query about versions, that a version chats."""
    return ~exists(select(Run.id).where(Run.id == ModelVersion.run_id, Run.config["objective"].as_string().in_(JUDGES)))


def refuse_judges(session: Session, version: ModelVersion) -> None:
    """Raises InvalidInput for a version that does not chat."""
    objective = objective_of(session, version)
    if objective in JUDGES:
        raise InvalidInput(
            f"{version.name} is a {kind_of(objective)} and does not chat, so it is not judged by the answers it writes and "
            "cannot become the project's chatbot. Its figures on the test rows stand on the Train page, under Versions."
        )
