"""Use-cases of the flag for abusive language: deciding on what was flagged, and having the project's decisions taught to it.

Promised: nothing is learned from too few decisions; what was learned comes with precision and recall on decisions that it did
not learn from, next to those of the flag alone, and can be taken back. Not promised: that findings change at once; the next
run of the check goes by it.
"""

from __future__ import annotations

from typing import Any

from sqlmodel import Session, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.conversations import USER
from backend.curation.abuse_labels import CONFIRMED, labels
from backend.curation.held import findings_named, locked_record, revision_of
from backend.detectors.abuse import DETECTOR, VERSION
from backend.detectors.abuse_learning import Measured, teach
from backend.errors import AlreadyDone, NotFound, NotReady
from backend.statistics.results import Estimate, Result
from backend.store.base import now
from backend.store.checking_context import ABUSE_MODEL
from backend.store.locking import locked_project
from backend.store.records import Finding
from backend.vocabulary import Action, FindingKind, FindingStatus

ABUSE_REPORT = "abuse_report"
"""The key in `Project.settings` of how good what was learned is, when it was learned and from how much."""
ABUSE_BEFORE = "abuse_before"
"""The key of what `take_back` puts back: the model and report from before."""
NO_ABUSE = "No abuse"


def decide(*, session: Session, actor: Actor, project_id: int, finding_id: int, abuse: bool) -> Finding:
    """Say whether what the flag found is abuse. Confirmed, the finding stays open until the text is dealt with."""
    check(actor, Action.REVIEW, project_id)
    (finding,) = findings_named(session, project_id, [finding_id])
    if finding.kind is not FindingKind.ABUSE:
        raise NotFound("This is no finding of abuse.")
    if finding.status is not FindingStatus.OPEN or CONFIRMED in finding.detail:
        raise AlreadyDone("Somebody has decided on this already. Nothing was changed.")
    if abuse:
        finding.detail = {**finding.detail, CONFIRMED: actor.account_id}
    else:
        finding.status, finding.closed_by = FindingStatus.DISMISSED, actor.account_id
        finding.detail = {**finding.detail, "reason": NO_ABUSE}
    session.add(finding)
    _told(session, actor, project_id, finding, abuse=abuse)
    return finding


def report_missed(*, session: Session, actor: Actor, project_id: int, record_id: int) -> Finding:
    """Say that the customer's last message of a record is abuse, which the flag missed."""
    check(actor, Action.REVIEW, project_id)
    record = locked_record(session, project_id, record_id)
    newest = revision_of(session, record, record.head)
    messages = newest.messages if newest else []
    place = max((number for number, message in enumerate(messages) if message["role"] == USER), default=None)
    if newest is None or place is None:
        raise NotFound("This record has no message of a customer.")
    there = select(Finding).where(Finding.revision_id == newest.id, Finding.kind == FindingKind.ABUSE, Finding.message == place)
    if session.exec(there).first() is not None:
        raise AlreadyDone(f"The flag did not miss record {record_id}: decide on its finding instead.")
    finding = Finding(
        project_id=project_id, record_id=record_id, revision_id=newest.id or 0, kind=FindingKind.ABUSE, message=place,
        start=0, end=len(messages[place]["content"]), score=1.0, detector=DETECTOR, version=VERSION,
        detail={CONFIRMED: actor.account_id, "why": "Reported by a person; the flag missed it."},
    )  # fmt: skip
    session.add(finding)
    session.flush()
    _told(session, actor, project_id, finding, abuse=True)
    return finding


def learn(*, session: Session, actor: Actor, project_id: int) -> dict[str, Any]:
    """Learn from every decision there is; returns the report, which is kept with the model. Raises NotReady for too few."""
    check(actor, Action.EDIT_SETTINGS, project_id)
    held = labels(session, project_id)
    taught = teach(held.texts, held.abuse, held.background)
    report = {
        "at": now().isoformat(timespec="seconds"),
        "by": actor.label,
        "abuse": taught.abuse,
        "no_abuse": taught.no_abuse,
        "background": len(held.background),
        "learned": _plain(taught.learned),
        "flag": _plain(taught.flag),
    }
    project = locked_project(session, project_id)
    before = {key: project.settings[key] for key in (ABUSE_MODEL, ABUSE_REPORT) if project.settings.get(key)}
    project.settings = {**project.settings, ABUSE_MODEL: taught.model, ABUSE_REPORT: report, ABUSE_BEFORE: before}
    session.add(project)
    audit.record(
        session, actor, "abuse_flag_taught", project_id=project_id, subject=f"project {project.slug}",
        abuse=taught.abuse, no_abuse=taught.no_abuse, background=len(held.background),
    )  # fmt: skip
    session.commit()
    return report


def take_back(*, session: Session, actor: Actor, project_id: int) -> bool:
    """Go by what was learned before, or by the flag alone; returns whether anything learned is left."""
    check(actor, Action.EDIT_SETTINGS, project_id)
    project = locked_project(session, project_id)
    if not project.settings.get(ABUSE_MODEL):
        raise NotReady("Nothing was learned here, so there is nothing to take back.")
    kept = {key: value for key, value in project.settings.items() if key not in (ABUSE_MODEL, ABUSE_REPORT, ABUSE_BEFORE)}
    before = project.settings.get(ABUSE_BEFORE) or {}
    project.settings = {**kept, **before}
    session.add(project)
    subject = f"project {project.slug}"
    audit.record(session, actor, "abuse_lesson_taken_back", project_id=project_id, subject=subject, earlier=bool(before))
    session.commit()
    return bool(before)


def _told(session: Session, actor: Actor, project_id: int, finding: Finding, *, abuse: bool) -> None:
    subject = f"record {finding.record_id}"
    audit.record(session, actor, "abuse_decided", project_id=project_id, subject=subject, finding=finding.id, abuse=abuse)
    session.commit()


def _plain(measured: Measured) -> dict[str, Any]:
    return {"precision": _told_of(measured.precision), "recall": _told_of(measured.recall)}


def _told_of(result: Result) -> dict[str, Any]:
    bounds = {"low": round(result.low, 4), "high": round(result.high, 4)} if isinstance(result, Estimate) else {}
    return {"value": None if result.value is None else round(result.value, 4), "n": result.n, **bounds}
