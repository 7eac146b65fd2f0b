from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlmodel import select

from backend.access import entering, sessions
from backend.access.passwords import hash_password
from backend.access.secrets import token_hash
from backend.errors import AlreadyDone, InvalidInput, NotFound, NotSignedIn, TooManyAttempts
from backend.store.accounts import Account, AuditEntry, LoginAttempt, LoginSession, OneTimeLink
from backend.store.base import now
from backend.store.database import Database

PASSWORD = "four unrelated words"


def an_account(database: Database, email: str = "ada@example.com", *, active: bool = True) -> None:
    with database.writing() as session:
        session.add(Account(email=email, password_hash=hash_password(PASSWORD), is_active=active))
        session.commit()


def sign_in(database: Database, email: str = "ada@example.com", password: str = PASSWORD, address: str = "10.0.0.1") -> str:
    return entering.sign_in(database=database, email=email, password=password, address=address, hours=1, attempts=3)


def offer(database: Database) -> str | None:
    with database.writing() as session:
        return entering.offer_setup(session=session, hours=1)


def set_up(database: Database, token: str, **changes: str) -> str:
    given = {"email": "Ada@Example.com", "name": "Ada", "password": PASSWORD} | changes
    with database.writing() as session:
        return entering.set_up(session=session, token=token, hours=1, **given)


def test_the_setup_link_makes_one_admin_and_signs_in(database: Database) -> None:
    token = offer(database)
    assert token
    opened = set_up(database, token)
    with database.reading() as session:
        actor = sessions.resolve(session, opened)
    assert actor.is_admin
    assert actor.label == "ada@example.com"
    assert offer(database) is None
    with pytest.raises(AlreadyDone):
        set_up(database, token, email="eve@example.com")


def test_a_newer_setup_link_replaces_the_older(database: Database) -> None:
    first, second = offer(database), offer(database)
    assert first
    assert second
    with pytest.raises(AlreadyDone):
        set_up(database, first)
    set_up(database, second)


def test_an_expired_or_invented_setup_link_is_refused(sqlite: Database) -> None:
    token = offer(sqlite)
    assert token
    with sqlite.writing() as session:
        link = session.exec(select(OneTimeLink)).one()
        link.expires_at = now() - timedelta(seconds=1)
        session.add(link)
        session.commit()
    with pytest.raises(NotFound, match="expired"):
        set_up(sqlite, token)
    with pytest.raises(NotFound):
        set_up(sqlite, "invented")


@pytest.mark.parametrize(
    "changes",
    [{"password": "short"}, {"password": "x" * 1001}, {"password": "aaaaaaaaaaaaaa"}, {"email": "ada"}, {"name": "  "},
     {"password": "ada@example.com"}, {"email": "<b>@x.com"}],
)  # fmt: skip
def test_a_bad_entry_leaves_the_setup_link_usable(sqlite: Database, changes: dict[str, str]) -> None:
    token = offer(sqlite)
    assert token
    with pytest.raises(InvalidInput):
        set_up(sqlite, token, **changes)
    set_up(sqlite, token)


def test_signing_in_opens_a_session_whose_token_is_stored_as_a_hash_only(database: Database) -> None:
    an_account(database)
    token = sign_in(database, email=" ADA@example.com ")
    with database.reading() as session:
        assert sessions.resolve(session, token).label == "ada@example.com"
        stored = session.exec(select(LoginSession)).one()
    assert stored.token_hash == token_hash(token)
    assert token not in stored.model_dump_json()


def test_a_login_ends_the_session_that_the_browser_had(sqlite: Database) -> None:
    an_account(sqlite)
    first = sign_in(sqlite)
    second = entering.sign_in(
        database=sqlite, email="ada@example.com", password=PASSWORD, address="", hours=1, attempts=3, replaces=first
    )
    assert first != second
    with sqlite.reading() as session, pytest.raises(NotSignedIn):
        sessions.resolve(session, first)


@pytest.mark.parametrize("email", ["ada@example.com", "shut@example.com", "nobody@example.com", "sso@example.com"])
def test_a_wrong_password_and_an_unusable_account_are_refused_alike(sqlite: Database, email: str) -> None:
    an_account(sqlite)
    an_account(sqlite, "shut@example.com", active=False)
    with sqlite.writing() as session:
        session.add(Account(email="sso@example.com"))
        session.commit()
    with pytest.raises(NotSignedIn) as refused:
        sign_in(sqlite, email=email, password=PASSWORD if email != "ada@example.com" else "wrong password")
    assert refused.value.message == "The e-mail address or the password is not right."


