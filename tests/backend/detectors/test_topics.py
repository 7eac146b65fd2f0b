"""Topics: grouping, names, putting later texts to topics. The sentence adapter is driven by a stand-in for its model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from backend.conversations import Message
from backend.detectors import sentence_adapter
from backend.detectors.sentence_adapter import Sentences, checked_name
from backend.detectors.telling_words import customer_words, names_of, telling_words, terms_of
from backend.detectors.topics import MOST_FITTED, NONE, Assigner, Clustering, cluster
from backend.errors import InvalidInput, ServiceUnavailable

THINGS = ("kettle", "lamp", "chair", "desk", "toaster", "radio", "jacket", "camera", "carpet", "mirror")
KINDS = (
    ("refund", "When will my refund for the {} arrive", "The refund of my {} is missing", "Refund for a {}, please"),
    ("password", "I forgot my account password for {}", "Password reset of the {} account", "Account password {} expired"),
    ("courier", "The courier lost my {}", "Where is the courier with the {}", "Courier tracking shows no {}"),
    ("invoice", "The invoice for the {} has no tax on it", "Tax invoice of my {}", "Send the invoice with tax for a {}"),
)
TEXTS = [pattern.format(thing) for _, *patterns in KINDS for pattern in patterns for thing in THINGS]
SUBJECTS = np.repeat(np.arange(4), 30)


@pytest.fixture(scope="module")
def found() -> Clustering:
    return cluster(TEXTS, count=4)


def test_each_subject_becomes_a_topic_named_by_its_words(found: Clustering) -> None:
    assert sorted(topic.size for topic in found.topics) == [30, 30, 30, 30]
    for place, topic in enumerate(found.topics):
        subjects = set(SUBJECTS[found.labels == place].tolist())
        assert len(subjects) == 1
        assert KINDS[subjects.pop()][0] in topic.name
    assert len({topic.name for topic in found.topics}) == 4


def test_the_same_texts_give_the_same_topics_centres_and_map(found: Clustering) -> None:
    again = cluster(TEXTS, count=4)
    assert again.topics == found.topics
    assert (again.labels == found.labels).all()
    assert np.abs(found.places).max() <= 1


def test_the_number_of_topics_is_chosen_by_silhouette() -> None:
    chosen = cluster(TEXTS, on_map=False)
    assert len(chosen.topics) >= 4
    assert chosen.silhouettes[len(chosen.topics)] >= max(chosen.silhouettes.values()) - 0.01
    assert len(chosen.places) == 0


def test_later_texts_go_to_the_topic_of_their_words_also_with_slips_and_strange_ones_to_none(found: Clustering) -> None:
    assigner = Assigner([topic.centre for topic in found.topics])
    names = [topic.name for topic in found.topics]
    labels = assigner.assign(["refnd for my bike?", "PASSWORDS of two accounts", "Xylophone zzyzx qwv", "", "please help me"])
    assert "refund" in names[labels[0]]
    assert "password" in names[labels[1]]
    assert labels[2:].tolist() == [NONE, NONE, NONE]
    assert (assigner.assign(TEXTS) == found.labels).all()
    assert assigner.assign([]).tolist() == []


def test_what_makes_no_topics_is_refused_in_words() -> None:
    for texts, count in ((TEXTS[:5], None), ([""] * 30, None), (TEXTS, 100), (TEXTS, 1)):
        with pytest.raises(InvalidInput, match=r"questions|topics"):
            cluster(texts, count=count)
    assert MOST_FITTED < 100_000


def test_equal_texts_make_topics_without_an_error() -> None:
    alike = cluster(["Where is my parcel?"] * 40 + ["Reset the password"] * 40, count=4)
    assert 1 <= len(alike.topics) <= 4


def test_masks_addresses_numbers_and_small_talk_tell_nothing() -> None:
    said = telling_words(
        "Hi, please help me: [NAME] wants refund 4711 for {{order}} at https://a.example/refund or x@example.org"
    )
    assert said == ["refund"]
    turns = [
        Message("system", "You are a bot"),
        Message("user", "Refund?"),
        Message("assistant", "Which?"),
        Message("user", "Lamp"),
    ]
    assert customer_words(turns) == "Refund?\nLamp"


def test_a_persons_name_stays_out_of_a_topics_words() -> None:
    texts = ["Invoice of Okonkwo for the lamp"] * 10 + ["Courier lost the chair"] * 10
    terms = terms_of(texts, np.repeat([0, 1], 10), 2)
    assert any("invoice" in term for term in terms[0])
    assert not any("okonkwo" in term for term in terms[0])


def test_names_are_unique_and_read_well() -> None:
    assert names_of([["refund", "return label"], ["refund", "return label", "lamp"], ["refund"], []], taken=["Refund"]) == [
        "refund, return label", "refund, return label, lamp", "refund (2)", "unnamed",
    ]  # fmt: skip


class Model:
    """Answers as a sentence model does."""

    def encode(self, texts: Sequence[str], **_options: Any) -> np.ndarray:
        words = ("refund", "password", "courier", "invoice")
        return np.array([[float(word in text.lower()) + 0.01 for word in words] for text in texts])


def test_a_sentence_model_takes_the_place_of_the_words() -> None:
    by_model = cluster(TEXTS, count=4, embed=Sentences(Model()).embed, on_map=False)
    assert [topic.size for topic in by_model.topics] == [30, 30, 30, 30]
    assert len(Assigner([topic.centre for topic in by_model.topics]).assign(["my refund"])) == 1


def test_without_the_package_or_with_a_path_for_a_name_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentence_adapter, "is_installed", lambda: False)
    with pytest.raises(ServiceUnavailable, match="not installed"):
        Sentences(name="sentence-transformers/all-MiniLM-L6-v2")
    for name in ("/etc/passwd", "../model", "a/b/c", "", "x; y"):
        with pytest.raises(InvalidInput):
            checked_name(name)
