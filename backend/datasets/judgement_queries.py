"""Reads what people said about answers: votes, ratings, classes, thumbs from the chat, edits; for approved questions only.

Of each rater the newest answer counts, and a ruling takes the place of the raters' answers to its item. What people answered
to gold, hidden repeats and calibration is not read: it tells about the raters. Left out, and named by its record, is what
belongs to a question that is not approved now, or reads differently now from what the answer was given to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from backend.conversations import ASSISTANT, Message
from backend.datasets.candidates import Candidate, Selection
from backend.datasets.judgements import Choice, Preference, Score, Vote, ranked, rating
from backend.datasets.kinds import Labelling
from backend.detectors.personal import find_in_messages
from backend.detectors.privacy import PrivacyRules
from backend.rubrics import Question, Rubric
from backend.store.conversations import Feedback
from backend.store.models import Response
from backend.store.records import Record, RecordRevision
from backend.store.work import Adjudication, Annotation, Item, RubricVersion, Task
from backend.vocabulary import ItemPurpose, QuestionType, TaskKind, Thumb

NOT_APPROVED, EDITED, PERSONAL = "question not approved", "question edited since", "personal data"


@dataclass(slots=True)
class Ground:
    """What labels may stand on: the approved questions, and what is found unfit on the way, by reason and record.

    `stand_ins` are those that were put into a record, `made_up` all that the project ever used: answers which came with an
    import hold some that are in no record.
    """

    selection: Selection
    rules: PrivacyRules
    dismissed: Mapping[int, set[str]]
    stand_ins: Mapping[int, set[str]] = field(default_factory=dict)
    made_up: Collection[str] = frozenset()
    left: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _by_id: dict[int, Candidate] = field(default_factory=dict)
    _clean: dict[tuple[int, str], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = {row.record_id: row for row in self.selection.rows}
        self._by_id = kept | {left: kept[stands] for left, stands in self.selection.duplicates.items()}

    def approved(self, record_id: int) -> Candidate | None:
        """The approved record that stands for this one, if there is one."""
        return self._by_id.get(record_id)

    def question(self, record_id: int | None, prompt: Sequence[Mapping[str, str]]) -> Candidate | None:
        """The approved record that stands for this one, if its question is still what was answered."""
        if record_id is None:
            return None
        found = self._by_id.get(record_id)
        if found is None:
            self.left[PERSONAL if record_id in self.selection.personal else NOT_APPROVED].add(record_id)
            return None
        if [message.to_json() for message in found.messages[:-1]] != [dict(message) for message in prompt]:
            self.left[EDITED].add(record_id)
            return None
        return found

    def clean(self, record_id: int, text: str) -> bool:
        """Whether an answer holds no personal data but what was dismissed in its record, or was made up."""
        known = self._clean.get((record_id, text))
        if known is None:
            said, settled = [Message(ASSISTANT, text)], self.dismissed.get(record_id, set())
            found = find_in_messages(said, self.rules, self.stand_ins.get(record_id, ()))
            spans = {text[one.start : one.end] for one in found}
            known = self._clean[record_id, text] = all(span in settled or span in self.made_up for span in spans)
        if not known:
            self.left[PERSONAL].add(record_id)
        return known


@dataclass(frozen=True, slots=True)
class _Said:
    """The answer to an item: one rater's newest, or the ruling."""

    item: Item
    task: Task
    answers: Mapping[str, Any]
    winner: int | None
    ranking: list[list[int]] | None
    rubric_version: int
    sources: Mapping[str, int]


def votes(session: Session, project_id: int, ground: Ground) -> list[Vote]:
    """Comparisons, and rankings taken apart into pairs."""
    texts = _responses(session, project_id)
    found: list[Vote] = []
    for said in _said(session, project_id, (TaskKind.COMPARE, TaskKind.RANK)):
        if said.task.kind is TaskKind.RANK:
            pairs = ranked(said.ranking or [])
        else:
            first, second = said.item.first_response_id or 0, said.item.second_response_id or 0
            pairs = [(first, second, True) if said.winner != second else (second, first, True)]
            pairs = pairs if said.winner else [(first, second, False)]
        for one, other, decided in pairs:
            if one not in texts or other not in texts:
                continue
            record_id, prompt, better = texts[one]
            question = ground.question(record_id, prompt)
            if question is not None:
                both = (better, texts[other][2])
                found.append(Vote(question.record_id, both, better if decided else None, said.sources))
    return found


def scores(session: Session, project_id: int, ground: Ground, labelling: Labelling) -> list[Score]:
    """Ratings, and thumbs from the chat."""
    texts, rubrics = _responses(session, project_id), _rubrics(session, project_id)
    found: list[Score] = []
    for said in _said(session, project_id, (TaskKind.RATE,)):
        rubric = rubrics.get((said.task.id or 0, said.rubric_version)) or Rubric.from_json(said.task.rubric)
        value = rating(rubric, said.answers, labelling.question)
        if value is None or said.item.response_id not in texts:
            continue
        record_id, prompt, text = texts[said.item.response_id]
        question = ground.question(record_id, prompt)
        if question is not None:
            found.append(Score(question.record_id, text, value, said.sources))
    return found + _from_chats(session, project_id, ground)


