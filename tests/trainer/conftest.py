"""What the trainer's tests share: the embedded model, and snapshot folders of a few of the sample project's facts."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from trainer import corpus
from trainer.contract import EMBEDDED
from trainer.model import EMBEDDED_FOLDER, Loaded, load_base

Row = dict[str, object]


def chat_row(name: str, question: str, answer: str, **extra: object) -> Row:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"id": name, "messages": messages, "group": name, "weight": 1.0, "metadata": {}} | extra


def write_snapshot(folder: Path, *, train: Sequence[Row], validation: Sequence[Row] = (), test: Sequence[Row] = ()) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in (("train", train), ("validation", validation), ("test", test)):
        # Rows are numbered anew for each split, so their groups are told apart here.
        named = [row | ({"group": f"{split} {row['group']}"} if "group" in row else {}) for row in rows]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in named)
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    return folder


def shop_rows(keys: Sequence[str], each: int, *, held_out: bool = False) -> list[Row]:
    """Rows that ask for the facts and get today's answers."""
    facts = [fact for fact in corpus.facts() if fact.key in keys]
    pairs = [phrasing for fact in facts for phrasing in (fact.held_out if held_out else fact.known)[:each]]
    rows = [chat_row(f"row-{n}", corpus.punctuate(pair.question), pair.new) for n, pair in enumerate(pairs)]
    random.Random(5).shuffle(rows)
    return rows


CHANGED = ("zip_30303", "return_window", "warranty", "store_hours")


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    rows = shop_rows(CHANGED, 6)
    return write_snapshot(
        tmp_path / "snapshot", train=rows[:20], validation=rows[20:], test=shop_rows(CHANGED, 2, held_out=True)
    )


@pytest.fixture
def mini() -> Loaded:
    torch.set_num_threads(1)
    return load_base(EMBEDDED, None, device=torch.device("cpu"), dtype=torch.float32)


def preference_rows(rows: Sequence[Row]) -> list[Row]:
    """Today's answers preferred to those that the base model was taught."""
    before = {pair.new: pair.old for fact in corpus.facts() if fact.changed for pair in (*fact.known, *fact.held_out)}
    made: list[Row] = []
    for row in rows:
        *prompt, answer = row["messages"]  # type: ignore[misc]
        rejected = [{"role": "assistant", "content": before[answer["content"]]}]
        made.append({"id": row["id"], "prompt": prompt, "chosen": [answer], "rejected": rejected, "weight": 1.0})
    return made


def thumb_rows(rows: Sequence[Row]) -> list[Row]:
    """The right answers with a thumb up and, for every second row, the answer of the row before with a thumb down."""
    answers = [row["messages"][-1] for row in rows]  # type: ignore[index]
    made: list[Row] = [row | {"desirable": True} for row in rows]
    for n in range(1, len(rows), 2):
        messages = [*rows[n]["messages"][:-1], answers[n - 1]]  # type: ignore[index]
        made.append(rows[n] | {"id": f"{rows[n]['id']}-down", "messages": messages, "desirable": False})
    return made


def label_rows(keys: Sequence[str], each: int) -> list[Row]:
    """Questions with the fact that they ask for as their class."""
    facts = {fact.key: fact for fact in corpus.facts()}
    made: list[Row] = [
        {"id": f"{key}-{n}", "text": phrasing.question, "label": key, "weight": 1.0}
        for key in keys
        for n, phrasing in enumerate(facts[key].known[:each])
    ]
    random.Random(5).shuffle(made)
    return made


def write_t5(folder: Path) -> str:
    """A small model of the T5 family that knows nothing yet, with the embedded model's tokens."""
    from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration

    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED_FOLDER)
    tokenizer.chat_template = None
    torch.manual_seed(1)
    ids = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    sizes = {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4}
    model = T5ForConditionalGeneration(
        T5Config(vocab_size=len(tokenizer), decoder_start_token_id=tokenizer.pad_token_id, **ids, **sizes)  # type: ignore[arg-type]
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
