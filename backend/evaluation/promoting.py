"""Decisions about versions: promote, refuse, roll back, and the gate that they are held against.

Every decision is a `Promotion` row with who, why and the evidence as it stood in that very transaction. The project row is
locked first, so that of two decisions at once one wins and the other gets a Conflict. The engine needs no restart: a chat
names the version in each request.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.errors import AlreadyDone, Conflict, InvalidInput, NotReady
from backend.evaluation.evaluating import baseline_of, chatting_version
from backend.evaluation.evidence import standing
from backend.evaluation.gates import Gate, Outcome
from backend.settings import Settings
from backend.store.locking import locked_project
from backend.store.models import ModelVersion, Promotion
from backend.store.records import Project
from backend.vocabulary import Action, PromotionKind, Stage
from trainer import contract

OVERRIDE_REASON = 10
"""The fewest characters that explain a promotion against the gate."""
_REASON_MOST = 4000


def promote(
    *,
    session: Session,
    actor: Actor,
    settings: Settings,
    project_id: int,
    version_id: int,
    replaces: int | None,
    reason: str,
    override: bool = False,
) -> Promotion:
    """Make a version current. `replaces` is the current version's id that the decision was made on.

    Raises NotReady with the open checks unless the gate is passed or `override` is set, and Conflict when another version
    became current meanwhile. Nothing is changed then.
    """
    check(actor, Action.PROMOTE, project_id)
    project, version = locked_project(session, project_id), chatting_version(session, project_id, version_id)
    session.refresh(version)
    if project.current_version_id == version_id:
        raise AlreadyDone(f"{version.name} is the current version already.")
    if project.current_version_id != replaces:
        raise Conflict("Another version became current meanwhile. Look at the evidence against that one, then decide again.")
    _servable(settings, version)
    found = standing(session, project_id=project_id, version_id=version_id)
    reason = _worded(reason, fewest=OVERRIDE_REASON if override and not found.result.passed else 1)
    if not found.result.passed and not override:
        raise NotReady(_refusal(version, found.result.open_checks))
    decision = _decide(
        session, actor, project, version, PromotionKind.PROMOTED, reason, found.to_json(), overridden=not found.result.passed
    )
    session.commit()
    return decision


def roll_back(
    *, session: Session, actor: Actor, settings: Settings, project_id: int, leaves: int | None, reason: str
) -> Promotion:
    """Make the version current that was current before `leaves`; before the first promotion that is the base model."""
    check(actor, Action.PROMOTE, project_id)
    project = locked_project(session, project_id)
    if project.current_version_id is None:
        raise NotReady("No version was promoted yet, so there is nothing to roll back.")
    if project.current_version_id != leaves:
        raise Conflict("Another version became current meanwhile. Look again before you roll back.")
    current = session.get_one(ModelVersion, project.current_version_id)
    earlier = _earlier(session, current)
    _servable(settings, earlier)
    decision = _decide(session, actor, project, earlier, PromotionKind.ROLLED_BACK, _worded(reason), {})
    session.commit()
    return decision


def refuse(*, session: Session, actor: Actor, project_id: int, version_id: int, reason: str) -> Promotion:
    """Retire a candidate. It can still be promoted later, by a new decision."""
    check(actor, Action.PROMOTE, project_id)
    project, version = locked_project(session, project_id), chatting_version(session, project_id, version_id)
    session.refresh(version)
    if version.stage is not Stage.CANDIDATE:
        raise Conflict(f"{version.name} is no candidate any more; it is {version.stage}.")
    reason = _worded(reason)
    version.stage = Stage.RETIRED
    session.add(version)
    found = standing(session, project_id=project_id, version_id=version_id).to_json()
    decision = _record(session, actor, project, version, PromotionKind.REFUSED, reason, found, previous=None, overridden=False)
    session.commit()
    return decision


def set_gate(*, session: Session, actor: Actor, project_id: int, gate: Gate) -> Gate:
    """Replace the project's gate. Decisions made before keep the gate that they were held against."""
    check(actor, Action.EDIT_SETTINGS, project_id)
    project = locked_project(session, project_id)
    before = project.settings.get("gate")
    project.settings = {**project.settings, "gate": gate.to_json()}
    session.add(project)
    subject = f"project:{project_id}"
    audit.record(session, actor, "gate.edit", project_id=project_id, subject=subject, before=before, after=gate.to_json())
    session.commit()
    return gate


