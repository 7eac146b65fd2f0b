"""What a task would hold, worked out from the tables, and the rows that it is made of. Nothing here commits.

Planning alone saves nothing, so that a lead can look first; `subjects` then stores the reference answers that take part.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import Session, col, select

from backend.errors import NotFound
from backend.review import pool_queries
from backend.review.drawing import REFERENCE, Answer, Draw, draw_items, draw_questions, in_strata, without
from backend.review.selections import Selection
from backend.store.models import Evaluation, Response
from backend.store.work import Item, Task
from backend.vocabulary import ItemPurpose, TaskKind


@dataclass(frozen=True, slots=True)
class Plan:
    """What a task made with a selection would hold: records to review, or answers to judge."""

    draw: Draw
    records: tuple[int, ...] = ()

    @property
    def items(self) -> int:
        """How many items there would be."""
        return len(self.records) or len(self.draw.items)


def with_versions(session: Session, project_id: int, selection: Selection) -> Selection:
    """The selection with the evaluation's two versions where it names nobody. Raises NotFound."""
    if selection.evaluation_id is None:
        return selection
    evaluation = session.get(Evaluation, selection.evaluation_id)
    if evaluation is None or evaluation.project_id != project_id:
        raise NotFound("There is no such evaluation in this project.")
    both = (f"version:{evaluation.base_version_id}", f"version:{evaluation.candidate_version_id}")
    return selection if selection.contestants else replace(selection, contestants=both)


def plan(
    session: Session,
    project_id: int,
    kind: TaskKind,
    selection: Selection,
    *,
    asked: Collection[int] = (),
    settled: int = 0,
) -> Plan:
    """What a task made with this selection would hold, without the questions `asked` before.

    `settled` is how many questions were counted before because all had answered alike. Raises InvalidInput.
    """
    strata: Mapping[int, str] = {}
    if kind is TaskKind.LABEL or selection.stratify:
        strata = pool_queries.records(session, project_id, selection.records, selection.stratify)
    if kind is not TaskKind.LABEL:
        pool = without(pool_queries.answers(session, project_id, selection), asked, selection.contestants, settled)
        return Plan(draw_items(kind, pool, strata, selection))
    left = {record_id: stratum for record_id, stratum in strata.items() if record_id not in asked}
    drawn = list(left) if selection.size is None else draw_questions(left, selection)
    shares = in_strata(left, drawn) if selection.stratify else {}
    return Plan(Draw(found=len(left), questions=len(drawn), items=(), strata=shares), tuple(drawn))


def subjects(session: Session, project_id: int, kind: TaskKind, plan: Plan) -> list[dict[str, Any]]:
    """The plan's items as columns; reference answers become responses here."""
    if kind is TaskKind.LABEL:
        return [{"record_id": record_id} for record_id in plan.records]
    made = _stored_references(session, project_id, plan.draw.items)

    def response(answer: Answer) -> int:
        return answer.response_id or made[answer.question, answer.text]

    if kind is TaskKind.RATE:
        return [{"response_id": response(answer)} for (answer,) in plan.draw.items]
    if kind is TaskKind.RANK:
        return [{"response_ids": [response(answer) for answer in item]} for item in plan.draw.items]
    return [{"first_response_id": response(first), "second_response_id": response(second)} for first, second in plan.draw.items]


def _stored_references(session: Session, project_id: int, items: Iterable[Sequence[Answer]]) -> dict[tuple[int, str], int]:
    """The reference answers in the items that were no responses yet, stored as such: (question, text) → response id."""
    made: dict[tuple[int, str], Response] = {}
    for item in items:
        missing = [answer for answer in item if answer.response_id is None]
        for answer in missing:
            beside = next((other.response_id for other in item if other.response_id), None)
            pattern = session.get(Response, beside) if beside else _answered(session, project_id, answer)
            if pattern is None:
                raise NotFound("The answers changed meanwhile. Look at the preview again.")
            made[answer.question, answer.text] = Response(
                project_id=project_id,
                record_id=answer.question,
                prompt=pattern.prompt,
                reference=answer.text,
                text=answer.text,
                decoding={"model": REFERENCE},
                slices=pattern.slices,
            )
    session.add_all(made.values())
    session.flush()
    return {key: response.id or 0 for key, response in made.items()}


def _answered(session: Session, project_id: int, answer: Answer) -> Response | None:
    """The newest response to the question that names this reference answer."""
    query = select(Response).where(
        Response.project_id == project_id, Response.record_id == answer.question, Response.reference == answer.text
    )
    return session.exec(query.order_by(col(Response.id).desc()).limit(1)).first()


def asked(session: Session, task: Task) -> set[int]:
    """The questions (records) that the task asks about already."""
    mine = (Item.task_id == task.id, Item.purpose == ItemPurpose.WORK)
    if task.kind is TaskKind.LABEL:
        return {record_id or 0 for record_id in session.exec(select(Item.record_id).where(*mine))}
    if task.kind is TaskKind.RANK:
        shown = [ids[0] for ids in session.exec(select(Item.response_ids).where(*mine)) if ids]
        found: set[int] = set()
        for begin in range(0, len(shown), 500):
            query = select(Response.record_id).where(col(Response.id).in_(shown[begin : begin + 500]))
            found.update(record_id or 0 for record_id in session.exec(query))
        return found
    first = Item.response_id if task.kind is TaskKind.RATE else Item.first_response_id
    query = select(Response.record_id).join(Item, col(Response.id) == first).where(*mine).distinct()
    return {record_id or 0 for record_id in session.exec(query)}
