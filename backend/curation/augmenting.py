"""Use-cases of growing: add what was proposed, take a batch back, say what an import is for.

What is added was looked at first: a proposal holds the very text, and the revision that it was made from. Promised: it is
marked as synthetic and waits for review; an original that was edited meanwhile gives nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from backend.access import audit
from backend.access.actors import Actor
from backend.access.policy import check
from backend.curation.synthesis import FORMAT, add_synthetic, take_back
from backend.curation.variations import Proposal
from backend.errors import Conflict, InvalidInput, NotFound, NotReady
from backend.store.records import Record, RecordRevision, Source
from backend.vocabulary import Action, MadeBy, SourcePurpose

METHODS = {
    MadeBy.REPHRASED: "In other words",
    MadeBy.TYPOS: "With typing slips",
    MadeBy.LOWER_CASE: "In lower case",
    MadeBy.JOINED: "Joined into longer conversations",
    MadeBy.MODEL: "In a model's words",
}
"""The ways to grow, as they are called."""
MOST_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Grown:
    """What became of proposals."""

    added: tuple[int, ...]
    known: int
    """Texts that the project holds already."""
    stale: int
    """Those whose original was edited since, or is gone."""


def grow(
    *, session: Session, actor: Actor, project_id: int, proposals: Sequence[Proposal], method: MadeBy, name: str = ""
) -> Grown:
    """Add the proposals as one batch of synthetic records that wait for review."""
    check(actor, Action.BULK_REVIEW, project_id)
    if method not in METHODS:
        raise InvalidInput("This is not a way to grow a set.")
    if not proposals:
        raise NotReady("Nothing was made of these records. Choose others, or another way.")
    if len(proposals) > MOST_AT_ONCE:
        raise InvalidInput(f"At most {MOST_AT_ONCE:,} records are added at once; people have to look at each of them.")
    fresh = _fresh(session, project_id, proposals)
    made = add_synthetic(
        session=session,
        actor=actor,
        project_id=project_id,
        drafts=[(proposal.record_id, proposal.messages) for proposal in fresh],
        made_by=method,
        name=name.strip() or METHODS[method],
        made_with=[[record_id for record_id, _ in proposal.others] for proposal in fresh],
    )
    if not made:
        raise Conflict("The project holds all of these texts already, or their originals have changed. Look at a new preview.")
    audit.record(
        session, actor, "records_grown", project_id=project_id, subject=f"{len(made)} records", method=method.value,
        first=made[0], last=made[-1],
    )  # fmt: skip
    session.commit()
    return Grown(tuple(made), len(fresh) - len(made), len(proposals) - len(fresh))


def undo(*, session: Session, actor: Actor, project_id: int, source_id: int) -> int:
    """Take a whole batch back while nobody has touched any of it; returns how many records are gone."""
    check(actor, Action.BULK_REVIEW, project_id)
    source = session.exec(select(Source).where(Source.id == source_id, Source.project_id == project_id)).one_or_none()
    if source is not None and source.shape == MadeBy.COUNTERFACTUAL:
        raise Conflict("This batch belongs to a mitigation. Undo that on the page Data bias.")
    name, method = (source.name, source.shape) if source is not None else ("", "")
    gone = take_back(session=session, project_id=project_id, source_id=source_id)
    audit.record(
        session, actor, "growth_undone", project_id=project_id, subject=f"{len(gone)} records", batch=name, method=method,
        records=gone[:1000],
    )  # fmt: skip
    session.commit()
    return len(gone)


def set_purpose(*, session: Session, actor: Actor, project_id: int, source_id: int, purpose: SourcePurpose) -> Source:
    """Say whether an import is the project's own subject, or general talk that is mixed into training by a stated share."""
    check(actor, Action.BULK_REVIEW, project_id)
    query = select(Source).where(Source.id == source_id, Source.project_id == project_id).with_for_update(key_share=True)
    source = session.exec(query.execution_options(populate_existing=True)).one_or_none()
    if source is None:
        raise NotFound("There is no such import in this project.")
    if source.format == FORMAT:
        raise InvalidInput("Synthetic records go where their originals go. Say what the originals' import is for.")
    if source.purpose is not purpose:
        source.purpose = purpose
        session.add(source)
        audit.record(
            session, actor, "purpose_set", project_id=project_id, subject=f"source {source_id}", purpose=purpose.value
        )  # fmt: skip
    session.commit()
    return source


def _fresh(session: Session, project_id: int, proposals: Sequence[Proposal]) -> list[Proposal]:
    """Those whose originals still read as they did: the revision looked at is the newest, or the approved one."""
    wanted = sorted({key for proposal in proposals for key, _ in ((proposal.record_id, 0), *proposal.others)})
    standing: set[tuple[int, int]] = set()
    for start in range(0, len(wanted), 500):
        batch = wanted[start : start + 500]
        heads = select(Record.id, Record.head).where(col(Record.id).in_(batch), Record.project_id == project_id)
        standing |= {(record_id or 0, head) for record_id, head in session.exec(heads)}
        approved = (
            select(Record.id, RecordRevision.number)
            .join(RecordRevision, col(RecordRevision.id) == col(Record.approved_revision_id))
            .where(col(Record.id).in_(batch), Record.project_id == project_id)
        )
        standing |= {(record_id or 0, number) for record_id, number in session.exec(approved)}
    return [one for one in proposals if standing.issuperset({(one.record_id, one.number), *one.others})]
