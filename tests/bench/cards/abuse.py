"""The card of the abuse flag: what it sees and misses by function, and how often it is raised without a reason."""

from __future__ import annotations

from collections import Counter
from typing import Any

from backend.detectors.abuse import VERSION, abusive
from backend.vocabulary import Check
from tests.bench.cards.abuse_cases import cases
from tests.bench.cards.form import bank_questions, column, made, share, shop_utterances

WEAKNESS = (
    "It is a flag for swearing and insults in English, not a judgement of hatred: about {missed:.0%} of the abuse in sentences "
    "written to test this passes it, above all polite words, negations and odd spellings, and it is raised at harmless "
    "swearing, at reclaimed words and at abuse that is only quoted. Neither remove texts on its word alone, nor trust that "
    "none is left. Other languages were not measured."
)


def card() -> dict[str, Any]:
    """The whole scorecard."""
    held = list(cases())
    said = abusive([sentence for _, sentence in held]).tolist()
    total: Counter[str] = Counter(function.name for function, _ in held)
    raised: Counter[str] = Counter(function.name for (function, _), flagged in zip(held, said, strict=True) if flagged)
    kinds = list({function.name: function for function, _ in held}.values())
    hits, abuse = (sum(counts[one.name] for one in kinds if one.abuse) for counts in (raised, total))
    bank, shop = abusive(bank_questions()), abusive(shop_utterances())
    swears = ["W" in tags for tags in column("bitext/customer_service_train.csv", "tags")]
    rude = [flag for flag, is_rude in zip(shop.tolist(), swears, strict=True) if is_rude]
    calm = [flag for flag, is_rude in zip(shop.tolist(), swears, strict=True) if not is_rude]
    return made(
        detector="abuse flag",
        check=Check.ABUSE,
        version=VERSION,
        data=f"{len(held)} sentences of our own after HateCheck's list of functions; banking77; bitext (its tag W: offensive)",
        measures=[
            share("Abuse that is flagged (recall)", hits, abuse),
            share("Flags that are right (precision)", hits, raised.total()),
            share("Harmless sentences of the same kind that are flagged", raised.total() - hits, total.total() - abuse),
            share("Offensive utterances of bitext that are flagged", sum(rude), len(rude)),
            share("False alarms on banking77", int(bank.sum()), len(bank), goal=0.01, at_most=True),
            share("False alarms on bitext, without its offensive ones", sum(calm), len(calm), goal=0.01, at_most=True),
        ],
        details=[
            {
                "what": one.name,
                "is abuse": "yes" if one.abuse else "no",
                "sentences": total[one.name],
                "flagged": raised[one.name],
                "right": round((raised[one.name] if one.abuse else total[one.name] - raised[one.name]) / total[one.name], 3),
            }
            for one in kinds
        ],
        weakness=WEAKNESS.format(missed=1 - hits / abuse),
    )
