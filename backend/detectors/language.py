"""Which language a text is in, by py3langid's linear model. Pure; the model (1.7 s) is loaded at the first use.

A text is given a language only where the model is sure: what is left of it once addresses, masks and numbers are taken away
has at least `SHORTEST` letters, and the language at least `SURE` of the probability, among the `NAMES` alone. Everything
else is "unclear", above all greetings and confirmations: without these bounds every fifth English support question of fewer
than 30 characters would be called something else. A finding needs more than a slice does: `CERTAIN`.

Not promised: languages that are not among the `NAMES`, which are called by their nearest neighbour or unclear; texts that mix
languages; neighbours as close as Croatian and Serbian.
"""

from __future__ import annotations

import functools
import math
import re
import string
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from backend.conversations import ASSISTANT, USER, Message
from backend.detectors.checks import Context, Seen
from backend.detectors.findings import Finding
from backend.vocabulary import DETECTED, FindingKind

DETECTOR, VERSION = "language", "1"
KINDS = frozenset({FindingKind.LANGUAGE})
SLICE = DETECTED + "language"
SLICES = frozenset({SLICE})
UNCLEAR = "unclear"
NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German",
    "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish",
    "fr": "French", "ga": "Irish", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian",
    "is": "Icelandic", "it": "Italian", "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian", "mr": "Marathi",
    "nl": "Dutch", "no": "Norwegian", "pa": "Punjabi", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sk": "Slovak", "sl": "Slovenian", "sq": "Albanian", "sr": "Serbian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil",
    "te": "Telugu", "th": "Thai", "tl": "Filipino", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese",
    "zh": "Chinese",
}  # fmt: skip
"""ISO 639-1 code → what people call it; the languages that are told apart."""
SHORTEST, SHORTEST_DENSE = 12, 4
"""The fewest letters of a text that is given a language; in scripts that write a word with one or two signs, fewer."""
SURE, CERTAIN = 0.75, 0.9
_LONGEST = 2000
"""Characters that are looked at: more tell nothing more."""
_SIGNS = r"\[[A-Z][A-Z ]+\]|\{\{.*?\}\}|[<>{}\[\]*_`#|\\/]|\d+"
_NO_ADDRESS, _NOT_WORDS = re.compile(_SIGNS), re.compile(rf"https?://\S+|www\.\S+|\S+@\S+|{_SIGNS}")
_ADDRESS_SIGNS = ("@", "://", "www.")
"""One of them is in every address; they are much faster to look for."""
_DENSE = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


_ASCII_LETTERS = string.ascii_letters.encode()
_TOGETHER = 16
"""Texts from which on they are walked through side by side."""
_KNOWN: dict[str, tuple[str, float]] = {}
_MOST_KNOWN = 16_384
"""Texts whose language is remembered, because several checks ask for it."""


class _Model(NamedTuple):
    """py3langid's, and the automaton that finds its features in bytes, as arrays."""

    identifier: Any
    moves: npt.NDArray[np.uint32]
    rows: npt.NDArray[np.int64]
    features: npt.NDArray[np.int64]


@functools.cache
def _model() -> _Model:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    model.set_languages(list(NAMES))
    # as it comes it lies by language; a text's features are few rows of it, and these are then read at once
    model.nb_ptc = np.ascontiguousarray(model.nb_ptc, dtype=np.float32)
    rows = np.array(model.tk_row, np.int64) << 8
    return _Model(model, np.frombuffer(model.tk_nextmove, np.uint32), rows, np.array(model.tk_output, np.int64))


def guess(text: str) -> tuple[str, float]:
    """(the likeliest language, its probability); ("unclear", 0) for a text with too few letters to tell."""
    found = _KNOWN.get(text)
    if found is None:
        guess_all([text])
        found = _KNOWN[text]
    return found


def guess_all(texts: Iterable[str]) -> None:
    """What `guess` will say of each of these, worked out together, which takes a third of the time."""
    wanted = dict.fromkeys(texts)
    new = [text for text in wanted if text not in _KNOWN]
    if len(_KNOWN) + len(new) > _MOST_KNOWN:
        _KNOWN.clear()
        new = list(wanted)
    _KNOWN.update(zip(new, _guesses(new), strict=True))


def _guesses(texts: Sequence[str]) -> list[tuple[str, float]]:
    words = [_words(text) for text in texts]
    found = iter(_classified([text for text in words if text]))
    return [next(found) if text else (UNCLEAR, 0.0) for text in words]


def _words(text: str) -> str:
    """What tells the language of a text; "" where that is too little."""
    text = text[:_LONGEST]
    not_words = _NOT_WORDS if any(sign in text for sign in _ADDRESS_SIGNS) else _NO_ADDRESS
    words = " ".join(not_words.sub(" ", text).split())
    if words.isascii():
        letters, least = len(words) - len(words.encode().translate(None, _ASCII_LETTERS)), SHORTEST
    else:
        letters, least = sum(map(str.isalpha, words)), SHORTEST_DENSE if _DENSE.search(words) else SHORTEST
    if letters < least:
        return ""
    # capitals throughout look like no language at all to a model that learned from ordinary texts
    return words.lower() if words.isupper() else words


