"""Placement: people's own rows stay where they are, synthetic and general ones follow, and only into train."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.conversations import Message
from backend.datasets.candidates import Candidate
from backend.datasets.placement import General, Placement, place
from backend.errors import InvalidInput
from backend.vocabulary import MadeBy, Split


def a_row(number: int, **extra: Any) -> Candidate:
    said = (Message("user", f"Question {number}?"), Message("assistant", f"Answer {number}."))
    given_ = {"revision_id": number, "revision_number": 1, "approval_id": number, "content_hash": str(number), "messages": said}
    return Candidate(record_id=number, **(given_ | extra))


def synthetic(number: int, *of: int, **extra: Any) -> Candidate:
    return a_row(number, made_by=MadeBy.TYPOS, made_of=of, **extra)


def placed(rows: list[Candidate], *, seed: int = 0, general: General | None = None) -> Placement:
    return place(rows, {row.record_id: 1 for row in rows}, seed=seed, general=general)


@st.composite
def mixtures(draw: st.DrawFn) -> list[Candidate]:
    count = draw(st.integers(3, 40))
    own = [a_row(i, group=draw(st.sampled_from(["", "a", "b"])), copies=draw(st.integers(0, 3))) for i in range(1, count + 1)]
    made = [synthetic(100 + i, *draw(st.lists(st.integers(1, count), min_size=1, max_size=3, unique=True)))
            for i in range(draw(st.integers(0, 15)))]  # fmt: skip
    talk = [
        a_row(200 + i, is_general=True, group=draw(st.sampled_from(["", "", "a"]))) for i in range(draw(st.integers(0, 15)))
    ]
    return own + made + talk


shares = st.floats(0, 0.9).map(lambda share: General(share=share, seed=3))


@settings(max_examples=60)
@given(mixtures(), st.integers(0, 50), shares)
def test_what_is_synthetic_or_general_enters_train_alone_and_moves_nobody(
    rows: list[Candidate], seed: int, general: General
) -> None:
    result = placed(rows, seed=seed, general=general)
    alone = placed([row for row in rows if not row.follows], seed=seed)
    assert {row.record_id: result.split_of.get(row.record_id) for row in rows if not row.follows} == {
        row.record_id: alone.split_of.get(row.record_id) for row in rows if not row.follows
    }
    assert {result.split_of[row.record_id] for row in rows if row.follows and row.record_id in result.split_of} <= {Split.TRAIN}
    for row in rows:
        if row.is_synthetic and row.record_id in result.split_of:
            assert {result.split_of.get(origin, Split.TRAIN) for origin in row.made_of} == {Split.TRAIN}
    left = [record_id for ids in result.left_out.values() for record_id in ids]
    assert sorted([*left, *result.split_of]) == [row.record_id for row in rows]
    assert result.bundle_of.keys() == result.split_of.keys()


@settings(max_examples=60)
@given(mixtures(), st.randoms(), shares)
def test_the_order_of_the_rows_does_not_matter(rows: list[Candidate], random: Any, general: General) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, two = placed(rows, general=general), placed(shuffled, general=general)
    assert (one.split_of, one.bundle_of, one.left_out, one.told) == (two.split_of, two.bundle_of, two.left_out, two.told)


@given(st.integers(5, 60), st.integers(0, 80), st.floats(0, 0.9), st.integers(0, 9))
def test_general_talk_makes_up_its_share_of_train_or_all_there_is(own: int, talk: int, share: float, seed: int) -> None:
    rows = [a_row(i) for i in range(1, own + 1)] + [a_row(1000 + i, is_general=True) for i in range(talk)]
    result = placed(rows, general=General(share=share, seed=seed))
    train = [key for key, split in result.split_of.items() if split is Split.TRAIN]
    mixed = sum(key >= 1000 for key in train)
    wanted = round((len(train) - mixed) * share / (1 - share))
    assert mixed == min(talk, wanted)
    if talk:
        assert result.told["general"] == {"share": share, "seed": seed, "available": talk, "taken": mixed}
    else:
        assert result.told == {}


@given(st.integers(10, 40), st.integers(0, 20), st.integers(1, 60), st.integers(0, 9))
def test_a_later_snapshot_keeps_the_general_rows_that_an_earlier_one_took(own: int, more: int, talk: int, seed: int) -> None:
    general = General(share=0.3, seed=seed)

    def taken(count: int) -> set[int]:
        rows = [a_row(i) for i in range(1, count + 1)] + [a_row(1000 + i, is_general=True) for i in range(talk)]
        return {key for key in placed(rows, seed=seed, general=general).split_of if key >= 1000}

    assert taken(own) <= taken(own + more)


def test_what_stays_out_is_told_with_its_reason() -> None:
    own = [a_row(i) for i in range(1, 31)]
    split_of = placed(own).split_of
    held = {split: next(key for key, found in split_of.items() if found is split) for split in Split}
    rows = [
        *(replace(row, copies=0) if row.record_id == held[Split.TRAIN] else row for row in own),
        synthetic(100, held[Split.TEST]),
        synthetic(101, held[Split.VALIDATION]),
        synthetic(
            102,
            next(key for key, found in split_of.items() if found is Split.TRAIN),
            messages=own[held[Split.TEST] - 1].messages,
        ),
        a_row(103, is_general=True, messages=own[held[Split.TEST] - 1].messages),
        a_row(104, is_general=True),
    ]
    assert placed(rows).left_out == {
        "synthetic, and its original is in the test set": (100,),
        "synthetic, and its original is in the validation set": (101,),
        "synthetic, and like a record of the test set": (102,),
        "general talk, and like a record of the test set": (103,),
        "general talk, beyond the stated share": (104,),
        "left out of the train set by resampling": (held[Split.TRAIN],),
    }


def test_a_joined_conversation_follows_every_question_in_it() -> None:
    own = [a_row(i) for i in range(1, 31)]
    split_of = placed(own).split_of
    train = next(key for key, found in split_of.items() if found is Split.TRAIN)
    test = next(key for key, found in split_of.items() if found is Split.TEST)
    joined = synthetic(100, train, messages=(*own[train - 1].messages, *own[test - 1].messages))
    assert placed([*own, joined]).left_out == {"synthetic, and like a record of the test set": (100,)}
    named = synthetic(101, train, test)
    assert placed([*own, named]).left_out == {"synthetic, and its original is in the test set": (101,)}


def test_a_share_that_makes_no_sense_is_refused() -> None:
    for share in (-0.1, 0.95, float("nan")):
        with pytest.raises(InvalidInput, match="share of general talk"):
            General(share=share)
