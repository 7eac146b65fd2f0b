"""Who sees which page: every page of the router, opened by every role, by nobody, and after the session ended."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from backend.access.actors import Actor
from backend.access.policy import ALLOWED
from backend.access.sessions import COOKIE, end_all_sessions, open_session
from backend.runtime import Runtime
from backend.store.accounts import Account
from backend.vocabulary import Action, Role
from tests.factories import a_person, a_project

PAGES = Path(__file__).parents[2] / "pages"
WHO = ["nobody", "stranger", "rater", "expert", "lead", "admin"]
REFUSALS = ("Your role does not open this page.", "You are in no project yet.", "Your session has ended.")


def listed() -> dict[str, Action | None]:
    """The router's pages and what they ask for, read from its source: importing the router runs it."""
    tree = ast.parse((PAGES / "_entry.py").read_text(encoding="utf-8"))
    table = next(node.value for node in tree.body if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "PAGES")
    rows = eval(compile(ast.Expression(table), "PAGES", "eval"), {"Action": Action})  # type: ignore[arg-type]
    return {name: action for entries in rows.values() for name, _title, _icon, action in entries}


LISTED = listed()
CLOSED = [
    (who, page)
    for who in ("nobody", "stranger", *Role)
    for page, action in LISTED.items()
    if action is not None and (who not in ALLOWED or action not in ALLOWED[Role(who)])
]


@dataclass
class Cast:
    house: Runtime
    actors: dict[str, Actor]
    tokens: dict[str, str]

    def open(self, page: str, who: str) -> AppTest:
        at = AppTest.from_file(str(PAGES / f"{page}.py"), default_timeout=90)
        if who != "nobody":
            at.session_state[COOKIE] = self.tokens[who]
        return at.run()


@pytest.fixture
def cast(house: Runtime) -> Cast:
    with house.database.writing() as session:
        project, other = a_project(session), a_project(session, "other")
        actors = {
            "stranger": a_person(session, "stranger@example.com"),
            "rater": a_person(session, "rater@example.com", project=project, role=Role.RATER),
            "expert": a_person(session, "expert@example.com", project=project, role=Role.EXPERT),
            "lead": a_person(session, "lead@example.com", project=project, role=Role.LEAD),
            "admin": a_person(session, "admin@example.com", admin=True),
            "foreign": a_person(session, "foreign@example.com", project=other, role=Role.LEAD),
        }
        tokens = {name: open_session(session, account_id=actor.account_id or 0, hours=1) for name, actor in actors.items()}
        session.commit()
    return Cast(house, actors, tokens)


def said(at: AppTest) -> str:
    return " ".join(str(element.value) for element in [*at.info, *at.warning, *at.error])


def test_every_listed_page_exists_and_every_page_is_listed() -> None:
    files = {path.stem for path in PAGES.glob("*.py")} - {"_entry", "signed_out", "__init__"}
    assert files == set(LISTED)


@pytest.mark.parametrize(("who", "page"), CLOSED)
def test_a_page_is_closed_to_a_role_that_may_not_open_it(cast: Cast, who: str, page: str) -> None:
    at = cast.open(page, who)
    assert not at.exception
    assert any(sentence in said(at) for sentence in REFUSALS)
    assert not at.button
    assert not at.dataframe
    assert not at.text_input


@pytest.mark.parametrize("who", WHO)
def test_the_router_lists_exactly_the_pages_that_open(cast: Cast, who: str) -> None:
    at = AppTest.from_file(str(PAGES / "_entry.py"), default_timeout=90)
    if who != "nobody":
        at.session_state[COOKIE] = cast.tokens[who]
    at.run()
    assert not at.exception
    title = at.title[0].value
    assert title == {"nobody": "You are signed out", "stranger": "Welcome"}.get(who, "Shop")


def test_an_ended_session_shows_at_the_next_click_and_saves_nothing(cast: Cast) -> None:
    at = cast.open("account", "rater")
    at.text_input(key="own_name").set_value("Changed after the end")
    with cast.house.database.writing() as session:
        end_all_sessions(session, cast.actors["rater"].account_id or 0)
        session.commit()
    next(button for button in at.button if button.label == "Save").click().run()
    assert "Your session has ended" in said(at)
    with cast.house.database.reading() as session:
        stored = session.exec(select(Account).where(Account.email == "rater@example.com")).one()
    assert stored.name == "rater"


def test_a_role_taken_away_meanwhile_saves_nothing(cast: Cast) -> None:
    at = cast.open("members", "lead")
    at.text_input(key="invite_email").set_value("new@example.com")
    with cast.house.database.writing() as session:
        account = session.get_one(Account, cast.actors["lead"].account_id)
        from backend.access.inviting import join

        join(session, account, 1, Role.RATER)
        session.commit()
    next(button for button in at.button if button.label == "Invite").click().run()
    assert "handover" not in at.session_state
    assert "Your role does not open this page." in said(at)


def test_a_live_part_of_a_page_shows_nothing_more_once_the_session_ended(cast: Cast) -> None:
    def page() -> None:
        import streamlit as st
        from streamlit.runtime.scriptrunner import get_script_run_ctx

        from backend.access.sessions import end_all_sessions
        from pages.components.visit import require

        visit = require()
        with visit.writing() as session:
            end_all_sessions(session, visit.actor.account_id or 0)
            session.commit()
        get_script_run_ctx().fragment_ids_this_run = ["live"]  # from here on as when only a fragment is drawn anew
        with visit.reading():
            st.text("the log of a run")

    at = AppTest.from_function(page, default_timeout=90)
    at.session_state[COOKIE] = cast.tokens["lead"]
    at.run()
    assert not at.exception
    assert not at.text
    assert "Your session has ended" in said(at)


def test_a_tab_in_which_somebody_else_signed_in_forgets_what_it_held(cast: Cast) -> None:
    at = cast.open("home", "lead")
    at.session_state["chat_1"] = 7
    at.session_state[COOKIE] = cast.tokens["rater"]
    at.run()
    assert not at.exception
    assert "chat_1" not in at.session_state
