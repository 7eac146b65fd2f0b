"""Writes imported FAQs into the tables: new ones, and new wordings of known ones, never over an old one.

Called inside a use-case's transaction; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlmodel import Session, select

from backend.access.actors import Actor
from backend.intake.faqs import FaqDraft, FaqText
from backend.store.base import now
from backend.store.records import Faq, FaqRevision
from backend.vocabulary import FaqState

_IMPORTED = "Imported"
_PASSAGE_SHOWN = 3000


@dataclass(slots=True)
class Proposed:
    """What became of the FAQs of a file."""

    new: int = 0
    reworded: int = 0
    unchanged: int = 0
    repaired: int = 0


class Proposing:
    """Stores drafts as proposed revisions, or as approved ones where a lead said that they already are."""

    def __init__(self, session: Session, *, project_id: int, actor: Actor, approved: bool) -> None:
        self.proposed = Proposed()
        self._session, self._project_id, self._actor, self._approved = session, project_id, actor, approved
        self._known = {faq.key: faq for faq in session.exec(select(Faq).where(Faq.project_id == project_id))}

    def propose(self, drafts: Sequence[FaqDraft]) -> None:
        """Write the next drafts."""
        for draft in drafts:
            faq = self._known.get(draft.key)
            if faq is None:
                faq = Faq(project_id=self._project_id, key=draft.key, topic=draft.topic, head=0)
                self._session.add(faq)
                self._session.flush()
                self._known[draft.key] = faq
                self.proposed.new += 1
            elif _text_of(self._session, faq) == draft.newest:
                self.proposed.unchanged += 1
                continue
            else:
                self.proposed.reworded += 1
            self.proposed.repaired += draft.repaired is not None
            _add_revisions(self._session, faq, draft, self._actor, approved=self._approved)


def _text_of(session: Session, faq: Faq) -> FaqText:
    """The newest wording of a stored FAQ."""
    newest = select(FaqRevision).where(FaqRevision.faq_id == faq.id, FaqRevision.number == faq.head)
    revision = session.exec(newest).one()
    return FaqText(revision.question, revision.answer)


def _add_revisions(session: Session, faq: Faq, draft: FaqDraft, actor: Actor, *, approved: bool) -> None:
    for text, reason, counts in _wordings(draft):
        revision = FaqRevision(
            faq_id=faq.id or 0,
            number=faq.head + 1,
            question=text.question,
            answer=text.answer,
            based_on=faq.head or None,
            reason=reason,
            author_id=actor.account_id,
        )
        if approved and counts:
            revision.state, revision.ruled_by, revision.ruled_at = FaqState.APPROVED, actor.account_id, now()
            faq.approved = revision.number
        faq.head = revision.number
        session.add(revision)
    session.add(faq)
    session.flush()


def _wordings(draft: FaqDraft) -> Iterator[tuple[FaqText, str, bool]]:
    """The text as it came and, where it had to be repaired, as it is now; the last one counts."""
    if draft.repaired is None:
        yield draft.text, _drafted(draft) or _IMPORTED, True
    else:
        yield draft.text, f"{_IMPORTED}, as it came", False
        yield draft.repaired, f"Repaired on import: {', '.join(draft.changes)}. {_drafted(draft)}".strip(), True


def _drafted(draft: FaqDraft) -> str:
    """For a draft from a document: the passage that an expert compares it with."""
    return f"Drafted from this passage; please check both. {draft.passage[:_PASSAGE_SHOWN]}" if draft.passage else ""
