"""What people decided about abuse, as texts with labels. Reads only.

A finding that somebody dismissed says "no abuse"; one that somebody confirmed, or fixed by hand, says "abuse". The text is what
the finding stood on when it was last seen. Approved records in which nothing was ever flagged are the background: nobody was
asked about them, so they count for less.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, or_, select

from backend.store.records import Finding, Record, RecordRevision
from backend.vocabulary import FindingKind, FindingStatus

CONFIRMED = "confirmed"
"""The key in `Finding.detail` of who said that it is abuse; who dismissed or fixed it is in `closed_by`."""
MOST_BACKGROUND = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Texts, whether each is abuse, and texts that are taken for none."""

    texts: tuple[str, ...]
    abuse: tuple[bool, ...]
    background: tuple[str, ...]


def labels(session: Session, project_id: int) -> Labels:
    """All of them, the oldest first."""
    confirmed = col(Finding.detail)[CONFIRMED].as_integer().is_not(None)
    by_person = col(Finding.closed_by).is_not(None) & col(Finding.status).in_([FindingStatus.DISMISSED, FindingStatus.FIXED])
    decided = (
        select(Finding, RecordRevision.messages)
        .join(RecordRevision, col(RecordRevision.id) == col(Finding.revision_id))
        .where(Finding.project_id == project_id, Finding.kind == FindingKind.ABUSE, or_(confirmed, by_person))
        .order_by(col(Finding.id))
    )
    texts, answers = [], []
    for finding, messages in session.exec(decided):
        said = messages[finding.message]["content"][finding.start : finding.end].strip()
        if said:
            texts.append(said)
            answers.append(finding.status is not FindingStatus.DISMISSED)
    return Labels(texts=tuple(texts), abuse=tuple(answers), background=_background(session, project_id))


def _background(session: Session, project_id: int) -> tuple[str, ...]:
    """The newest approved questions and answers without any finding of abuse, each text once."""
    flagged = select(Finding.record_id).where(Finding.project_id == project_id, Finding.kind == FindingKind.ABUSE)
    approved = (
        select(Record.prompt, Record.answer)
        .where(
            Record.project_id == project_id,
            col(Record.approved_revision_id).is_not(None),
            col(Record.id).not_in(flagged),
        )
        .order_by(col(Record.id).desc())
        .limit(MOST_BACKGROUND // 2)
    )
    return tuple(dict.fromkeys(text for pair in session.exec(approved) for text in pair if text.strip()))
