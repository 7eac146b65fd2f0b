"""Reads the judgements that imported files brought: answers preferred to others, and thumbs; for approved questions only.

A label was given to the question and the answer as they stood in the file. It counts while the approved question is still
that one but for cleaning; where the approved answer is the file's but for cleaning, the approved text stands for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlmodel import Session, col, select

from backend.conversations import messages_from_json
from backend.datasets.candidates import Candidate
from backend.datasets.judgement_queries import Ground
from backend.datasets.judgements import Score, Vote
from backend.datasets.sameness import same_answer, same_questions, was_rewritten
from backend.store.curation import ImportedLabel
from backend.store.records import RecordRevision
from backend.vocabulary import Thumb

SOURCE = "imported labels"
"""What the manifest calls these rows."""


@dataclass(frozen=True, slots=True)
class _Label:
    """A file's judgement and the approved record that it counts for."""

    question: Candidate
    answer: str
    rejected: str
    thumb: Thumb | None
    source: dict[str, int]


def votes(session: Session, project_id: int, ground: Ground) -> list[Vote]:
    """Preferences. An answer with a thumb down, for which an expert wrote another, is one as well."""
    found = []
    for label in _labels(session, project_id, ground):
        record_id, approved = label.question.record_id, label.question.messages[-1].content
        if label.rejected:
            found.append(Vote(record_id, (label.answer, label.rejected), label.answer, label.source))
        elif label.thumb is Thumb.DOWN and was_rewritten(label.answer, approved, ground.rules):
            found.append(Vote(record_id, (approved, label.answer), approved, label.source))
    return found


def scores(session: Session, project_id: int, ground: Ground) -> list[Score]:
    """Thumbs."""
    return [
        Score(label.question.record_id, label.answer, 1.0 if label.thumb is Thumb.UP else 0.0, label.source)
        for label in _labels(session, project_id, ground)
        if label.thumb is not None
    ]


def _labels(session: Session, project_id: int, ground: Ground) -> Iterator[_Label]:
    query = (
        select(ImportedLabel, RecordRevision.messages)
        .join(RecordRevision, (col(RecordRevision.record_id) == ImportedLabel.record_id) & (col(RecordRevision.number) == 1))
        .where(ImportedLabel.project_id == project_id)
        .order_by(col(ImportedLabel.id))
    )
    for row, messages in session.exec(query):
        first = messages_from_json(messages)
        asked = first[:-1] if first[-1].role == "assistant" else first
        now = ground.approved(row.record_id)
        if now is not None and same_questions(asked, now.messages[:-1], ground.rules):
            asked = now.messages[:-1]
        question = ground.question(row.record_id, [message.to_json() for message in asked])
        if question is None:
            continue
        approved = question.messages[-1].content
        answer = approved if same_answer(row.answer, approved, ground.rules) else row.answer
        yield _Label(question, answer, row.rejected, row.thumb, {SOURCE: row.id or 0})
