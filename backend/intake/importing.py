"""The use-case of import: a file is taken in whole or not at all.

Promised: one transaction an import, so that a killed one leaves nothing and can be run again; the same content is taken
once a project; the text as it came is kept as the first revision. Reading, repair and comparison happen before the
database is locked, so that others can go on writing meanwhile. Memory holds a few batches and the keys of the texts, however
many rows there are.

Not promised: that one row is the same as the one that another import brought under the same id; each is a new record. Near
duplicates among more than `filing.MOST_COMPARED` records are left to `clean`: until then nothing of them enters a snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sqlmodel import Session, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.access.vault import Keys
from backend.detectors.checks import Context, family, versions
from backend.errors import AlreadyDone
from backend.intake import filing
from backend.intake.files import Options, Progress, Taken, content_digest, take
from backend.intake.mapping import Mapping
from backend.intake.proposing import Proposing
from backend.intake.readers.rows import Rejected
from backend.settings import Settings
from backend.store.bulk import room_for_many
from backend.store.locking import locked_project
from backend.store.privacy import rules_for
from backend.store.records import Source
from backend.vocabulary import Action, Check, Replacement, SourcePurpose


@dataclass(frozen=True, slots=True)
class Summary:
    """What an import did."""

    source_id: int
    name: str
    rows: int
    imported: int
    rejected: int
    rejected_rows: list[Rejected]
    """The first of them."""
    duplicates: int
    repaired: int
    masked: int
    findings: dict[str, int]
    """Open personal-data findings by kind."""
    citations: int
    labels: int = 0
    """Judgements on answers that came with the rows."""
    poor: int = 0
    """Answers that the file calls bad, and that wait for better ones."""
    compared: bool = True
    """Whether near duplicates were looked for; where not, `clean` does it."""

    def to_json(self) -> dict[str, Any]:
        """For the command line."""
        return asdict(self)


def earlier_import(session: Session, project_id: int, content: Path | bytes, *, as_faqs: bool = False) -> Source | None:
    """The import that brought this content into the project, if one did."""
    same = select(Source).where(Source.project_id == project_id, Source.content_hash == content_digest(content, as_faqs))
    return session.exec(same).one_or_none()


def import_file(
    *,
    session: Session,
    actor: Actor,
    project_id: int,
    name: str,
    content: Path | bytes,
    settings: Settings,
    mapping: Mapping | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Take a file into a project; without a mapping, by the one that is recognised. Expects a session without changes."""
    authorise(actor, project_id, options or Options())
    options = by_rules(session, project_id, options or Options(), settings)
    refuse_twice(session, project_id, content, options)
    session.rollback()  # gives the lock back while the file is read
    tell = progress or (lambda share, words: None)
    taken = take(content, name, mapping=mapping, options=options, settings=settings, progress=tell)
    try:
        tell(0.5, "Looking for duplicates")
        compared = filing.compare(session, project_id, taken.spool)
        session.rollback()
        locked_project(session, project_id)  # imports into it come one after another, others' writes go on
        refuse_twice(session, project_id, content, options)
        if compared.state != filing.state_of(session, project_id):
            compared = filing.compare(session, project_id, taken.spool)
        with room_for_many(session):
            summary = store(session, actor, project_id, taken, content_digest(content, options.as_faqs), compared, tell)
            session.commit()
    finally:
        taken.spool.close()
    tell(1.0, "Done")
    return summary


def by_rules(session: Session, project_id: int, options: Options, settings: Settings) -> Options:
    """The options with what the project wants as personal data, and with what takes its place."""
    rules = rules_for(session, project_id)
    wants_stand_ins = rules.replacement is Replacement.SURROGATE
    return replace(options, rules=rules, keys=Keys(settings.data, project_id) if wants_stand_ins else None)


def import_records(
    *, session: Session, actor: Actor, settings: Settings, project_id: int, name: str, rows: Sequence[Any]
) -> dict[str, Any]:
    """Take rows that came over HTTP, in any of the shapes, as if they were a JSON file; returns the summary as JSON."""
    content = json.dumps(list(rows), ensure_ascii=False).encode("utf-8", errors="replace")
    summary = import_file(
        session=session, actor=actor, project_id=project_id, name=f"{name}.json", content=content, settings=settings
    )
    return summary.to_json()