def test_too_many_failures_shut_the_account_for_a_while_and_then_open_it(database: Database) -> None:
    an_account(database)
    for _ in range(3):
        with pytest.raises(NotSignedIn):
            sign_in(database, password="wrong password")
    with pytest.raises(TooManyAttempts) as refused:
        sign_in(database)
    assert 0 < refused.value.retry_after <= 901
    with database.writing() as session:
        for attempt in session.exec(select(LoginAttempt)):
            attempt.at = now() - entering.WINDOW - timedelta(seconds=1)
            session.add(attempt)
        session.commit()
    sign_in(database)


def test_tries_at_the_same_time_do_not_slip_past_the_limit(database: Database) -> None:
    def attempt(_number: int) -> type[Exception] | None:
        try:
            sign_in(database, password="wrong password")
        except (NotSignedIn, TooManyAttempts) as error:
            return type(error)
        return None

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(8)))
    assert outcomes.count(NotSignedIn) == 3
    assert outcomes.count(TooManyAttempts) == 5


def test_an_address_that_tries_many_accounts_is_stopped_too(sqlite: Database) -> None:
    an_account(sqlite)
    with sqlite.writing() as session:
        for number in range(3 * entering.PER_ADDRESS):
            session.add(LoginAttempt(email=f"{number}@example.com", address="10.0.0.9"))
        session.commit()
    with pytest.raises(TooManyAttempts):
        sign_in(sqlite, address="10.0.0.9")
    sign_in(sqlite, address="10.0.0.1")


def test_a_success_takes_the_count_back(sqlite: Database) -> None:
    an_account(sqlite)
    for _ in range(2):
        for _ in range(2):
            with pytest.raises(NotSignedIn):
                sign_in(sqlite, password="wrong password")
        sign_in(sqlite)


def test_a_weak_hash_is_replaced_at_the_next_login(sqlite: Database) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with sqlite.writing() as session:
        session.add(Account(email="ada@example.com", password_hash=weak))
        session.commit()
    sign_in(sqlite)
    with sqlite.reading() as session:
        stored = session.exec(select(Account)).one().password_hash
    assert stored is not None
    assert stored != weak
    sign_in(sqlite)


def test_signing_out_ends_the_session_and_both_are_in_the_trail(sqlite: Database) -> None:
    an_account(sqlite)
    token = sign_in(sqlite)
    for _ in range(2):
        with sqlite.writing() as session:
            entering.sign_out(session=session, token=token)
    with sqlite.reading() as session:
        with pytest.raises(NotSignedIn):
            sessions.resolve(session, token)
        assert [entry.action for entry in session.exec(select(AuditEntry))] == ["signed_in", "signed_out"]


def test_an_expired_session_and_a_shut_account_resolve_to_nobody(sqlite: Database) -> None:
    an_account(sqlite)
    first, second = sign_in(sqlite), sign_in(sqlite)
    with sqlite.writing() as session:
        found = sessions.find_session(session, first)
        assert found
        found.expires_at = now()
        session.add(found)
        session.commit()
    with sqlite.reading() as session, pytest.raises(NotSignedIn):
        sessions.resolve(session, first)
    with sqlite.writing() as session:
        account = session.exec(select(Account)).one()
        account.is_active = False
        session.add(account)
        session.commit()
    with sqlite.reading() as session, pytest.raises(NotSignedIn):
        sessions.resolve(session, second)


def test_a_sign_in_under_a_very_long_address_is_refused_like_any_other(database: Database) -> None:
    with pytest.raises(NotSignedIn):
        sign_in(database, email="a" * 300 + "@example.com")
    with database.reading() as session:
        assert len(session.exec(select(AuditEntry)).one().subject) == 200


def test_an_invented_setup_link_is_refused_before_any_work_is_done_for_it(sqlite: Database) -> None:
    with pytest.raises(NotFound):  # and not InvalidInput: the password is not even looked at
        set_up(sqlite, "invented", password="short")
