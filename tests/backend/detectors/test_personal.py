import csv
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.conversations import Message
from backend.detectors import personal
from backend.detectors.personal import find_in_messages, find_personal, mask
from backend.vocabulary import FindingKind


def found(text):
    return [(finding.kind.value, text[finding.start : finding.end]) for finding in find_personal(text)]


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.com",
        "Ann.O'Neil+shop@mail.example.co.uk",
        "jürgen@münchen.de",
    ],
)
def test_email_addresses_are_found_whole(text):
    assert found(f"write to <{text}>, please") == [("email", text)]


@pytest.mark.parametrize(
    "number",
    [
        "404-555-0123",
        "(404) 555-0123",
        "404.555.0123",
        "404 555 0123",
        "1-404-555-0123",
        "+1 404 555 0123",
        "+1-903-140-4508x769",
        "404-555-0123 ext. 12",
        "+44 20 7946 0958",
        "+49 (0)89 1234567",
        "+4915112345678",
        "089 123 45 67",
        "01 42 68 53 00",
        "03.93.92.16.85",
    ],
)
def test_phone_numbers_of_usual_formats_are_found_whole(number):
    assert found(f"It was {number}.") == [("phone", number)]


@pytest.mark.parametrize("text", ["call me at 4045550123", "my phone number is 555 0123", "Tel.: 0891234567", "Fax:\n467 3395"])
def test_bare_digits_are_a_phone_only_after_a_word_that_says_so(text):
    assert [kind for kind, _ in found(text)] == ["phone"]
    assert found("It is 4045550123") == []


@pytest.mark.parametrize(
    "number", ["4111111111111111", "4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005", "30569309025904"]
)
def test_cards_are_found_with_and_without_separators(number):
    assert found(f"it is {number}, ok?") == [("card", number)]


@pytest.mark.parametrize(
    "text",
    [
        "order 113542617735902 and purchase 732201349959",
        "call me about order 370795561790",
        "order 4111111111111111",
        "4111111111111112",
        "It costs $1,299.00 or 1 299 000 dollars or 12.500.000",
        "on 2026-03-14 at 10:30, or 14.03.2026, or (2011-2015)",
        "ships to 30303-1234",
        "version 10.15.7.1",
        "SSN 000-45-6789",
        "@touchstone on social media, a @ b, user@localhost",
        "ISBN 978-3-16-148410-0",
        "SKU 1234-5678-90",
    ],
)
def test_other_numbers_raise_no_false_alarm(text):
    assert found(text) == []


@pytest.mark.parametrize(
    "hostile",
    ["a" * 10**5, "@" * 10**5, "a@" * 50_000, "a." * 50_000, "@a." * 30_000, "1" * 10**5, "1 " * 50_000, "(1-" * 30_000],
)
def test_hostile_texts_as_long_as_any_are_scanned_to_the_end(hostile):
    assert found(f"{hostile} ann@example.com")[-1] == ("email", "ann@example.com")


def test_masking_hides_every_kind_and_twice_is_as_good_as_once():
    text = "I'm ann@example.com, phone +1 404 555 0123, card 4111 1111 1111 1111."
    masked = mask(text)
    assert masked == "I'm [EMAIL], phone [PHONE], card [CARD]."
    assert mask(masked) == masked


@given(
    st.text(alphabet="a1 0-+().@x,\n", max_size=60),
    st.sampled_from(["call ", "card 4111111111111111", "a@b.com", "404-555-0123"]),
)
def test_a_masked_text_has_nothing_left_to_find(noise, seed):
    text = noise + seed + noise[::-1]
    assert not find_personal(mask(text))


@given(st.text(max_size=200))
def test_spans_are_in_order_and_do_not_overlap(text):
    spans = [(f.start, f.end) for f in find_personal(text)]
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


def test_findings_name_their_message_detector_and_proposal():
    findings = find_in_messages([Message("user", "hi"), Message("assistant", "mail ann@example.com")])
    assert [(f.kind, f.message, f.start, f.proposal, f.detector) for f in findings] == [
        (FindingKind.EMAIL, 1, 5, "[EMAIL]", "personal-data")
    ]


def test_real_questions_without_personal_data_raise_few_false_alarms(shared_data):
    with (shared_data / "banking77/train.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)][::4]
    assert sum(bool(find_personal(text)) for text in texts) < 0.01 * len(texts)


def test_labelled_spans_are_recalled(shared_data):
    rows = json.loads((shared_data / "presidio/synth_even_templates.json").read_text(encoding="utf-8"))
    kinds = {"EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "CREDIT_CARD": "card"}
    for entity, kind in kinds.items():
        labelled = hit = 0
        for row in rows:
            spans = {(f.start, f.end) for f in find_personal(row["full_text"]) if f.kind == kind}
            wanted = [(s["start_position"], s["end_position"]) for s in row["spans"] if s["entity_type"] == entity]
            labelled += len(wanted)
            hit += sum(span in spans for span in wanted)
        assert hit / labelled > 0.95, entity


def test_a_stand_in_hides_itself_and_nothing_that_only_holds_its_letters() -> None:
    said = [Message("user", "Thanks, Ann Miller. My name is Annabel Smithson, call 555-014-4567, or write to Ann Smithson.")]
    everything = {said[0].content[f.start : f.end] for f in find_in_messages(said)}
    left = {said[0].content[f.start : f.end] for f in find_in_messages(said, stand_ins={"Ann Miller", "Ann", "44"})}
    assert everything - left == {"Ann Miller"}
    assert {"Annabel Smithson", "555-014-4567", "Ann Smithson"} <= left


def test_a_search_finds_the_same_again_and_in_a_text_that_it_has_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personal, "_REMEMBERED", 2)
    search = personal.Search()
    conversations = [
        [Message("user", f"Write to {name}@example.com"), Message("assistant", "Call Maria Garcia at 404-555-0142.")]
        for name in ("jo", "kim", "lee")
    ]
    first = search(conversations)
    assert first == personal.find_in_conversations(conversations)
    assert [search([one])[0] for one in conversations] == first
    assert search(conversations[::-1]) == first[::-1]