def authorise(actor: Actor, project_id: int, options: Options) -> None:
    """Raise Forbidden unless the actor may import this way."""
    check(actor, Action.IMPORT, project_id)
    if options.approved:
        check(actor, Action.APPROVE_FAQ, project_id)


def refuse_twice(session: Session, project_id: int, content: Path | bytes, options: Options) -> None:
    """Raise AlreadyDone for content that was imported before."""
    if words := already_imported(session, project_id, content, as_faqs=options.as_faqs):
        raise AlreadyDone(words)


def already_imported(session: Session, project_id: int, content: Path | bytes, *, as_faqs: bool) -> str | None:
    """The sentence for content that was imported before, None for new content."""
    earlier = earlier_import(session, project_id, content, as_faqs=as_faqs)
    if earlier is None:
        return None
    return (
        f"This file was already imported as “{earlier.name}” on {earlier.created_at:%d %B %Y at %H:%M} UTC. "
        "Nothing was doubled."
    )


def store(
    session: Session,
    actor: Actor,
    project_id: int,
    taken: Taken,
    digest: str,
    compared: filing.Comparison,
    progress: Progress,
) -> Summary:
    """Write a file that was read, and the audit entry; the caller holds the project and commits."""
    source = _source(session, actor, project_id, taken, digest)
    filed = _file_records(session, source, actor, taken, compared, progress)
    proposing = Proposing(session, project_id=project_id, actor=actor, approved=taken.options.approved)
    for batch in taken.spool if taken.spool.faqs or taken.spool.rejected else ():
        proposing.propose(batch.faqs)
        filing.file_rejected(session, source, batch.rejected)
    proposed = proposing.proposed
    citations = filing.cite(session, project_id) if filed.cites or taken.options.as_faqs else 0
    source.imported = filed.records + proposed.new + proposed.reworded
    source.duplicates = filed.duplicates + proposed.unchanged
    session.add(source)
    audit.record(
        session, actor, "file_imported", project_id=project_id, subject=f"source {source.id}",
        name=source.name, imported=source.imported, rejected=source.rejected, content_hash=digest,
    )  # fmt: skip
    return Summary(
        source_id=source.id or 0,
        name=source.name,
        rows=taken.spool.rows,
        imported=source.imported,
        rejected=source.rejected,
        rejected_rows=taken.spool.first_rejected,
        duplicates=source.duplicates,
        repaired=filed.repaired + proposed.repaired,
        masked=filed.masked,
        findings={kind.value: count for kind, count in filed.findings.items()},
        citations=citations,
        labels=filed.labels,
        poor=filed.poor,
        compared=compared.clusters is not None,
    )


def _source(session: Session, actor: Actor, project_id: int, taken: Taken, digest: str) -> Source:
    source = Source(
        project_id=project_id,
        name=taken.name,
        format=taken.format,
        shape="faq" if taken.options.as_faqs else taken.mapping.shape.value,
        mapping=taken.mapping.to_json(),
        purpose=SourcePurpose.GENERAL if taken.options.general else SourcePurpose.OWN,
        content_hash=digest,
        rejected=taken.spool.rejected,
        created_by=actor.account_id,
    )
    session.add(source)
    session.flush()
    return source


def _file_records(
    session: Session, source: Source, actor: Actor, taken: Taken, compared: filing.Comparison, progress: Progress
) -> filing.Filed:
    looked = versions(Context(rules=taken.options.rules), {Check.PERSONAL: family(Check.PERSONAL)})
    spool = taken.spool
    writing = filing.Filing(session, source, actor, compared, spool.versions, seen=looked, vault=taken.options.keys)
    writing.move_clusters()
    for done in writing.file(batch.drafts for batch in spool):
        progress(0.6 + 0.35 * done / max(1, spool.drafts), f"Saved {done:,} of {spool.drafts:,}")
    return writing.filed
