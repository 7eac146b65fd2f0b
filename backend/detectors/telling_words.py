"""The words of a text that tell what it is about, and the names that topics get from them. Pure.

Left out are stop words, what people say in every request ("please", "can you help me"), numbers, and what masks personal
data or stands for a value to come. The lists are English; in other languages the contrast between topics alone decides,
so names there may hold small words. Not promised: a name that a person would have chosen.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from backend.conversations import Message, messages_from_json
from backend.detectors.entities import gazetteer

LONGEST = 2000
"""Characters of a customer's turns that count."""
LONGEST_NAME = 100
MOST_TERMS = 8
_LEAST_TEXTS = 3
_TALK = frozenset(
    {
        "hi", "hello", "hey", "dear", "please", "thanks", "thank", "regards", "need", "needs", "want", "wants", "wanted",
        "help", "helps", "know", "like", "tell", "let", "lets", "just", "do", "does", "did", "don", "doesn", "didn",
        "couldn", "wouldn", "shouldn", "won", "isn", "aren", "wasn", "hasn", "haven", "ll", "ve", "re", "im", "id", "ive",
        "cant", "dont", "wont", "didnt", "doesnt", "isnt", "possible", "assistance", "assist", "able", "going", "got",
        "getting", "get", "gonna", "wanna", "could", "would", "should", "may", "might", "shall", "question", "questions",
        "trying", "try", "yes", "no", "ok", "okay", "sure", "something", "anything", "look", "looking", "hope", "tried",
        "say", "said", "thing", "things", "way", "really", "mr", "mrs", "ms", "dr",
    }
)  # fmt: skip
_STOP = ENGLISH_STOP_WORDS | _TALK
_HOLES = re.compile(r"\[[A-Z][A-Z_ ]*\]|\{\{[^{}]*\}\}|https?://\S+|\S+@\S+")
_HOLE_SIGNS = ("[", "{{", "://", "@")
"""One of them is in every hole; they are much faster to look for."""
_WORD = re.compile(r"[^\W\d_]{2,}")


def customer_words(messages: Iterable[Message]) -> str:
    """What the customer says in a conversation."""
    return "\n".join(message.content for message in messages if message.role == "user")[:LONGEST]


def words_of_stored(conversations: Sequence[str]) -> list[str]:
    """What the customer says in each conversation, given as the JSON of its messages."""
    return [customer_words(messages_from_json(json.loads(messages))) for messages in conversations]


def telling_words(text: str) -> list[str]:
    """The words that tell something, in their order, in lower case."""
    text = text[:LONGEST]
    if any(sign in text for sign in _HOLE_SIGNS):
        text = _HOLES.sub(" ", text)
    return [word for word in _WORD.findall(text.lower()) if word not in _STOP]


@dataclass(slots=True)
class _Counts:
    """In how many texts each word, or pair of neighbours, occurs: in all, and in each topic."""

    overall: Counter[str] = field(default_factory=Counter)
    topics: list[Counter[str]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


def terms_of(texts: Sequence[str], labels: np.ndarray, count: int, *, most: int = MOST_TERMS) -> list[list[str]]:
    """For each topic the words and pairs that set it apart, the most telling first; texts labelled -1 belong to none."""
    counts = _counted(texts, labels, count)
    return [_best(counts, topic, most) for topic in range(count)]


def _counted(texts: Sequence[str], labels: np.ndarray, count: int) -> _Counts:
    found = _Counts(topics=[Counter() for _ in range(count)], sizes=[0] * count)
    for text, label in zip(texts, labels, strict=True):
        if label < 0:
            continue
        words = telling_words(text)
        held = {*words, *(f"{first} {second}" for first, second in itertools.pairwise(words) if first != second)}
        found.topics[label].update(held)
        found.overall.update(held)
        found.sizes[label] += 1
    return found


def _best(counts: _Counts, topic: int, most: int) -> list[str]:
    """By class-based TF-IDF: frequent here, rare elsewhere. A pair stands for its words where it is nearly as frequent."""
    here, size, total = counts.topics[topic], max(1, counts.sizes[topic]), max(1, sum(counts.sizes))
    least = min(_LEAST_TEXTS, size)

    def worth(term: str) -> float:
        inside = here[term] / size
        outside = (counts.overall[term] - here[term] + 1) / (total - size + len(counts.sizes))
        return inside * float(np.log1p(inside / outside)) * (1.3 if " " in term else 1.0)

    known = (term for term, n in here.items() if n >= least and not any(map(_is_name, term.split())))
    ranked = sorted(known, key=lambda term: (-worth(term), term))
    chosen: list[str] = []
    for term in ranked:
        said = [word for other in chosen for word in other.split()]
        if not any(_alike(word, other) for word in term.split() for other in said):
            chosen.append(term)
        if len(chosen) == most:
            break
    return chosen


def _is_name(word: str) -> bool:
    """Whether it names a person and is no word besides: such a word must not come to stand in a topic's name."""
    return word in _people() and gazetteer.rank(word) == "0"


@functools.cache
def _people() -> frozenset[str]:
    held = gazetteer.sections()
    return frozenset(held["first"]) | frozenset(held["last"])


def _alike(word: str, other: str) -> bool:
    """Whether two words are forms of one, such as "refund" and "refunds"; close enough for names."""
    short, long = sorted((word, other), key=len)
    common = next((place for place, (one, two) in enumerate(zip(short, long, strict=False)) if one != two), len(short))
    return common == len(short) >= 3 or common >= max(5, 0.7 * len(short))


def names_of(terms: Sequence[Sequence[str]], *, taken: Iterable[str] = ()) -> list[str]:
    """A name for each topic, from its terms: two of them, or more where two would not tell it from another."""
    used = {name.casefold() for name in taken}
    names = []
    for own in terms:
        name = next((name for name in _candidates(own) if name.casefold() not in used), "")
        number = 2
        while not name:
            numbered = f"{next(_candidates(own))} ({number})"
            name, number = (numbered if numbered.casefold() not in used else ""), number + 1
        used.add(name.casefold())
        names.append(name)
    return names


def _candidates(terms: Sequence[str]) -> Iterator[str]:
    """Names from short to long."""
    if not terms:
        return iter(["unnamed"])
    return (", ".join(terms[:many])[:LONGEST_NAME] for many in range(min(2, len(terms)), len(terms) + 1))
