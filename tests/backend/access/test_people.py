"""Inviting, resetting, administering, one's own account, tokens."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import Session, select

from backend.access import administering, inviting, maintaining, tokening
from backend.access.actors import Actor
from backend.access.passwords import hash_password, verify_password
from backend.access.queries import accounts, audit_trail, invitations_of, members_of, projects_of, sessions_of, tokens_of
from backend.access.secrets import token_hash
from backend.access.sessions import actor_of, look_up, open_session, resolve
from backend.errors import AlreadyDone, Conflict, Forbidden, InvalidInput, NotFound, NotSignedIn
from backend.store import database as database_module
from backend.store.accounts import Account, ApiToken, AuditEntry, LoginSession, OneTimeLink
from backend.store.base import now
from backend.store.database import Database
from backend.store.records import Project
from backend.vocabulary import LinkPurpose, Role
from tests.factories import a_person, a_project

PASSWORD = "four unrelated words"


@pytest.fixture
def people(sqlite: Database) -> dict[str, Actor]:
    with sqlite.writing() as session:
        shop, other = a_project(session), a_project(session, "other")
        made = {
            "admin": a_person(session, "admin@example.com", admin=True),
            "lead": a_person(session, "lead@example.com", project=shop, role=Role.LEAD),
            "rater": a_person(session, "rater@example.com", project=shop, role=Role.RATER),
            "foreign": a_person(session, "foreign@example.com", project=other, role=Role.LEAD),
        }
        session.commit()
    return made


def invite(database: Database, actor: Actor, email: str = "new@example.com", role: Role = Role.EXPERT, project: int = 1) -> str:
    with database.writing() as session:
        found = inviting.invite(session=session, actor=actor, project_id=project, email=email, role=role, hours=1)
    assert found.token
    return found.token


def accept(database: Database, token: str, name: str = "New") -> str:
    with database.writing() as session:
        return inviting.accept(session=session, token=token, name=name, password=PASSWORD, hours=1)


def reload(database: Database, actor: Actor) -> Actor:
    with database.reading() as session:
        return actor_of(session, session.get_one(Account, actor.account_id))


def test_an_invitation_makes_an_account_with_its_role_once(sqlite: Database, people: dict[str, Actor]) -> None:
    token = invite(sqlite, people["lead"])
    with sqlite.reading() as session:
        shown = inviting.look_at_invitation(session=session, token=token)
        assert (shown.email, shown.project, shown.role) == ("new@example.com", "Shop", Role.EXPERT)
        stored = session.exec(select(OneTimeLink)).one()
        assert token not in stored.model_dump_json()
    opened = accept(sqlite, token)
    with sqlite.reading() as session:
        assert resolve(session, opened).roles == {1: Role.EXPERT}
    with pytest.raises(AlreadyDone):
        accept(sqlite, token)


def test_an_expired_invitation_is_refused(sqlite: Database, people: dict[str, Actor]) -> None:
    token = invite(sqlite, people["lead"])
    with sqlite.writing() as session:
        link = session.exec(select(OneTimeLink)).one()
        link.expires_at = now() - timedelta(seconds=1)
        session.add(link)
        session.commit()
    with pytest.raises(NotFound, match="expired"):
        accept(sqlite, token)


def test_an_invitation_of_a_lead_who_lost_the_role_is_refused(sqlite: Database, people: dict[str, Actor]) -> None:
    token = invite(sqlite, people["lead"])
    with sqlite.writing() as session:
        administering.remove_member(
            session=session, actor=people["admin"], project_id=1, account_id=people["lead"].account_id or 0
        )
    with pytest.raises(Forbidden):
        accept(sqlite, token)
    with sqlite.reading() as session:
        assert session.exec(select(Account).where(Account.email == "new@example.com")).all() == []


def test_inviting_somebody_with_an_account_adds_them_at_once(sqlite: Database, people: dict[str, Actor]) -> None:
    with sqlite.writing() as session:
        found = inviting.invite(
            session=session, actor=people["lead"], project_id=1, email="foreign@example.com", role=Role.RATER, hours=1
        )
    assert found.token is None
    assert reload(sqlite, people["foreign"]).roles == {1: Role.RATER, 2: Role.LEAD}


def test_a_newer_invitation_replaces_the_older_and_can_be_withdrawn(sqlite: Database, people: dict[str, Actor]) -> None:
    first, second = invite(sqlite, people["lead"]), invite(sqlite, people["lead"], role=Role.RATER)
    with pytest.raises(NotFound):
        accept(sqlite, first)
    with sqlite.writing() as session:
        waiting = invitations_of(session, actor=people["lead"], project_id=1)
        assert [(found.email, found.role) for found in waiting] == [("new@example.com", "rater")]
        administering.withdraw_invitation(session=session, actor=people["lead"], project_id=1, link_id=waiting[0].link_id)
    with pytest.raises(AlreadyDone):
        accept(sqlite, second)


@pytest.mark.parametrize("who", ["rater", "foreign"])
def test_who_may_not_manage_members_can_do_none_of_it(sqlite: Database, people: dict[str, Actor], who: str) -> None:
    actor, rater = people[who], people["rater"].account_id or 0

    def refused(session: Session) -> None:
        with pytest.raises(Forbidden):
            inviting.invite(session=session, actor=actor, project_id=1, email="x@example.com", role=Role.LEAD, hours=1)
        with pytest.raises(Forbidden):
            inviting.request_reset(session=session, actor=actor, account_id=rater, hours=1)
        with pytest.raises(Forbidden):
            administering.change_role(session=session, actor=actor, project_id=1, account_id=rater, role=Role.LEAD)
        with pytest.raises(Forbidden):
            administering.remove_member(session=session, actor=actor, project_id=1, account_id=rater)
        with pytest.raises(Forbidden):
            administering.rename_project(session=session, actor=actor, project_id=1, name="Mine")
        with pytest.raises(Forbidden):
            members_of(session, actor=actor, project_id=1)
        with pytest.raises(Forbidden):
            audit_trail(session, actor=actor, project_id=1)

    with sqlite.writing() as session:
        refused(session)


def test_accounts_and_projects_are_refused_to_a_lead(sqlite: Database, people: dict[str, Actor]) -> None:
    lead, rater = people["lead"], people["rater"].account_id or 0
    with sqlite.writing() as session:
        for attempt in (
            lambda: administering.create_project(session=session, actor=lead, slug="mine", name="Mine"),
            lambda: administering.deactivate_account(session=session, actor=lead, account_id=rater),
            lambda: administering.reactivate_account(session=session, actor=lead, account_id=rater),
            lambda: administering.set_admin(session=session, actor=lead, account_id=lead.account_id or 0, is_admin=True),
            lambda: accounts(session, actor=lead),
            lambda: audit_trail(session, actor=lead, project_id=None),
        ):
            with pytest.raises(Forbidden):
                attempt()


def test_a_lead_makes_no_reset_link_not_even_for_somebody_added_to_their_own_project(
    sqlite: Database, people: dict[str, Actor]
) -> None:
    with sqlite.writing() as session:
        for who in ("rater", "foreign", "admin"):
            with pytest.raises(Forbidden):
                inviting.request_reset(session=session, actor=people["lead"], account_id=people[who].account_id or 0, hours=1)


def test_a_reset_ends_every_session_and_token_and_works_once(sqlite: Database, people: dict[str, Actor]) -> None:
    rater = people["rater"].account_id or 0
    with sqlite.writing() as session:
        older = open_session(session, account_id=rater, hours=1)
        session.commit()
        token = tokening.create_token(session=session, actor=people["rater"], name="script")
        first = inviting.request_reset(session=session, actor=people["admin"], account_id=rater, hours=1)
        second = inviting.request_reset(session=session, actor=people["admin"], account_id=rater, hours=1)
    with sqlite.writing() as session, pytest.raises(AlreadyDone):
        inviting.reset(session=session, token=first, password=PASSWORD, hours=1)
    with sqlite.writing() as session:
        assert inviting.look_at_reset(session=session, token=second) == "rater@example.com"
        opened = inviting.reset(session=session, token=second, password=PASSWORD, hours=1)
    with sqlite.reading() as session:
        assert resolve(session, opened).account_id == rater
        with pytest.raises(NotSignedIn):
            resolve(session, older)
        with pytest.raises(NotSignedIn):
            tokening.bearer(session=session, token=token)
        assert verify_password(session.get_one(Account, rater).password_hash, PASSWORD)
    with sqlite.writing() as session, pytest.raises(AlreadyDone):
        inviting.reset(session=session, token=second, password=PASSWORD, hours=1)


def test_a_link_for_one_purpose_serves_no_other(sqlite: Database, people: dict[str, Actor]) -> None:
    token = invite(sqlite, people["lead"])
    with sqlite.writing() as session, pytest.raises(NotFound):
        inviting.reset(session=session, token=token, password=PASSWORD, hours=1)


def test_the_last_admin_stays_one_and_active(sqlite: Database, people: dict[str, Actor]) -> None:
    admin, number = people["admin"], people["admin"].account_id or 0
    with sqlite.writing() as session:
        with pytest.raises(Conflict):
            administering.set_admin(session=session, actor=admin, account_id=number, is_admin=False)
        with pytest.raises(Conflict):
            administering.deactivate_account(session=session, actor=admin, account_id=number)
        administering.set_admin(session=session, actor=admin, account_id=people["lead"].account_id or 0, is_admin=True)
        administering.set_admin(session=session, actor=admin, account_id=number, is_admin=False)
    assert not reload(sqlite, admin).is_admin


def test_a_lead_cannot_leave_the_project_without_one(sqlite: Database, people: dict[str, Actor]) -> None:
    lead, number = people["lead"], people["lead"].account_id or 0
    with sqlite.writing() as session:
        with pytest.raises(Conflict):
            administering.remove_member(session=session, actor=lead, project_id=1, account_id=number)
        with pytest.raises(Conflict):
            administering.change_role(session=session, actor=lead, project_id=1, account_id=number, role=Role.RATER)
        administering.change_role(
            session=session, actor=lead, project_id=1, account_id=people["rater"].account_id or 0, role=Role.LEAD
        )
        administering.remove_member(session=session, actor=lead, project_id=1, account_id=number)


def test_a_shut_account_loses_sessions_and_tokens_and_keeps_its_history(sqlite: Database, people: dict[str, Actor]) -> None:
    rater = people["rater"].account_id or 0
    with sqlite.writing() as session:
        opened = open_session(session, account_id=rater, hours=1)
        session.commit()
        token = tokening.create_token(session=session, actor=people["rater"], name="script")
        administering.deactivate_account(session=session, actor=people["admin"], account_id=rater)
    with sqlite.writing() as session:
        for attempt in (lambda: resolve(session, opened), lambda: tokening.bearer(session=session, token=token)):
            with pytest.raises(NotSignedIn):
                attempt()
        assert session.exec(select(AuditEntry).where(AuditEntry.actor_id == rater)).all()
        administering.reactivate_account(session=session, actor=people["admin"], account_id=rater)
        with pytest.raises(NotSignedIn):
            tokening.bearer(session=session, token=token)


@pytest.mark.parametrize("slug", ["", "-a", "a-", "a b", "ä", "a/b", "../etc", "x" * 65])
def test_a_short_name_that_is_no_slug_is_refused(sqlite: Database, people: dict[str, Actor], slug: str) -> None:
    with sqlite.writing() as session, pytest.raises(InvalidInput):
        administering.create_project(session=session, actor=people["admin"], slug=slug, name="X")


def test_a_project_is_made_once_renamed_and_seen_by_its_people(sqlite: Database, people: dict[str, Actor]) -> None:
    with sqlite.writing() as session:
        made = administering.create_project(session=session, actor=people["admin"], slug="Third", name="Third  one")
        assert (made.slug, made.name) == ("third", "Third one")
        with pytest.raises(AlreadyDone):
            administering.create_project(session=session, actor=people["admin"], slug="third", name="Again")
        administering.rename_project(session=session, actor=people["lead"], project_id=1, name="New name")
    with sqlite.reading() as session:
        assert session.get_one(Project, 1).name == "New name"
        assert [card.slug for card in projects_of(session, people["lead"])] == ["shop"]
        assert len(projects_of(session, people["admin"])) == 3


def test_a_changed_password_ends_the_other_sessions_only(sqlite: Database, people: dict[str, Actor]) -> None:
    rater = people["rater"].account_id or 0
    with sqlite.writing() as session:
        account = session.get_one(Account, rater)
        account.password_hash = hash_password(PASSWORD)
        session.add(account)
        mine, other = (open_session(session, account_id=rater, hours=1) for _ in range(2))
        session.commit()
    given = {"database": sqlite, "actor": people["rater"], "token": mine}
    with pytest.raises(InvalidInput):
        maintaining.change_password(current="wrong", new="another good one", **given)
    maintaining.change_password(current=PASSWORD, new="another good one", **given)
    with sqlite.reading() as session:
        assert resolve(session, mine).account_id == rater
        with pytest.raises(NotSignedIn):
            resolve(session, other)
        assert [found.is_this for found in sessions_of(session, people["rater"], current_hash=token_hash(mine))] == [True]


def test_one_ends_one_s_own_sessions_and_nobody_else_s(sqlite: Database, people: dict[str, Actor]) -> None:
    with sqlite.writing() as session:
        open_session(session, account_id=people["lead"].account_id or 0, hours=1)
        session.commit()
        found = sessions_of(session, people["lead"])[0]
        with pytest.raises(NotFound):
            maintaining.revoke_session(session=session, actor=people["rater"], session_id=found.id)
        maintaining.revoke_session(session=session, actor=people["lead"], session_id=found.id)
        assert sessions_of(session, people["lead"]) == []


def test_a_token_is_kept_as_a_hash_acts_as_its_account_and_ends_when_revoked(
    sqlite: Database, people: dict[str, Actor]
) -> None:
    with sqlite.writing() as session:
        token = tokening.create_token(session=session, actor=people["rater"], name="nightly")
        stored = session.exec(select(ApiToken)).one()
        assert token.startswith("ts_")
        assert token not in stored.model_dump_json()
        assert tokening.bearer(session=session, token=token) == people["rater"]
        mine = tokens_of(session, people["rater"])[0]
        with pytest.raises(NotFound):
            tokening.revoke_token(session=session, actor=people["lead"], token_id=mine.id)
        tokening.revoke_token(session=session, actor=people["rater"], token_id=mine.id)
        with pytest.raises(NotSignedIn):
            tokening.bearer(session=session, token=token)
        with pytest.raises(NotSignedIn):
            tokening.bearer(session=session, token="ts_invented")


def test_preferences_take_only_what_is_known(sqlite: Database, people: dict[str, Actor]) -> None:
    with sqlite.writing() as session:
        maintaining.set_preference(session=session, actor=people["rater"], name="fast_desk", value=False)
        with pytest.raises(InvalidInput):
            maintaining.set_preference(session=session, actor=people["rater"], name="is_admin", value=True)
        with pytest.raises(Forbidden):
            maintaining.remember_project(session=session, actor=people["rater"], project_id=2)
        assert session.get_one(Account, people["rater"].account_id).preferences == {"fast_desk": False}


def test_filters_take_wildcards_and_quotes_as_text(sqlite: Database, people: dict[str, Actor]) -> None:
    invite(sqlite, people["lead"], email="o'neil_100%@example.com")
    with sqlite.reading() as session:
        for text, found in (("o'neil_100%", 1), ("%", 1), ("_", 1), ("' OR 1=1 --", 0), ("O'NEIL", 1)):
            assert len(audit_trail(session, actor=people["admin"], project_id=None, search=text)) == found
        assert len(accounts(session, actor=people["admin"], search="%")) == 0
        assert len(audit_trail(session, actor=people["lead"], project_id=1, actions=["member_invited"])) == 1


def test_a_link_made_for_one_address_is_withdrawn_for_that_one_only(sqlite: Database, people: dict[str, Actor]) -> None:
    invite(sqlite, people["lead"])
    with sqlite.writing() as session:
        inviting.request_reset(session=session, actor=people["admin"], account_id=people["rater"].account_id or 0, hours=1)
        inviting.request_reset(session=session, actor=people["admin"], account_id=people["lead"].account_id or 0, hours=1)
        unused = [link for link in session.exec(select(OneTimeLink)) if link.used_at is None]
    assert sorted((link.purpose, link.email) for link in unused) == [
        (LinkPurpose.INVITE, "new@example.com"),
        (LinkPurpose.RESET, "lead@example.com"),
        (LinkPurpose.RESET, "rater@example.com"),
    ]


def test_inviting_somebody_who_is_in_the_project_changes_no_role(sqlite: Database, people: dict[str, Actor]) -> None:
    lead = people["lead"]
    with sqlite.writing() as session, pytest.raises(AlreadyDone, match="as lead"):
        inviting.invite(session=session, actor=lead, project_id=1, email=lead.label, role=Role.RATER, hours=1)
    assert reload(sqlite, lead).roles == {1: Role.LEAD}


def test_who_somebody_is_is_known_also_while_another_writes(
    sqlite: Database, people: dict[str, Actor], monkeypatch: pytest.MonkeyPatch
) -> None:
    rater = people["rater"]
    with sqlite.writing() as session:
        token = tokening.create_token(session=session, actor=rater, name="nightly")
    with sqlite.writing() as session:
        opened = open_session(session, account_id=rater.account_id or 0, hours=1)
        session.flush()
        for found in session.exec(select(LoginSession)):
            found.seen_at = now() - timedelta(hours=1)
        session.commit()
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0)
    impatient = Database(str(sqlite.url))
    with sqlite.writing() as importing:
        importing.add(Project(slug="long", name="A long import"))
        importing.flush()
        assert look_up(impatient, opened) == tokening.look_up_bearer(impatient, token) == rater
    assert tokening.look_up_bearer(impatient, token) == rater
    with sqlite.reading() as session:
        assert tokens_of(session, rater)[0].used_at is not None
    impatient.dispose()
