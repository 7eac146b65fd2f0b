"""Answers that are empty, end too soon, or only repeat the question. Pure.

Whether an answer was cut off is judged by its end alone, and only said where little else can be: many good answers end without
a full stop. Nothing is proposed, because only a person knows what was to follow.
"""

from __future__ import annotations

import re
import unicodedata

from backend.detectors.of_late import of_late

_LEADING = (
    "the an and or because your our their every into although unless whereas via whose such within during "
    "of der das dem den ein eine einen einer und oder weil dass ihre ihren unsere mein meine "
    "le la les une et ou parce que vos votre notre des aux "
    "el los las una porque sus nuestro nuestra del "
    "il gli uno perché nostro nostra della dei "
    "uma porque nosso nossa dos das "
    "het een en omdat onze uw"
)
_LEADS_ON = frozenset(_LEADING.split())
"""Words that no sentence ends with, in seven languages."""
_SMILEY = re.compile(r"[:;=8xX]['’]?-?[()\[\]{}DPpOo/\\|*]|<3|\^\^")
_WORDS = re.compile(r"\w+")
_BETWEEN_WORDS = bytes(sign for sign in range(128) if not _WORDS.match(chr(sign)))
_ITEM = re.compile(r"^\s*(?:[-*•–>#|]|\d+[.)]|[A-Za-z][.)])\s*")
_PROSE, _SENTENCES, _FEW = 50, 3, 4
"""Words, and sentences with an end, of a last paragraph that must have one too: chats leave the last full stop out, essays do
not. Words of an answer below which its end tells nothing.
"""
_ECHOED = 4
"""Words of a question that an answer can echo; a greeting is rightly answered by a greeting."""
_ADDED = frozenset(
    {
        "you",
        "asked",
        "ask",
        "question",
        "your",
        "the",
        "is",
        "was",
        "said",
        "says",
        "wrote",
        "q",
        "a",
        "answer",
        "i",
        "see",
        "ok",
    }
)


def is_empty(text: str) -> bool:
    """Whether there is no letter, digit or picture in it."""
    return not any(char.isalnum() or unicodedata.category(char) in ("So", "Sm", "Sc") for char in text)


@of_late
def cut_off(text: str) -> tuple[int, str] | None:
    """(where the loose end begins, why the text seems cut off), or None."""
    ending = _SMILEY.sub(lambda match: "." * len(match[0]), text.rstrip())
    words = _WORDS.findall(ending)
    if len(words) < _FEW:
        return None
    last = words[-1]
    begin = ending.rfind(last)
    if (fence := _open_fence(ending)) is not None:
        return fence, "The answer ends within a block of code."
    if ending.endswith((",", "(", "[", "{", "–", "—", " -", " &", " +")):
        return begin, "The answer ends with a sign after which more must follow."
    if begin + len(last) == len(ending) and last in _LEADS_ON and _is_prose(ending):
        return begin, f"The answer ends with “{last}”, after which more must follow."
    if not ending[-1].isalpha():
        return None
    paragraph = ending[ending.rfind("\n") + 1 :]
    if (place := _open_sign(paragraph)) is not None:
        return len(ending) - len(paragraph) + place, "A bracket or quotation mark is opened near the end and never closed."
    return _open_sentence(ending, paragraph)


def _is_prose(text: str) -> bool:
    """Whether the last line is one of ordinary words, not a title or a term to look up."""
    words = text[text.rfind("\n") + 1 :].split()
    return len(words) > _FEW and 2 * sum(word[:1].islower() for word in words) >= len(words)


def _open_fence(text: str) -> int | None:
    """Where a block of code begins that has no end; prose after a fence means that the first one was forgotten."""
    place = text.rfind("```")
    begun = text.count("```") % 2 and text[place + 3 :].strip() and not text.endswith((".", "!", "?", ":"))
    return place if begun else None


def _open_sign(paragraph: str) -> int | None:
    for opening, closing in ("()", "[]", "“”", "„“", "«»"):
        if paragraph.count(opening) > paragraph.count(closing):
            place = paragraph.rfind(opening)
            if paragraph.find(closing, place) < 0:
                return place
    return None


def _open_sentence(text: str, paragraph: str) -> tuple[int, str] | None:
    """A long last paragraph whose earlier sentences end with a full stop and whose last one does not."""
    sentences = re.split(r"[.!?][\"”’)]* +", paragraph)
    if len(paragraph.split()) < _PROSE or len(sentences) <= _SENTENCES or _ITEM.match(paragraph):
        return None
    tail = sentences[-1]
    if len(tail.split()) < _FEW or not tail[-1:].islower():
        return None
    return len(text) - len(tail), "The last sentence has no end, while those before it have."


def echoes(answer: str, question: str) -> bool:
    """Whether the answer is the question, or holds all of it and hardly a word more."""
    if question.isascii() and answer.isascii() and len(question.encode().translate(None, _BETWEEN_WORDS)) > len(answer):
        return False  # the question's words alone are longer
    asked, said = _said(question), _said(answer)
    if len(asked) < _ECHOED or len(said) < len(asked):
        return False
    return any(said[n : n + len(asked)] == asked and _ADDED.issuperset(said[:n] + said[n + len(asked) :])
               for n in range(len(said) - len(asked) + 1))  # fmt: skip


def _said(text: str) -> list[str]:
    return _WORDS.findall(unicodedata.normalize("NFKC", text).casefold())
