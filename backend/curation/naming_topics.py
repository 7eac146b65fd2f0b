"""Use-cases of topics: a name, a merge, a split, the wish for a new clustering.

Promised: a change reaches the slices of all records of the topic in the same transaction, and the next clustering keeps to
names and merges where it finds the topics again. While a run of the checks looks for topics, nothing is changed. Not
promised: an undo; a merged topic is taken apart again by splitting it, and the audit trail has the old name.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check as allow
from backend.conversations import messages_from_json
from backend.curation.cleaning import ask, is_alive
from backend.curation.clustering import NO_TOPIC, SETTING, count_sizes, topics_of
from backend.detectors.sentence_adapter import checked_name
from backend.detectors.telling_words import customer_words, names_of
from backend.detectors.topics import MOST, SLICE, Assigner, cluster
from backend.errors import Conflict, InvalidInput, NotFound
from backend.store.curation import CheckRun, Topic
from backend.store.locking import locked_project
from backend.store.records import Record, RecordRevision
from backend.store.slicing import rename_slice, set_slice, slice_of
from backend.vocabulary import FINISHED_JOBS, Action, Check

LONGEST = 100
MOST_PARTS = 10
MOST_SPLIT = 5000
"""Records of a topic that can be split at once; a bigger one takes a new clustering with more topics."""


def rename(*, session: Session, actor: Actor, project_id: int, topic_id: int, name: str) -> Topic:
    """Give a topic a name, and its records that slice."""
    allow(actor, Action.BULK_REVIEW, project_id)
    topic, others = _held(session, project_id, topic_id)
    wanted, before = _checked(name, others), topic.name
    topic.name, topic.named_by = wanted, actor.account_id
    session.add(topic)
    records = rename_slice(session, project_id, SLICE, before, wanted)
    _note(session, actor, topic, "topic_renamed", before=before, name=wanted, records=records)
    session.commit()
    return topic


def merge(*, session: Session, actor: Actor, project_id: int, topic_id: int, into_id: int) -> Topic:
    """Put a topic, with all that was merged into it, into another one; returns that one."""
    allow(actor, Action.BULK_REVIEW, project_id)
    topic, others = _held(session, project_id, topic_id)
    target = next((other for other in others if other.id == into_id and other.merged_into is None), None)
    if target is None:
        raise InvalidInput("Choose another topic to merge this one into.")
    before = topic.name
    for part in (topic, *(other for other in others if other.merged_into == topic.id)):
        part.merged_into = target.id
        session.add(part)
    topic.name = f"{before[: LONGEST - 20]} · merged {topic.id}"  # names are unique; a later one may be called like this one
    records = rename_slice(session, project_id, SLICE, before, target.name)
    _note(session, actor, target, "topics_merged", merged=before, name=target.name, records=records)
    session.flush()
    count_sizes(session, project_id)
    session.commit()
    return target


def split(*, session: Session, actor: Actor, project_id: int, topic_id: int, parts: int) -> list[Topic]:
    """Take a topic apart; what was merged into it comes into the parts. Its name stays with the largest part."""
    allow(actor, Action.BULK_REVIEW, project_id)
    topic, others = _held(session, project_id, topic_id)
    if not 2 <= parts <= MOST_PARTS:
        raise InvalidInput(f"A topic can be split into 2 to {MOST_PARTS} parts.")
    ids, texts = _records_of(session, project_id, topic.name)
    if len(ids) > MOST_SPLIT:
        raise InvalidInput(f"This topic has more than {MOST_SPLIT:,} records. Find topics anew with a greater number instead.")
    found = cluster(texts, count=parts, on_map=False)
    if len(found.topics) < 2:
        raise Conflict("The questions of this topic are too much alike to be split. Nothing was changed.")
    for other in others:
        if other.merged_into == topic.id:
            session.delete(other)
    rows = [topic, *(Topic(project_id=project_id, name="") for _ in found.topics[1:])]
    places = {int(point[0]): point for row in (topic, *others) if topic.id in (row.id, row.merged_into) for point in row.points}
    fresh = names_of([part.terms for part in found.topics[1:]], taken=[NO_TOPIC, topic.name, *(other.name for other in others)])
    labels = Assigner([(0.0, *part.centre[1:]) for part in found.topics]).assign(texts)  # none of them leaves the topic
    for number, (row, part) in enumerate(zip(rows, found.topics, strict=True)):
        members = [record_id for record_id, label in zip(ids, labels.tolist(), strict=True) if label == number]
        row.name = row.name if number == 0 else fresh[number - 1]
        row.terms, row.centre = list(part.terms), list(part.centre)
        row.points = [places[record_id] for record_id in members if record_id in places]
        session.add(row)
        if number:
            set_slice(session, SLICE, row.name, members)
    _note(session, actor, topic, "topic_split", name=topic.name, parts=[row.name for row in rows], records=len(ids))
    session.flush()
    count_sizes(session, project_id)
    session.commit()
    return rows


def wish_for(
    *, session: Session, actor: Actor, project_id: int, count: int | None = None, model: str = "", anew: bool = True
) -> CheckRun:
    """A run of the checks that looks for topics: new ones (`anew`), or those that are there for new records only.

    `count` is how many, None for a number by silhouette; `model` names a sentence model, "" for topics by words.
    """
    allow(actor, Action.BULK_REVIEW, project_id)
    project = locked_project(session, project_id)
    if count is not None and not 2 <= count <= MOST:
        raise InvalidInput(f"Choose between 2 and {MOST} topics.")
    if anew:
        wish = {"count": count, "model": checked_name(model) if model.strip() else "", "anew": True}
        project.settings = {**project.settings, SETTING: wish}
        session.add(project)
        audit.record(
            session, actor, "topics_wished", project_id=project_id, subject=f"project {project.slug}",
            count=count, model=wish["model"],
        )  # fmt: skip
    return ask(session=session, actor=actor, project_id=project_id, checks=[Check.TOPICS])


def _held(session: Session, project_id: int, topic_id: int) -> tuple[Topic, list[Topic]]:
    """The topic, which no run may be changing now, and all others of the project."""
    locked_project(session, project_id)
    running = select(CheckRun).where(CheckRun.project_id == project_id, col(CheckRun.status).not_in(FINISHED_JOBS))
    if any(Check.TOPICS.value in run.checks and is_alive(run) for run in session.exec(running)):
        raise Conflict("Topics are being looked for right now. Wait for the end of the checks; nothing was changed.")
    rows = topics_of(session, project_id)
    topic = next((row for row in rows if row.id == topic_id and row.merged_into is None), None)
    if topic is None:
        raise NotFound("There is no such topic in this project. It may have been merged or found anew meanwhile.")
    return topic, [row for row in rows if row.id != topic_id]


def _checked(name: str, others: Sequence[Topic]) -> str:
    wanted = name.strip()
    if not wanted or len(wanted) > LONGEST or not wanted.isprintable():
        raise InvalidInput(f"A topic's name is one line of at most {LONGEST} characters.")
    if wanted.casefold() in {NO_TOPIC, *(other.name.casefold() for other in others)}:
        raise InvalidInput("Another topic has this name. To make one of the two, merge them.")
    return wanted


def _records_of(session: Session, project_id: int, name: str) -> tuple[list[int], list[str]]:
    query = (
        select(Record.id, RecordRevision.messages)
        .join(RecordRevision, (col(RecordRevision.record_id) == Record.id) & (col(RecordRevision.number) == Record.head))
        .where(Record.project_id == project_id, slice_of(session, SLICE) == name)
        .order_by(col(Record.id))
        .limit(MOST_SPLIT + 1)
    )
    rows = session.exec(query).all()
    return [record_id or 0 for record_id, _ in rows], [customer_words(messages_from_json(held)) for _, held in rows]


def _note(session: Session, actor: Actor, topic: Topic, action: str, **detail: object) -> None:
    audit.record(session, actor, action, project_id=topic.project_id, subject=f"topic {topic.id}", **detail)
