from __future__ import annotations

import pytest
from sqlmodel import select

from backend.curation.rule_queries import text_rules, try_voice
from backend.curation.setting_voice import set_text_rules
from backend.detectors.checks import Voice
from backend.detectors.privacy import SETTING as PRIVACY
from backend.errors import Forbidden, InvalidInput, NotFound
from backend.store.accounts import AuditEntry
from backend.store.checking_context import context_for
from backend.store.database import Database
from backend.store.records import Faq, FaqRevision
from backend.vocabulary import FaqState, Role
from tests.factories import a_person, a_project


def test_rules_are_kept_audited_and_told_to_the_checks(database: Database) -> None:
    with database.writing() as session:
        project = a_project(session)
        project.settings = {"gate": 1, PRIVACY: {"allowed": ["Linden"]}, "abuse_model": "words"}
        lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        project_id = project.id or 0
        kept = set_text_rules(
            session=session, actor=lead, project_id=project_id, languages=["de", "en"], product_words=[" Oak  Cabinnet ", ""],
            forbidden=[("cheap ", "good  value"), ("", "")], required=["Yours"], longest=120,
        )  # fmt: skip
    assert kept.voice == Voice(forbidden=(("cheap", "good value"),), required=("Yours",), longest=120)
    with database.reading() as session:
        assert text_rules(session, actor=lead, project_id=project_id) == kept
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "text_rules_changed")).one()
        assert entry.detail["forbidden"] == 1
        context = context_for(session, project_id)
    assert context.voice == kept.voice
    assert context.languages == ("de", "en")
    assert context.product_words == {"oak cabinnet", "linden"}
    assert context.abuse_model == "words"
    assert context.rules.allowed == {"linden"}


def test_the_checks_are_told_only_what_is_approved_of_the_projects_faqs(database: Database) -> None:
    with database.writing() as session:
        project, other = a_project(session), a_project(session, "other")
        for place, (home, approved) in enumerate([(project, 2), (project, None), (other, 1)]):
            faq = Faq(project_id=home.id or 0, key=f"q{place}", head=2, approved=approved)
            session.add(faq)
            session.flush()
            for number in (1, 2):
                session.add(FaqRevision(faq_id=faq.id or 0, number=number, question=f"Q{place}", answer=f"A{place}.{number}",
                                        state=FaqState.APPROVED if approved == number else FaqState.PROPOSED))  # fmt: skip
        session.commit()
        assert context_for(session, project.id or 0).faqs == (("Q0", "A0.2"),)
        with pytest.raises(NotFound):
            context_for(session, 99)


def test_only_a_lead_changes_the_rules(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project = a_project(session)
        expert = a_person(session, "e@example.org", project=project, role=Role.EXPERT)
        lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        session.commit()
        with pytest.raises(Forbidden):
            set_text_rules(session=session, actor=expert, project_id=project.id or 0, longest=5)
        with pytest.raises(InvalidInput, match="longest answer"):
            set_text_rules(session=session, actor=lead, project_id=project.id or 0, longest=99_999)
        assert text_rules(session, actor=expert, project_id=project.id or 0).voice == Voice()


def test_an_answer_can_be_tried_against_the_rules(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project = a_project(session)
        lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        rules = set_text_rules(
            session=session, actor=lead, project_id=project.id or 0, forbidden=[("cheap", "fair")], longest=3
        )
    found, better = try_voice(rules, "It is cheap, guys")
    assert [(finding.start, finding.proposal) for finding in found] == [(6, "fair"), (13, None)]
    assert better == "It is fair, guys"
