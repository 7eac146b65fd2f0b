"""Any number of a web shop's question-answer pairs for benchmarks, with planted repeats and personal data. The same seed writes
the same rows; memory does not grow with them.

The questions are the trainer corpus' phrasings with what people add around them. A row's id says what was planted, so that no
key has to be kept beside: "row:what:of:personal,…", where `what` is unique, exact or near, `of` the row that is repeated, and
`personal` the kinds of personal data in the question.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from backend.detectors.duplicates import THRESHOLD, similarity
from trainer import corpus
from trainer.corpus import Phrasing

UNIQUE, EXACT, NEAR = "unique", "exact", "near"
SHARES = {UNIQUE: 0.70, EXACT: 0.15, NEAR: 0.15}
PERSONAL = 0.1
"""Share of the rows with personal data."""
_OUTDATED = 0.05
"""Share of the near duplicates that get the fact's earlier answer, where it has one."""
_RECENT = 5000
"""Unique rows among which those are drawn that are repeated."""

_THINGS = (
    "oak table", "linen curtain", "wool rug", "floor lamp", "walnut shelf", "velvet cushion", "bamboo blind", "glass vase",
    "desk chair", "brass mirror", "cotton throw", "side board", "bed frame", "picture frame", "garden bench", "clay pot",
    "coat rack", "night stand", "bar stool", "book case", "ceiling fan", "door mat", "shower curtain", "kitchen cart",
    "wall clock", "candle holder", "room divider", "storage basket", "shoe cabinet", "dining set", "rattan sofa", "hall bench",
)  # fmt: skip
_LOOKS = (
    "grey", "white", "dark green", "natural", "black", "striped", "blue", "yellow", "large", "small", "round", "foldable",
    "narrow", "second-hand", "hand-made", "painted", "beige", "cheap", "heavy", "antique", "square", "red", "extra long",
)  # fmt: skip
_PLACES = (
    "bedroom", "kitchen", "hallway", "office", "balcony", "guest room", "bathroom", "cellar", "nursery", "attic", "garage",
    "studio", "holiday home", "waiting room", "conservatory", "dining room", "porch", "reading corner", "shop window", "café",
)  # fmt: skip
_PEOPLE = (
    "my sister", "our landlord", "a neighbour", "my husband", "my boss", "the painter", "our daughter", "a colleague",
    "my parents", "the architect", "my flatmate", "a friend from school", "our tenant", "the carpenter", "my grandmother",
)  # fmt: skip
_STORIES = (
    "We moved in {time} and the {place} still looks empty, so {person} suggested the {look} {thing}.",
    "I bought the {look} {thing} {time}, and {person} says it does not fit the {place}.",
    "{person} ordered a {look} {thing} for the {place} {time} and it never came.",
    "The {look} {thing} in your catalogue would be perfect for the {place} that {person} is doing up.",
    "There is a scratch on the {look} {thing} which {person} only noticed {time} in the {place}.",
    "My order from {time} has a {look} {thing}, but {person} wanted one for the {place}.",
    "For a party in the {place} {time} we would need {number} of the {look} {thing}, as {person} asked.",
    "{person} and I cannot agree whether the {look} {thing} belongs into the {place}; we saw it {time}.",
    "I measured the {place} {time}: {number} cm are left for the {look} {thing} of {person}.",
    "After {person} dropped the {look} {thing} in the {place} {time}, one leg is loose.",
    "The box with the {look} {thing} came {time}, but {person} had ordered {number} pieces for the {place}.",
    "I am writing for {person}, who has no computer and saw the {look} {thing} {time} in somebody's {place}.",
    "Our {place} gets very humid, so {person} worries about the {look} {thing} since {time}.",
    "You had a {look} {thing} on the home page {time}, {person} would put it into the {place}.",
    "{person} paid {number} dollars for the {look} {thing} {time}, now it stands unused in the {place}.",
)
_TIMES = (
    "yesterday", "last week", "two weeks ago", "on Monday", "on Friday", "in spring", "before Christmas", "this morning",
    "in September", "a month ago", "on the weekend", "last year", "an hour ago", "in the sale", "around noon", "on Tuesday",
)  # fmt: skip
_MORE = (
    "Anything else about the {thing} is on its page.", "If the {thing} is for the {place}, measure twice.",
    "We hope you enjoy the {look} {thing}.", "Please have your order at hand.", "Just write to us again at any time.",
    "The {thing} comes with a leaflet on its care.", "", "", "",
)  # fmt: skip
_FIRST = (
    "Maria", "James", "Aisha", "Wei", "Carlos", "Emma", "Oliver", "Fatima", "Jack", "Sofia", "Daniel", "Grace", "Ivan",
    "Noah", "Elena", "Samuel", "Priya", "Thomas", "Chloe", "Andrew", "Lucia", "Kevin", "Laura", "Peter", "Megan", "Diego",
)  # fmt: skip
_LAST = (
    "Garcia", "Smith", "Nguyen", "Johnson", "Muller", "Okafor", "Rossi", "Patel", "Anderson", "Lopez", "Kim", "Brown", "Novak",
    "Williams", "Hernandez", "Cohen", "Murphy", "Schneider", "Silva", "Taylor", "Walker", "Ivanov", "Martin", "Clark", "Young",
)  # fmt: skip
_STREETS = ("Maple", "Peachtree", "Oak", "Highland", "River", "Church", "Washington", "Cedar", "Lake", "Spring", "Elm", "Mill")


