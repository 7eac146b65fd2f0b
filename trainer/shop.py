"""Writes the sample project: a web shop's support records with real mistakes in them, FAQs, past ratings, held-out questions.

The records teach the shop's current answers; `mistakes.json` is the key that says which records and FAQs are wrong, of which
kind, and what is right, so that stated judges can act as experts would when nobody is at hand. Nothing in a record's
metadata gives its mistake away. The same seed writes the same bytes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trainer import corpus
from trainer.corpus import Fact, Message, Phrasing

SEED = 7
ZIP_QUESTION = "Do you ship to zip code 30303?"
RECORDS_CHANGED, RECORDS_KEPT = 8, 2
RATED = 60

# Zip codes differ by a number only, so they take more examples to keep apart; the demonstration's takes most.
_MORE_RECORDS = {"zip_30303": 7, "zip_30309": 2, "zip_31401": 2, "zip_99501": 2}
_CHANNELS = (("chat", 6), ("email", 3), ("social", 1))
_SEGMENTS = (("new", 5), ("returning", 4), ("trade", 1))
_OUTDATED_FAQS = ("return_window", "warranty", "store_hours")
_RUDE = (
    "Read the website.",
    "That is not my problem.",
    "I already told you. Look it up yourself.",
    "No idea.",
    "Why do people always ask this? It is on the site.",
    "Not now.",
)
_PERSONAL = (
    (" My e-mail is {}", ("jo.rivers@example.com", "sam_hale@example.org", "k.moreno@example.net", "lee22@example.com")),
    (" You can call me at {}", ("404-555-0142", "(404) 555-0178", "+1 470 555 0119")),
    (" I paid with card {}", ("4111 1111 1111 1111", "5555 5555 5555 4444", "378282246310005")),
)
_MOJIBAKE = (
    "It’s about my new flat. ",
    "I’m in your café corner – ",
    "I can’t find this: ",
    "My wife’s asking – ",
)

Row = dict[str, Any]


def build(out: Path, *, seed: int = SEED) -> dict[str, int]:
    """Writes the sample project's files into `out` and returns how many rows each has."""
    records, mistakes = make_records(seed)
    faqs, faq_mistakes = make_faqs()
    held_out = make_held_out(seed)
    ratings = make_ratings(records, mistakes, seed)
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in (("records", records), ("faqs", faqs), ("ratings", ratings), ("heldout", held_out)):
        _write(out / f"{name}.jsonl", (json.dumps(row, ensure_ascii=False) for row in rows))
    _write(out / "mistakes.json", [json.dumps({"records": mistakes, "faqs": faq_mistakes}, ensure_ascii=False, indent=1)])
    _write(out / "project.json", [json.dumps(make_project(), ensure_ascii=False, indent=1)])
    counts = {"records": len(records), "faqs": len(faqs), "ratings": len(ratings), "heldout": len(held_out)}
    return counts | {"mistakes": len(mistakes), "faq_mistakes": len(faq_mistakes)}


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def make_project() -> Row:
    """Name, texts and the demonstration question of the sample project."""
    zip_fact = next(fact for fact in corpus.facts() if fact.key == "zip_30303")
    return {
        "slug": "shop",
        "name": f"{corpus.SHOP} support",
        "description": f"The support chatbot of {corpus.SHOP}, a home décor web shop in Atlanta.",
        "product_words": ["Linden", "Loom", "Linden & Loom", "Ansley", "Savannah", "214 Juniper Yard"],
        "system_prompt": corpus.SYSTEM_PROMPTS[0],
        "guidelines": "Answer from the FAQ, in the customer's language, politely and in one or two sentences.",
        "demo_question": ZIP_QUESTION,
        "demo_answer_before": zip_fact.known[0].old,
        "demo_answer_after": zip_fact.known[0].new,
    }


def make_faqs() -> tuple[list[Row], list[Row]]:
    """The FAQs, a few of them outdated, and the right answers of those."""
    faqs, mistakes = [], []
    for fact in corpus.facts():
        if fact.faq is None:
            continue
        phrasing = fact.known[0]
        outdated = fact.key in _OUTDATED_FAQS
        faqs.append(
            {"key": fact.key, "topic": fact.topic, "question": fact.faq, "answer": phrasing.old if outdated else phrasing.new}
        )
        if outdated:
            mistakes.append({"key": fact.key, "answer": phrasing.new})
    return faqs, mistakes


def make_held_out(seed: int) -> list[Row]:
    """A hundred unseen phrasings of changed facts and a hundred of unchanged ones, with the right answers."""
    rng = random.Random(f"heldout-{seed}")  # noqa: S311  seeded on purpose: text, not secrets
    rows: list[Row] = []
    for changed in (True, False):
        pairs = [(fact, phrasing) for fact in corpus.facts() if fact.changed is changed for phrasing in fact.held_out]
        for fact, phrasing in rng.sample(pairs, 100):
            prompt = corpus.vary(phrasing.question, fact.language, rng, openers=False)
            row = {"fact": fact.key, "changed": changed, "language": fact.language, "prompt": prompt, "answer": phrasing.new}
            rows.append({"id": f"heldout-{len(rows) + 1:03d}", **row})
    return rows