def stack(history: Iterable[tuple[PromotionKind, int, int | None]]) -> list[int | None]:
    """The versions that were current, the present one last; a roll-back takes the last one off. `history` is oldest first.

    The bottom is what was there before the first promotion, None for nothing.
    """
    found: list[int | None] = []
    for kind, version_id, previous in history:
        if kind is PromotionKind.PROMOTED:
            found = found or [previous]
            found.append(version_id)
        elif kind is PromotionKind.ROLLED_BACK and len(found) > 1:
            found.pop()
    return found


def _earlier(session: Session, current: ModelVersion) -> ModelVersion:
    rows: Any = session.exec(
        select(Promotion.kind, Promotion.version_id, Promotion.previous_version_id)
        .where(Promotion.project_id == current.project_id)
        .order_by(col(Promotion.id))
    )
    versions = stack(rows)
    if len(versions) < 2:
        raise NotReady("There is no earlier version to go back to.")
    if versions[-2] is not None:
        return session.get_one(ModelVersion, versions[-2])
    base = baseline_of(session, current.project_id, current)
    if base.id == current.id:
        raise NotReady("There is no earlier version to go back to.")
    return base


def _servable(settings: Settings, version: ModelVersion) -> None:
    if not (settings.models / version.served_as / contract.SERVED).is_file():
        raise NotReady(
            f"The files that the engine serves for {version.name} are missing. Train it again, or restore its folder."
        )


def _worded(reason: str, *, fewest: int = 1) -> str:
    reason = " ".join(reason.split())
    if len(reason) < fewest:
        least = f"at least {fewest} characters" if fewest > 1 else "a few words"
        raise InvalidInput(f"Say why, in {least}: the reason is kept with the decision.")
    return reason[:_REASON_MOST]


def _refusal(version: ModelVersion, checks: Iterable[Any]) -> str:
    listed = list(checks)
    failed = [f"{one.title}: {one.sentence}" for one in listed if one.outcome is Outcome.FAILED]
    lacking = [f"{one.title}: {one.sentence}" for one in listed if one.outcome is Outcome.NOT_ENOUGH]
    parts = [f"{version.name} does not pass the gate, so nothing was changed."]
    parts += ["Failed: " + " ".join(failed)] if failed else []
    parts += ["Not enough evidence yet: " + " ".join(lacking)] if lacking else []
    return " ".join(parts)


def _decide(
    session: Session,
    actor: Actor,
    project: Project,
    version: ModelVersion,
    kind: PromotionKind,
    reason: str,
    evidence: dict[str, Any],
    *,
    overridden: bool = False,
) -> Promotion:
    """Switch the current version and record the decision."""
    previous = project.current_version_id
    if previous is not None:
        replaced = session.get_one(ModelVersion, previous)
        replaced.stage = Stage.RETIRED
        session.add(replaced)
    version.stage = Stage.CURRENT
    project.current_version_id = version.id
    session.add(version)
    session.add(project)
    return _record(session, actor, project, version, kind, reason, evidence, previous=previous, overridden=overridden)


def _record(
    session: Session,
    actor: Actor,
    project: Project,
    version: ModelVersion,
    kind: PromotionKind,
    reason: str,
    evidence: dict[str, Any],
    *,
    previous: int | None,
    overridden: bool,
) -> Promotion:
    decision = Promotion(
        project_id=project.id or 0,
        version_id=version.id or 0,
        previous_version_id=previous,
        kind=kind,
        evidence=evidence,
        overridden=overridden,
        reason=reason,
        author_id=actor.account_id,
    )
    session.add(decision)
    session.flush()
    audit.record(
        session,
        actor,
        f"version.{kind}",
        project_id=project.id,
        subject=f"version:{version.id}",
        reason=reason,
        previous=previous,
        overridden=overridden,
        verdict=evidence.get("verdict"),
    )
    return decision