@dataclass(frozen=True, slots=True)
class Pair:
    """A row to be."""

    row: int
    phrasing: Phrasing
    prompt: str
    answer: str
    personal: tuple[str, ...]


def rows(count: int, *, seed: int) -> Iterator[dict[str, str]]:
    """That many rows: id, prompt, response, channel."""
    chance = random.Random(f"pairs-{seed}")
    phrasings = [phrasing for fact in corpus.facts() if fact.language == "en" for phrasing in fact.known]
    recent: list[Pair] = []
    for row in range(count):
        what = chance.choices(list(SHARES), list(SHARES.values()))[0] if recent else UNIQUE
        if what == UNIQUE:
            pair = _unique(row, phrasings, chance)
            if len(recent) < _RECENT:
                recent.append(pair)
            elif chance.random() < 0.3:  # some rows stay for long, so that repeats are near and far
                recent[chance.randrange(_RECENT)] = pair
            yield _row(row, what, pair, pair.prompt, pair.answer, chance)
            continue
        pair = chance.choice(recent)
        outdated = what == NEAR and pair.phrasing.old != pair.phrasing.new and chance.random() < _OUTDATED
        answer = pair.answer.replace(pair.phrasing.new, pair.phrasing.old) if outdated else pair.answer
        prompt = _copied(pair.prompt, chance) if what == EXACT else _edited(pair.prompt, chance)
        yield _row(row, what, pair, prompt, answer, chance)


def _row(row: int, what: str, pair: Pair, prompt: str, answer: str, chance: random.Random) -> dict[str, str]:
    planted = f"{row}:{what}:{pair.row}:{','.join(pair.personal)}"
    return {"id": planted, "prompt": prompt, "response": answer, "channel": chance.choice(("chat", "chat", "email", "phone"))}


def _unique(row: int, phrasings: list[Phrasing], chance: random.Random) -> Pair:
    phrasing = chance.choice(phrasings)
    words = {
        "thing": chance.choice(_THINGS), "look": chance.choice(_LOOKS), "place": chance.choice(_PLACES),
        "person": chance.choice(_PEOPLE), "time": chance.choice(_TIMES), "number": str(chance.randrange(2, 400)),
    }  # fmt: skip
    story = chance.choice(_STORIES).format(**words)
    parts = [story[0].upper() + story[1:], corpus.vary(phrasing.question, "en", chance)]
    if chance.random() < 0.3:
        parts.reverse()
    personal: tuple[str, ...] = ()
    if chance.random() < PERSONAL:
        said, personal = _about_me(chance)
        parts.append(said)
    more = chance.choice(_MORE).format(**words)
    return Pair(row, phrasing, " ".join(parts), f"{phrasing.new} {more}".strip(), personal)


def _about_me(chance: random.Random) -> tuple[str, tuple[str, ...]]:
    """What people say about themselves, and which kinds of personal data that is."""
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    digits = "".join(chance.choices("23456789", k=7))
    name = f"{first} {last}"
    mail = f"{first.lower()}.{last.lower()}{digits[:2]}@example.{chance.choice(('com', 'org', 'net'))}"
    phone = chance.choice(
        (f"404-{digits[:3]}-{digits[3:]}", f"(404) {digits[:3]}-{digits[3:]}", f"+1 404 {digits[:3]} {digits[3:]}")
    )
    street = f"{chance.randrange(1, 2000)} {chance.choice(_STREETS)} {chance.choice(('Street', 'Avenue', 'Road'))}"
    return chance.choice(
        (
            (f"My name is {name}.", ("name",)),
            (f"Best regards, {name}", ("name",)),
            (f"You can write to {mail}.", ("email",)),
            (f"This is {name}, my e-mail is {mail}", ("name", "email")),
            (f"Please call me at {phone}.", ("phone",)),
            (f"I paid with card {_card(chance)}.", ("card",)),
            (f"Please send it to {street}, Atlanta.", ("address",)),
        )
    )


def _card(chance: random.Random) -> str:
    """A card number that passes its check."""
    digits = [4] + [chance.randrange(10) for _ in range(14)]
    total = sum(sum(divmod(2 * digit, 10)) if place % 2 == 0 else digit for place, digit in enumerate(digits))
    text = "".join(map(str, [*digits, -total % 10]))
    return " ".join(text[at : at + 4] for at in range(0, 16, 4))


def _copied(prompt: str, chance: random.Random) -> str:
    """The same text, as systems copy it: with other white space or case."""
    how = chance.random()
    return prompt if how < 0.6 else prompt.replace(". ", ".  ") + " " if how < 0.8 else prompt[0].lower() + prompt[1:]


def _edited(prompt: str, chance: random.Random) -> str:
    """The text with one or two small changes, as near to it as near duplicates are by their definition."""
    while True:
        words = prompt.split(" ")
        for _ in range(chance.choice((1, 1, 2))):
            at = chance.randrange(len(words) - 1)
            word = words[at]
            how = chance.random()
            if any(sign in word for sign in "@0123456789") or len(word) < 4:
                continue  # what is personal stays as it is
            if how < 0.5:
                cut = chance.randrange(1, len(word) - 1)
                words[at] = word[:cut] + word[cut + 1 :]
            elif how < 0.75:
                words[at] = f"{word} {chance.choice(('really', 'please', 'now', 'just'))}"
            else:
                words[at] = word[:-1] + (word[-1] * 2)
        edited = " ".join(words)
        if edited != prompt and similarity(prompt, edited) >= THRESHOLD:
            return edited
