"""Use-cases about false alarms: dismissing findings, one by one or by a rule, and taking that back.

Promised: the text stays, and the same words in later revisions stay dismissed.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel import Session, col, func, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check as allow
from backend.curation.fix_rules import Rule, open_by
from backend.curation.held import LONGEST_REASON, findings_named
from backend.errors import AlreadyDone, Conflict, InvalidInput, NotFound
from backend.store.records import Finding, Record
from backend.vocabulary import Action, FindingStatus

MOST_AT_ONCE = 10_000
"""Findings that one bulk dismisses."""


def dismiss(*, session: Session, actor: Actor, project_id: int, finding_ids: Collection[int], reason: str) -> list[Finding]:
    """Say that findings are none."""
    allow(actor, Action.REVIEW, project_id)
    said = _reason(reason)
    findings = findings_named(session, project_id, finding_ids)
    if closed := [finding for finding in findings if finding.status is not FindingStatus.OPEN]:
        raise AlreadyDone(f"This was already {closed[0].status}. Nothing was changed.")
    _dismiss(session, actor, findings, said)
    audit.record(
        session, actor, "finding_dismissed", project_id=project_id, subject=f"record {findings[0].record_id}",
        findings=[finding.id for finding in findings], reason=said,
    )  # fmt: skip
    session.commit()
    return findings


def dismiss_all(*, session: Session, actor: Actor, project_id: int, rule: Rule, reason: str) -> tuple[int, int]:
    """Dismiss what a rule means, at most MOST_AT_ONCE findings; returns how many were, and how many are left."""
    allow(actor, Action.BULK_REVIEW, project_id)
    said = _reason(reason)
    query = select(Finding).join(Record, col(Record.id) == col(Finding.record_id)).where(*open_by(rule, project_id))
    findings = list(session.exec(query.order_by(col(Finding.id)).limit(MOST_AT_ONCE)))
    if not findings:
        raise NotFound("There is nothing open here. Nothing was changed.")
    _dismiss(session, actor, findings, said)
    session.flush()
    left = session.exec(select(func.count()).select_from(query.subquery())).one()
    audit.record(
        session, actor, "finding_dismissed", project_id=project_id, subject=f"project {project_id}",
        count=len(findings), kinds=sorted(kind.value for kind in rule.kinds), reason=said,
    )  # fmt: skip
    session.commit()
    return len(findings), left


def reopen(*, session: Session, actor: Actor, project_id: int, finding_id: int) -> Finding:
    """Take back a dismissal."""
    allow(actor, Action.REVIEW, project_id)
    (finding,) = findings_named(session, project_id, [finding_id])
    if finding.status is not FindingStatus.DISMISSED:
        raise Conflict("This was not dismissed, so there is nothing to take back.")
    finding.status, finding.closed_by = FindingStatus.OPEN, None
    finding.detail = {key: value for key, value in finding.detail.items() if key != "reason"}
    session.add(finding)
    subject = f"record {finding.record_id}"
    audit.record(session, actor, "finding_reopened", project_id=project_id, subject=subject, finding=finding_id)
    session.commit()
    return finding


def _dismiss(session: Session, actor: Actor, findings: Collection[Finding], reason: str) -> None:
    for finding in findings:
        finding.status, finding.closed_by = FindingStatus.DISMISSED, actor.account_id
        finding.detail = {**finding.detail, "reason": reason}
        session.add(finding)


def _reason(reason: str) -> str:
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise InvalidInput("Please say in a few words why this is no problem; others will ask.")
    return reason.strip()
