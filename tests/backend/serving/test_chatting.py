"""The chat's use-cases and the engine's client."""

from __future__ import annotations

import pytest
from sqlmodel import Session, select

from backend.access.actors import Actor
from backend.engine import Engine
from backend.errors import Forbidden, InvalidInput, NotFound, NotReady, ServiceUnavailable
from backend.serving.chatting import ask, keep_answer, latest_chat, start_chat, turns_of
from backend.serving.guardrails import CONTEXT_TURNS, context
from backend.serving.queries import shown_turns
from backend.serving.receiving import Opinion, close_feedback, give_feedback, send_feedback
from backend.store.conversations import Feedback
from backend.store.database import Database
from backend.store.models import ModelVersion
from backend.store.records import Project, Record, RecordComment, RecordRevision
from backend.vocabulary import RecordStatus, Role, Stage, Thumb
from tests.backend.serving.fake_engine import fake_engine
from tests.factories import a_person, a_project


def a_speaking_project(session: Session, slug: str = "shop") -> Project:
    project = a_project(session, slug)
    version = ModelVersion(
        project_id=project.id or 0, number=1, name="Version 1", base_model="b", served_as=f"{slug}-v1", stage=Stage.CURRENT
    )
    session.add(version)
    session.flush()
    project.current_version_id = version.id
    session.add(project)
    session.flush()
    return project


def an_exchange(session: Session, actor: Actor, project: Project, question: str, answer: str) -> int:
    chat = start_chat(session=session, actor=actor, project_id=project.id or 0)
    asked = ask(session=session, actor=actor, chat_id=chat, text=question)
    return keep_answer(session=session, actor=actor, question=asked, text=answer, seconds=0.1)


def test_a_question_is_saved_before_it_is_answered_and_a_retry_does_not_double_it(database: Database) -> None:
    with database.writing() as session:
        project = a_speaking_project(session)
        rater = a_person(session, "r@example.org", project=project, role=Role.RATER)
        chat = start_chat(session=session, actor=rater, project_id=project.id or 0)
        ask(session=session, actor=rater, chat_id=chat, text=" Do you ship? ")
    with database.writing() as session:
        again = ask(session=session, actor=rater, chat_id=chat, text="Do you ship?")
        keep_answer(session=session, actor=rater, question=again, text="Yes.", seconds=1.0)
        assert [(turn.role, turn.text) for turn in turns_of(session, chat)] == [("user", "Do you ship?"), ("assistant", "Yes.")]
        assert turns_of(session, chat)[1].version_id == project.current_version_id
        assert latest_chat(session, actor=rater, project_id=project.id or 0) == chat


def test_only_its_own_account_may_go_on_with_a_chat(database: Database) -> None:
    with database.writing() as session:
        project = a_speaking_project(session)
        one = a_person(session, "a@example.org", project=project, role=Role.RATER)
        other = a_person(session, "b@example.org", project=project, role=Role.LEAD)
        stranger = a_person(session, "c@example.org")
        chat = start_chat(session=session, actor=one, project_id=project.id or 0)
        with pytest.raises(NotFound):
            ask(session=session, actor=other, chat_id=chat, text="hello")
        with pytest.raises(Forbidden):
            start_chat(session=session, actor=stranger, project_id=project.id or 0)
        turn = an_exchange(session, one, project, "q", "a")
        with pytest.raises(NotFound):
            give_feedback(session=session, actor=other, turn_id=turn, opinion=Opinion(thumb=Thumb.UP))


def test_without_a_current_version_the_chat_says_what_to_do(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project = a_project(session)
        rater = a_person(session, "r@example.org", project=project, role=Role.RATER)
        with pytest.raises(NotReady, match="Promote"):
            start_chat(session=session, actor=rater, project_id=project.id or 0)


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 5000])
def test_empty_and_huge_messages_are_refused_and_nothing_is_saved(sqlite: Database, text: str) -> None:
    with sqlite.writing() as session:
        project = a_speaking_project(session)
        rater = a_person(session, "r@example.org", project=project, role=Role.RATER)
        chat = start_chat(session=session, actor=rater, project_id=project.id or 0)
        with pytest.raises(InvalidInput):
            ask(session=session, actor=rater, chat_id=chat, text=text)
        assert turns_of(session, chat) == []


def test_the_model_sees_recent_turns_beginning_with_the_users_and_no_unanswered_ones() -> None:
    turns = [{"role": "system", "content": "s"}, {"role": "user", "content": "lost"}]
    for number in range(10):
        turns += [{"role": "user", "content": f"q{number}"}, {"role": "assistant", "content": f"a{number}"}]
    sent = context([*turns, {"role": "user", "content": "now"}])
    assert sent[0]["role"] == "system"
    assert sent[1]["role"] == "user"
    assert sent[-1]["content"] == "now"
    assert len(sent) <= CONTEXT_TURNS + 1
    assert "lost" not in [turn["content"] for turn in context(turns[:4])]


