"""Whether two models of a report count the same answers as the same tokens, and what follows for figures a token. Pure.

A chat model and a T5 model, say, cut one text into different tokens, so that a loss or a perplexity a token of one says nothing
beside the other's. Bits per byte compare; so does a loss when both are counted over the tokens of one of them. Not promised: to
notice tokenizers that differ and happen to make as many tokens of all the answers together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PER_TOKEN = ("loss", "perplexity")
"""Figures of a report that are an average over tokens."""
OTHER_TOKENS = "The two cut texts into different tokens, so both losses are counted over those of the version to be replaced."
NOT_COMPARED = "The two cut texts into different tokens, so loss and perplexity do not compare; bits per byte do."


def tokens_apart(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> float | None:
    """Our tokens for each of theirs, over the same answers; None where the two count alike, or where that is not known."""
    mine, other = ours.get("reference_tokens"), theirs.get("reference_tokens")
    if not mine or not other or mine == other or ours.get("loss_n") != theirs.get("loss_n"):
        return None
    return float(mine) / float(other)
