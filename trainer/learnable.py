"""What can be learned: each objective with the rows that it takes and the figures that it is watched by. Standard library only.

A part of the contract: `trainer.contract` hands these names on.
"""

from __future__ import annotations

from dataclasses import dataclass

EMBEDDED = "touchstone-mini"
"""The name of the base model that ships with the trainer."""

SPLITS = ("train", "validation", "test")
"""The parts of a snapshot."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What can be learned: the kind of rows that it takes, a sentence for people, and the figures that it is watched by."""

    rows: str
    help: str
    metrics: tuple[str, ...]
    chats: bool = True
    """Whether the result is a chat model. `WRITERS` are those whose result answers, and so can be served and promoted."""


OBJECTIVES = {
    "sft": Objective("sft", "imitates the approved answers", ("perplexity", "token_accuracy")),
    "seq2seq": Objective(
        "sft",
        "teaches a model of the T5 family, which reads the question whole and then writes, the approved answers",
        ("perplexity", "token_accuracy"),
        chats=False,
    ),
    "dpo": Objective(
        "preferences",
        "makes the preferred answers likelier than the others, without straying far from the starting model",
        ("preference_accuracy", "margin", "reward_chosen", "reward_rejected"),
    ),
    "orpo": Objective(
        "preferences",
        "imitates the preferred answers and moves away from the others in one go, with no starting model to compare with",
        ("preference_accuracy", "log_odds"),
    ),
    "kto": Objective(
        "thumbs",
        "makes answers with a thumb up likelier and those with a thumb down less likely; the two need not be pairs",
        ("margin", "kl", "reward_desirable", "reward_undesirable"),
    ),
    "reward": Objective(
        "preferences",
        "learns to score answers as people judge them; the result scores, it does not chat",
        ("preference_accuracy", "margin"),
        chats=False,
    ),
    "classification": Objective(
        "labels",
        "learns to sort texts into classes, such as intents; the result sorts, it does not chat",
        ("accuracy", "macro_f1"),
        chats=False,
    ),
}
"""Objectives by name."""

ROW_KINDS = tuple(dict.fromkeys(objective.rows for objective in OBJECTIVES.values()))
"""Kinds of snapshots."""

LOWER_IS_BETTER = frozenset({"loss", "perplexity", "kl"})
"""Figures that improve downwards; all others improve upwards."""

LIKENESS = ("bleu", "rouge_l")
"""Figures of the answers that are written out at a validation."""

WRITERS = tuple(name for name, objective in OBJECTIVES.items() if objective.chats or name == "seq2seq")
"""Objectives whose model writes answers, which can be evaluated, served and promoted."""


def metrics_of(objective: str) -> tuple[str, ...]:
    """Every figure that a run of an objective can be judged by."""
    return ("loss", *OBJECTIVES[objective].metrics, *(LIKENESS if objective in WRITERS else ()))
