"""What is found in a text of any kind; how well on real data is measured by `make scorecards`."""

import io
import itertools
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.curation.commands import write_spans
from backend.detectors.entities import numbers, references
from backend.detectors.entities.detect import find_entities, reads_foreign
from backend.detectors.entities.spans import Entity, Span, without_overlaps
from backend.detectors.entities.tokens import tokenise
from backend.detectors.personal import find_personal
from backend.detectors.privacy import PrivacyRules, as_setting, rules_of
from backend.errors import InvalidInput
from backend.vocabulary import PERSONAL_FINDINGS, FindingKind, Replacement


def found(text, **options):
    return [(span.entity.value, text[span.start : span.end]) for span in find_entities(text, **options)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("my ssn is 123-45-6789", ("US_SSN", "123-45-6789")),
        ("IBAN: GB82 WEST 1234 5698 7654 32 thanks", ("IBAN_CODE", "GB82 WEST 1234 5698 7654 32")),
        ("pay to de89370400440532013000", ("IBAN_CODE", "de89370400440532013000")),
        ("from 81.2.69.142 today", ("IP_ADDRESS", "81.2.69.142")),
        ("from 2001:db8::8a2e:370:7334 today", ("IP_ADDRESS", "2001:db8::8a2e:370:7334")),
        ("see https://shop.example.com/a?b=1.", ("DOMAIN_NAME", "https://shop.example.com/a?b=1")),
        ("born on 3 March 1984 in", ("DATE_OF_BIRTH", "3 March 1984")),
        ("it came on 2024-02-29 10:15", ("DATE_TIME", "2024-02-29 10:15")),
        ("she is 34 years old", ("AGE", "34")),
        ("zip code: 90210", ("ZIP_CODE", "90210")),
        ("he moved near SW1A 1AA", ("ZIP_CODE", "SW1A 1AA")),
        ("DNI 12345678Z", ("NATIONAL_ID", "12345678Z")),
        ("codice fiscale RSSMRA85T10A562S", ("NATIONAL_ID", "RSSMRA85T10A562S")),
        ("CPF 529.982.247-25", ("NATIONAL_ID", "529.982.247-25")),
        ("PESEL 44051401359", ("NATIONAL_ID", "44051401359")),
        ("my driver's license number is D123-4567", ("US_DRIVER_LICENSE", "D123-4567")),
        ("account number 12345678", ("ACCOUNT_NUMBER", "12345678")),
    ],
)
def test_what_has_a_form_is_found_by_its_form(text, expected):
    assert expected in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "IBAN GB83 WEST 1234 5698 7654 32", "ssn 000-12-3456", "999.1.2.3 is no address",
        "today, last week, on Monday", "You must be 18 years of age or older", "version 1.2.3.4",
    ],
)  # fmt: skip
def test_a_wrong_check_digit_or_an_empty_word_is_no_finding(text):
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Hi, my name is Katarzyna Nowak and my parcel is late", "hi my name is katarzyna nowak and my parcel is late",
        "Please ask for Katarzyna Nowak.", "Kind regards,\nKatarzyna Nowak",
    ],
)  # fmt: skip
def test_a_name_is_found_as_it_is_written(text):
    start = text.lower().index("katarzyna nowak")
    assert ("PERSON", text[start : start + 15]) in found(text)


def test_an_address_in_a_sentence_is_one_span_and_a_block_goes_line_by_line_unless_wanted_whole():
    text = "please send it to 12 Garden Street, Bristol BS1 4ST, thanks"
    assert ("STREET_ADDRESS", "12 Garden Street, Bristol BS1 4ST") in found(text)
    block = "Katarzyna Nowak\n221 Baker Street\nApt. 12\nLondon\nEngland 90210"
    assert [said for kind, said in found(block) if kind == "GPE"] == ["London", "England"]
    whole = [said for kind, said in found(block, whole_addresses=True) if kind == "STREET_ADDRESS"]
    assert whole == [block.partition("\n")[2]]


def test_a_name_found_once_is_found_wherever_it_stands():
    text = "My name is Wojciech Kowalczyk. Wojciech Kowalczyk ordered it."
    assert [said for _, said in found(text)] == ["Wojciech Kowalczyk"] * 2


def test_product_words_are_nobodys_name():
    text = "My name is Katarzyna Nowak"
    assert found(text, allowed=frozenset({"katarzyna nowak"})) == []
    assert found(text, allowed=frozenset({"katarzyna", "nowak"})) == []


