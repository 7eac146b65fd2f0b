"""Whether an answer refuses to help, by what refusals begin with in six languages. Pure.

Promised: nothing but the first sentences counts, so that an answer which explains what a shop cannot do is not a refusal
for a word in its middle. Not promised: refusals in other words; it is a count to compare slices by, not a judgement.
"""

from __future__ import annotations

import re

NAME, VERSION = "refusals", "1"
_OPENING = 240
_PHRASES = (
    # English
    r"\bI(?:'| a)?m (?:sorry,? but I |afraid I )?(?:can(?:no|')t|unable to|not able to|not allowed to)",
    r"\bI (?:can(?:no|')t|am unable to|am not able to|won't|will not|must decline)",
    r"\b(?:sorry|afraid),? (?:but )?I (?:can(?:no|')t|am unable|do(?: not|n't) (?:know|have))",
    r"\bI do(?: not|n't) (?:know|have (?:that|the|this|any) information)", r"\bas an AI\b",
    # German
    r"\bich kann (?:Ihnen |dir )?(?:dabei |damit |das )?(?:leider )?nicht\b", r"\bleider kann ich\b",
    r"\bich weiß (?:das|es) nicht\b",
    # French
    r"\bje (?:ne peux pas|ne suis pas en mesure|ne sais pas)", r"\bje suis désolée?,? (?:mais )?je ne",
    # Spanish
    r"\b(?:no puedo (?:ayudar|responder|proporcionar|hacer)|lo siento,? (?:pero )?no|no lo sé\b)",
    # Portuguese
    r"\b(?:não posso (?:ajudar|responder|fornecer|fazer)|desculpe,? (?:mas )?não|não sei\b)",
    # Italian
    r"\b(?:non posso (?:aiutar|rispondere|fornire|fare)|mi dispiace,? (?:ma )?non|non lo so\b)",
)  # fmt: skip
_REFUSAL = re.compile("|".join(_PHRASES), re.IGNORECASE)


def refuses(text: str) -> bool:
    """Whether the answer begins by refusing, or by saying that it does not know."""
    return _REFUSAL.search(text[:_OPENING].replace("’", "'")) is not None