def choices(session: Session, project_id: int, ground: Ground, labelling: Labelling) -> list[Choice]:
    """The classes that people chose in rating tasks."""
    texts = _responses(session, project_id)
    found: list[Choice] = []
    for said in _said(session, project_id, (TaskKind.RATE,)):
        label = said.answers.get(labelling.question)
        if not isinstance(label, str) or not label.strip() or said.item.response_id not in texts:
            continue
        record_id, prompt, text = texts[said.item.response_id]
        question = ground.question(record_id, prompt)
        if question is not None:
            found.append(Choice(question.record_id, text if labelling.whole else "", label.strip(), said.sources))
    return found


def _from_chats(session: Session, project_id: int, ground: Ground) -> list[Score]:
    """The answer is the record's first text, as it was said; experts may have approved another one since."""
    query = (
        select(Feedback, RecordRevision.messages)
        .join(RecordRevision, (col(RecordRevision.record_id) == Feedback.record_id) & (col(RecordRevision.number) == 1))
        .where(Feedback.project_id == project_id, col(Feedback.thumb).is_not(None))
        .order_by(col(Feedback.id))
    )
    found = []
    for feedback, messages in session.exec(query):
        question = ground.question(feedback.record_id, messages[:-1])
        if question is not None:
            value = 1.0 if feedback.thumb is Thumb.UP else 0.0
            found.append(Score(question.record_id, messages[-1]["content"], value, {"feedback": feedback.id or 0}))
    return found


def edits(session: Session, project_id: int, ground: Ground) -> list[Preference]:
    """Approved answers that took the place of the first text of their record, where the question stayed."""
    edited = {row.record_id: row for row in ground.selection.rows if row.revision_number > 1}
    query = select(RecordRevision).join(Record, col(Record.id) == RecordRevision.record_id)
    query = query.where(Record.project_id == project_id, col(Record.approved_revision_id).is_not(None))
    query = query.where(RecordRevision.number == 1)
    found = []
    for first in session.exec(query.order_by(col(RecordRevision.record_id))):
        now = edited.get(first.record_id)
        if now is None:
            continue
        before, after = first.messages[-1]["content"], now.messages[-1].content
        same = [message.to_json() for message in now.messages[:-1]] == first.messages[:-1]
        if same and before.strip() != after.strip():
            found.append(Preference(first.record_id, after, before, ({"revisions": now.revision_id},)))
    return found


def rating_questions(session: Session, project_id: int) -> dict[str, str]:
    """Questions with numbers for answers that rating tasks ask: key → text."""
    return {one.key: one.text for one in _asked(session, project_id) if one.is_number}


def class_questions(session: Session, project_id: int) -> dict[str, str]:
    """Questions with one choice of several that rating tasks ask: key → text."""
    return {one.key: one.text for one in _asked(session, project_id) if one.type is QuestionType.SINGLE}


def _asked(session: Session, project_id: int) -> Iterator[Question]:
    query = select(Task.rubric).where(Task.project_id == project_id, Task.kind == TaskKind.RATE).order_by(col(Task.id))
    for rubric in session.exec(query):
        yield from Rubric.from_json(rubric).questions


def _said(session: Session, project_id: int, kinds: Sequence[TaskKind]) -> Iterator[_Said]:
    base = (
        select(Annotation, Item, Task)
        .join(Item, col(Item.id) == Annotation.item_id)
        .join(Task, col(Task.id) == Item.task_id)
        .where(Task.project_id == project_id, col(Task.kind).in_(kinds), Item.purpose == ItemPurpose.WORK)
        .order_by(col(Annotation.number))
    )
    newest = {(item.id, row.account_id): (row, item, task) for row, item, task in session.exec(base)}
    ruled = {
        ruling.item_id: (ruling, item, task)
        for ruling, item, task in session.exec(
            select(Adjudication, Item, Task)
            .join(Item, col(Item.id) == Adjudication.item_id)
            .join(Task, col(Task.id) == Item.task_id)
            .where(Task.project_id == project_id, col(Task.kind).in_(kinds), col(Adjudication.withdrawn_at).is_(None))
            .where(Item.purpose == ItemPurpose.WORK)
        )
    }
    for row, item, task in newest.values():
        if item.id not in ruled:
            source = {"annotations": row.id or 0}
            yield _Said(item, task, row.answers, row.winner_response_id, row.ranking, row.rubric_version, source)
    for ruling, item, task in ruled.values():
        source = {"rulings": ruling.id or 0}
        yield _Said(item, task, ruling.answers, ruling.winner_response_id, ruling.ranking, task.rubric_version, source)


def _responses(session: Session, project_id: int) -> dict[int, tuple[int | None, Sequence[Mapping[str, str]], str]]:
    query = select(Response.id, Response.record_id, Response.prompt, Response.text).where(Response.project_id == project_id)
    return {key or 0: (record_id, prompt, text) for key, record_id, prompt, text in session.exec(query)}


def _rubrics(session: Session, project_id: int) -> dict[tuple[int, int], Rubric]:
    query = select(RubricVersion).join(Task, col(Task.id) == RubricVersion.task_id).where(Task.project_id == project_id)
    return {(one.task_id, one.number): Rubric.from_json(one.rubric) for one in session.exec(query)}
