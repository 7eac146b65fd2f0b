"""The use-case that loads the sample project: a web shop's records and FAQs, with real mistakes to find, and past ratings.

Everything goes through the same import as anybody's files, in one transaction; only an empty project may be left where
that fails, and loading again fills it. The two raters of the past ratings become
accounts without a password that are switched off: nobody can sign in as them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlmodel import Session, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.administering import create_project
from backend.access.policy import check
from backend.detectors.privacy import SETTING as PRIVACY
from backend.detectors.privacy import PrivacyRules, as_setting
from backend.errors import AlreadyDone
from backend.intake import filing, importing
from backend.intake.files import Options, Progress, content_digest, take
from backend.intake.importing import Summary
from backend.rubrics import DEFAULT_RATING_RUBRIC
from backend.settings import Settings
from backend.store.accounts import Account
from backend.store.base import Table, now
from backend.store.models import Response
from backend.store.records import Project, Record
from backend.store.work import Annotation, Item, Slot, Task
from backend.vocabulary import Action, ItemStatus, TaskKind, TaskStatus

FOLDER = Path(__file__).parent / "sample"
SLUG = "shop"
PAST_RATINGS = "Past ratings (sample)"
PAST_MODEL = "past chatbot"
_RATERS = {"rater one": ("rater-1@sample.invalid", "Sample rater 1"), "rater two": ("rater-2@sample.invalid", "Sample rater 2")}


@dataclass(frozen=True, slots=True)
class SampleSummary:
    """What was loaded."""

    project_id: int
    slug: str
    name: str
    records: Summary
    faqs: Summary
    responses: int
    ratings: int

    def to_json(self) -> dict[str, Any]:
        """For the command line."""
        return asdict(self)


def load_sample(
    *, session: Session, actor: Actor, settings: Settings, slug: str = SLUG, progress: Progress | None = None
) -> SampleSummary:
    """Make the project `slug` if there is none and load the sample into it. Raises AlreadyDone the second time."""
    tell = progress or (lambda share, words: None)
    project = _project(session, actor, slug)
    project_id = project.id or 0
    records = _import(session, actor, project_id, "records.jsonl", Options(), settings, tell)
    faqs = _import(session, actor, project_id, "faqs.jsonl", Options(as_faqs=True, approved=True), settings, tell)
    responses, ratings = _rate(session, project_id, records.source_id, actor)
    audit.record(session, actor, "sample_loaded", project_id=project_id, subject=f"project {slug}", ratings=ratings)
    session.commit()
    tell(1.0, "Done")
    return SampleSummary(project_id, project.slug, project.name, records, faqs, responses, ratings)


def sample_is_loaded(session: Session, project_id: int) -> bool:
    """Whether the project holds the sample's records."""
    return importing.earlier_import(session, project_id, FOLDER / "records.jsonl") is not None


def _project(session: Session, actor: Actor, slug: str) -> Project:
    project = session.exec(select(Project).where(Project.slug == slug)).one_or_none()
    if project is None:
        about = json.loads((FOLDER / "project.json").read_text(encoding="utf-8"))
        sample = {key: about[key] for key in ("system_prompt", "guidelines", "demo_question", "demo_answer_after")}
        project = create_project(session=session, actor=actor, slug=slug, name=about["name"], description=about["description"])
        words = as_setting(PrivacyRules(allowed=frozenset(about["product_words"])))
        project.settings = {**project.settings, "sample": sample, PRIVACY: words}
        session.add(project)
        session.flush()
    check(actor, Action.IMPORT, project.id)
    if sample_is_loaded(session, project.id or 0):
        raise AlreadyDone(f"The sample is already in the project “{project.name}”. Nothing was doubled.")
    return project


def _import(
    session: Session, actor: Actor, project_id: int, name: str, options: Options, settings: Settings, tell: Progress
) -> Summary:
    """One of the sample's files, by the steps of any import but without a commit of its own."""
    importing.authorise(actor, project_id, options)
    content = FOLDER / name
    importing.refuse_twice(session, project_id, content, options)
    options = importing.by_rules(session, project_id, options, settings)
    taken = take(content, f"sample {name}", mapping=None, options=options, settings=settings, progress=tell)
    try:
        compared = filing.compare(session, project_id, taken.spool)
        return importing.store(session, actor, project_id, taken, content_digest(content, options.as_faqs), compared, tell)
    finally:
        taken.spool.close()


def _rate(session: Session, project_id: int, source_id: int, actor: Actor) -> tuple[int, int]:
    """The past ratings: a closed task with its responses, and an annotation for each rater; returns (responses, ratings)."""
    raters = {name: _rater(session, email, shown) for name, (email, shown) in _RATERS.items()}
    records = {record.external_id: record for record in session.exec(select(Record).where(Record.source_id == source_id))}
    task = Task(
        project_id=project_id,
        kind=TaskKind.RATE,
        name=PAST_RATINGS,
        guidelines="What two raters thought of the former chatbot's answers. They came with the sample.",
        rubric=DEFAULT_RATING_RUBRIC.to_json(),
        overlap=len(raters),
        status=TaskStatus.CLOSED,
        created_by=actor.account_id,
    )
    session.add(task)
    session.flush()
    rows = list(_rows("ratings.jsonl"))
    rated = {row["record_id"]: row for row in rows}
    responses = {name: _response(project_id, records[name], row) for name, row in rated.items()}
    _add(session, responses.values())
    items = {
        name: Item(task_id=task.id or 0, position=place, response_id=response.id, status=ItemStatus.DONE)
        for place, (name, response) in enumerate(responses.items())
    }
    _add(session, items.values())
    slots = [_slot(items[row["record_id"]], raters[row["rater"]], list(raters).index(row["rater"]) + 1) for row in rows]
    _add(session, slots)
    _add(session, [_annotation(project_id, slot, row) for slot, row in zip(slots, rows, strict=True)])
    return len(items), len(rows)


def _add(session: Session, rows: Iterable[Table]) -> None:
    """Insert rows together, so that they have their ids."""
    session.add_all(rows)
    session.flush()


def _rater(session: Session, email: str, name: str) -> int:
    account = session.exec(select(Account).where(Account.email == email)).one_or_none()
    if account is None:
        account = Account(email=email, name=name, is_active=False)
        session.add(account)
        session.flush()
    return account.id or 0


def _response(project_id: int, record: Record, row: Mapping[str, Any]) -> Response:
    return Response(
        project_id=project_id,
        record_id=record.id,
        prompt=[{"role": "user", "content": row["prompt"]}],
        reference=record.answer,
        text=row["response"],
        decoding={"model": PAST_MODEL},
        slices=record.slices,
    )


def _slot(item: Item, account_id: int, number: int) -> Slot:
    return Slot(task_id=item.task_id, item_id=item.id or 0, number=number, account_id=account_id, fence=1, done_at=now())


def _annotation(project_id: int, slot: Slot, row: Mapping[str, Any]) -> Annotation:
    return Annotation(
        project_id=project_id,
        task_id=slot.task_id,
        item_id=slot.item_id,
        slot_id=slot.id,
        fence=slot.fence,
        account_id=slot.account_id,
        answers=dict(DEFAULT_RATING_RUBRIC.validate({key: row[key] for key in DEFAULT_RATING_RUBRIC.keys})),
    )


def _rows(name: str) -> Iterator[dict[str, Any]]:
    with (FOLDER / name).open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
