"""Search over the full text: all turns of the newest revision, kept by the database itself, the same on both kinds."""

from __future__ import annotations

from collections.abc import Callable

from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, col, delete, select

from backend.access.actors import Actor
from backend.conversations import Message
from backend.review.filters import RecordFilter
from backend.review.queries import count_records, list_records
from backend.store import full_text
from backend.store.database import MIGRATIONS, Database
from backend.store.full_text import Term, terms
from backend.store.records import Project, Record, RecordRevision
from backend.vocabulary import Role
from tests.factories import a_project, a_record

TEXTS = [
    ("Can I return a café table?", "Yes, within 30 days."),
    ("Mail joe.miller@example.org about order 4711-22", "Done."),
    ("Ist der GRÜNE Stoff aus Wolle?", "Ja, 100% Wolle."),
    ("我们的退款政策是什么?", "三十天。"),
    ("What does return_code=7 mean?", "Don't worry."),
]


def a_shelf(session: Session) -> tuple[Actor, int]:
    project = a_project(session)
    for prompt, answer in TEXTS:
        a_record(session, project, prompt=prompt, answer=answer)
    session.commit()
    return Actor(None, "lead", roles={project.id or 0: Role.LEAD}), project.id or 0


def found(session: Session, lead: Actor, project_id: int, text: str) -> list[int]:
    wanted = RecordFilter(text=text)
    ids = [int(one) for one in list_records(session, lead, project_id, wanted)["id"]]
    assert count_records(session, lead, project_id, wanted) == len(ids)
    return ids


def test_words_phrases_accents_signs_and_parts_of_words_are_found(database: Database) -> None:
    with database.writing() as session:
        lead, project_id = a_shelf(session)
        expected = {
            "return": [1, 5], "RETURN table": [1], "table return": [1], '"table return"': [], '"a cafe table"': [1],
            "CAFÉ": [1], "cafe\u0301": [1], "ret": [1, 5], "ret table": [], "days 30": [1], "grune": [3], "wol": [3],
            "joe.miller@example.org": [2], "miller@exa": [2], "4711": [2], "4711-22": [2], "711": [2], "example joe": [2],
            "退款": [4], "我们 退款": [4], "退款 table": [], "%": [3], "100%": [3], "_": [5], "don't": [5], "on't worry": [5],
            "code=7": [5], "2": [2], '"': [], "?!": [], "3": [3], "\x00": [1, 2, 3, 4, 5], "café\x00": [1],
        }  # fmt: skip
        assert {text: found(session, lead, project_id, text) for text in expected} == expected


def test_every_turn_counts_and_only_those_of_the_newest_revision(database: Database) -> None:
    with database.writing() as session:
        lead, project_id = a_shelf(session)
        turns = [Message("system", "Be kind."), Message("user", "First pelican"), Message("assistant", "No flamingo")]
        turns += [Message("user", "Then?"), Message("assistant", "Swan.")]
        messages = [turn.to_json() for turn in turns]
        session.add(RecordRevision(record_id=1, number=2, messages=messages, content_hash="2" * 64))
        session.commit()
        for text, ids in {"kind pelican flamingo": [1], "swan": [1], "café": [], '"flamingo then"': [1]}.items():
            assert found(session, lead, project_id, text) == ids


def test_a_revision_that_comes_late_does_not_hide_a_newer_one(database: Database) -> None:
    with database.writing() as session:
        lead, project_id = a_shelf(session)
        for number, word in ((3, "heron"), (2, "stork")):
            messages = [Message("user", word).to_json()]
            session.add(RecordRevision(record_id=2, number=number, messages=messages, content_hash=str(number) * 64))
            session.flush()
        assert found(session, lead, project_id, "heron") == [2]
        assert found(session, lead, project_id, "stork") == []


def test_another_projects_texts_are_not_found(database: Database) -> None:
    with database.writing() as session:
        lead, project_id = a_shelf(session)
        a_record(session, a_project(session, "other"), prompt="A zebra", answer="Yes.")
        assert found(session, lead, project_id, "zebra") == []


def test_the_text_of_a_deleted_record_is_forgotten(database: Database) -> None:
    with database.writing() as session:
        a_shelf(session)
        session.execute(delete(RecordRevision).where(col(RecordRevision.record_id) == 1))
        session.execute(delete(Record).where(col(Record.id) == 1))
        assert session.execute(full_text.holding(session, "table")).all() == []


def test_a_very_long_text_is_taken_and_its_beginning_found(database: Database) -> None:
    with database.writing() as session:
        project = a_project(session)
        words = " ".join(f"w{number}x" for number in range(150_000))
        a_record(session, project, prompt="needle " + words, answer="x" * 5000)
        session.commit()
        lead = Actor(None, "lead", roles={project.id or 0: Role.LEAD})
        assert found(session, lead, project.id or 0, "needle w7x") == [1]


def test_records_that_were_there_before_the_index_are_in_it(database: Database) -> None:
    with database.writing() as session:
        a_shelf(session)
    step(database, command.downgrade, "0001")
    step(database, command.upgrade, "head")
    with database.reading() as session:
        assert list(session.execute(full_text.having_words(session, "wolle")).scalars()) == [3]  # type: ignore[arg-type]


def step(database: Database, move: Callable[[Config, str], None], revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.writing() as session:
        config.attributes["connection"] = session.connection()
        move(config, revision)
        session.commit()


@given(st.text(max_size=60))
def test_terms_are_words_that_were_typed(text: str) -> None:
    for term in terms(text):
        assert term.text in text.replace("\x00", "")
        assert any(character.isalnum() for character in term.text)
        assert '"' not in term.text
    assert [term.is_open for term in terms(text)][:-1].count(True) == 0


def test_quotes_keep_words_together_and_the_last_word_is_open() -> None:
    assert terms('a "b c" de') == (Term("a"), Term("b c"), Term("de", is_open=True))
    assert terms('a "b c"') == (Term("a"), Term("b c"))
    assert terms("% _") == ()
    assert len(terms("x " * 500)) == full_text.MOST_TERMS


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(max_size=40), st.text(alphabet="a\"*^:-()+&|!<>\\' \x00{}~%_", max_size=40)))
def test_nothing_typed_is_an_error(database: Database, text: str) -> None:
    with database.reading() as session:
        for query in (full_text.having_words(session, text), full_text.holding(session, text)):
            if query is not None:
                assert session.execute(query).all() == []


def test_a_word_is_found_wherever_it_stands(database: Database) -> None:
    """Searching for a whole word of any text finds that text."""
    with database.writing() as session:
        project: Project = a_project(session)
        texts = ["naïve façade", "ΑΒΓ δέλτα", "русский ёж", "x2y 12ab v1.2.3", "हिन्दी में", "it’s “quoted”—dash", "e-mail: a_b"]
        for text in texts:
            a_record(session, project, prompt=text, answer="")
        session.commit()
        records = {record.id: record.prompt for record in session.exec(select(Record))}
        for record_id, text in records.items():
            for word in text.split():
                query = full_text.having_words(session, f'"{word}"')
                assert query is not None
                assert record_id in session.execute(query).scalars().all(), word
