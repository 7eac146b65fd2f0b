"""Says a question in other words, by templates and synonyms. Pure, for English; the same seed gives the same words.

The lists are small and cautious: a template fits a whole sentence or not at all, a synonym is one wherever it stands. Numbers,
masks, addresses, quotations and names are left alone. Not promised: that every question has another wording, or that each is
how a customer would say it. People look at them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from backend.curation import guarded_words

THING = (
    r"(?!.*\b(?:\w+ed|\w+ing|made|sent|from|out|open|available|in stock|like|wrong)\b)"
    r"(?:my|the|your|our|this|that|these|those|an?) (?:[\w'-]+ ){0,4}[\w'-]+"
)
"""A thing that is asked about, and nothing that is said of it: those would have to change places."""
TEMPLATES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"how (?:do|can|could|would|should) i (?P<x>[^?]+)",
     ("what is the way to {x}?", "can you tell me how to {x}?", "i would like to know how to {x}.",
      "what do I have to do to {x}?", "could you explain how to {x}?")),
    (r"(?:can|could|may) i (?P<x>[^?]+)",
     ("is it possible to {x}?", "am I able to {x}?", "is there a way to {x}?", "would it be possible to {x}?",
      "i would like to know if I can {x}.")),
    (r"(?:can|could|would|will) you (?:please )?(?P<x>[^?]+)",
     ("please {x}.", "would you be able to {x}?", "would it be possible for you to {x}?", "i would like you to {x}.")),
    (r"do you (?P<x>[^?]+)",
     ("could you tell me if you {x}?", "i was wondering if you {x}.", "i would like to know whether you {x}.")),
    (r"i (?:want|need|wish|would like|'d like|have) to (?P<x>[^?.!]+)",
     ("please help me to {x}.", "could you help me to {x}?", "how can I {x}?", "i am trying to {x}.")),
    (r"i(?:'m| am) trying to (?P<x>[^?.!]+)",
     ("i want to {x}.", "could you help me to {x}?", "how do I {x}?")),
    (r"please (?:help me (?:to )?)?(?P<x>[^?.!]+)",
     ("could you {x}?", "i would like you to {x}.", "would you mind helping me? Please {x}.")),
    (rf"where (?P<v>is|are) (?P<x>{THING})",
     ("can you tell me where {x} {v}?", "do you know where {x} {v}?", "i would like to know where {x} {v}.")),
    (rf"what (?P<v>is|are) (?P<x>{THING})",
     ("can you tell me what {x} {v}?", "i would like to know what {x} {v}.", "please tell me what {x} {v}.")),
    (r"i (?:can't|cannot|can not|am not able to|am unable to) (?P<x>[^?.!]+)",
     ("i am not able to {x}.", "it is not possible for me to {x}.", "why can't I {x}?")),
)  # fmt: skip
"""A whole sentence in lower case, and other sentences for it; {x} is what the pattern left open."""

SYNONYMS: tuple[tuple[str, ...], ...] = (
    ("sign in", "log in"), ("signing in", "logging in"), ("sign up", "register"), ("couch", "sofa"), ("picture", "photo"),
    ("tell me", "let me know"), ("telephone number", "phone number"), ("right away", "immediately", "at once"),
    ("asap", "as soon as possible"), ("at the moment", "right now", "currently"), ("customer service", "customer support"),
    ("get a refund", "get my money back"), ("maybe", "perhaps"), ("i want", "i would like", "i'd like"), ("need to", "have to"),
    ("how much is", "what is the price of"), ("hello", "hi", "hey"), ("thanks", "thank you", "many thanks"),
    ("e-mail", "email"), ("change my", "update my"), ("for example", "for instance"),
)  # fmt: skip
"""Words and phrases that stand for one another wherever they stand."""
INSTEAD: dict[str, tuple[str, ...]] = {
    "bought": ("purchased",), "receive": ("get",), "assist": ("help",), "choose": ("pick",), "begin": ("start",),
    "problem": ("issue",), "parcel": ("package",), "invoice": ("bill",), "incorrect": ("wrong",), "very": ("really",),
    "as well": ("too",), "approximately": ("about", "roughly"), "large": ("big",), "cannot": ("can't", "can not"),
    "do not": ("don't",), "does not": ("doesn't",), "did not": ("didn't",), "is not": ("isn't",), "have not": ("haven't",),
    "has not": ("hasn't",), "will not": ("won't",), "was not": ("wasn't",), "i'm": ("i am",), "i've": ("i have",),
}  # fmt: skip
"""What may stand for a word, but not the other way round: "get" is not "receive" in "get in touch"."""

OPENINGS = ("Hi, ", "Hello, ", "Quick question: ", "Hi there, ", "Excuse me, ")
ENDINGS = (" Thanks!", " Thank you.", " Thanks in advance.", " Can you help?")
_GREETED = re.compile(r"(?i)^(?:hi|hello|hey|good (?:morning|day|evening)|dear|excuse me|quick question)\b")
_THANKED = re.compile(r"(?i)thank|can you help")
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*\s*")
_TEMPLATES = tuple((re.compile(rf"(?is){pattern}[?.!]*"), others) for pattern, others in TEMPLATES)
_OTHERS = INSTEAD | {phrase: tuple(other for other in group if other != phrase) for group in SYNONYMS for phrase in group}
_SYNONYM = re.compile(
    r"(?i)(?<![\w'’-])(?:" + "|".join(re.escape(p) for p in sorted(_OTHERS, key=len, reverse=True)) + r")(?![\w'’-])"
)


def rephrased(text: str, seed: str) -> Iterator[str]:
    """Other wordings of a question, each once, the boldest first; none where no template and no synonym fits."""
    dice = random.Random(seed)  # noqa: S311  words, not secrets
    seen = {text.strip().lower()}
    recast = [*_recast(text.strip(), dice)]
    bold = [*recast, *(_with_synonyms(made, dice) for made in recast), *(_with_synonyms(text.strip(), dice) for _ in range(3))]
    bold = [made for made in dict.fromkeys(bold) if made.lower() not in seen]  # a greeting alone is no other wording
    for made in [*bold, *(_wrapped(made, dice) for made in bold)]:
        if made.lower() not in seen and guarded_words.is_rewording(text, made, most=0.99):
            seen.add(made.lower())
            yield made


def _recast(text: str, dice: random.Random) -> Iterator[str]:
    """The text with one of its sentences said by another template."""
    for found in _SENTENCE.finditer(text):
        sentence = found[0].strip().replace("’", "'")
        for pattern, others in _TEMPLATES:
            if (match := pattern.fullmatch(sentence)) is None:
                continue
            parts = {name: part.strip(" .!") for name, part in match.groupdict().items()}
            if " and " in parts["x"] or ", " in parts["x"]:  # a second thought: the template holds for the first alone
                break
            for other in dice.sample(others, len(others)):
                said = other.format(**parts)
                gap = found[0][len(found[0].rstrip()) :]
                yield text[: found.start()] + said[:1].upper() + said[1:] + gap + text[found.end() :]
            break


def _with_synonyms(text: str, dice: random.Random) -> str:
    """The text with about half of the phrases that have a synonym replaced, one at least."""
    kept = guarded_words.spans(text)
    found = [match for match in _SYNONYM.finditer(text.replace("’", "'")) if guarded_words.is_free(kept, *match.span())]
    if not found:
        return text
    chosen = dice.sample(found, max(1, (len(found) + 1) // 2))
    for match in sorted(chosen, key=lambda one: one.start(), reverse=True):
        other = dice.choice(_OTHERS[match[0].lower()])
        other = (
            other[:1].upper() + other[1:]
            if match[0][0].isupper() or other.startswith("i ") or other.startswith("i'")
            else other
        )
        text = text[: match.start()] + other + text[match.end() :]
    return text


def _wrapped(text: str, dice: random.Random) -> str:
    """The text with a greeting or thanks, where it has none."""
    opening, ending = dice.choice(OPENINGS), dice.choice(ENDINGS)
    if dice.random() < 0.5 and not _GREETED.match(text):
        first = text.split(maxsplit=1)[0]
        small = first not in ("I", "I'm", "I've", "I'd") and first[1:].islower() and first.isalpha()
        return opening + (text[:1].lower() + text[1:] if small else text)
    return text if _THANKED.search(text) else text.rstrip() + ending
