"""What is remembered of texts is what is worked out of them."""

from __future__ import annotations

from backend.detectors.of_late import LONGEST, of_late


def test_a_text_is_asked_about_once_and_a_long_one_each_time() -> None:
    asked: list[str] = []

    @of_late
    def length(text: str, more: int) -> int:
        asked.append(text)
        return len(text) + more

    long = "a" * (LONGEST + 1)
    assert [length("a", 1), length("a", 1), length("a", 2), length(long, 0), length(long, 0)] == [2, 2, 3, 1001, 1001]
    assert asked == ["a", "a", long, long]
