"""Reads of a project's rules about its texts, and what its brand voice would say to an answer."""

from __future__ import annotations

from sqlmodel import Session

from backend.access.actors import Actor
from backend.access.policy import check
from backend.detectors.findings import Finding, apply
from backend.detectors.language import NAMES
from backend.detectors.rules import LONGEST_ANSWER, TextRules, rules_of
from backend.detectors.voice import find_in_answer
from backend.errors import NotFound
from backend.store.records import Project
from backend.vocabulary import Action

__all__ = ["LANGUAGES", "LONGEST_ANSWER", "text_rules", "try_voice"]

LANGUAGES = dict(sorted(NAMES.items(), key=lambda item: item[1]))
"""Code → name of every language that can be told apart, by name."""


def text_rules(session: Session, *, actor: Actor, project_id: int) -> TextRules:
    """What the project asks of its texts."""
    check(actor, Action.VIEW_RECORDS, project_id)
    project = session.get(Project, project_id)
    if project is None:
        raise NotFound("There is no such project.")
    return rules_of(project.settings)


def try_voice(rules: TextRules, answer: str) -> tuple[list[Finding], str]:
    """What the brand voice finds in an answer, and the answer as its proposals would leave it."""
    found = sorted(find_in_answer(answer, rules.voice), key=lambda finding: (finding.start, finding.end))
    return found, apply(answer, found)
