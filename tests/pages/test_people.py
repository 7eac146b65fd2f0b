"""The pages about people: home, members, administration, account, audit trail."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from backend.access.sessions import COOKIE, open_session
from backend.runtime import Runtime
from backend.store.accounts import Account, ApiToken, AuditEntry, Membership, OneTimeLink
from backend.store.records import Project
from backend.vocabulary import Role
from tests.factories import a_person, a_project, a_record

PAGES = Path(__file__).parents[2] / "pages"
HOSTILE = "<img src=x onerror=alert(1)> :red[hi] ![a](http://evil/x.png) [x](http://evil)"


@pytest.fixture
def visitor(house: Runtime) -> dict[str, str]:
    """Session tokens by role."""
    with house.database.writing() as session:
        project = a_project(session)
        project.name = HOSTILE
        session.add(project)
        people = {
            "admin": a_person(session, "admin@example.com", admin=True),
            "lead": a_person(session, "lead@example.com", project=project, role=Role.LEAD),
            "expert": a_person(session, "expert@example.com", project=project, role=Role.EXPERT),
            "rater": a_person(session, "rater@example.com", project=project, role=Role.RATER),
        }
        tokens = {name: open_session(session, account_id=actor.account_id or 0, hours=1) for name, actor in people.items()}
        session.commit()
    return tokens


def opened(page: str, token: str) -> AppTest:
    at = AppTest.from_file(str(PAGES / f"{page}.py"), default_timeout=90)
    at.session_state[COOKIE] = token
    at.run()
    assert not at.exception
    return at


def routed(token: str) -> AppTest:
    at = AppTest.from_file(str(PAGES / "_entry.py"), default_timeout=90)
    at.session_state[COOKIE] = token
    at.run()
    assert not at.exception
    return at


def press(at: AppTest, label: str) -> AppTest:
    next(button for button in at.button if button.label == label).click().run()
    assert not at.exception
    return at


def errors(at: AppTest) -> str:
    """Notices are drawn by the router; a page alone keeps them."""
    return " ".join(text for kind, text in at.session_state["notices"] if kind == "error")


def test_home_tells_each_role_what_waits_for_it(house: Runtime, visitor: dict[str, str]) -> None:
    with house.database.writing() as session:
        project = session.exec(select(Project)).one()
        a_record(session, project, prompt="Do you ship?", answer="Yes.")
        session.commit()
    labels = {who: " ".join(metric.label for metric in routed(visitor[who]).metric) for who in ("rater", "expert", "lead")}
    assert "Records to review" in labels["expert"]
    assert "Records to review" in labels["lead"]
    assert "Records to review" not in labels["rater"]
    assert "Members" in labels["lead"]
    assert "Members" not in labels["expert"]


def test_home_teaches_where_nothing_waits(visitor: dict[str, str]) -> None:
    text = " ".join(element.value for element in routed(visitor["lead"]).markdown)
    assert "Begin by importing" in text
    text = " ".join(element.value for element in routed(visitor["rater"]).markdown)
    assert "A lead opens rating tasks" in text


def test_a_hostile_project_name_is_shown_as_text(visitor: dict[str, str]) -> None:
    at = routed(visitor["lead"])
    assert HOSTILE not in at.title[0].value
    assert at.title[0].value.replace("\\", "") == HOSTILE
    assert HOSTILE in [element.value for element in at.sidebar.text]
    for page in ("members", "admin"):
        at = opened(page, visitor["admin"])
        assert not [element for element in at.markdown if HOSTILE in element.value]


def test_a_lead_invites_and_gets_the_link_once(house: Runtime, visitor: dict[str, str]) -> None:
    at = opened("members", visitor["lead"])
    at.text_input(key="invite_email").set_value("new@example.com")
    press(at, "Invite")
    link = at.code[0].value
    assert "/invite?token=" in link
    with house.database.reading() as session:
        stored = session.exec(select(OneTimeLink)).one()
    assert stored.token_hash not in link
    press(at, "I have copied it")
    assert not at.code


def test_a_wrong_address_is_told_and_nothing_is_made(house: Runtime, visitor: dict[str, str]) -> None:
    at = opened("members", visitor["lead"])
    at.text_input(key="invite_email").set_value("nobody")
    press(at, "Invite")
    assert "Please give an e-mail address" in errors(at)
    with house.database.reading() as session:
        assert session.exec(select(OneTimeLink)).all() == []


def test_a_lead_changes_a_role_and_removes_a_member(house: Runtime, visitor: dict[str, str]) -> None:
    at = opened("members", visitor["lead"])
    with house.database.reading() as session:
        ids = {account.email.partition("@")[0]: account.id for account in session.exec(select(Account))}
    at.selectbox(key=f"role_{ids['rater']}").set_value(Role.EXPERT).run()
    at.button(key=f"remove_{ids['expert']}").click().run()
    assert not at.exception
    with house.database.reading() as session:
        roles = {member.account_id: member.role for member in session.exec(select(Membership))}
    assert roles == {ids["lead"]: Role.LEAD, ids["rater"]: Role.EXPERT}


def test_the_last_lead_cannot_be_demoted_and_the_page_shows_the_role_as_it_is(house: Runtime, visitor: dict[str, str]) -> None:
    at = opened("members", visitor["lead"])
    with house.database.reading() as session:
        lead = session.exec(select(Account).where(Account.email == "lead@example.com")).one()
    at.selectbox(key=f"role_{lead.id}").set_value(Role.RATER).run()
    assert "at least one lead" in errors(at)
    assert at.selectbox(key=f"role_{lead.id}").value == Role.LEAD


def test_an_admin_makes_a_project_and_shuts_an_account(house: Runtime, visitor: dict[str, str]) -> None:
    at = opened("admin", visitor["admin"])
    at.text_input(key="new_name").set_value("Second")
    at.text_input(key="new_slug").set_value("second")
    press(at, "Create")
    with house.database.reading() as session:
        assert {project.slug for project in session.exec(select(Project))} == {"shop", "second"}
        rater = session.exec(select(Account).where(Account.email == "rater@example.com")).one()
    at.button(key=f"shut_{rater.id}").click().run()
    with house.database.reading() as session:
        assert not session.get_one(Account, rater.id).is_active


def test_one_makes_and_revokes_a_token_and_switches_a_preference(house: Runtime, visitor: dict[str, str]) -> None:
    at = opened("account", visitor["rater"])
    at.text_input(key="token_name").set_value("nightly")
    press(at, "Make a token")
    assert at.code[0].value.startswith("ts_")
    press(at, "Revoke")
    at.toggle(key="preference_fast_desk").set_value(False).run()
    with house.database.reading() as session:
        assert session.exec(select(ApiToken)).one().revoked_at is not None
        stored = session.exec(select(Account).where(Account.email == "rater@example.com")).one()
    assert stored.preferences == {"fast_desk": False}


def test_the_audit_trail_filters_and_checks_its_chain(house: Runtime, visitor: dict[str, str]) -> None:
    at = opened("members", visitor["lead"])
    at.text_input(key="invite_email").set_value("new@example.com")
    press(at, "Invite")
    at = opened("audit", visitor["lead"])
    assert list(at.dataframe[0].value["action"]) == ["member_invited"]
    press(at, "Check the chain")
    assert "is whole" in at.session_state["notices"][-1][1]
    with house.database.writing() as session:
        entry = session.exec(select(AuditEntry)).one()
        entry.subject = "somebody else"
        session.add(entry)
        session.commit()
    press(at, "Check the chain")
    assert "broken at entry 1" in at.session_state["notices"][-1][1]
    at.text_input[0].set_value("zzz").run()
    assert not at.dataframe
    assert "Nothing was done that fits" in at.info[0].value
