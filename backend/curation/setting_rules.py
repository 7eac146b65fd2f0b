"""Use-case of a project's rules about personal data: choosing them.

Promised: rules that cannot be kept to are refused with what to change; a change is in the audit trail. Not promised: that
records which are there already are looked at again at once; they are due for the next run of the check (`cleaning`).
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import Session

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.detectors.privacy import SETTING, PrivacyRules, as_setting, rules_of
from backend.store.locking import locked_project
from backend.vocabulary import Action, FindingKind, Replacement


def set_rules(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    kinds: Iterable[FindingKind],
    allowed: Iterable[str] = (),
    patterns: Iterable[str] = (),
    replacement: Replacement = Replacement.MASK,
) -> PrivacyRules:
    """Change what the project looks for; returns the rules as they are kept."""
    check(actor, Action.EDIT_SETTINGS, project_id)
    project = locked_project(session, project_id)
    rules = PrivacyRules(kinds=frozenset(kinds), allowed=frozenset(allowed), patterns=tuple(patterns), replacement=replacement)
    kept = as_setting(rules)
    project.settings = {**project.settings, SETTING: kept}
    session.add(project)
    audit.record(
        session, actor, "privacy_rules_changed", project_id=project_id, subject=f"project {project.slug}",
        kinds=kept["kinds"], allowed=len(kept["allowed"]), patterns=kept["patterns"], replacement=kept["replacement"],
    )  # fmt: skip
    session.commit()
    return rules_of(project.settings)
