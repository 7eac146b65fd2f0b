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
import re
from collections.abc import Sequence
from typing import Any

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
_NOT_WORDS = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|\[[A-Z][A-Z ]+\]|\{\{.*?\}\}|[<>{}\[\]*_`#|\\/]|\d+")
_DENSE = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@functools.cache
def _model() -> Any:
    import numpy as np
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    model.set_languages(list(NAMES))
    # as it comes it lies by language; a text's features are few rows of it, and these are then read at once
    model.nb_ptc = np.ascontiguousarray(model.nb_ptc, dtype=np.float32)
    return model


@functools.lru_cache(maxsize=8192)
def guess(text: str) -> tuple[str, float]:
    """(the likeliest language, its probability); ("unclear", 0) for a text with too few letters to tell."""
    words = " ".join(_NOT_WORDS.sub(" ", text[:_LONGEST]).split())
    letters = sum(map(str.isalpha, words))
    if letters < (SHORTEST_DENSE if _DENSE.search(words) else SHORTEST):
        return UNCLEAR, 0.0
    # capitals throughout look like no language at all to a model that learned from ordinary texts
    code, probability = _model().classify(words.lower() if words.isupper() else words)
    return str(code), float(probability)


def language_of(text: str, sure: float = SURE) -> str:
    """The language's code, or "unclear"."""
    code, probability = guess(text)
    return code if probability >= sure else UNCLEAR


def spoken(messages: Sequence[Message], role: str = USER) -> str:
    """What the user (or the assistant) says in a conversation, as one text."""
    return "\n".join(message.content for message in messages if message.role == role)


def look(batch: Sequence[Sequence[Message]], context: Context) -> list[Seen]:
    """The language of the user's turns as a slice; findings where a question or an answer is in a wrong one."""
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
