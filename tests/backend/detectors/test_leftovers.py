"""What should not have come along with a text, and what is missing from it: each fault is found, and what is fine is left."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.conversations import ASSISTANT, USER, Message
from backend.detectors import leftovers
from backend.detectors.checks import Context
from backend.detectors.findings import Finding, apply
from backend.detectors.personal import MASKS
from backend.vocabulary import FindingKind

ASKED = "When does it arrive?"


def seen(answer: str, question: str = ASKED) -> list[Finding]:
    (one,) = leftovers.look([[Message(USER, question), Message(ASSISTANT, answer)]], Context())
    assert {finding.kind for finding in one.findings} <= leftovers.KINDS
    return list(one.findings)


def fixed(answer: str) -> str:
    return apply(answer, [finding for finding in seen(answer) if finding.message == 1])


def kinds(answer: str, question: str = ASKED) -> list[FindingKind]:
    return [finding.kind for finding in seen(answer, question)]


@pytest.mark.parametrize(
    ("left_over", "cleaned"),
    [
        ("<p>Hello&nbsp;you,</p><p>it ships <b>today</b>.<br/>Bye.</p>", "Hello you,\nit ships today.\nBye."),
        ("Red &amp; blue<br>cost &euro;5.", "Red & blue\ncost €5."),
        ("Choose:\n<ul><li>one</li><li>two</li></ul>", "Choose:\n- one\n- two"),
        ("<style>p {color: red}</style><script>run();</script>It ships today.", "It ships today."),
        ("p.MsoNormal {margin: 0cm; font-size: 11pt;}\nIt ships today.", "\nIt ships today."),
        ("It ships today.<|im_end|>", "It ships today."),
        ('See <a href="https://shop.example/help">our help</a>.', "See our help."),
    ],
)
def test_markup_is_found_and_cleaned(left_over: str, cleaned: str) -> None:
    assert kinds(left_over) == [FindingKind.MARKUP]
    assert fixed(left_over) == cleaned


@pytest.mark.parametrize(
    "fine",
    ["It costs < 5 € and weighs > 2 kg.", "We love you <3", "If a<b and b>c, then a is less.", "Press <Enter>.",
     "AT&T and M&S.", "Write `<br>` for a new line.", "Use this:\n```html\n<p>Hello</p>\n```"],
)  # fmt: skip
def test_signs_that_look_like_markup_are_left(fine: str) -> None:
    assert kinds(fine) == []


def test_markup_is_meant_where_somebody_asks_for_code() -> None:
    assert kinds("<p>Hello {{name}}</p>", question="Write an HTML snippet that greets.") == []


@pytest.mark.parametrize(
    ("text", "blank"),
    [
        ("Dear {{name}}, it ships.", "{{name}}"),
        ("It ships on [insert date].", "[insert date]"),
        ("Dear [Customer Name], it ships.", "[Customer Name]"),
        ("Dear <CUSTOMER_NAME>, it ships.", "<CUSTOMER_NAME>"),
        ("Hello {first_name}, it ships.", "{first_name}"),
        ("Hello %FIRSTNAME%, it ships.", "%FIRSTNAME%"),
        ("Call XXX-XXX-XXXX today.", "XXX-XXX-XXXX"),
        ("It ships TBD.", "TBD"),
        ("Lorem ipsum dolor sit amet, it ships.", "Lorem ipsum dolor sit amet"),
    ],
)
def test_a_placeholder_is_left_to_people(text: str, blank: str) -> None:
    (finding,) = seen(text)
    assert (finding.kind, text[finding.start : finding.end]) == (FindingKind.PLACEHOLDER, blank)
    assert finding.proposal is None
    assert finding.why


def test_our_own_masks_are_no_placeholders() -> None:
    assert kinds(f"Write to {', '.join(MASKS.values())}.") == []


@pytest.mark.parametrize("fine", ["Sizes S to XXL.", "See [1] and [our page](https://x.example).", "Your TODO list is empty.",
                                  "Love you xxxx", "The set {red} is small.", "Save 50% today, 20% tomorrow."])  # fmt: skip
def test_what_only_looks_like_a_placeholder_is_left(fine: str) -> None:
    assert kinds(fine) == []


@pytest.mark.parametrize("nothing", ["N/A", "null", "#REF!", "(no output)"])
def test_an_answer_that_says_there_is_none_is_a_placeholder(nothing: str) -> None:
    assert kinds(nothing) == [FindingKind.PLACEHOLDER]


@pytest.mark.parametrize(
    "tail",
    [
        "\n\nBest regards,\nAnna Lind\nCustomer care\n+49 30 123456",
        "\n\nThanks,\nPeter",
        "\nKind regards, Anna Lind",
        "\nSent from my iPhone",
        "\n-- \nAnna\nShop Ltd.",
        "\n\nMit freundlichen Grüßen\nIhr Team",
        "\n\nThis e-mail and any attachments are confidential. If you are not the intended recipient, please delete it.",
        "\n\nYou are receiving this email because you signed up.\nUnsubscribe | Preferences",
    ],
)
def test_boilerplate_is_taken_away_with_the_space_before_it(tail: str) -> None:
    assert kinds(f"It ships today.{tail}") == [FindingKind.BOILERPLATE]
    assert fixed(f"It ships today.{tail}") == "It ships today."


def test_a_signature_in_a_question_is_found_as_well() -> None:
    (finding,) = seen("It ships today.", question="Where is it?\n\nRegards,\nPeter Hall")
    assert (finding.kind, finding.message) == (FindingKind.BOILERPLATE, 0)


def test_a_text_that_is_all_boilerplate_is_left_to_people() -> None:
    (finding,) = seen("Sent from my iPhone")
    assert finding.proposal is None


@pytest.mark.parametrize("fine", ["To unsubscribe, click the link below any newsletter. You get one more mail.",
                                  "Cheers.", "Thanks,\nI will look into it.", "A thesis --\nand more."])  # fmt: skip
def test_words_of_an_answer_are_no_boilerplate(fine: str) -> None:
    assert kinds(fine) == []


def test_a_closing_is_meant_where_somebody_asks_for_a_letter() -> None:
    assert kinds("Dear team,\nI resign.\n\nSincerely,\nAnna", question="Write a letter of resignation.") == []


@pytest.mark.parametrize(
    "cut",
    [
        "You can send it back within",
        "Please take it to our shop and",
        "We have it in red, green,",
        "You need two parts (a lid",
        "Here it is:\n```python\nprint(1",
        "First you unpack the table. Then you screw the four legs into the plate, each with the two long screws. After that "
        "you turn it around with a second person. Never lift it by the legs alone. Once it stands, level the feet, wipe the "
        "plate with a damp cloth and then you",
        "...", "—",
    ],
)  # fmt: skip
def test_an_answer_that_is_empty_or_breaks_off_is_found(cut: str) -> None:
    (finding,) = seen(cut)
    assert (finding.kind, finding.proposal) == (FindingKind.TRUNCATED, None)


@pytest.mark.parametrize(
    "whole",
    ["Yes", "Sure :(", "👍", "It is on its way", "What are you interested in", "1. red\n2. green\n3. blue", "Option (b)", "42",
     "Le Petit Prince and The Lord of the Rings", "See https://shop.example/help", "Paris, Texas"],
)  # fmt: skip
def test_a_whole_answer_without_a_full_stop_is_left(whole: str) -> None:
    assert kinds(whole) == []


def test_an_answer_that_repeats_the_question_is_an_echo() -> None:
    assert kinds("when does it arrive") == [FindingKind.ECHO]
    assert kinds("You asked: When does it arrive?") == [FindingKind.ECHO]
    assert kinds("It arrives on Monday.") == []
    assert kinds("Hello there", question="Hello there!") == []


def test_broken_characters_are_found_by_the_repair() -> None:
    for text, repaired in (
        ("The sofaâ€™s leg is fixed.", "The sofa’s leg is fixed."),
        ("Red &amp; blue cost &euro;5.", "Red & blue cost €5."),
    ):
        assert kinds(text) == [FindingKind.ENCODING]
        assert fixed(text) == repaired


@given(st.text(alphabet="<>/bp &;#{}[]()-\n.,Bestrgad'\"`xX", max_size=120))
def test_spans_lie_within_the_text_and_a_proposal_leaves_words(text: str) -> None:
    for finding in (found for found in seen(text) if found.message == 1):
        assert 0 <= finding.start <= finding.end <= len(text)
        if finding.proposal is not None and any(map(str.isalnum, text)):
            assert apply(text, [finding]).strip()


@pytest.mark.parametrize(
    "unit", ["<!--", "<script>", "<a x=", "\n", "[insert ", "a{b:c;", "Thanks,\n", "```", "\n--\n", "((", "XX-"]
)
def test_no_text_makes_the_search_slow(unit: str) -> None:
    begun = time.process_time()
    seen(unit * (20_000 // len(unit)))
    assert time.process_time() - begun < 10  # a tenth of a second; what grows with the square of the length would take minutes
