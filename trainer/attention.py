"""Conversations side by side in one row that do not see each other.

Where a GPU has attention over texts of different lengths (`torch.nn.attention.varlen`), that is registered with transformers
and told where each text begins. Elsewhere positions that start again at 0, with neither a mask nor a cache, make transformers
build a block-diagonal mask. Some models go by neither (their layers carry a state along, or they take no positions), and then
the texts would leak into each other without a word: so it is tried out on the model itself before it is used (`keeps_apart`).

Texts with a row each need no mask at all, since padding stands behind what is read. transformers looks at every batch to find
that out, and a look at a GPU's numbers waits for the GPU; so there it is told (`spare_masks`).

Not promised: varlen attention for models with dropped, capped or biased attention; those keep transformers' mask.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from trainer.picked import put

NAME = "touchstone_varlen"
"""What varlen attention is called in a model's config."""
MASKLESS = "touchstone_maskless"
"""What attention is called in a model's config that needs no mask for texts with a row each."""
_PROBES = ((3, 9, 4, 7, 5), (8, 2, 6, 3, 9, 5, 4)), ((6, 5, 9, 2, 8), (8, 2, 6, 3, 9, 5, 4))
"""Two rows of two texts whose second texts are the same."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Where the texts of one row begin and end. `positions` [1, tokens] start again with each; `bounds` [texts + 1]."""

    positions: torch.Tensor
    bounds: torch.Tensor
    longest: int

    @classmethod
    def of(cls, lengths: Sequence[int]) -> Packed:
        """Texts of these lengths, one after another."""
        positions = torch.cat([torch.arange(length) for length in lengths]).unsqueeze(0)
        bounds = torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)
        return cls(positions, bounds, max(lengths))

    def to(self, device: torch.device) -> Packed:
        """The same on a device."""
        return replace(self, positions=put(self.positions, device), bounds=put(self.bounds, device))

    def inputs(self, implementation: str) -> dict[str, Any]:
        """What a model is given beside the row, for it to keep the texts apart with this kind of attention."""
        if implementation != NAME:
            return {"position_ids": self.positions, "attention_mask": None}
        told = {"cu_seq_lens_q": self.bounds, "cu_seq_lens_k": self.bounds}
        told |= {"max_length_q": self.longest, "max_length_k": self.longest}  # type: ignore[dict-item]
        return {"position_ids": self.positions, "attention_mask": _unread(self.positions.device)} | told


def _unread(device: torch.device) -> torch.Tensor:
    """A mask that nobody reads: one of four dimensions is handed on as it is, so none is built over all pairs of tokens."""
    return torch.ones((1, 1, 1, 1), dtype=torch.bool, device=device)


def inputs(model: Any, packed: Packed | None, device: torch.device) -> dict[str, Any]:
    """What a model is given beside the tokens of a batch: of one packed row, or of texts with a row each, padded behind."""
    implementation = model.config._attn_implementation
    if packed is not None:
        return packed.inputs(implementation)
    return {"attention_mask": _unread(device)} if implementation in (NAME, MASKLESS) else {}


class Unfit(ValueError):
    """Attention that varlen attention cannot stand in for."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """Varlen attention and the names of what it takes, which differ between versions of torch."""

    call: Callable[..., Any]
    takes: frozenset[str]

    @classmethod
    def of(cls, call: Callable[..., Any]) -> Kernel:
        """Raises ValueError where nobody can say what it takes."""
        return cls(call, frozenset(inspect.signature(call).parameters))

    def options(self, *, scaling: float | None, width: int, window: int | None) -> dict[str, Any]:
        """Causal attention, over `window` tokens where a model looks back no further. Raises Unfit."""
        said: dict[str, Any] = {}
        if "scale" in self.takes:
            said["scale"] = scaling
        elif scaling is not None and abs(scaling - width**-0.5) > 1e-9:
            raise Unfit("attention is scaled in a way of its own")
        if "window_size" in self.takes:
            return said | {"window_size": (window - 1 if window else -1, 0)}
        if window or "is_causal" not in self.takes:
            raise Unfit("attention looks back over a window")
        return said | {"is_causal": True}


def find_kernel(device: torch.device, dtype: torch.dtype) -> Kernel | None:
    """This device's varlen attention for numbers of a kind, or None."""
    if device.type != "cuda" or dtype not in (torch.bfloat16, torch.float16):
        return None
    if torch.cuda.get_device_capability(device) < (8, 0):
        return None
    try:
        kernel = Kernel.of(importlib.import_module("torch.nn.attention.varlen").varlen_attn)
    except (ImportError, AttributeError, ValueError):
        return None
    return kernel if {"window_size", "is_causal"} & kernel.takes else None


def use(model: Any, kernel: Kernel, dtype: torch.dtype) -> str:
    """Gives a model varlen attention for packed rows, and its own for all others; returns what it had before."""

    def attend(module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **said: Any) -> tuple[torch.Tensor, None]:
        if said.get("cu_seq_lens_q") is None:
            return _attend_alone(module, query, key, value, attention_mask, **said)
        return _attend(kernel, dtype, query, key, value, said), None

    return _give(model, NAME, attend)


