"""Which predictions of a batch are looked at, as places in it.

They are worked out on the CPU while a batch is laid. Choosing by a mask on a GPU would have the program wait until the GPU has
done all that it was told before, only to hear how many places there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


def put(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The values on a device. A GPU is handed them without a wait for what it is at."""
    if device.type == "cuda" and values.device.type == "cpu" and values.numel():
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


@dataclass(frozen=True, slots=True)
class Picked:
    """Tokens of a batch [texts, width] that are predicted, text after text."""

    places: torch.Tensor
    """[n]: where the token before each stands, counted through the padded texts one after another."""
    targets: torch.Tensor
    """[n]: the tokens."""
    rows: torch.Tensor
    """[n]: the text of each."""
    counts: torch.Tensor
    """[n]: what each counts."""
    first: int
    """How many of them are in the first half of the texts."""

    @classmethod
    def of(cls, tokens: torch.Tensor, chosen: torch.Tensor, counts: torch.Tensor) -> Picked:
        """The tokens that `chosen` [texts, width - 1] marks, from the second one of each text on; `counts` likewise."""
        rows, columns = chosen.nonzero().T.contiguous()
        first = int((rows < len(tokens) // 2).sum())
        return cls(rows * tokens.shape[1] + columns, tokens[:, 1:][chosen], rows, counts[chosen], first)

    def __len__(self) -> int:
        return len(self.places)

    def to(self, device: torch.device) -> Picked:
        """The same on a device."""
        places, targets, rows, counts = (put(part, device) for part in (self.places, self.targets, self.rows, self.counts))
        return Picked(places, targets, rows, counts, self.first)

    def halves(self, tokens: torch.Tensor) -> tuple[Picked, Picked]:
        """Those of the first and of the second half of the texts, each as of a batch of its own."""
        texts, width, at = len(tokens) // 2, tokens.shape[1], self.first
        second = (self.places[at:] - texts * width, self.targets[at:], self.rows[at:] - texts, self.counts[at:])
        return Picked(self.places[:at], self.targets[:at], self.rows[:at], self.counts[:at], 0), Picked(*second, 0)
