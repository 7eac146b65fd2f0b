"""Helpers: in order, in bounds, and never longer than who needs them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from backend.errors import InvalidInput, ServiceUnavailable
from backend.jobs.crew import helpers, in_order


def doubled(number: int) -> tuple[int, int]:
    return 2 * number, os.getpid()


def refusing(number: int) -> int:
    if number == 7:
        raise InvalidInput("Not seven.")
    return number


def ending(number: int) -> int:
    if number == 7:
        os._exit(1)
    return number


def test_results_come_in_order_the_first_ones_from_here_and_the_rest_from_helpers() -> None:
    made = list(in_order(doubled, range(40), workers=2, alone=3))
    assert [number for number, _ in made] == [2 * number for number in range(40)]
    assert {pid for _, pid in made[:3]} == {os.getpid()}
    assert os.getpid() not in {pid for _, pid in made[3:]}


def test_little_work_and_a_single_worker_need_no_helper() -> None:
    for workers, count in ((2, 3), (1, 30)):
        assert {pid for _, pid in in_order(doubled, range(count), workers=workers, alone=3)} == {os.getpid()}


def test_few_pieces_are_on_their_way_at_a_time() -> None:
    drawn = 0

    def pieces() -> Iterator[int]:
        nonlocal drawn
        for number in range(1000):
            drawn += 1
            yield number

    results = in_order(doubled, pieces(), workers=2, alone=0)
    next(results)
    assert drawn < 20
    results.close()


def test_what_goes_wrong_comes_out() -> None:
    with pytest.raises(InvalidInput, match="Not seven"):
        list(in_order(refusing, range(20), workers=2, alone=0))
    with pytest.raises(ServiceUnavailable, match="TOUCHSTONE_CLEAN_WORKERS"):
        list(in_order(ending, range(20), workers=2, alone=0))


def test_no_number_means_one_for_each_processor() -> None:
    assert helpers(0) == len(os.sched_getaffinity(0))
    assert helpers(3) == 3
