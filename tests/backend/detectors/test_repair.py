import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.detectors.findings import apply
from backend.detectors.repair import find_faults, repair


@pytest.mark.parametrize(
    ("broken", "repaired", "change"),
    [
        ("The sofaâ€™s leg", "The sofa’s leg", "wrongly decoded"),
        ("cafÃ©", "café", "wrongly decoded"),
        ("cafe\u0301", "café", "NFC"),
        ("dis\u200bcount\ufeff \u00adcode", "discount code", "invisible"),
        ("hid\U000e0041\U000e0042den", "hidden", "invisible"),
        ("pay \u202eecnis\u202c now", "pay ecnis now", "invisible"),
        ("one\r\ntwo", "one\ntwo", "line breaks"),
        ("bell\x07", "bell", "invisible"),
    ],
)
def test_broken_text_is_repaired_and_the_change_named(broken, repaired, change):
    result = repair(broken)
    assert result.text == repaired
    assert any(change in text for text in result.changes)


@pytest.mark.parametrize(
    "fine",
    [
        "“Quoted” — naïve",
        "👩‍👩‍👧 and 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "می‌خواهم",
        "שלום\u200e!",
        "Größe 10 µm",
        "",
    ],
)
def test_text_that_is_fine_is_left_alone(fine):
    assert repair(fine) == repair(repair(fine).text)
    assert repair(fine).text == fine
    assert not find_faults(fine)


@given(st.text(max_size=60) | st.text(alphabet="Ã©â€™\u200d\u200b\u0301ae&;mp lt<\r\n", max_size=30))
def test_repairing_twice_changes_nothing_more(text):
    once = repair(text)
    assert repair(once.text).text == once.text
    assert bool(once.changes) == (once.text != text)


def test_the_finding_proposes_the_repaired_text():
    text = "cafÃ©"
    (finding,) = find_faults(text, message=2)
    assert (finding.message, finding.kind.value) == (2, "encoding")
    assert apply(text, [finding]) == "café"
