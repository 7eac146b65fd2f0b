"""What a model says while it learns: a few answers to look at, and how like all of them are to those that were wished for."""

from __future__ import annotations

from collections.abc import Sequence

from trainer.learner import Learner
from trainer.likeness import compare_texts, corpus_bleu
from trainer.rows import Row

SHOWN = 3


def speak(learner: Learner, rows: Sequence[Row], measured: int) -> tuple[list[dict[str, str]], dict[str, float]]:
    """The first rows' answers, and BLEU and ROUGE-L over the first `measured` of them.

    A classifier's answer is a class, which is shown and not measured so; a model that only scores says nothing.
    """
    chosen = list(rows[: max(SHOWN, measured)])
    said = learner.answers(chosen)
    samples = [
        {"prompt": (row.messages[-1] if row.label else row.prompt[-1])["content"], "reference": row.label or row.reference}
        | {"text": text}
        for row, text in zip(chosen, said, strict=False)
    ]
    judged = [] if not measured or any(row.label for row in chosen) else samples[:measured]
    if not judged:
        return samples[:SHOWN], {}
    bleu, _ = corpus_bleu([one["text"] for one in judged], [one["reference"] for one in judged])
    rouge = sum(compare_texts(one["text"], one["reference"])["rouge_l"] for one in judged) / len(judged)
    return samples[:SHOWN], {"bleu": bleu, "rouge_l": rouge}
