from __future__ import annotations

import pytest

from backend.conversations import ASSISTANT, USER, Message
from backend.detectors import language
from backend.detectors.checks import Context, Seen
from backend.vocabulary import FindingKind
from tests.bench.cards.sentences import SHORT, WHOLE

ENGLISH = (WHOLE["en"][0], WHOLE["en"][2])
GERMAN = (WHOLE["de"][0], WHOLE["de"][2])


def seen(question: str, answer: str, *languages: str) -> Seen:
    messages = [Message(USER, question), Message(ASSISTANT, answer)]
    (one,) = language.look([messages], Context(languages=languages))
    assert all(finding.kind is FindingKind.LANGUAGE for finding in one.findings)
    return one


@pytest.mark.parametrize("code", sorted(WHOLE))
def test_whole_sentences_are_told_apart(code: str) -> None:
    said = [language.language_of(sentence) for sentence in WHOLE[code]]
    assert set(said) <= {code, language.UNCLEAR}
    assert said.count(code) >= 9


@pytest.mark.parametrize("code", sorted(SHORT))
def test_short_texts_are_unclear_rather_than_wrong(code: str) -> None:
    assert {language.language_of(text) for text in SHORT[code]} <= {code, language.UNCLEAR}


@pytest.mark.parametrize("text", ["", "ok", "12345", "[NAME]", "https://shop.example/de/impressum", "👍", "anna@shop.example"])
def test_what_holds_no_words_is_unclear(text: str) -> None:
    assert language.language_of(text) == language.UNCLEAR


def test_capitals_are_read_as_well() -> None:
    assert language.language_of("I WANT TO CANCEL MY ORDER BECAUSE IT IS TOO LATE") == "en"


def test_a_sign_that_is_a_word_needs_fewer_of_them() -> None:
    assert language.language_of("我的包裹在哪里?") == "zh"


def test_the_slice_is_the_language_of_what_the_user_says() -> None:
    assert seen(GERMAN[0], ENGLISH[1]).slices == ((language.SLICE, "de"),)
    assert seen("ok", ENGLISH[1]).slices == ((language.SLICE, "unclear"),)


def test_an_answer_in_another_language_than_the_question_is_found() -> None:
    (finding,) = seen(GERMAN[0], ENGLISH[1]).findings
    assert (finding.message, finding.proposal) == (1, None)
    assert finding.why == "The question is in German, the answer in English."
    assert not seen(GERMAN[0], GERMAN[1]).findings


def test_an_answer_in_a_language_that_was_asked_for_is_none() -> None:
    assert not seen(f"Please translate into German: {ENGLISH[0]}", GERMAN[0]).findings


def test_a_project_says_which_languages_it_is_in() -> None:
    assert not seen(*GERMAN, "en", "de").findings
    assert [finding.message for finding in seen(*GERMAN, "en").findings] == [0, 1]
    assert "German" in seen(*GERMAN, "en").findings[0].why
    assert [finding.message for finding in seen(GERMAN[0], ENGLISH[1], "de").findings] == [1]


def test_the_longest_turn_carries_the_finding() -> None:
    turns = [Message(USER, "Hallo"), Message(ASSISTANT, "Guten Tag!"), Message(USER, GERMAN[0]), Message(ASSISTANT, GERMAN[1])]
    (one,) = language.look([turns], Context(languages=("fr",)))
    assert [finding.message for finding in one.findings] == [2, 3]


def test_many_texts_together_are_told_as_each_alone() -> None:
    texts = (
        [text for code in WHOLE for text in WHOLE[code]]
        + [text for code in SHORT for text in SHORT[code]]
        + ["", "ok", "你好吗?"]
    )
    language._KNOWN.clear()
    alone = []
    for text in texts:
        language._KNOWN.clear()
        alone.append(language.guess(text))
    language._KNOWN.clear()
    language.guess_all(texts)
    assert [language.guess(text) for text in texts] == alone


def test_the_model_itself_says_the_same() -> None:
    model = language._model().identifier
    for text in (text for code in WHOLE for text in WHOLE[code][:3]):
        code, sure = model.classify(text)
        assert language.guess(text)[0] == code
        assert language.guess(text)[1] == pytest.approx(sure, abs=1e-4)


def test_what_is_remembered_is_forgotten_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "_MOST_KNOWN", 4)
    for number in range(12):
        language.guess(f"{ENGLISH[0]} {'x' * number}")
    assert len(language._KNOWN) <= 4