def test_feedback_becomes_one_masked_record_in_the_queue_with_every_verdict_as_a_comment(database: Database) -> None:
    with database.writing() as session:
        project = a_speaking_project(session)
        rater = a_person(session, "r@example.org", project=project, role=Role.RATER)
        turn = an_exchange(session, rater, project, "Mail me at jo@example.com, please", "We never write mails.")
        wrong = Opinion(thumb=Thumb.DOWN, comment="Call me: phone +1 404 555 0123", wants_person=True)
        first = give_feedback(session=session, actor=rater, turn_id=turn, opinion=wrong)
        second = give_feedback(session=session, actor=rater, turn_id=turn, opinion=Opinion(csat=1, resolved=False))
        assert first.record_id == second.record_id
        record = session.exec(select(Record)).one()
        assert record.status is RecordStatus.PENDING
        assert "jo@example.com" not in str(session.exec(select(RecordRevision)).one().messages)
        assert "[EMAIL]" in record.prompt
        comments = session.exec(select(RecordComment)).all()
        assert [comment.is_flag for comment in comments] == [True, True]
        assert "555" not in comments[0].text + first.comment
        assert record.slices["model"] == "Version 1"


def test_what_is_said_bit_by_bit_about_one_answer_is_one_complaint_until_somebody_dealt_with_it(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project = a_speaking_project(session)
        rater = a_person(session, "r@example.org", project=project, role=Role.RATER)
        lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        turn = an_exchange(session, rater, project, "q", "a")
        for opinion in (Opinion(thumb=Thumb.DOWN), Opinion(csat=1, comment="Wrong."), Opinion(csat=2, wants_person=True)):
            give_feedback(session=session, actor=rater, turn_id=turn, opinion=opinion)
        kept = session.exec(select(Feedback)).one()
        assert (kept.thumb, kept.csat, kept.comment, kept.wants_person) == (Thumb.DOWN, 2, "Wrong.", True)

        close_feedback(session=session, actor=lead, feedback_id=kept.id or 0)
        give_feedback(session=session, actor=rater, turn_id=turn, opinion=Opinion(comment="Still wrong."))
        assert [one.comment for one in session.exec(select(Feedback).order_by(Feedback.id))] == ["Wrong.", "Still wrong."]


def test_a_lead_closes_a_complaint_and_a_rater_may_not(database: Database) -> None:
    with database.writing() as session:
        project = a_speaking_project(session)
        rater = a_person(session, "r@example.org", project=project, role=Role.RATER)
        lead = a_person(session, "l@example.org", project=project, role=Role.LEAD)
        turn = an_exchange(session, rater, project, "q", "a")
        kept = give_feedback(session=session, actor=rater, turn_id=turn, opinion=Opinion(thumb=Thumb.DOWN))
        with pytest.raises(Forbidden):
            close_feedback(session=session, actor=rater, feedback_id=kept.id or 0)
        close_feedback(session=session, actor=lead, feedback_id=kept.id or 0)
        assert session.exec(select(Feedback)).one().handled_at is not None


def test_feedback_on_a_conversation_held_elsewhere_must_end_with_an_answer(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project = a_speaking_project(session)
        rater = a_person(session, "r@example.org", project=project, role=Role.RATER)
        with pytest.raises(InvalidInput):
            send_feedback(
                session=session,
                actor=rater,
                project_id=project.id or 0,
                messages=[{"role": "user", "content": "hi"}],
                opinion=Opinion(csat=3),
            )


@pytest.mark.parametrize("parts", [{}, {"csat": 0}, {"csat": 6}, {"csat": True}, {"comment": "x" * 4001}])
def test_an_opinion_that_says_nothing_or_nonsense_is_refused(parts: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        Opinion(**parts)  # type: ignore[arg-type]


def test_the_engine_streams_pieces_and_its_failures_have_words() -> None:
    ask_for = {"decoding": {"temperature": 0.0, "max_new_tokens": 5}}
    with fake_engine() as (url, asked):
        engine = Engine(url)

        def complete(text: str, model: str = "shop-v1") -> str:
            return engine.complete(model=model, messages=[{"role": "user", "content": text}], **ask_for)

        assert complete("hi") == "You asked: hi"
        assert asked[0]["max_tokens"] == 5
        assert engine.models() == ["shop-v1"]
        with pytest.raises(NotReady):
            complete("hi", model="other")
        for text, words in [("busy", "busy"), ("break", "broke off"), ("rubbish", "OpenAI")]:
            with pytest.raises(ServiceUnavailable, match=words):
                complete(text)
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        complete("hi")


def test_a_conversation_is_shown_to_its_own_account_only(sqlite: Database) -> None:
    with sqlite.writing() as session:
        project = a_speaking_project(session)
        one = a_person(session, "a@example.org", project=project, role=Role.RATER)
        other = a_person(session, "b@example.org", project=project, role=Role.LEAD)
        an_exchange(session, one, project, "q", "a")
        chat = latest_chat(session, actor=one, project_id=project.id or 0) or 0
        assert [turn.text for turn in shown_turns(session, actor=one, chat_id=chat)] == ["q", "a"]
        assert shown_turns(session, actor=other, chat_id=chat) == []