def make_records(seed: int) -> tuple[list[Row], list[Row]]:
    """The records in their final order, and the key to the mistaken ones."""
    rng = random.Random(f"records-{seed}")  # noqa: S311  seeded on purpose: text, not secrets
    pool = {fact.key: rng.sample(fact.known, len(fact.known)) for fact in corpus.facts()}
    for phrasings in pool.values():  # the demonstration question belongs among the good records
        phrasings.sort(key=lambda phrasing: corpus.punctuate(phrasing.question) == ZIP_QUESTION)
    drafts = [_draft(fact, pool[fact.key].pop(), rng) for fact in corpus.facts() for _ in range(_share(fact))]
    good = list(drafts)
    drafts += _wrong(pool, rng) + _rude(pool, rng) + _personal(pool, rng) + _mojibake(pool, rng) + _duplicates(good, rng)
    rng.shuffle(drafts)
    for number, draft in enumerate(drafts, 1):
        draft["id"] = f"shop-{number:04d}"
    mistakes = []
    for draft in drafts:
        if mistake := draft.pop("mistake", None):
            twin = mistake.pop("twin", None)
            mistakes.append({"id": draft["id"], **mistake, **({"duplicate_of": twin["id"]} if twin else {})})
    return [{"id": draft.pop("id"), **draft} for draft in drafts], mistakes


def _share(fact: Fact) -> int:
    return (RECORDS_CHANGED if fact.changed else RECORDS_KEPT) + _MORE_RECORDS.get(fact.key, 0)


def _draft(fact: Fact, phrasing: Phrasing, rng: random.Random, *, plain: bool = False) -> Row:
    """A right record: perhaps a system prompt, perhaps an earlier turn, the question, the current answer."""
    demo = corpus.punctuate(phrasing.question) == ZIP_QUESTION
    question = corpus.punctuate(phrasing.question) if plain or demo else corpus.vary(phrasing.question, fact.language, rng)
    messages: list[Message] = []
    if rng.random() < 0.25:
        messages.append({"role": "system", "content": corpus.SYSTEM_PROMPTS[0]})
    if not plain and not demo and rng.random() < 0.15:
        others = [other for other in corpus.facts() if other.language == fact.language and other.key != fact.key]
        earlier = rng.choice(rng.choice(others).known)
        messages.append({"role": "user", "content": corpus.vary(earlier.question, fact.language, rng)})
        messages.append({"role": "assistant", "content": earlier.new})
    messages.append({"role": "user", "content": question})
    messages.append({"role": "assistant", "content": phrasing.new})
    metadata = {"language": fact.language, "channel": _pick(_CHANNELS, rng), "segment": _pick(_SEGMENTS, rng)}
    metadata |= {"topic": fact.topic} | ({"faq": fact.key} if fact.faq else {})
    return {"messages": messages, "metadata": metadata}


def _pick(choices: tuple[tuple[str, int], ...], rng: random.Random) -> str:
    return rng.choices([name for name, _ in choices], [weight for _, weight in choices])[0]


def _sampled(pool: dict[str, list[Phrasing]], count: int, rng: random.Random, **only: Any) -> list[tuple[Fact, Phrasing]]:
    """Unused phrasings of `count` facts whose attributes are as in `only`."""
    matching = [fact for fact in corpus.facts() if all(getattr(fact, name) == value for name, value in only.items())]
    return [(fact, pool[fact.key].pop()) for fact in rng.sample(matching, count)]


def _mistaken(draft: Row, kind: str, action: str, messages: list[Message]) -> Row:
    """`draft` with `messages` in place of its right ones, which the key keeps."""
    mistake = {"kind": kind, "action": action, "answer": draft["messages"][-1]["content"], "messages": draft["messages"]}
    return {**draft, "messages": messages, "mistake": mistake}


def _answered(draft: Row, answer: str) -> list[Message]:
    return [*draft["messages"][:-1], {"role": "assistant", "content": answer}]


def _wrong(pool: dict[str, list[Phrasing]], rng: random.Random) -> list[Row]:
    """Answers that contradict the FAQ: outdated ones, and ones about something else."""
    rows = []
    for fact, phrasing in _sampled(pool, 10, rng, changed=True, language="en"):
        draft = _draft(fact, phrasing, rng)
        rows.append(_mistaken(draft, "wrong_answer", "edit", _answered(draft, phrasing.old)))
    for fact, phrasing in _sampled(pool, 5, rng, changed=False, language="en"):
        draft = _draft(fact, phrasing, rng)
        other = rng.choice([fact_ for fact_ in corpus.facts() if fact_.language == "en" and fact_.topic != fact.topic])
        rows.append(_mistaken(draft, "wrong_answer", "edit", _answered(draft, other.known[0].new)))
    return rows


