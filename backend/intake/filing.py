"""Writes drafts into the tables in batches. Called inside a use-case's transaction; nothing here commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import update
from sqlmodel import Session, col, func, select

from backend.access.actors import Actor
from backend.access.vault import Keys as VaultKeys
from backend.access.vault import keep
from backend.conversations import messages_from_json
from backend.detectors import duplicates
from backend.detectors.duplicates import customer_words, duplicate_key
from backend.detectors.neighbours import Clusters, Known, cluster
from backend.intake.drafts import KEY_BYTES, Draft, Found, Original
from backend.intake.files import storable
from backend.intake.readers.rows import Rejected
from backend.intake.repeats import Keys, firsts
from backend.intake.spool import Spool
from backend.store.base import now
from backend.store.bulk import Prepared, add_rows, draw_ids, preparer, write
from backend.store.checked import mark
from backend.store.curation import ImportedLabel
from backend.store.findings import GONE_IN, WHY
from backend.store.records import Faq, FaqCitation, Finding, Record, RecordRevision, RejectedRow, Source
from backend.vocabulary import PERSONAL_FINDINGS, Check, FindingKind, FindingStatus, MadeBy, RecordStatus

CITES = "faq"
"""The slice by which a record names the FAQ that it rests on."""
MOST_COMPARED = 20_000
"""Records, those of the project and the new ones together, up to which an import looks for near duplicates itself."""
_READ_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Comparison:
    """How drafts relate to the records that were there when `state` was taken."""

    state: tuple[int, int]
    known_ids: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    """For each draft the place of the first equal text, among the known records and then the drafts."""
    clusters: Clusters | None
    """None where there are too many texts to compare them on the way in."""


@dataclass(slots=True)
class Filed:
    """What was written."""

    records: int = 0
    duplicates: int = 0
    repaired: int = 0
    masked: int = 0
    labels: int = 0
    poor: int = 0
    """Answers that the file calls bad."""
    cites: bool = False
    """Whether a record names an FAQ."""
    findings: Counter[FindingKind] = field(default_factory=Counter)
    """Open personal-data findings by kind."""

    def count(self, draft: Draft) -> None:
        """Add up what was found in a draft."""
        self.records += 1
        self.labels += draft.label is not None
        self.cites = self.cites or CITES in draft.slices
        if not draft.found:
            return
        self.repaired += any(item.finding.kind is FindingKind.ENCODING for item in draft.found)
        self.poor += any(item.finding.kind is FindingKind.POOR_ANSWER for item in draft.found)
        personal = [item for item in draft.found if item.finding.kind in PERSONAL_FINDINGS]
        self.masked += sum(item.fixed_in is not None for item in personal)
        self.findings.update(item.finding.kind for item in personal if item.fixed_in is None)


def state_of(session: Session, project_id: int) -> tuple[int, int]:
    """Changes whenever a record of the project is added or gets a revision."""
    query = select(func.count(), func.coalesce(func.sum(Record.head), 0)).where(Record.project_id == project_id)
    count, revisions = session.exec(query).one()
    return int(count), int(revisions)


# --- comparing --------------------------------------------------------------------------------------------------------


def compare(session: Session, project_id: int, spool: Spool) -> Comparison:
    """Find the exact duplicates of the drafts, among themselves and in the project, and in small numbers the near ones."""
    state = state_of(session, project_id)
    few = state[0] + spool.drafts <= MOST_COMPARED
    ids: list[int] = []
    keys = bytearray()
    known: list[Known] = []
    for record_id, label, messages in _newest(session, project_id):
        turns = messages_from_json(messages)
        key = duplicate_key(turns)
        ids.append(record_id)
        keys += bytes.fromhex(key)[:KEY_BYTES]
        if few:
            known.append(Known(record_id, label, key, customer_words(turns)))
    old: Keys = np.frombuffer(bytes(keys), dtype=np.uint64).reshape(-1, KEY_BYTES // 8)
    first = firsts(np.concatenate([old, spool.keys()]))[len(ids) :]
    clusters = cluster(known, list(_words(spool))) if few else None
    return Comparison(state, np.array(ids, np.int64), first, clusters)


def _words(spool: Spool) -> Iterator[str]:
    for batch in spool:
        for draft in batch.drafts:
            yield customer_words(messages_from_json(draft.versions[-1].messages))


def _newest(session: Session, project_id: int) -> Iterator[tuple[int, str, list[dict[str, str]]]]:
    """(id, cluster, messages) of the project's records, the oldest first."""
    query = (
        select(Record.id, Record.cluster, RecordRevision.messages)
        .join(RecordRevision, (col(RecordRevision.record_id) == col(Record.id)) & (RecordRevision.number == Record.head))
        .where(Record.project_id == project_id)
        .order_by(col(Record.id))
    )
    for record_id, label, messages in session.exec(query.execution_options(yield_per=_READ_AT_ONCE)):
        yield record_id or 0, label, list(messages)


