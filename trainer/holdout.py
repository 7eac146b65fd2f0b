"""What a model should not forget: rows that have nothing to do with what it is taught, for a loss before and after.

For models made from the embedded base model, which knows one shop and nothing else, they are facts of that shop that the sample
project leaves as they are, in phrasings that neither it nor the base model ever saw. For all others they are general talk of
the project's own writing, in `general.jsonl`: everyday questions, a little arithmetic, small talk, six languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trainer import corpus
from trainer.contract import EMBEDDED, ModelSpec
from trainer.rows import Row, read_split

GENERAL, OF_EMBEDDED = "general talk", "the embedded model's own facts"
_FILE = Path(__file__).with_name("general.jsonl")
_EACH = 1


def choose(models: Sequence[ModelSpec]) -> str:
    """Which rows the models of an evaluation are held against: the same for all of them."""
    return OF_EMBEDDED if any(model.base_model == EMBEDDED for model in models) else GENERAL


def rows_of(name: str) -> list[Row]:
    """The rows."""
    if name == GENERAL:
        return read_split(_FILE.parent, _FILE.stem)
    kept = [phrasing for fact in corpus.facts() if not fact.changed for phrasing in fact.held_out[:_EACH]]
    return [
        Row(
            f"{phrasing.fact}",
            (
                {"role": "user", "content": corpus.punctuate(phrasing.question)},
                {"role": "assistant", "content": phrasing.old},
            ),
            1.0,
            {},
        )
        for phrasing in kept
    ]