def _give(model: Any, name: str, attend: Callable[..., Any]) -> str:
    before = str(model.config._attn_implementation)
    AttentionInterface.register(name, attend)
    AttentionMaskInterface.register(name, sdpa_mask)
    model.set_attn_implementation(name)
    return before


def _attend_alone(module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **said: Any) -> tuple[torch.Tensor, None]:
    """Attention over texts with a row each; where the mask is the one that is not read, over all that stands before."""
    length = query.shape[2]
    if attention_mask is not None and attention_mask.numel() == 1 and length > 1:
        window, attention_mask = said.get("sliding_window"), None
        if window and length > window:
            at = torch.arange(length, device=query.device)
            back = at[:, None] - at[None, :]
            attention_mask = ((back >= 0) & (back < window)).view(1, 1, length, length)
    attended, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **said)
    return attended, None


def spare_masks(model: Any, logits_of: LogitsOf, device: torch.device) -> bool:
    """Lets a model's texts with a row each go without a look at their mask; False, and nothing changed, where its logits would
    not be the same or it looks back in a way of its own."""
    config = model.config
    kinds = {*(getattr(config, "layer_types", None) or ())} - {"full_attention", "sliding_attention"}
    if config._attn_implementation != "sdpa" or kinds or getattr(config, "attention_chunk_size", None):
        return False
    rows = torch.tensor([[token for text in row for token in text] for row in _PROBES], device=device)
    expected = _logits(model, logits_of, rows)
    before = _give(model, MASKLESS, _attend_alone)
    try:
        found = _logits(model, logits_of, rows)
    except (TypeError, ValueError, RuntimeError, IndexError):
        found = None
    if found is not None and torch.allclose(found, expected, rtol=1e-3, atol=float(expected.std()) * 1e-3):
        return True
    model.set_attn_implementation(before)
    return False


@torch.no_grad()
def _logits(model: Any, logits_of: LogitsOf, tokens: torch.Tensor) -> torch.Tensor:
    was_training = model.training
    model.eval()
    try:
        return logits_of(tokens, torch.arange(tokens.numel(), device=tokens.device)).float()
    finally:
        model.train(was_training)


def _attend(kernel: Kernel, dtype: torch.dtype, query: Any, key: Any, value: Any, said: dict[str, Any]) -> torch.Tensor:
    """Attention [1, tokens, heads, width] from what transformers hands over [1, heads, tokens, width]. Raises Unfit."""
    if said.get("dropout") or any(said.get(name) is not None for name in ("softcap", "s_aux", "position_bias")):
        raise Unfit("attention is dropped, capped or biased")
    options = kernel.options(scaling=said.get("scaling"), width=query.shape[-1], window=said.get("sliding_window"))
    if query.shape[1] != key.shape[1]:
        if "enable_gqa" in kernel.takes:
            options["enable_gqa"] = True
        else:
            times = query.shape[1] // key.shape[1]
            key, value = repeat_kv(key, times), repeat_kv(value, times)
    texts = [part[0].transpose(0, 1).to(dtype).contiguous() for part in (query, key, value)]
    bounds, longest = said["cu_seq_lens_q"], said["max_length_q"]
    attended = kernel.call(*texts, bounds, bounds, longest, longest, **options)
    return attended.unsqueeze(0).to(query.dtype)


class LogitsOf(Protocol):
    """Logits [n, vocabulary] of what comes after n places, as `objectives.TrainedLogits` gives them."""

    def __call__(self, tokens: torch.Tensor, places: torch.Tensor, packed: Packed | None = None) -> torch.Tensor:
        """Of one row, or of several texts in rows of their own."""


@torch.no_grad()
def keeps_apart(model: Any, logits_of: LogitsOf, device: torch.device) -> bool:
    """Whether a text's logits are the same in a row of its own and behind another text, whatever that says."""
    was_training = model.training
    model.eval()
    try:
        alone = _second(logits_of, _PROBES[0][1:], device)
        first, second = (_second(logits_of, row, device) for row in _PROBES)
    except (Unfit, TypeError, ValueError, RuntimeError):
        return False  # It cannot be given packed rows at all.
    finally:
        model.train(was_training)
    exact = next(model.parameters()).dtype == torch.float32 and model.config._attn_implementation != NAME
    spread = float(alone.std())
    leaked, strayed = (float((one - second).abs().max()) for one in (first, alone))
    return leaked <= spread * 1e-3 and strayed <= spread * (1e-3 if exact else 0.2)


def _second(logits_of: LogitsOf, texts: Sequence[Sequence[int]], device: torch.device) -> torch.Tensor:
    """The logits of the last text of a row."""
    tokens = torch.tensor([[token for text in texts for token in text]], device=device)
    packed = Packed.of([len(text) for text in texts]).to(device) if len(texts) > 1 else None
    places = torch.arange(tokens.shape[1] - 1, device=device)
    return logits_of(tokens, places, packed)[1 - len(texts[-1]) :].float()