# --- writing ----------------------------------------------------------------------------------------------------------


class _Sheet(NamedTuple):
    """A batch, ready to be written."""

    inserts: list[Prepared]
    originals: list[Original]
    done: int
    """Drafts up to the end of this batch."""


class Filing:
    """Writes the drafts of one source as pending records, with revisions, findings, labels and clusters."""

    def __init__(
        self,
        session: Session,
        source: Source,
        actor: Actor,
        compared: Comparison,
        versions: int,
        *,
        seen: Mapping[Check, str],
        vault: VaultKeys | None,
    ) -> None:
        self.filed = Filed()
        self._session, self._source, self._actor, self._compared = session, source, actor, compared
        self._seen, self._vault = seen, vault
        self._ids = np.array(draw_ids(session, Record, len(compared.first)), np.int64)
        self._revisions = iter(draw_ids(session, RecordRevision, versions))
        self._prepared = preparer(session)
        self._at = now()
        self._done = 0
        self._marks: dict[int, str] = {}

    def move_clusters(self) -> None:
        """Give known records the clusters that the new ones bring them into."""
        if self._compared.clusters is not None:
            for record_id, label in self._compared.clusters.changed.items():
                self._session.execute(update(Record).where(col(Record.id) == record_id).values(cluster=label))

    def file(self, batches: Iterable[Sequence[Draft]]) -> Iterator[int]:
        """Write the drafts, batch by batch; yields how many are written. While one batch is written the next is made ready."""
        for sheet in _one_ahead(map(self._sheet, batches)):
            for prepared in sheet.inserts:
                write(self._session, prepared)
            if self._vault is not None and sheet.originals:
                keep(self._session, self._actor, self._source.project_id, self._vault, sheet.originals)
            yield sheet.done

    def _sheet(self, drafts: Sequence[Draft]) -> _Sheet:
        """The rows of the next drafts. It asks nothing of the database."""
        begin, end = self._done, self._done + len(drafts)
        ids = self._ids[begin:end].tolist()
        labels = self._compared.clusters.new[begin:end] if self._compared.clusters is not None else None
        records = [
            self._record_row(record_id, draft, labels[place] if labels is not None else "")
            for place, (draft, record_id) in enumerate(zip(drafts, ids, strict=True))
        ]
        revisions: list[dict[str, Any]] = []
        findings: list[dict[str, Any]] = []
        judged: list[dict[str, Any]] = []
        originals: list[Original] = []
        for draft, record_id, first in zip(drafts, ids, self._firsts(begin, end), strict=True):
            revision_ids = [next(self._revisions) for _ in draft.versions]
            revisions += self._revision_rows(record_id, revision_ids, draft)
            findings += [self._finding_row(record_id, revision_ids[item.version], item) for item in draft.found]
            originals += draft.originals
            if draft.label is not None:
                judged.append(self._label_row(record_id, draft))
            if first != record_id:
                findings.append(self._duplicate_row(record_id, revision_ids[-1], first))
                self.filed.duplicates += 1
            self.filed.count(draft)
        self._done = end
        tables = ((Record, records), (RecordRevision, revisions), (Finding, findings), (ImportedLabel, judged))
        return _Sheet([self._prepared(table, rows) for table, rows in tables], originals, end)

    def _firsts(self, begin: int, end: int) -> list[int]:
        """The id of the first record that each of these drafts is equal to; its own for one that repeats none."""
        first, known = self._compared.first[begin:end], self._compared.known_ids
        is_known = first < len(known)
        found = self._ids[np.where(is_known, 0, first - len(known))]
        if is_known.any():
            found = np.where(is_known, known[np.where(is_known, first, 0)], found)
        return [int(one) for one in found]

    def _record_row(self, record_id: int, draft: Draft, label: str) -> dict[str, Any]:
        number = len(draft.versions)
        return {
            "id": record_id,
            "project_id": self._source.project_id,
            "source_id": self._source.id,
            "external_id": draft.external_id,
            "group_key": draft.group,
            "cluster": label,
            "content_hash": draft.versions[-1].content_hash,
            "status": RecordStatus.PENDING,
            "head": number,
            "approved_revision_id": None,
            "prompt": draft.prompt,
            "answer": draft.answer,
            "slices": draft.slices,
            "checked": self._mark(number),
            "compared": self._compared.clusters is not None,
            "weight": 1.0,
            "copies": 1,
            "made_by": MadeBy.PEOPLE,
            "made_from": None,
            "made_with": [],
            "created_at": self._at,
        }

    def _mark(self, number: int) -> str:
        """That personal data was looked for in this revision."""
        if number not in self._marks:
            self._marks[number] = mark("", number, self._seen)
        return self._marks[number]

    def _revision_rows(self, record_id: int, revision_ids: Sequence[int], draft: Draft) -> Iterator[dict[str, Any]]:
        for index, (version, revision_id) in enumerate(zip(draft.versions, revision_ids, strict=True)):
            yield {
                "id": revision_id,
                "record_id": record_id,
                "number": index + 1,
                "messages": version.messages,
                "content_hash": version.content_hash,
                "based_on": index or None,
                "reason": version.reason,
                "author_id": self._source.created_by,
                "created_at": self._at,
            }

    def _finding_row(self, record_id: int, revision_id: int, item: Found) -> dict[str, Any]:
        found = item.finding
        detail: dict[str, Any] = {"changes": list(item.changes)} if item.changes else {}
        if found.why:
            detail[WHY] = found.why
        if item.fixed_in is not None:
            detail[GONE_IN] = item.fixed_in + 1
            if found.kind in PERSONAL_FINDINGS:
                detail |= {"masked": True} | ({"stand_in": found.proposal} if item.stand_in else {})
        return self._row_of_finding(
            record_id, revision_id, kind=found.kind, message=found.message, start=found.start, end=found.end, score=found.score,
            detector=found.detector, version=found.version, proposal=found.proposal, detail=detail,
            status=FindingStatus.OPEN if item.fixed_in is None else FindingStatus.FIXED,
            closed_by=None if item.fixed_in is None else self._source.created_by,
        )  # fmt: skip

    def _duplicate_row(self, record_id: int, revision_id: int, first: int) -> dict[str, Any]:
        return self._row_of_finding(
            record_id, revision_id, kind=FindingKind.DUPLICATE, message=0, start=0, end=0, score=1.0, detector="duplicates",
            version=duplicates.VERSION, proposal=None, detail={"of": first}, status=FindingStatus.OPEN, closed_by=None,
        )  # fmt: skip

    def _row_of_finding(self, record_id: int, revision_id: int, **more: Any) -> dict[str, Any]:
        where = {"project_id": self._source.project_id, "record_id": record_id, "revision_id": revision_id}
        return {**where, **more, "created_at": self._at}

    def _label_row(self, record_id: int, draft: Draft) -> dict[str, Any]:
        assert draft.label is not None
        where = {"project_id": self._source.project_id, "source_id": self._source.id, "record_id": record_id}
        return {**where, **draft.label._asdict(), "created_at": self._at}


