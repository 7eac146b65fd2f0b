"""Reads single comparisons in full, to look at: what was asked, both answers, and what raters wrote about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from backend.access.actors import Actor
from backend.access.policy import check
from backend.store.models import Response
from backend.store.work import Adjudication, Annotation, Item, Task
from backend.vocabulary import Action


@dataclass(frozen=True, slots=True)
class Example:
    """One compared pair. `reasons` are what raters chose and wrote, and the ruling's reason, in their order."""

    item_id: int
    record_id: int | None
    prompt: list[dict[str, str]]
    reference: str
    first: str
    second: str
    reasons: list[str] = field(default_factory=list)


def examples(session: Session, *, actor: Actor, project_id: int, found: Sequence[Sequence[int]]) -> list[Example]:
    """The comparisons (item, first response, second response), in their order; those of other projects are left out."""
    check(actor, Action.VIEW_RESULTS, project_id)
    items = [item for item, _, _ in found]
    here = select(Item.id).join(Task, col(Task.id) == Item.task_id).where(Task.project_id == project_id)
    ours = set(session.exec(here.where(col(Item.id).in_(items))))
    ids = [one for _, *both in found for one in both]
    query = select(Response).where(Response.project_id == project_id, col(Response.id).in_(ids))
    responses = {one.id: one for one in session.exec(query)}
    reasons = _reasons(session, ours)
    return [
        Example(
            item_id=item,
            record_id=responses[first].record_id,
            prompt=responses[first].prompt,
            reference=responses[first].reference,
            first=responses[first].text,
            second=responses[second].text,
            reasons=reasons[item],
        )
        for item, first, second in found
        if item in ours and first in responses and second in responses
    ]


def _reasons(session: Session, items: Collection[int | None]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    answers = select(Annotation).where(col(Annotation.item_id).in_(items))  # by the item: its index is the narrow one
    newest = {(one.item_id, one.account_id): one for one in session.exec(answers.order_by(col(Annotation.number)))}
    for one in newest.values():
        found[one.item_id] += [text for text in (_words(one.answers), one.comment.strip()) if text]
    in_force = col(Adjudication.withdrawn_at).is_(None)
    rulings = select(Adjudication).where(in_force, col(Adjudication.item_id).in_(items))
    last = {one.item_id: one for one in session.exec(rulings.order_by(col(Adjudication.number)))}
    for item, ruling in last.items():
        found[item].append(f"Ruled: {ruling.reason}")
    return found


def _words(answers: dict[str, Any]) -> str:
    """Chosen options, written texts and reasons of marked passages; points of scales say nothing here."""
    parts: list[str] = []
    for answer in answers.values():
        for one in answer if isinstance(answer, list) else [answer]:
            said = one.get("reason") if isinstance(one, dict) else one
            parts += [said] if isinstance(said, str) else []
    return "; ".join(part for part in parts if part.strip())
