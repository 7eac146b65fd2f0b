"""What is drawn: fair shares, even meetings, nothing twice, and the same again with the same seed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import InvalidInput
from backend.review.drawing import Answer, draw_items, draw_questions, quotas, without
from backend.review.filters import RecordFilter
from backend.review.selections import LARGEST_SEED, Selection
from backend.vocabulary import FindingKind, RecordStatus, TaskKind

seeds = st.integers(0, LARGEST_SEED)
texts = st.sampled_from(["a", "b", "b "])


def a_pool(answered: dict[int, dict[str, str]]) -> dict[int, dict[str, Answer]]:
    return {
        question: {name: Answer(question, name, 100 * question + place, text) for place, (name, text) in enumerate(by.items())}
        for question, by in answered.items()
    }


def everybody_answers(names: list[str], questions: int) -> dict[int, dict[str, Answer]]:
    return a_pool({question: {name: f"{name} on {question}" for name in names} for question in range(1, questions + 1)})


pools = st.dictionaries(st.integers(1, 40), st.dictionaries(st.sampled_from("xyz"), texts, max_size=3), max_size=25).map(a_pool)


@given(pools, st.none() | st.integers(1, 40), seeds)
def test_every_drawn_question_is_shown_or_counted_as_identical(pool: Any, size: int | None, seed: int) -> None:
    both = [answers for answers in pool.values() if {"x", "y"} <= answers.keys()]
    selection = Selection(contestants=("x", "y"), size=size, seed=seed)
    draw = draw_items(TaskKind.COMPARE, pool, {}, selection)
    assert draw.found == len(both)
    assert draw.questions == min(size or 99, len(both)) == len(draw.items) + draw.identical
    assert all(first.text.strip() != second.text.strip() for first, second in draw.items)
    assert all([one.contestant for one in item] == ["x", "y"] for item in draw.items)
    assert draw_items(TaskKind.COMPARE, pool, {}, selection) == draw
    rated = draw_items(TaskKind.RATE, pool, {}, selection)
    assert (len(rated.items), rated.questions) == (2 * draw.questions, draw.questions)


@given(st.integers(2, 6), st.integers(0, 40), st.integers(1, 4), seeds)
def test_in_a_round_robin_all_meet_equally_often(versions: int, questions: int, each: int, seed: int) -> None:
    names = [f"version:{number}" for number in range(versions)]
    selection = Selection(contestants=tuple(names), pairs_per_question=each, seed=seed)
    draw = draw_items(TaskKind.COMPARE, everybody_answers(names, questions), {}, selection)
    pairs = versions * (versions - 1) // 2
    counts = [draw.meetings.get((one, other), 0) for place, one in enumerate(names) for other in names[place + 1 :]]
    assert max(counts) - min(counts) <= 1
    assert sum(counts) == questions * min(each, pairs)
    asked = [(item[0].question, *sorted(one.contestant for one in item)) for item in draw.items]
    assert len(set(asked)) == len(asked), "No question is asked twice with the same two."


@given(st.integers(2, 5), st.integers(1, 20), seeds)
def test_with_every_pair_all_that_answered_meet(versions: int, questions: int, seed: int) -> None:
    names = [f"version:{number}" for number in range(versions)]
    selection = Selection(contestants=tuple(names), pairs_per_question=None, seed=seed)
    draw = draw_items(TaskKind.COMPARE, everybody_answers(names, questions), {}, selection)
    assert set(draw.meetings.values()) == {questions}


@given(st.integers(3, 5), st.integers(3, 6), st.integers(0, 30), seeds)
def test_rankings_show_each_version_about_equally_often(ranked: int, versions: int, questions: int, seed: int) -> None:
    names = [f"version:{number}" for number in range(max(versions, ranked))]
    selection = Selection(contestants=tuple(names), ranked=ranked, seed=seed)
    draw = draw_items(TaskKind.RANK, everybody_answers(names, questions), {}, selection)
    assert len(draw.items) == questions
    assert all(len({one.contestant for one in item}) == ranked for item in draw.items)
    shown = Counter(one.contestant for item in draw.items for one in item)
    counts = [shown[name] for name in names]
    assert max(counts) - min(counts) <= 2


@given(pools, seeds)
def test_a_ranking_shows_no_text_twice_and_no_question_twice(pool: Any, seed: int) -> None:
    draw = draw_items(TaskKind.RANK, pool, {}, Selection(contestants=("x", "y", "z"), ranked=3, seed=seed))
    assert draw.questions == len(draw.items) + draw.identical
    assert all(len({one.text.strip() for one in item}) == len(item) == 3 for item in draw.items)
    assert len({item[0].question for item in draw.items}) == len(draw.items)


strata = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 60), min_size=1)


@given(strata, st.integers(1, 200))
def test_a_proportional_sample_gives_each_stratum_its_share(counts: dict[str, int], size: int) -> None:
    given_ = quotas(counts, size)
    whole = min(size, sum(counts.values()))
    assert sum(given_.values()) == whole
    for name, count in counts.items():
        assert given_[name] <= count
        assert abs(given_[name] - whole * count / sum(counts.values())) < 1


@given(strata, st.integers(1, 200))
def test_an_equal_sample_gives_each_stratum_as_much_as_the_others_or_all_it_has(counts: dict[str, int], size: int) -> None:
    given_ = quotas(counts, size, equal=True)
    assert sum(given_.values()) == min(size, sum(counts.values()))
    most = max(given_.values())
    assert all(given_[name] == counts[name] or given_[name] >= most - 1 for name in counts)


@given(strata, st.integers(1, 100), seeds, st.booleans())
def test_a_sample_holds_its_quotas_and_nothing_twice(counts: dict[str, int], size: int, seed: int, equal: bool) -> None:
    records = dict(enumerate(name for name, count in counts.items() for _ in range(count)))
    selection = Selection(size=size, seed=seed, stratify="topic", equal=equal)
    drawn = draw_questions(records, selection)
    assert len(set(drawn)) == len(drawn)
    assert Counter(records[one] for one in drawn) == Counter(quotas(counts, size, equal=equal))
    assert draw_questions(records, selection) == drawn


def test_questions_that_all_answered_alike_are_counted_once_when_more_are_added() -> None:
    pool = a_pool({1: {"x": "a", "y": "a"}, 2: {"x": "a", "y": "b"}, 3: {"x": "b", "y": "b"}, 4: {"x": "c", "y": "d"}})
    assert set(without(pool, {2}, ("x", "y"), 1)) == {3, 4}
    assert set(without(pool, {2}, ("x", "y"), 2)) == {4}


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (TaskKind.COMPARE, ("x",)),
        (TaskKind.COMPARE, ("x", "x")),
        (TaskKind.RANK, ("x", "y")),
        (TaskKind.RATE, ()),
        (TaskKind.LABEL, ("x",)),
    ],
)
def test_too_few_contestants_are_refused(kind: TaskKind, wrong: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput):
        draw_items(kind, {}, {}, Selection(contestants=wrong))


def test_a_ranking_of_two_or_six_is_refused() -> None:
    names = tuple("uvwxyz")
    for ranked in (2, 6):
        with pytest.raises(InvalidInput, match="three to five"):
            draw_items(TaskKind.RANK, {}, {}, Selection(contestants=names, ranked=ranked))


@pytest.mark.parametrize("wrong", [{"size": 0}, {"size": -1}, {"seed": -1}, {"pairs_per_question": 0}])
def test_a_selection_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Selection(**wrong)


def test_a_selection_is_read_back_as_it_was_stored() -> None:
    chosen = RecordFilter(
        statuses=(RecordStatus.PENDING,),
        slice_key="topic",
        slice_value="fees",
        finding=FindingKind.EMAIL,
        text="card",
        faq_id=3,
    )
    selection = Selection(records=chosen, contestants=("version:1", "reference"), size=5, seed=2, stratify="topic", equal=True)
    stored = selection.to_json()
    assert Selection.from_json(stored) == selection
    assert Selection.from_json({**stored, "unheard": 1}) == selection
    assert Selection.from_json({}) == Selection()
    with pytest.raises(InvalidInput, match="not known"):
        Selection.from_json(replace_status(stored))


def replace_status(stored: dict[str, Any]) -> dict[str, Any]:
    return {**stored, "records": {**stored["records"], "statuses": ["unheard"]}}
