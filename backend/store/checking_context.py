"""What the checks are told about a project, read from its settings and its approved FAQs."""

from __future__ import annotations

from sqlmodel import Session, col, select

from backend.detectors.checks import Context
from backend.detectors.privacy import rules_of as privacy_rules_of
from backend.detectors.rules import rules_of
from backend.errors import NotFound
from backend.store.records import Faq, FaqRevision, Project

ABUSE_MODEL = "abuse_model"
"""The key in `Project.settings` of the classifier that learned from the project's own labels."""


def context_for(session: Session, project_id: int) -> Context:
    """The project as its checks see it now. Raises NotFound."""
    project = session.get(Project, project_id)
    if project is None:
        raise NotFound("There is no such project.")
    privacy, texts = privacy_rules_of(project.settings), rules_of(project.settings)
    return Context(
        rules=privacy,
        voice=texts.voice,
        languages=texts.languages,
        product_words=texts.product_words | privacy.allowed,
        faqs=_approved_faqs(session, project_id),
        abuse_model=str(project.settings.get(ABUSE_MODEL) or ""),
    )


def _approved_faqs(session: Session, project_id: int) -> tuple[tuple[str, str], ...]:
    in_force = (
        select(FaqRevision.question, FaqRevision.answer)
        .join(Faq, (col(Faq.id) == col(FaqRevision.faq_id)) & (col(Faq.approved) == col(FaqRevision.number)))
        .where(Faq.project_id == project_id)
        .order_by(col(Faq.id))
    )
    return tuple((question, answer) for question, answer in session.exec(in_force))
