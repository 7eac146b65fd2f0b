from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from backend.conversations import Message
from backend.detectors.abuse import BY_FLAG, BY_LEARNED, SLICE, abusive, flag_scores, judged, look, pieces
from backend.detectors.abuse_learning import FEWEST, scores, teach
from backend.detectors.checks import Context
from backend.detectors.detoxify_adapter import Detoxify, is_installed
from backend.errors import IntegrityViolated, NotReady, ServiceUnavailable

RUDE = [f"you {word} {thing} number {n}" for n, word in enumerate(("blorp", "gnarf", "zunk") * 10) for thing in ("desk",)]
KIND = [f"where is the damn {thing} number {n}" for n, thing in enumerate(("parcel", "lamp", "sofa") * 10)]
"""The first kind is abuse in this project only; the general flag calls the second kind abuse."""


def said(text: str) -> list[Message]:
    return [Message("user", text), Message("assistant", "We are sorry. Your order ships today.")]


def test_insults_are_flagged_and_a_shops_answers_are_not() -> None:
    assert abusive(["you are a stupid idiot", "Thank you, your order ships today.", ""]).tolist() == [True, False, False]
    assert abusive([]).tolist() == []


def test_hatred_in_polite_words_passes_which_is_why_it_is_called_a_flag() -> None:
    assert not abusive(["Women should not be allowed to vote."]).any()


def test_nobody_waits_for_the_model_who_does_not_ask() -> None:
    code = "import sys, backend.detectors.abuse; sys.exit('profanity_check' in sys.modules or 'sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_finding_stands_on_the_worst_sentence_of_a_long_message_and_says_whose_score_it_is() -> None:
    long = (
        "My order has not come yet, and I wrote to you three times about it. You are stupid idiots! " + "Please help me. " * 8
    )
    rude, calm = look([said(long), said("Where is my order?")], Context())
    (finding,) = rude.findings
    assert (finding.message, long[finding.start : finding.end].strip()) == (0, "You are stupid idiots!")
    assert finding.why == BY_FLAG
    assert dict(rude.slices) == {SLICE: "flagged"}
    assert (calm.findings, dict(calm.slices)) == ((), {SLICE: "not flagged"})


def test_the_pieces_of_a_text_are_within_it() -> None:
    for text in ("", "short", "a" * 500, "One. Two! " * 40, "\n" * 300):
        assert all(0 <= start < end <= len(text) or text == "" for start, end in pieces(text))
        assert pieces(text)


def test_what_was_learned_decides_where_it_is_sure_and_the_flag_in_between() -> None:
    values, own = judged(np.array([0.9, 0.9, 0.1]), np.array([0.1, 0.4, 0.8]))
    assert (values.tolist(), own.tolist()) == ([0.1, 0.9, 0.8], [True, False, True])


def test_a_project_teaches_its_own_words_both_ways() -> None:
    taught = teach([*RUDE, *KIND], [True] * len(RUDE) + [False] * len(KIND), background=["When will my parcel come?"] * 5)
    assert taught.learned.recall.value == 1
    assert taught.flag.recall.value == 0
    assert len(taught.model) < 8000
    context = Context(abuse_model=taught.model)
    rude, calm = look([said("you gnarf desk"), said("where is the damn lamp")], context)
    assert [finding.why for finding in rude.findings] == [BY_LEARNED]
    assert not calm.findings


def test_a_model_says_the_same_after_it_was_written_down() -> None:
    labels = [True] * len(RUDE) + [False] * len(KIND)
    first, second = teach([*RUDE, *KIND], labels), teach([*RUDE, *KIND], labels)
    assert first == second
    assert (scores(first.model, RUDE[:3]) > 0.5).all()


def test_too_few_labels_are_refused_with_what_is_missing() -> None:
    with pytest.raises(NotReady, match=f"{FEWEST} of each"):
        teach([*RUDE, *KIND[:19]], [True] * len(RUDE) + [False] * 19)


@pytest.mark.parametrize(
    "text", ["nonsense", "{}", '{"form":1,"features":4096,"ngrams":[2,4],"step":1,"intercept":0,"weights":"AAAA"}']
)
def test_a_model_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(IntegrityViolated, match="Learn anew"):
        scores(text, ["hello"])


class Engine:
    """What Detoxify's model answers, by hand."""

    def predict(self, texts: list[str]) -> dict[str, list[float]]:
        return {"toxicity": [0.1] * len(texts), "insult": [0.8 if "fool" in text else 0.0 for text in texts]}


def test_detoxifys_answers_become_one_score_a_text() -> None:
    assert Detoxify(Engine()).scores(["you fool"] + ["hello"] * 40).tolist() == [0.8] + [0.1] * 40
    assert len(Detoxify(Engine()).scores([])) == 0


def test_detoxify_is_never_fetched() -> None:
    with pytest.raises(ServiceUnavailable, match="needs a checkpoint" if is_installed() else "not installed"):
        Detoxify()


def test_the_flag_is_that_of_the_package_to_the_last_bit() -> None:
    from profanity_check import predict_prob

    texts = ["", "You are an idiot, you idiot.", "Where is my parcel?", "İstanbul ß ŞİT", "what the hell is this shit", "a b c"]
    assert flag_scores(texts).tolist() == predict_prob(texts).tolist()
    assert flag_scores(texts[1:3]).tolist() == predict_prob(texts[1:3]).tolist()
