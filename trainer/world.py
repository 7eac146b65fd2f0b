"""The processes of one run: who this one is among them, what they tell each other, and how they share the model.

One process is a world of its own, and then nothing here computes or copies anything. Of several, each reads its share of
every batch, and their gradients are added up: by DDP, where each holds the whole model, or by FSDP2, where each holds a part
of every layer. A step is the step of one process with the whole batch, up to rounding, so a run that was begun with some
processes goes on with others.

Not promised: the same bits with another number of processes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from trainer.contract import TrainConfig
from trainer.member import is_one_of_several, meeting
from trainer.model import layers_of

T = TypeVar("T")
BACKEND = "cpu:gloo,cuda:nccl"
"""What processes talk through where they have GPUs; gloo where they have none."""
_PATIENCE = timedelta(minutes=30)
"""How long processes wait for each other: one may be writing a large checkpoint, or samples."""


class World:
    """This process among those of its run. Everything that is asked of all must be asked by all, in the same order."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size
        self._wrapped: Any = None
        self._sharded = False

    @property
    def is_chief(self) -> bool:
        """Whether this is the process that writes the run's files."""
        return self.rank == 0

    # --- sharing work ---

    def share(self, items: Sequence[T]) -> list[T]:
        """This process's part; those of the others differ in length by one at most, and the chief's is never shorter."""
        return list(items[self.rank :: self.size])

    def most(self, items: Sequence[Any]) -> int:
        """How many items the longest share has."""
        return -(-len(items) // self.size)

    # --- telling each other ---

    def total(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over all processes."""
        if self.size > 1:
            tensor = tensor.clone()
            distributed.all_reduce(tensor)
        return tensor

    def any(self, flag: bool) -> bool:
        """Whether it is so for any process."""
        return flag if self.size == 1 else bool(self.total(torch.tensor(float(flag))))

    def greatest(self, value: int) -> int:
        """The greatest of all processes' values."""
        return max(self.gathered(value))

    def gathered(self, value: T) -> list[T]:
        """Every process's value, in the order of their ranks."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        distributed.all_gather_object(found, value)
        return found

    def chiefs(self, value: T) -> T:
        """The chief's value, for all: where a decision hangs on it, all must decide alike."""
        if self.size == 1:
            return value
        told = [value]
        distributed.broadcast_object_list(told, src=0)
        return told[0]

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            self.any(False)

    # --- sharing the model ---

    def take(self, model: Any, config: TrainConfig) -> None:
        """Share the model, whose weights may be cut in parts from here on. Passes go through `inside` then."""
        if self.size == 1:
            return
        inside, self._sharded = _Inside(model), config.strategy == "fsdp"
        if self._sharded:
            for layer in layers_of(model):
                fully_shard(layer)
            self._wrapped = fully_shard(inside)
            return
        # Readers have parts that some of their heads leave out, such as an encoder's pooler.
        unused = config.objective in ("reward", "classification", "seq2seq") and not config.uses_lora
        self._wrapped = DistributedDataParallel(inside, broadcast_buffers=False, find_unused_parameters=unused)

    def inside(self, call: Callable[..., T], *given: Any) -> T:
        """`call(*given)`, whose passes through the shared model are seen."""
        if self._wrapped is None:
            return call(*given)
        found = self._wrapped(call, *given)
        if self._sharded and not torch.is_grad_enabled():
            self._wrapped.reshard()  # what is outside the layers stays whole until a way back, which does not come here
        return found

    def whole_state_of(self, model: Any, *, trained_alone: bool) -> dict[str, torch.Tensor] | None:
        """The model's weights put together, or those alone that were trained; None where no process holds less than all."""
        if not self._sharded:
            return None
        found = model.named_parameters() if trained_alone else model.state_dict().items()
        return {name: whole(weight) for name, weight in found if weight.requires_grad or not trained_alone}

    def adding_up(self, *, last: bool) -> AbstractContextManager[Any]:
        """Within, gradients are added to this process's own; to those of the others with a step's `last` part alone."""
        if self._wrapped is None:
            return contextlib.nullcontext()
        if self._sharded:
            self._wrapped.set_requires_gradient_sync(last)
            return contextlib.nullcontext()
        return contextlib.nullcontext() if last else self._wrapped.no_sync()


ALONE = World()
"""A run in one process."""


class _Inside(torch.nn.Module):
    """The model with a forward pass that does what it is told, so that DDP and FSDP see passes through its parts."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, call: Callable[..., T], *given: Any) -> T:
        return call(*given)


def whole(value: Any) -> Any:
    """A tensor with all its parts, on the CPU; what is no tensor, as it is. Asked of all processes where it is cut."""
    return joint(value).detach().cpu() if isinstance(value, torch.Tensor) else value


def joint(value: torch.Tensor) -> torch.Tensor:
    """A number that several processes have worked out together."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def own(value: torch.Tensor) -> torch.Tensor:
    """This process's part of a tensor."""
    return value.to_local() if isinstance(value, DTensor) else value


def like(value: Any, weight: torch.Tensor) -> Any:
    """A whole tensor cut as `weight` is. One that has another shape, such as a count of steps, stays as it is."""
    if not isinstance(weight, DTensor) or not isinstance(value, torch.Tensor) or value.shape != weight.shape:
        return value
    return distribute_tensor(value.to(weight.device), weight.device_mesh, weight.placements, src_data_rank=None)


def whole_state(optimizer: Any) -> dict[str, Any]:
    """The optimizer's state with whole tensors."""
    state = optimizer.state_dict()
    return state | {
        "state": {place: {name: whole(value) for name, value in told.items()} for place, told in state["state"].items()}
    }


def cut_state(state: Mapping[str, Any], weights: Sequence[torch.Tensor]) -> dict[str, Any]:
    """A whole state for an optimizer of these weights."""
    return {**state} | {
        "state": {
            place: {name: like(value, weights[place]) for name, value in told.items()} for place, told in state["state"].items()
        }
    }


@contextlib.contextmanager
def joined() -> Iterator[World]:
    """The world that this process was started in, left at the end. Ray Train has it joined already."""
    if not is_one_of_several():
        yield ALONE
        return
    mine = not distributed.is_initialized()
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    if mine:
        distributed.init_process_group(BACKEND if torch.cuda.is_available() else "gloo", timeout=_PATIENCE, **meeting())
    yield World(distributed.get_rank(), distributed.get_world_size())
    if mine:  # after a failure the others may be gone, and nobody says goodbye
        distributed.destroy_process_group()
