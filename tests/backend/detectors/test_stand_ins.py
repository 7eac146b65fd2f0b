"""Stand-ins read like the real thing, are the same for the same person, and tell nothing without the key."""

import datetime
import re

from hypothesis import given
from hypothesis import strategies as st

from backend.detectors.entities.numbers import iban, luhn
from backend.detectors.stand_ins import StandIns
from backend.vocabulary import FindingKind as Kind

ONE, OTHER = StandIns(b"1" * 32), StandIns(b"2" * 32)


def test_a_person_has_the_same_stand_in_in_name_mail_and_initials():
    whole = ONE.of(Kind.NAME, "John Smith")
    given_name, family = whole.split()
    assert ONE.of(Kind.NAME, "john") == given_name.lower()
    assert ONE.of(Kind.NAME, "SMITH") == family.upper()
    assert ONE.of(Kind.NAME, "J. Smith") == f"{given_name[0]}. {family}"
    assert ONE.of(Kind.EMAIL, "john.smith@corp.com").startswith(f"{given_name}.{family}@example.".lower())
    assert ONE.of(Kind.EMAIL, "jsmith@corp.com").startswith(f"{given_name[0]}{family}@".lower())


def test_another_projects_key_gives_others():
    assert ONE.of(Kind.NAME, "John Smith") != OTHER.of(Kind.NAME, "John Smith")
    assert ONE.fingerprint(Kind.NAME, "John Smith") != OTHER.fingerprint(Kind.NAME, "John Smith")
    assert ONE.fingerprint(Kind.NAME, "John  smith") == ONE.fingerprint(Kind.NAME, "john smith")


@given(st.dates(datetime.date(1930, 1, 1), datetime.date(2030, 12, 31)))
def test_all_dates_move_by_the_same_number_of_days(day):
    assert ONE.of(Kind.DATE, day.isoformat()) == (day + datetime.timedelta(days=ONE.days)).isoformat()


def test_a_date_keeps_its_form():
    assert re.fullmatch(r"\d{1,2}/\d{1,2}/\d{4}", ONE.of(Kind.DATE, "2/18/1935"))
    assert re.fullmatch(r"\d{1,2} [A-Z][a-z]+ \d{4}", ONE.of(Kind.BIRTH_DATE, "3 March 1984"))


@given(st.from_regex(r"[1-9][0-9]{3}( [0-9]{4}){3}", fullmatch=True))
def test_a_card_keeps_its_grouping_and_a_right_check_digit(card):
    made = ONE.of(Kind.CARD, card)
    assert [len(group) for group in made.split()] == [4, 4, 4, 4]
    assert luhn(made.replace(" ", ""))


def test_an_iban_stays_one_of_its_country():
    made = ONE.of(Kind.ACCOUNT, "GB82 WEST 1234 5698 7654 32")
    assert made.startswith("GB")
    assert iban(made.replace(" ", ""))


@given(st.sampled_from(sorted(Kind)), st.text(min_size=1, max_size=40))
def test_every_text_of_every_kind_has_a_stand_in_and_always_the_same(kind, text):
    assert ONE.of(kind, text) == StandIns(b"1" * 32).of(kind, text)
