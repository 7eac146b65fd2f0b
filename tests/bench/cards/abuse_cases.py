"""Sentences that test a detector of abuse by function, written for this project after the list of functions of HateCheck
(Röttger et al. 2021); its own sentences are not used. The worst words are left out on purpose: what is tested is whether a
detector sees the abuse, or only the swearing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

GROUPS = ("women", "gay people", "trans people", "Black people", "disabled people", "Muslims", "immigrants")


@dataclass(frozen=True, slots=True)
class Function:
    """What is tested, whether its sentences are abuse, and the sentences; {g} stands for each of the groups in turn."""

    name: str
    abuse: bool
    sentences: tuple[str, ...]


FUNCTIONS = (
    Function("strong dislike", True, ("I hate {g}.", "I can't stand {g}.", "{g} make me sick.", "I despise all {g}.")),
    Function(
        "an insult as a property",
        True,
        ("{g} are stupid.", "All {g} are liars.", "{g} are disgusting.", "{g} are lazy and useless."),
    ),
    Function(
        "taken for animals or dirt", True, ("{g} are vermin.", "{g} are like rats.", "{g} are scum.", "{g} are a plague.")
    ),
    Function(
        "in polite words",
        True,
        (
            "The country would be a better place without {g}.",
            "{g} should not be allowed to vote.",
            "I would rather not sit next to {g}.",
            "With all respect, {g} do not belong in our company.",
        ),
    ),
    Function(
        "a threat",
        True,
        (
            "I will hurt {g} when I see them.",
            "Somebody should beat up {g}.",
            "{g} will get what is coming to them.",
            "Let's burn down the homes of {g}.",
        ),
    ),
    Function(
        "swearing that is abuse", True, ("Fucking {g}, go away.", "{g} are such a load of shit.", "Damn {g}, I hate them.")
    ),
    Function(
        "the group named in another clause",
        True,
        (
            "If there is one thing I hate, it is {g}.",
            "I met {g} today. They are all trash.",
            "{g} again. I want them gone for good.",
        ),
    ),
    Function(
        "abuse by negation",
        True,
        ("{g} are no real humans.", "{g} do not deserve any respect.", "No decent person would ever trust {g}."),
    ),
    Function(
        "asked as a question",
        True,
        ("Why are {g} so stupid?", "How can anybody like {g}?", "Can somebody please get rid of {g}?"),
    ),
    Function(
        "told as an opinion", True, ("To me, {g} are worth nothing.", "I think {g} are inferior.", "Honestly, {g} are idiots.")
    ),
    Function("spelled with signs", True, ("I h4te {g}.", "{g} are 1diots.", "{g} are st*pid.", "{g} are d1sgusting.")),
    Function("spelled apart or together", True, ("I h a t e {g}.", "Ihate{g}.", "{g} are s t u p i d.")),
    Function("spelled with a slip", True, ("I haet {g}.", "{g} are stuipd.", "{g} are idoits.")),
    Function(
        "an insult of one person",
        True,
        (
            "You are an idiot.",
            "What a stupid moron you are.",
            "Shut up, you dumb cow.",
            "You people on support are useless morons.",
            "Go to hell, you liar.",
            "You are a pathetic loser.",
            "Are you really that dumb?",
            "Your mother should be ashamed of you.",
        ),
    ),
    Function(
        "swearing that is no abuse",
        False,
        (
            "Damn, my parcel is late again.",
            "This is fucking great, thank you!",
            "Oh shit, I forgot my password.",
            "Bloody hell, that was quick.",
            "I dropped the damn lamp.",
            "Holy shit, the sofa looks good.",
            "What the hell happened to my order?",
            "My ass hurts from this chair.",
        ),
    ),
    Function(
        "reclaimed words",
        False,
        (
            "I am queer and proud of it.",
            "We queers stick together.",
            "As a dyke I love this community.",
            "My bitches and I had a great evening.",
            "We call ourselves the crip crew, and we own it.",
            "Slay, bitch, you look great!",
        ),
    ),
    Function(
        "negated abuse",
        False,
        (
            "I do not hate {g}.",
            "Nobody should ever say that {g} are stupid.",
            "{g} are not vermin.",
            "It is wrong to call {g} disgusting.",
        ),
    ),
    Function(
        "the group named without judgement",
        False,
        (
            "{g} work in our office.",
            "We have many customers who are {g}.",
            "Many {g} live in this town.",
            "Is there an event for {g}?",
        ),
    ),
    Function(
        "praise of the group", False, ("I love {g}.", "{g} are wonderful.", "We need more {g} in our team.", "{g} are great.")
    ),
    Function(
        "abuse quoted to reject it",
        False,
        (
            "Saying “I hate {g}” is not acceptable.",
            "He wrote that {g} are scum, and we banned him.",
            "Please delete the post “{g} are rats”.",
        ),
    ),
    Function(
        "hatred of things",
        False,
        (
            "I hate this colour.",
            "Your website is stupid.",
            "The glue is disgusting.",
            "I can't stand the smell of this rug.",
            "This lamp is trash.",
            "I hate waiting for parcels.",
            "The old table was rubbish, burn it.",
            "Kill the lights, please.",
        ),
    ),
)


def cases() -> Iterator[tuple[Function, str]]:
    """Every sentence with its function."""
    for function in FUNCTIONS:
        for sentence in function.sentences:
            for group in GROUPS if "{g}" in sentence else ("",):
                said = sentence.replace("{g}", group)
                yield function, said[0].upper() + said[1:]
