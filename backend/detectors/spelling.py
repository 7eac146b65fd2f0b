"""Misspelled words of English answers, each with the word that was meant as a proposal. Pure.

Only what the assistant says is looked at: answers teach, and how customers mistype is what a chatbot has to understand, so
their words are kept. A proposal is one letter away (one too many, one missing, one wrong, two swapped) by pyspellchecker's
word list and its frequencies.

Passed over: words with a capital (names, and every word that the text writes with one elsewhere), numbers, addresses, masks,
code, the project's product words, words that a known word is part of (chatbot's plural, two words in one), and words that the
text repeats, which are its terms. Not promised: real words in a wrong place ("form" for "from"), capitalised words, and words
further off than one letter.

Measured on one core: 0.3 million characters a second at first, and some 4 million once the words of a project are known, for
each word is judged once.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from backend.conversations import ASSISTANT, Message
from backend.detectors.checks import Context, Seen
from backend.detectors.findings import Finding
from backend.detectors.language import UNCLEAR, language_of, spoken
from backend.vocabulary import FindingKind

DETECTOR, VERSION = "spelling", "1"
KINDS = frozenset({FindingKind.SPELLING})
SLICES: frozenset[str] = frozenset()
SHORTEST, LONGEST = 4, 20
"""Letters of a word that is looked at. Shorter ones are one letter from too many others."""
COMMON = 1_000
"""How often the proposed word must stand in the word list's corpus; its rarest words stand there 50 times."""
MOST, FURTHEST = 50, 20_000
"""Findings in one text, and the characters of it that are read."""
_ENOUGH = 10
"""Words from which on a text of mostly unknown ones is in another language."""
_TERM = 3
"""A word that a text holds this often is one of its terms."""
_PASSED_OVER = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`|\[[A-Z][A-Z ]+\]|\{\{[^{}]{0,80}\}\}|<[^<>\n]{1,80}>", re.DOTALL)
_ADDRESS = re.compile(r"://|www\.|@|\\|_|[A-Za-z]\.[A-Za-z]|/|\d|#")
"""What no plain word has in it or beside it."""
_LONGEST_TOKEN = 100
_WORD = re.compile(r"(?<![\w'’.-])[a-z]+(?:['’][a-z]+)?(?![\w-]|['’]\w)")
_BEFORE, _AFTER = re.compile(r"([^\W\d_]+)[ \"“”(]*$"), re.compile(r"[ \"“”)]*([^\W\d_]+)")
_CAPITALISED = re.compile(r"\b[A-Z][\w]*")
_ENDINGS = (
    "s", "es", "ed", "d", "ing", "er", "ers", "ly", "ness", "less", "able", "like", "ish", "ful", "ment", "ments", "y", "ist",
    "ists", "ism", "ity", "al", "ally", "ization", "ize", "ized", "ise", "ised", "wise", "ship", "free", "based",
)  # fmt: skip
_BEGINNINGS = (
    "un", "re", "non", "pre", "anti", "multi", "sub", "over", "under", "co", "de", "mis", "inter", "micro", "mini", "super",
    "hyper", "cyber", "bio", "eco", "auto", "semi", "out", "up", "photo", "geo", "neuro", "nano", "multi", "tele", "hydro",
    "electro", "e", "psycho", "socio", "cardio", "immuno", "thermo", "ultra", "counter", "dis", "fore", "in", "im", "self",
)  # fmt: skip
_FAMOUS = {"teh": "the", "hte": "the", "adn": "and", "wich": "which", "alot": "a lot", "thats": "that's", "dont": "don't"}
"""Slips of few letters, or with a sign missing, that every reader knows."""
_BRITISH = (
    ("our", "or"), ("ise", "ize"), ("isa", "iza"), ("isi", "izi"), ("yse", "yze"), ("ysi", "yzi"), ("lled", "led"),
    ("lling", "ling"), ("ller", "ler"), ("llor", "lor"), ("llery", "lery"), ("llis", "liz"), ("lful", "llful"),
    ("lment", "llment"), ("pped", "ped"), ("pping", "ping"), ("tted", "ted"), ("tting", "ting"), ("ssed", "sed"),
    ("ssing", "sing"), ("il", "ill"), ("ol", "oll"), ("ae", "e"), ("oe", "e"), ("ence", "ense"), ("ogue", "og"),
    ("mme", "m"), ("que", "ck"),
    ("ey", "ay"), ("mould", "mold"), ("pyjama", "pajama"), ("yre", "ire"), ("dgement", "dgment"), ("woollen", "woolen"),
)  # fmt: skip


def look(batch: Sequence[Sequence[Message]], context: Context) -> list[Seen]:
    """The misspelled words of each conversation's English answers."""
    known = _single_words(context.product_words)
    return [Seen(findings=tuple(_in_conversation(messages, known))) for messages in batch]


def _in_conversation(messages: Sequence[Message], known: frozenset[str]) -> Iterator[Finding]:
    for place, message in enumerate(messages):
        if message.role == ASSISTANT:
            found = find_misspelled(message.content, message=place, known=known)
            if found and _is_english(message.content, messages):  # which language it is takes longest to tell
                yield from found


def _is_english(text: str, messages: Sequence[Message]) -> bool:
    """A text too short to tell is in the language of all answers, else of the questions."""
    for said in (text, spoken(messages, ASSISTANT), spoken(messages)):
        if (language := language_of(said)) != UNCLEAR:
            return language == "en"
    return False


def find_misspelled(text: str, *, message: int = 0, known: frozenset[str] = frozenset()) -> list[Finding]:
    """The misspelled words of an English text, by position."""
    text = text[:FURTHEST]
    frequency: Counter[str] = _checker().word_frequency.dictionary
    words = list(_WORD.finditer(text))
    unknown = [match for match in words if match[0] in _FAMOUS or (match[0] not in frequency and len(match[0]) <= LONGEST)]
    if not unknown or (len(words) >= _ENOUGH and 3 * len(unknown) > 2 * len(words)):  # no word, or another language
        return []
    candidates = [match for match in unknown if better(match[0])]
    passed_over = [match.span() for match in _PASSED_OVER.finditer(text)]
    names = {match[0].lower() for match in _CAPITALISED.finditer(text)}
    often = Counter(match[0] for match in candidates)
    found = [
        _finding(message, match)
        for match in candidates
        if match[0] not in known
        and match[0] not in names
        and often[match[0]] < _TERM
        and not _ADDRESS.search(_token_around(text, match))
        and not _is_among_foreign(text, match)
        and not any(start < match.end() and match.start() < end for start, end in passed_over)
    ]
    return found[:MOST]


def _token_around(text: str, match: re.Match[str]) -> str:
    """The word with what it hangs together with, up to the next white space."""
    before = text[max(0, match.start() - _LONGEST_TOKEN) : match.start()]
    after = text[match.end() : match.end() + _LONGEST_TOKEN]
    head = "" if before[-1:].isspace() else "".join(before.split()[-1:])
    tail = "" if after[:1].isspace() else "".join(after.split()[:1])
    return f"{head}{match[0]}{tail}"


def _is_among_foreign(text: str, match: re.Match[str]) -> bool:
    """Whether a word beside it is none that English knows or nearly knows: a quoted phrase of another language, a title."""
    frequency: Counter[str] = _checker().word_frequency.dictionary
    beside = (_BEFORE.search(text[max(0, match.start() - LONGEST) : match.start()]), _AFTER.match(text, match.end()))
    return any(
        word is not None and word[1].islower() and not frequency.get(word[1]) and not better(word[1]) and len(word[1]) > 2
        for word in beside
    )


def _finding(message: int, match: re.Match[str]) -> Finding:
    meant = better(match[0])
    return Finding(
        kind=FindingKind.SPELLING, message=message, start=match.start(), end=match.end(), score=0.8,
        detector=DETECTOR, version=VERSION, proposal=meant,
        why=f"“{match[0]}” is in no dictionary; “{meant}” is one letter away.",
    )  # fmt: skip


@functools.lru_cache(maxsize=262_144)
def better(word: str) -> str:
    """The word that was meant, or "" where the word is right or none is near. For words in lower case."""
    checker = _checker()
    frequency: Counter[str] = checker.word_frequency.dictionary
    plain = word.replace("’", "'")
    if "'" in plain or plain in _FAMOUS or frequency.get(plain) or _is_british(plain, frequency):
        return _FAMOUS.get(plain, "")
    near = [one for one in checker.known(checker.edit_distance_1(plain)) if _is_slip(plain, one)]
    best = max(near, key=lambda one: (frequency[one] * _believed(plain, one), one), default="")
    if not best or frequency[best] < COMMON:
        return ""
    return best if _is_doubled(plain, best) or not _is_made_of_known(plain, frequency) else ""


def _is_slip(word: str, meant: str) -> bool:
    """Whether people slip so. Short words are near many others, so fewer slips are believed of them; first letters are seldom
    mistyped; a final a, i or o that English lacks is Latin, Italian or Spanish.
    """
    if not (meant.isascii() and meant.isalpha() and len(meant) >= SHORTEST):
        return False
    if word[0] != meant[0]:
        return word[:2] == meant[1::-1]
    if len(word) == len(meant) and sorted(word) == sorted(meant):
        return True
    foreign = word[-1] in "aio" and word[-1] != meant[-1]
    return _is_doubled(word, meant) or (not foreign and len(word) > (5 if len(meant) <= len(word) else 4))


def _is_doubled(word: str, meant: str) -> bool:
    """Whether they differ by one letter that stands twice in one of them: “occured”."""
    longer, shorter = sorted((word, meant), key=len, reverse=True)
    return len(word) > SHORTEST and any(
        longer[n] == longer[n - 1] and longer[:n] + longer[n + 1 :] == shorter for n in range(1, len(longer))
    )


def _believed(word: str, meant: str) -> int:
    """How much likelier than a wrong letter this slip is: two letters swapped, one too many or missing."""
    return 8 if len(word) != len(meant) else 100 if sorted(word) == sorted(meant) else 1


def _is_british(word: str, frequency: Counter[str]) -> bool:
    """Whether the word list, which is American, has it in American spelling."""
    return any(
        frequency.get(word[:place] + american + word[place + len(british) :], 0) >= COMMON
        for british, american in _BRITISH
        for place in range(1, len(word))
        if word.startswith(british, place)
    ) or (word.endswith(("re", "res", "red")) and frequency.get(re.sub("re([sd]?)$", r"er\1", word), 0) >= COMMON)


def _is_made_of_known(word: str, frequency: Counter[str]) -> bool:
    """Whether it is a known word with an ending or a beginning, or two known words in one."""
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < SHORTEST:
            continue
        doubled = stem[:-1] if len(stem) > SHORTEST and stem[-1] == stem[-2] else ""
        if any(_is_known(one, frequency) for one in (stem, stem + "e", doubled, f"{stem[:-1]}y" if stem[-1] == "i" else "")):
            return True
    if any(word.startswith(one) and _is_known(word.removeprefix(one), frequency) for one in _BEGINNINGS):
        return True
    return any(_is_known(word[:cut], frequency) and _is_known(word[cut:], frequency) for cut in range(SHORTEST, len(word) - 3))


def _is_known(word: str, frequency: Counter[str]) -> bool:
    return len(word) >= SHORTEST and frequency.get(word, 0) >= COMMON


@functools.lru_cache(maxsize=8)
def _single_words(phrases: frozenset[str]) -> frozenset[str]:
    return frozenset(word for phrase in phrases for word in phrase.split())


@functools.cache
def _checker() -> Any:
    from spellchecker import SpellChecker

    return SpellChecker(language="en", distance=1)
