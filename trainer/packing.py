"""Which conversations share a row: best-fit decreasing into rows of so many tokens. Pure.

Promised: every conversation is in exactly one row; the number of rows is that of the lengths alone, whatever the seed and
the epoch, so the steps of every epoch are as many. Those two decide which of equally long conversations go together, and
the order of the rows.
"""

from __future__ import annotations

import bisect
import random
from collections.abc import Sequence


def pack(lengths: Sequence[int], *, capacity: int, seed: int, epoch: int) -> list[list[int]]:
    """The places that share a row, each row of at most `capacity` tokens; what is longer has a row of its own."""
    rng = random.Random(f"{seed}-{epoch}")  # noqa: S311  an order, not a secret
    order = list(range(len(lengths)))
    rng.shuffle(order)
    order.sort(key=lambda place: -lengths[place])
    rows: list[list[int]] = []
    with_room: dict[int, list[int]] = {}  # tokens that are free → rows with so many
    rooms: list[int] = []  # those numbers, rising
    for place in order:
        length = lengths[place]
        at = bisect.bisect_left(rooms, length)
        if at == len(rooms):
            row, left = len(rows), capacity - length
            rows.append([])
        else:
            room = rooms[at]
            row, left = with_room[room].pop(), room - length
            if not with_room[room]:
                del with_room[room], rooms[at]
        rows[row].append(place)
        if left > 0:
            if left not in with_room:
                bisect.insort(rooms, left)
                with_room[left] = []
            with_room[left].append(row)
    rng.shuffle(rows)
    return rows


def room_for(lengths: Sequence[int], *, batch_size: int) -> int:
    """Tokens of a row that holds about `batch_size` conversations, and the longest one at least."""
    return max(max(lengths), round(sum(lengths) / len(lengths) * batch_size))