def _one_ahead(sheets: Iterable[_Sheet]) -> Iterator[_Sheet]:
    """The same; each is made by a thread while the one before it is in use."""
    rest = iter(sheets)
    with ThreadPoolExecutor(1, thread_name_prefix="filing") as thread:
        waiting = thread.submit(next, rest, None)
        while (sheet := waiting.result()) is not None:
            waiting = thread.submit(next, rest, None)
            yield sheet


def file_rejected(session: Session, source: Source, rejected: Sequence[Rejected]) -> None:
    """Store the rows that could not be taken."""
    rows = [
        {"source_id": source.id, "line": row.line, "reason": storable(row.reason), "content": storable(row.excerpt)}
        for row in rejected
    ]
    add_rows(session, RejectedRow, rows)


def cite(session: Session, project_id: int) -> int:
    """Link records with the FAQs that they name, whichever came first; returns how many links are new."""
    named = col(Record.slices)[CITES].as_string()
    there = select(FaqCitation.id).where(FaqCitation.record_id == Record.id, FaqCitation.faq_id == Faq.id)
    query = (
        select(Faq.id, Record.id)
        .join(Record, (col(Record.project_id) == col(Faq.project_id)) & (named == col(Faq.key)))
        .where(Faq.project_id == project_id, ~there.exists())
    )
    rows = [{"faq_id": faq_id, "record_id": record_id} for faq_id, record_id in session.exec(query)]
    add_rows(session, FaqCitation, rows)
    return len(rows)
