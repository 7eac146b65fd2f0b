"""How customers type: slips of the finger, lost signs, no capitals. Pure; the same seed gives the same slips.

Numbers, masks, addresses, quotations and names inside a sentence are left alone, and so is a word's first letter.
"""

from __future__ import annotations

import random
import re

from backend.curation import guarded_words

NEIGHBOURS = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl", "p": "ol",
    "a": "qsz", "s": "adwx", "d": "sfec", "f": "dgrv", "g": "fhtb", "h": "gjyn", "j": "hkum", "k": "jlio", "l": "kop",
    "z": "asx", "x": "zcsd", "c": "xvdf", "v": "cbfg", "b": "vngh", "n": "bmhj", "m": "njk",
}  # fmt: skip
"""Letters beside each other on an English keyboard."""
SHORTEST = 4
"""Letters of a word in which a slip is made; shorter ones would become other words."""
WORDS_A_SLIP = 6
"""About one slip for so many words."""
_WORD = re.compile(rf"[^\W\d_]{{{SHORTEST},}}")
_APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")


def with_typos(text: str, seed: str) -> str:
    """The text with at least one slip, where it has a word that is long enough; else as it is."""
    dice = random.Random(seed)  # noqa: S311  slips, not secrets
    kept = guarded_words.spans(text)
    places = [match.span() for match in _WORD.finditer(text) if guarded_words.is_free(kept, *match.span())]
    if not places:
        return text
    count = max(1, min(len(places), round(len(text.split()) / WORDS_A_SLIP)))
    for start, end in sorted(dice.sample(places, count), reverse=True):
        text = text[:start] + _slip(text[start:end], dice) + text[end:]
    return _careless(text, dice)


def _slip(word: str, dice: random.Random) -> str:
    place = dice.randrange(1, len(word))
    letter = word[place]
    kind = dice.choice(("swap", "drop", "double", "beside"))
    if kind == "swap" and place + 1 < len(word) and letter != word[place + 1]:
        return word[:place] + word[place + 1] + letter + word[place + 2 :]
    if kind == "drop":
        return word[:place] + word[place + 1 :]
    if kind == "beside" and letter.lower() in NEIGHBOURS:
        wrong = dice.choice(NEIGHBOURS[letter.lower()])
        return word[:place] + (wrong.upper() if letter.isupper() else wrong) + word[place + 1 :]
    return word[:place] + letter + word[place:]


def _careless(text: str, dice: random.Random) -> str:
    """Now and then without apostrophes, without the last full stop or question mark, with a small letter at the beginning."""
    if dice.random() < 0.5:
        kept = guarded_words.spans(text)
        text = _APOSTROPHE.sub(lambda sign: "" if guarded_words.is_free(kept, *sign.span()) else sign[0], text)
    if (
        dice.random() < 0.3
        and text[-1:] in (".", "?")
        and guarded_words.is_free(guarded_words.spans(text), len(text) - 1, len(text))
    ):
        text = text[:-1]
    if dice.random() < 0.3 and guarded_words.is_free(guarded_words.spans(text), 0, 1):
        text = text[:1].lower() + text[1:]
    return text


_MASK = re.compile(r"(\[[A-Z][A-Z ]*\]|\{[^{}]*\}|https?://\S+)")


def lower_case(text: str) -> str:
    """The text without capitals, but for masks, placeholders and addresses."""
    return "".join(part if _MASK.fullmatch(part) else part.lower() for part in _MASK.split(text))
