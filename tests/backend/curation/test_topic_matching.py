"""Which new topics are old ones."""

from __future__ import annotations

import numpy as np

from backend.curation.topic_matching import Fate, fates


def labels(*runs: tuple[int, int]) -> np.ndarray:
    """Each (label, how many) in turn."""
    return np.concatenate([np.full(count, label) for label, count in runs])


def test_topics_that_hold_the_same_texts_are_the_same_whatever_their_order() -> None:
    before, after = labels((7, 30), (8, 20)), labels((1, 28), (0, 22))
    assert fates(before, after, count=2, merged={7: None, 8: None}) == [Fate(8), Fate(7)]


def test_a_topic_that_is_not_found_again_is_gone_and_another_is_new() -> None:
    before, after = labels((7, 30), (0, 30)), labels((-1, 30), (0, 30))
    assert fates(before, after, count=1, merged={7: None}) == [Fate()]


def test_what_people_merged_stays_merged_also_where_it_falls_apart_otherwise() -> None:
    before = labels((7, 20), (8, 20), (9, 20))
    after = labels((0, 12), (1, 8), (2, 20), (3, 20))
    assert fates(before, after, count=4, merged={7: None, 8: 7, 9: None}) == [Fate(7), Fate(None, 7), Fate(8, 7), Fate(9)]


def test_a_merged_topic_lives_on_in_its_largest_part_when_its_own_texts_are_gone() -> None:
    before, after = labels((8, 20), (9, 10)), labels((0, 20), (1, 10))
    assert fates(before, after, count=2, merged={7: None, 8: 7, 9: 7}) == [Fate(7), Fate(9, 7)]


def test_without_old_topics_all_are_new() -> None:
    assert fates(np.zeros(4, dtype=int), np.array([0, 0, 1, -1]), count=2, merged={}) == [Fate(), Fate()]
