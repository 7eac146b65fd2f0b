"""The card of personal data.

Precision, recall and F2 per entity: a span is right if its kind is right and it overlaps the labelled one by at least 0.9 of
their union. Names by characters, as they are written and in lower case. False alarms: the share of questions without
personal data in which the product, as it is set by default, or the command line, which says all kinds, finds some.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backend.detectors.entities.detect import VERSION, find_entities
from backend.detectors.entities.spans import Entity
from backend.detectors.personal import find_personal
from backend.vocabulary import Check
from tests.bench.cards.form import DATA, bank_questions, figure, made, shop_utterances

OVERLAP = 0.9
_SAID_AS = {Entity.DATE_OF_BIRTH: Entity.DATE_TIME}
PERSONAL = {
    "PERSON", "STREET_ADDRESS", "GPE", "EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "US_SSN",
    "US_DRIVER_LICENSE", "IP_ADDRESS", "DATE_TIME", "AGE", "ZIP_CODE", "DOMAIN_NAME", "NRP",
}  # fmt: skip
"""Entities of the data that are personal data; an organisation or a job title alone is none."""
NAMES = {
    "PERSON": "Names", "STREET_ADDRESS": "Postal addresses", "GPE": "Towns and countries", "ORGANIZATION": "Organisations",
    "TITLE": "Occupations and titles", "NRP": "Nationalities", "EMAIL_ADDRESS": "E-mail addresses",
    "PHONE_NUMBER": "Phone numbers", "CREDIT_CARD": "Cards", "IBAN_CODE": "IBANs", "US_SSN": "US social security numbers",
    "US_DRIVER_LICENSE": "Driver's licences", "IP_ADDRESS": "IP addresses", "DOMAIN_NAME": "Web addresses",
    "DATE_TIME": "Dates", "AGE": "Ages", "ZIP_CODE": "Postal codes",
}  # fmt: skip
WEAKNESS = (
    "Not good enough to publish texts unread: about one labelled place in five is missed or cut wrongly, mostly house numbers "
    "given apart from their street, organisations, and places named in passing; languages other than English, nicknames and "
    "spelled-out numbers were not measured."
)

Labelled = tuple[int, int, str]


def rows() -> list[tuple[str, list[Labelled]]]:
    """The labelled texts."""
    held = json.loads((DATA / "presidio/synth_even_templates.json").read_text(encoding="utf-8"))
    return [
        (row["full_text"], [(s["start_position"], s["end_position"], s["entity_type"]) for s in row["spans"]]) for row in held
    ]


def found(text: str) -> list[Labelled]:
    """What the command line would say."""
    return [(span.start, span.end, str(_SAID_AS.get(span.entity, span.entity))) for span in find_entities(text)]


def matched(wanted: Sequence[Labelled], given: Sequence[Labelled]) -> list[tuple[int, int]]:
    """Pairs of indices, each used once: the same kind, and enough overlap."""
    pairs, used = [], set()
    for i, (start, end, kind) in enumerate(wanted):
        for j, (first, last, other) in enumerate(given):
            common = min(end, last) - max(start, first)
            if j not in used and kind == other and common >= OVERLAP * (max(end, last) - min(start, first)):
                pairs.append((i, j))
                used.add(j)
                break
    return pairs


def scores(right: int, given: int, wanted: int) -> dict[str, Any]:
    """Precision, recall and F2 of counts."""
    precision, recall = right / given if given else 0.0, right / wanted if wanted else 0.0
    f2 = 5 * precision * recall / (4 * precision + recall) if right else 0.0
    return {
        "labelled": wanted,
        "found": given,
        "precision": round(precision, 3),
        "recall": round(recall, 3),
        "f2": round(f2, 3),
    }


def spans_scores(texts: Sequence[tuple[str, list[Labelled]]]) -> dict[str, dict[str, Any]]:
    """Scores per entity, over all ("all"), and over those that are personal data ("personal")."""
    right: Counter[str] = Counter()
    given: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    for text, labels in texts:
        guesses = found(text)
        right.update(labels[i][2] for i, _ in matched(labels, guesses))
        given.update(kind for _, _, kind in guesses)
        wanted.update(kind for _, _, kind in labels)

    def total(kinds: set[str]) -> dict[str, Any]:
        return scores(*(sum(count for kind, count in counts.items() if kind in kinds) for counts in (right, given, wanted)))

    each = {kind: scores(right[kind], given[kind], wanted[kind]) for kind in sorted(wanted)}
    return {"all": total(set(wanted) | set(given)), "personal": total(PERSONAL), **each}


def names_by_characters(texts: Sequence[tuple[str, list[Labelled]]], *, lower: bool) -> tuple[float, int]:
    """The share of the characters of labelled names that are found as parts of names, and how many characters those are."""
    hit = total = 0
    for text, labels in texts:
        if lower and len(text.lower()) != len(text):
            continue
        names = [(start, end) for start, end, kind in found(text.lower() if lower else text) if kind == "PERSON"]
        covered = {place for start, end in names for place in range(start, end)}
        for start, end, kind in labels:
            if kind == "PERSON":
                total += end - start
                hit += len(covered & set(range(start, end)))
    return hit / total, total


@dataclass(frozen=True, slots=True)
class Alarms:
    """False alarms in texts that hold no personal data, and how fast they were read."""

    texts: int
    product: float
    command_line: float
    by_kind: Counter[str]
    speed: float

    def measures(self, name: str, *, goal: float | None = None) -> list[dict[str, Any]]:
        """As the card tells them."""
        return [
            figure(f"False alarms on {name}, as the product is set", self.product, self.texts, goal=goal, at_most=True),
            figure(f"False alarms on {name}, detect-pii (all kinds)", self.command_line, self.texts, goal=goal, at_most=True),
            figure(f"Speed on {name}", self.speed, self.texts, unit="characters a second"),
        ]


def alarms(texts: Sequence[str]) -> Alarms:
    """What is said of texts without personal data."""
    started = time.process_time()
    said = [found(text) for text in texts]
    seconds = time.process_time() - started
    kinds = Counter(kind for spans in said for kind in {kind for _, _, kind in spans})
    product, all_kinds = (sum(map(bool, each)) / len(texts) for each in ([find_personal(text) for text in texts], said))
    return Alarms(len(texts), product, all_kinds, kinds, round(sum(map(len, texts)) / seconds))


def card() -> dict[str, Any]:
    """The whole scorecard."""
    texts = rows()
    spans = spans_scores(texts)
    written, lower = names_by_characters(texts, lower=False), names_by_characters(texts, lower=True)
    bank, shop = alarms(bank_questions()), alarms(shop_utterances())
    measures = [
        figure("F2 over personal data", spans["personal"]["f2"], spans["personal"]["labelled"], goal=0.75),
        figure("Characters of names found", *written, goal=0.85),
        figure("The same in lower case", *lower, goal=round(written[0] - 0.1, 3)),
        *bank.measures("banking77", goal=0.01),
        *shop.measures("bitext"),
    ]
    for key, what in (("personal", "personal data"), ("all", "all kinds, also organisations and job titles")):
        each = spans[key]
        measures += [
            figure(f"Precision over {what}", each["precision"], each["found"]),
            figure(f"Recall over {what}", each["recall"], each["labelled"]),
        ]
    measures.append(figure(f"F2 over {what}", spans["all"]["f2"], spans["all"]["labelled"]))
    return made(
        detector="personal data",
        check=Check.PERSONAL,
        version=VERSION,
        data="presidio-research synth_dataset_v2, rows with an even template number (754 texts); banking77; bitext",
        measures=measures,
        details=[
            {
                "what": NAMES.get(kind, kind),
                **spans[kind],
                "alarms, banking77": bank.by_kind[kind],
                "alarms, bitext": shop.by_kind[kind],
            }
            for kind in sorted(set(spans) - {"all", "personal"}, key=lambda kind: -int(spans[kind]["labelled"]))
        ],
        weakness=WEAKNESS,
    )