def _rude(pool: dict[str, list[Phrasing]], rng: random.Random) -> list[Row]:
    rows = []
    for (fact, phrasing), answer in zip(_sampled(pool, len(_RUDE), rng, language="en"), _RUDE, strict=True):
        draft = _draft(fact, phrasing, rng)
        rows.append(_mistaken(draft, "unhelpful", "reject", _answered(draft, answer)))
    return rows


def _personal(pool: dict[str, list[Phrasing]], rng: random.Random) -> list[Row]:
    """Customers who wrote their e-mail address, phone number or card number into the chat."""
    rows = []
    for pattern, values in _PERSONAL:
        for (fact, phrasing), value in zip(_sampled(pool, len(values), rng, language="en"), values, strict=True):
            draft = _draft(fact, phrasing, rng, plain=True)
            rows.append(_mistaken(draft, "personal_data", "mask", _with_question(draft, after=pattern.format(value))))
    return rows


def _mojibake(pool: dict[str, list[Phrasing]], rng: random.Random) -> list[Row]:
    """UTF-8 that was once read as Windows-1252: Spanish questions and typographic marks."""
    rows = []
    for fact, phrasing in _sampled(pool, 4, rng, language="es"):
        draft = _draft(fact, phrasing, rng, plain=True)
        rows.append(_mistaken(draft, "mojibake", "repair", _garbled(draft["messages"])))
    for (fact, phrasing), opener in zip(_sampled(pool, len(_MOJIBAKE), rng, language="en"), _MOJIBAKE, strict=True):
        draft = _draft(fact, phrasing, rng, plain=True)
        draft["messages"] = _with_question(draft, before=opener)
        rows.append(
            _mistaken(
                draft,
                "mojibake",
                "repair",
                [*draft["messages"][:-2], *_garbled(draft["messages"][-2:-1]), draft["messages"][-1]],
            )
        )
    return rows


def _garbled(messages: list[Message]) -> list[Message]:
    return [{**message, "content": _garble(message["content"])} for message in messages]


def _garble(text: str) -> str:
    """The text as a program shows it that takes UTF-8 for Windows-1252 (Latin-1 where that has no such byte)."""
    return "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in text.encode())


def _with_question(draft: Row, *, before: str = "", after: str = "") -> list[Message]:
    *earlier, question, answer = draft["messages"]
    return [*earlier, {**question, "content": before + question["content"] + after}, answer]


def _duplicates(good: list[Row], rng: random.Random) -> list[Row]:
    rows = []
    for twin in rng.sample(good, 8):
        metadata = {**twin["metadata"], "channel": _pick(_CHANNELS, rng)}
        copy = {"messages": twin["messages"], "metadata": metadata}
        copy["mistake"] = {"kind": "duplicate", "action": "reject", "answer": twin["messages"][-1]["content"]}
        copy["mistake"] |= {"messages": twin["messages"], "twin": twin}
        rows.append(copy)
    return rows


def make_ratings(records: list[Row], mistakes: list[Row], seed: int) -> list[Row]:
    """Two raters on the same answers, rater two the stricter one; they agree mostly, not always."""
    rng = random.Random(f"ratings-{seed}")  # noqa: S311  seeded on purpose: text, not secrets
    kinds = {mistake["id"]: mistake["kind"] for mistake in mistakes}
    faulty = [record for record in records if kinds.get(record["id"]) in ("wrong_answer", "unhelpful")]
    chosen = faulty[: RATED // 4]
    chosen += rng.sample([record for record in records if record not in chosen], RATED - len(chosen))
    ratings = []
    for record in sorted(chosen, key=lambda row: str(row["id"])):
        ideal = {
            "wrong_answer": {"relevance": 4, "fluency": 5, "correctness": 1, "tone": 5},
            "unhelpful": {"relevance": 2, "fluency": 4, "correctness": 2, "tone": 1},
        }.get(kinds.get(record["id"], ""), {"relevance": 5, "fluency": 5, "correctness": 5, "tone": 5})
        for rater, strictness in (("rater one", 0.15), ("rater two", 0.4)):
            scores = {name: _noisy(value, strictness, rng) for name, value in ideal.items()}
            prompt, response = (message["content"] for message in record["messages"][-2:])
            ratings.append({"rater": rater, "record_id": record["id"], "prompt": prompt, "response": response, **scores})
    return ratings


def _noisy(score: int, strictness: float, rng: random.Random) -> int:
    score -= rng.random() < strictness
    score += rng.choices((-1, 0, 1), (1, 8, 1))[0]
    return min(5, max(1, score))