def _classified(texts: Sequence[str]) -> list[tuple[str, float]]:
    """What the model's `classify` gives for each of the texts."""
    if not texts:
        return []
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # most of the program never asks for languages

    model = _model().identifier
    encoded = [model._encode(text) for text in texts]
    met = _features(encoded) if len(texts) >= _TOGETHER else [_features_of(text) for text in encoded]
    ends = np.cumsum([0, *map(len, met)])
    counts = csr_matrix((np.ones(ends[-1], np.float32), np.concatenate(met), ends), shape=(len(texts), len(model.nb_ptc)))
    counts.sum_duplicates()
    np.log1p(counts.data, out=counts.data)
    scores = counts @ model.nb_ptc + np.where(counts.getnnz(axis=1) > 0, 1, 0)[:, None].astype(np.float32) * model.nb_pc
    scores *= np.array([[1.0 / math.sqrt(len(text) or 1)] for text in encoded], scores.dtype)
    np.exp(scores - scores.max(axis=1, keepdims=True), out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    for first, again in model._alias_pairs:
        scores[:, first] += scores[:, again]
        scores[:, again] = 0.0
    best = scores.argmax(axis=1)
    return [(str(model.nb_classes[place]), float(row[place])) for place, row in zip(best.tolist(), scores, strict=True)]


def _features_of(text: bytes) -> npt.NDArray[np.int32]:
    """The features that the automaton meets in a text, in their order."""
    model = _model().identifier
    state, met = 0, []
    for sign in text:
        state = model.tk_nextmove[(model.tk_row[state] << 8) + sign]
        if (feature := model.tk_output[state]) >= 0:
            met.append(feature)
    return np.array(met, np.int32)


def _features(texts: Sequence[bytes]) -> list[npt.NDArray[np.int32]]:
    """Those of many texts. It goes through all of them at once, byte by byte."""
    model = _model()
    order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
    lengths = np.array([len(texts[place]) for place in order])
    signs = np.zeros((lengths[0], len(texts)), np.uint8)
    for column, place in enumerate(order):
        signs[: lengths[column], column] = np.frombuffer(texts[place], np.uint8)
    met = np.full(signs.shape, -1, np.int32)
    state: npt.NDArray[Any] = np.zeros(len(texts), np.int64)
    going = np.searchsorted(-lengths, -np.arange(lengths[0]), side="left").tolist()  # texts that are longer than each place
    for place, many in enumerate(going):
        state = model.moves[model.rows[state[:many]] + signs[place, :many]]
        met[place, :many] = model.features[state]
    found = dict(zip(order, (row[row >= 0] for row in np.ascontiguousarray(met.T)), strict=True))
    return [found[place] for place in range(len(texts))]


def language_of(text: str, sure: float = SURE) -> str:
    """The language's code, or "unclear"."""
    code, probability = guess(text)
    return code if probability >= sure else UNCLEAR


def spoken(messages: Sequence[Message], role: str = USER) -> str:
    """What the user (or the assistant) says in a conversation, as one text."""
    return "\n".join(message.content for message in messages if message.role == role)


def look(batch: Sequence[Sequence[Message]], context: Context) -> list[Seen]:
    """The language of the user's turns as a slice; findings where a question or an answer is in a wrong one."""
    guess_all(spoken(messages, role) for messages in batch for role in (USER, ASSISTANT))
    return [
        Seen(findings=tuple(_findings(messages, context.languages)), slices=((SLICE, language_of(spoken(messages))),))
        for messages in batch
    ]


def _findings(messages: Sequence[Message], wanted: Sequence[str]) -> list[Finding]:
    """One for each side of the conversation at most, on its longest turn: turns of one side share a language."""
    found = []
    asked, answered = (language_of(spoken(messages, role), CERTAIN) for role in (USER, ASSISTANT))
    for role, said in ((USER, asked), (ASSISTANT, answered)):
        if wanted and said not in (*wanted, UNCLEAR):
            only = " or ".join(NAMES.get(code, code) for code in wanted)
            what = "question" if role == USER else "answer"
            found.append(_finding(messages, role, f"The {what} is in {NAMES[said]}; this project is in {only}."))
    reported = any(messages[finding.message].role == ASSISTANT for finding in found)
    if asked != answered and UNCLEAR not in (asked, answered) and not (reported or _is_wanted(messages, answered)):
        why = f"The question is in {NAMES[asked]}, the answer in {NAMES[answered]}."
        found.append(_finding(messages, ASSISTANT, why))
    return found


def _is_wanted(messages: Sequence[Message], language: str) -> bool:
    """Whether the question asks for an answer in that language, or for a translation."""
    question = spoken(messages).casefold()
    return "translat" in question or NAMES[language].casefold() in question


def _finding(messages: Sequence[Message], role: str, why: str) -> Finding:
    place = max((n for n, m in enumerate(messages) if m.role == role), key=lambda n: len(messages[n].content))
    _, score = guess(spoken(messages, role))
    return Finding(
        kind=FindingKind.LANGUAGE, message=place, start=0, end=len(messages[place].content), score=round(score, 3),
        detector=DETECTOR, version=VERSION, why=why,
    )  # fmt: skip
