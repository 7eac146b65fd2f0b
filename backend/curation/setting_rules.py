"""Use-cases of a project's rules about personal data: choosing them, and looking again at the records by them.

Promised: rules that cannot be kept to are refused with what to change; a change is in the audit trail. Not promised: that
records which are there already are looked at again at once; `look_again` does that, some thousand at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.detectors.personal import DETECTOR, VERSION
from backend.detectors.privacy import SETTING, PrivacyRules, as_setting, rules_of
from backend.store.findings import refresh_findings
from backend.store.locking import locked_project
from backend.store.records import Record, RecordRevision
from backend.vocabulary import Action, FindingKind, FindingStatus, Replacement

MOST_AT_ONCE = 2000
"""Records that one look goes through."""
_BATCH = 200


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found."""

    records: int
    found: int
    """Findings that are open in them."""
    next_after: int | None
    """The id after which the next look begins; None when all were looked at."""


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


def look_again(*, session: Session, actor: Actor, project_id: int, after: int = 0) -> Looked:
    """Look for personal data in the newest text of the project's records, from the one after `after` on."""
    check(actor, Action.EDIT_SETTINGS, project_id)
    newest = (
        select(Record, RecordRevision)
        .join(RecordRevision, (col(RecordRevision.record_id) == Record.id) & (col(RecordRevision.number) == Record.head))
        .where(Record.project_id == project_id, col(Record.id) > after)
        .order_by(col(Record.id))
        .limit(MOST_AT_ONCE)
    )
    found, records, last = 0, 0, after
    for record, revision in session.exec(newest).all():
        rows = refresh_findings(session, record, revision)
        found += sum(row.status is FindingStatus.OPEN for row in rows)
        records, last = records + 1, record.id or last
        if records % _BATCH == 0:
            session.flush()
    more = session.exec(select(func.count()).where(Record.project_id == project_id, col(Record.id) > last)).one()
    audit.record(
        session, actor, "privacy_looked_again", project_id=project_id, subject=f"project {project_id}",
        records=records, found=found, detector=DETECTOR, version=VERSION,
    )  # fmt: skip
    session.commit()
    return Looked(records, found, last if more else None)
