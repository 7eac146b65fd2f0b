"""What a model gives for a few conversations, so that it can be compared with a copy of itself: logits, and what it says.

A chat model gives logits for every token, a model of the T5 family for every token of the answer, a classifier or reward model
for the text. Logits may differ by `TOLERANCE`, a rounding of the weights' precision; what is said must be equal in fp32, and in
half precision where the tie is not within the tolerance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from trainer.contract import WRITERS, Decoding, TrainConfig
from trainer.generate import generate
from trainer.model import BadModel, Loaded, LoadedReader
from trainer.rows import Row

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.5, torch.float16: 0.1}
"""The largest difference of a logit between the two, by the weights' precision."""
LONGEST = 48

Logits = Sequence[tuple[tuple[int, ...], torch.Tensor]]


@torch.inference_mode()
def logits_of(loaded: Loaded | LoadedReader, rows: Sequence[Row]) -> list[tuple[tuple[int, ...], torch.Tensor]]:
    """The tokens of every conversation, and their logits."""
    found = []
    for row in rows:
        tokens: tuple[int, ...]
        more: dict[str, Any]
        if isinstance(loaded, Loaded):
            example = loaded.format.encode(row, max_length=loaded.context)
            tokens, more = (example.tokens if example is not None else ()), {"use_cache": False}
        elif loaded.model.config.is_encoder_decoder:
            tokens, more = _asked(loaded, row.prompt), {"use_cache": False, "decoder_input_ids": _answer(loaded, row.reference)}
        else:
            tokens, more = _asked(loaded, row.messages), {}
        if tokens:
            given = torch.tensor([tokens], device=loaded.device)
            found.append((tokens, loaded.model(input_ids=given, **more).logits[0].float().cpu()))
    return found


def _asked(loaded: LoadedReader, messages: Sequence[dict[str, str]]) -> tuple[int, ...]:
    return loaded.format.encode(messages, max_length=loaded.context, cut=True) or ()


def _answer(loaded: LoadedReader, text: str) -> torch.Tensor:
    """A T5 model's answer as its decoder reads it."""
    tokens = loaded.format.tokenizer(text, truncation=True, max_length=LONGEST)["input_ids"]
    return torch.tensor([[int(loaded.model.config.decoder_start_token_id), *tokens]], device=loaded.device)


def said_by(config: TrainConfig, loaded: Loaded | LoadedReader, rows: Sequence[Row]) -> list[str]:
    """Greedy answers, or a classifier's classes; nothing of a model that only scores."""
    if config.objective in WRITERS:
        return [answer.text for answer in generate(loaded, [row.prompt for row in rows], Decoding(max_new_tokens=LONGEST))]
    assert isinstance(loaded, LoadedReader)
    return [loaded.classes[int(logits.argmax())] for _, logits in logits_of(loaded, rows)] if loaded.classes else []


def compare(expected: Logits, found: Logits, said: Sequence[str], says: Sequence[str], dtype: torch.dtype) -> dict[str, Any]:
    """How far the two differ. Raises BadModel where that is more than rounding."""
    if [tokens for tokens, _ in expected] != [tokens for tokens, _ in found]:
        raise BadModel("The export reads a conversation as other tokens than the training model, so it was not kept.")
    tolerance = TOLERANCE.get(dtype, max(TOLERANCE.values()))
    worst = max((float((one - other).abs().max()) for (_, one), (_, other) in zip(expected, found, strict=True)), default=0.0)
    equal = sum(one == other for one, other in zip(said, says, strict=True))
    needed = len(said) if dtype is torch.float32 else len(said) - len(said) // 4
    told = {
        "conversations": len(expected),
        "largest_logit_difference": worst,
        "tolerance": tolerance,
        "precision": str(dtype).removeprefix("torch."),
    }
    if said:
        told |= {"equal_greedy_answers": equal, "equal_needed": needed}
    if not worst <= tolerance or equal < needed:
        raise BadModel(
            f"The export does not give what the training model gives, so it was not kept: a logit differs by {worst:.2g} "
            f"({tolerance:g} is allowed), and {equal} of {len(said)} greedy answers are equal ({needed} are needed)."
        )
    return told