def test_the_projects_own_numbers_come_before_what_they_look_like():
    assert found("it is ORD-404-555-0123 here", patterns=["ORD-###-###-####"]) == [("ORDER_NUMBER", "ORD-404-555-0123")]
    assert ("ORDER_NUMBER", "inv/24-77") in found("see inv/24-77", patterns=["INV/##-#+"])


@pytest.mark.parametrize("pattern", ["", "ABC", "@@@@", "##", "#+#+", "#+-#+-#+", "x" * 41, "a\nb#"])
def test_a_pattern_that_is_no_number_or_could_run_away_is_refused(pattern):
    with pytest.raises(InvalidInput):
        references.checked(pattern)


@given(st.text(alphabet="#@+.*()[]{}|?^$\\A1-", min_size=1, max_size=40), st.text(alphabet=string.printable, max_size=80))
def test_no_pattern_is_ever_an_expression(pattern, text):
    try:
        kept = references.checked(pattern)
    except InvalidInput:
        return
    for span in references.find(text, [kept]):
        literal = [sign for sign in kept.lower() if sign not in "#@+1a"]
        assert all(sign in text[span.start : span.end].lower() for sign in literal)


@given(st.integers(10**14, 10**15 - 1))
def test_exactly_one_check_digit_is_right(body):
    assert sum(numbers.luhn(f"{body}{digit}") for digit in range(10)) == 1


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8), st.sampled_from(list(Entity))), max_size=12))
def test_of_overlapping_spans_the_strongest_stays_and_nothing_overlaps(drawn):
    spans = [Span(start, start + length, entity, 1.0) for start, length, entity in drawn]
    kept = without_overlaps(spans)
    assert kept == sorted(kept)
    assert all(one.end <= other.start for one, other in itertools.pairwise(kept))
    assert all(any(k.start < s.end and s.start < k.end for k in kept) for s in spans)


@given(st.text(max_size=120))
def test_tokens_lie_where_they_say(text):
    tokens = tokenise(text)
    for word, start, end in zip(*tokens, strict=True):
        assert word.startswith("\n") or text[start:end] == word


def test_the_command_answers_every_line_in_order_and_names_those_it_could_not_read():
    lines = ['{"text": "mail ann@example.org"}\n', "nonsense\n", '{"text": 5}\n', '{"text": "born on 2/8/1935"}\n']
    out = io.StringIO()
    assert write_spans(lines, out) == [2, 3]
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert told[0] == {"spans": [{"start": 5, "end": 20, "type": "EMAIL_ADDRESS", "score": 1.0}]}
    assert "error" in told[1]
    assert "error" in told[2]
    assert [span["type"] for span in told[3]["spans"]] == ["DATE_TIME"]


def test_only_the_kinds_that_a_project_looks_for_are_findings():
    text = "I live in Lisbon, call 404-555-0123"
    assert [f.kind for f in find_personal(text)] == [FindingKind.PHONE]
    both = PrivacyRules(kinds=frozenset({FindingKind.PLACE, FindingKind.PHONE}))
    assert {f.kind for f in find_personal(text, rules=both)} == {FindingKind.PLACE, FindingKind.PHONE}


def test_rules_are_kept_as_a_setting_and_come_back_the_same():
    rules = PrivacyRules(
        kinds=PERSONAL_FINDINGS,
        allowed=frozenset({"linden & loom"}),
        patterns=("ORD-######",),
        replacement=Replacement.SURROGATE,
    )
    assert rules_of({"personal_data": as_setting(rules)}) == rules
    assert rules_of({}) == PrivacyRules()


def test_identity_numbers_need_their_right_check_digit():
    assert numbers.dni("12345678Z")
    assert not numbers.dni("12345678A")
    assert numbers.cpf("52998224725")
    assert not numbers.cpf("52998224724")


@pytest.mark.parametrize(
    "text",
    [
        "¿Puede cambiarlo la tienda?",
        "Puede devolver los artículos en 60 días.",
        "Me gustaría saber cuándo llega.",
        "¿A qué hora abren?",
    ],
)
def test_common_words_of_spanish_are_nobodys_name(text: str) -> None:
    assert reads_foreign(text)
    assert [span for span in find_entities(text) if span.entity is Entity.PERSON] == []


def test_names_in_spanish_are_found_still() -> None:
    text = "¿Puede llamar a José García? Me llamo Xiomara Quispe."
    names = {text[span.start : span.end] for span in find_entities(text) if span.entity is Entity.PERSON}
    assert {"José García", "Xiomara Quispe"} <= names
    assert not reads_foreign("What's your name? Sölvi Salómonsson")
