"""The use-case of a project's rules about its texts: languages, product words, brand voice.

Promised: rules that cannot be kept to are refused with what to change; a change is in the audit trail. Not promised: that
records which are there already are checked anew; the next cleaning does that.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import Session

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.detectors.checks import Voice
from backend.detectors.rules import SETTING, TextRules, as_setting, rules_of
from backend.store.locking import locked_project
from backend.vocabulary import Action


def set_text_rules(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    languages: Iterable[str] = (),
    product_words: Iterable[str] = (),
    forbidden: Iterable[tuple[str, str]] = (),
    required: Iterable[str] = (),
    longest: int = 0,
) -> TextRules:
    """Change what the project asks of its texts; returns the rules as they are kept."""
    check(actor, Action.EDIT_SETTINGS, project_id)
    project = locked_project(session, project_id)
    voice = Voice(forbidden=tuple(forbidden), required=tuple(required), longest=longest)
    kept = as_setting(TextRules(languages=tuple(languages), product_words=frozenset(product_words), voice=voice))
    project.settings = {**project.settings, SETTING: kept}
    session.add(project)
    audit.record(
        session, actor, "text_rules_changed", project_id=project_id, subject=f"project {project.slug}",
        languages=kept["languages"], product_words=len(kept["product_words"]), forbidden=len(kept["forbidden"]),
        required=kept["required"], longest=kept["longest"],
    )  # fmt: skip
    session.commit()
    return rules_of(project.settings)
