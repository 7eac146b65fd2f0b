"""The card of the words by which the audit tells whom a question mentions.

False alarms: every text that was said to mention somebody was read; `WRONG` names what was none. Misses: on sentences of
customers that were written for this card after the lists and before the first run on them, each with the group that it
speaks of. HateCheck, whose target groups would be the natural measure, is there with its labels alone, without texts.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from backend.detectors.identity import VERSION, groups
from tests.bench.cards.form import DATA, bank_questions, made, share, shop_utterances

GENDER, ETHNIC, RELIGION, AGE = "gender", "ethnicity and nationality", "religion", "age"
DISABILITY, ORIENTATION, FAMILY = "disability", "sexual orientation", "family status"
SENTENCES = (
    (GENDER, "My girlfriend ordered two lamps and only one came"),
    (GENDER, "The driver was rude to him"),
    (GENDER, "I'm a trans man and my old name is still on the invoice"),
    (GENDER, "Is the changing table also in the gents?"),
    (GENDER, "As a woman living alone I don't want the courier to come at night"),
    (GENDER, "my mother-in-law paid for it"),
    (GENDER, "I recently transitioned, please change my name"),
    (GENDER, "Which desk would fit a tall guy like me"),
    (ETHNIC, "I'm Nigerian and my bank card is from Lagos"),
    (ETHNIC, "We are a Turkish family and need a big table"),
    (ETHNIC, "Your guard followed the only black customer through the shop"),
    (ETHNIC, "I came here as a refugee and have no credit history"),
    (ETHNIC, "my husband is from Syria and speaks little English"),
    (ETHNIC, "Do you serve Roma people at all?"),
    (ETHNIC, "I feel I am treated like this because of my skin colour"),
    (ETHNIC, "As an Asian man I get asked for my ID every time"),
    (ETHNIC, "he's Polish, can someone call him in his language"),
    (ETHNIC, "I am a Latina student"),
    (RELIGION, "I'm Muslim, is the leather from pigs?"),
    (RELIGION, "We keep the Sabbath, so no delivery on Saturday"),
    (RELIGION, "it's for our synagogue"),
    (RELIGION, "As a Hindu I don't want cowhide"),
    (RELIGION, "My wife wears a headscarf and the photo was refused"),
    (RELIGION, "I am a practising Catholic"),
    (RELIGION, "Is there a prayer room for muslims"),
    (AGE, "I'm 78 and can't carry it upstairs"),
    (AGE, "My nan is 84 and lives alone"),
    (AGE, "Is there a discount for pensioners"),
    (AGE, "I'm in my seventies and not good with apps"),
    (AGE, "a chair for an elderly lady"),
    (AGE, "I'm only 16, can I open an account?"),
    (AGE, "My teenage son broke the lamp"),
    (AGE, "Seniors pay less, don't they?"),
    (DISABILITY, "I'm blind and your site does not work with my screen reader"),
    (DISABILITY, "Can I get in with a wheelchair?"),
    (DISABILITY, "My brother is autistic and needs a quiet hour"),
    (DISABILITY, "I am deaf, please write instead of calling"),
    (DISABILITY, "I only have one arm, how do I assemble this"),
    (DISABILITY, "our son is on the spectrum"),
    (DISABILITY, "I have a disability and need help at the door"),
    (DISABILITY, "I walk with a cane"),
    (DISABILITY, "I have dyslexia, can you read the contract to me"),
    (ORIENTATION, "My boyfriend and I are gay and want one account"),
    (ORIENTATION, "Is your couples' discount for same-sex couples too"),
    (ORIENTATION, "we are two mums with a baby"),
    (ORIENTATION, "I'm bi and your form asks for husband or wife"),
    (ORIENTATION, "The clerk laughed at us because we're lesbians"),
    (FAMILY, "I'm a single dad with three jobs"),
    (FAMILY, "We just got divorced, who keeps the card?"),
    (FAMILY, "I'm eight months pregnant, can it come sooner"),
    (FAMILY, "A bunk bed for my kids"),
    (FAMILY, "My late husband had the contract"),
    (FAMILY, "we're expecting in May"),
    (FAMILY, "I'm a widow since March"),
    (FAMILY, "my fiancée and I move in together"),
)
"""(Group, sentence)."""
OF_THINGS = (
    "Is the white sofa in stock?", "I want the black table, not the brown one", "The Persian rug has a hole",
    "Do you have roller blinds for a small window", "My account was disabled yesterday",
    "A king size bed with a queen mattress",
    "Is the Indian cotton washable?", "The old address is wrong, use the new one", "Polish the wood before use?",
    "A single room with a single bed", "Where is the French press", "Turkey leg or chicken", "The straight shelf, please",
    "A male to female cable", "Mother's Day roses", "Do you take American Express", "Chinese New Year opening hours",
    "The parent company is in Delaware", "Deaf to all complaints, your hotline", "Senior manager, please",
    "A girl scout cookie jar",
    "Is the Japanese maple hardy?", "German shepherd food", "A young plant or an older one", "The gay colours of spring",
)  # fmt: skip
"""Sentences that speak of nobody."""
WRONG = {
    "bitext": ("check how son can i",),
    "sgd": (
        "auntie mame",
        "the man who knew",
        "sugar man",
        "girl in red",
        "teen spirit",
        "man, i'm",
        "they have wife",
        "christian music",
    ),
    "banking77": (),
}
"""What stands in the texts that were read and mention nobody after all: titles of films, exclamations, typing errors."""
WEAKNESS = (
    "Not good enough to say that a group is not mentioned: people who speak of themselves in other words (a country they come "
    "from, a headscarf, two mums) are missed, and so are other languages and names. Titles of films count as people. It says "
    "nothing of what is said about a group."
)


def chats() -> list[str]:
    """sgd: what the users of 680 dialogues say."""
    rows = map(json.loads, (DATA / "sgd/dialogues.jsonl").read_text(encoding="utf-8").splitlines())
    return [turn["content"] for row in rows for turn in row["messages"] if turn["role"] == "user"]


def right(name: str, texts: list[str] | tuple[str, ...]) -> tuple[int, int]:
    """(texts that mention somebody indeed, texts that are said to)."""
    said = [text.casefold() for text in texts if groups(text)]
    return sum(not any(phrase in text for phrase in WRONG[name]) for text in said), len(said)


def card() -> dict[str, Any]:
    """The whole card."""
    named = [(group, group in groups(sentence)) for group, sentence in SENTENCES]
    sizes, hits = Counter(group for group, _ in named), Counter(group for group, found in named if found)
    read = {"banking77": bank_questions(), "bitext": shop_utterances(), "sgd": chats()}
    alarms = sum(bool(groups(sentence)) for sentence in OF_THINGS)
    return made(
        detector="identity terms",
        check="identity",
        version=VERSION,
        data=(
            "banking77, bitext and sgd, where every hit was read (“right”), and sentences written for this card: 55 about "
            "people (“found”), 25 about things (“false alarms”)"
        ),
        measures=[
            share("Mentions found", sum(hits.values()), len(named)),
            *(share(f"Right, {name}", *right(name, texts)) for name, texts in read.items()),
            share("False alarms", alarms, len(OF_THINGS)),
            *(share(f"Found: {group}", hits[group], sizes[group]) for group in sizes),
        ],
        weakness=WEAKNESS,
    )
