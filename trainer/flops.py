"""How much arithmetic a token takes, and so what share of a GPU's speed a run uses (MFU). It reads a model's shapes alone.

A forward pass costs two operations a parameter and token, its backward pass two for the gradient of what went in and two for
that of the weights, which frozen weights do not need (Kaplan et al. 2020, and LoRA's case of it): a trained parameter costs 6
and a frozen one 4. The head counts for trained tokens only, because logits are formed for those alone. Attention over causal
pairs adds 6 · layers · width · length, with the width of all heads together. Embeddings are looked up, not multiplied.
"""

from __future__ import annotations

from typing import Any

PEAKS = {
    "H200": 989e12, "H100": 989e12, "A100": 312e12, "A10": 125e12, "L40S": 362e12, "L4": 121e12, "RTX 4090": 165e12,
    "RTX 3090": 71e12, "V100": 125e12, "T4": 65e12,
}  # fmt: skip
"""Dense bf16 (older ones: fp16) operations a second by the name that the device gives; PCIe and power-capped cards do less."""
_HEADS = ("lm_head", "score", "classifier")


def per_token(model: Any, *, trained_share: float, length: float) -> float:
    """Operations a token of training, forward and backward. `length`: of the text that the mean token stands in."""
    total = 0.0
    for name, weight in model.named_parameters():
        if weight.ndim < 2 or "embed" in name or name.endswith("shared.weight"):
            continue
        cost = (6 if weight.requires_grad else 4) * _size(weight)
        total += cost * (trained_share if any(head in name for head in _HEADS) else 1.0)
    config = model.config
    if getattr(config, "tie_word_embeddings", False):
        total += 4 * trained_share * config.vocab_size * config.hidden_size
    layers = getattr(config, "num_hidden_layers", 0) or getattr(config, "num_layers", 0)
    return total + 6.0 * layers * _heads_width(config) * length


def _heads_width(config: Any) -> int:
    """Of all attention heads together, which some models have wider than their layers."""
    heads, each = getattr(config, "num_attention_heads", 0), getattr(config, "head_dim", None)
    if heads and each:
        return int(heads * each)
    return int(getattr(config, "hidden_size", 0) or getattr(config, "d_model", 0))


def _size(weight: Any) -> int:
    """Numbers that the weight stands for; a 4-bit one holds two in each byte."""
    shape = getattr(getattr(weight, "quant_state", None), "shape", None)
    return int(shape.numel()) if shape is not None else int(weight.numel())


def peak_of(device_name: str) -> float | None:
    """The device's peak, or None for one that is not known, such as a CPU."""
    return next((peak for name, peak in PEAKS.items() if name in device_name), None)
