"""From opinions to labels: what people agree on, what they do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.datasets.judgements import Preference, Score, Sources, Vote, majority, ranked, rating, runs, thumbs
from backend.datasets.kinds import Labelling
from backend.errors import InvalidInput
from backend.rubrics import Question, Rubric
from backend.vocabulary import QuestionType, SnapshotKind
from trainer.contract import ROW_KINDS


def vote(better: str | None, texts: tuple[str, str] = ("a", "b"), annotation: int = 1, record: int = 1) -> Vote:
    return Vote(record, texts, better, {"annotations": annotation})


def test_more_than_half_of_the_votes_decide_a_pair_and_it_names_them_all() -> None:
    (found,) = majority([vote("a", annotation=1), vote("a", ("b", "a"), annotation=2), vote("b", annotation=3)]).labels
    assert (found.chosen, found.rejected) == ("a", "b")
    assert [source["annotations"] for source in found.sources] == [1, 2, 3]


@pytest.mark.parametrize("cast", [["a", "b"], [None], ["a", None], ["a", "b", None], []])
def test_a_tie_gives_no_pair(cast: list[str | None]) -> None:
    found = majority(vote(better) for better in cast)
    assert (found.labels, found.undecided) == ((), bool(cast))


def test_two_answers_with_the_same_words_are_no_pair() -> None:
    assert majority([vote("a", ("a", "a "))]) == majority([])


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["a", "b", "c"]), st.booleans()), max_size=30))
def test_no_pair_is_there_both_ways_round(given_: list[tuple[str, str, bool]]) -> None:
    found = majority(vote(one if decided else None, (one, other)) for one, other, decided in given_).labels
    pairs = {(label.chosen, label.rejected) for label in found}
    assert not pairs & {(rejected, chosen) for chosen, rejected in pairs}
    assert len(pairs) == len(found)


def test_the_mean_rating_decides_a_thumb_and_what_lies_between_is_left_out() -> None:
    values = {"good": [1.0, 0.5], "middling": [1.0, 0.0], "bad": [0.0, 0.5], " ": [1.0]}
    scores = [Score(1, text, value, {"annotations": 1}) for text, given in values.items() for value in given]
    found = thumbs(scores, up_from=0.75, down_to=0.25)
    assert {label.text: label.desirable for label in found.labels} == {"good": True, "bad": False}
    assert found.undecided == 1


def test_a_rating_is_the_mean_of_the_questions_with_numbers_or_one_of_them() -> None:
    rubric = Rubric(
        (
            Question("tone", "?", ("Bad", "So so", "Good")),
            Question("fits", "?", type=QuestionType.YES_NO),
            Question("why", "?", type=QuestionType.TEXT, required=False),
        )
    )
    answers = {"tone": 2, "fits": True, "why": "Because."}
    assert rating(rubric, answers) == 0.75
    assert rating(rubric, answers, "tone") == 0.5
    assert rating(rubric, {"why": "x"}) is None
    assert rating(rubric, answers, "why") is None


def test_a_ranking_comes_apart_into_pairs() -> None:
    assert ranked([[1], [2, 3]]) == [(1, 2, True), (1, 3, True), (2, 3, False)]


def test_sources_are_told_as_runs_of_ids() -> None:
    assert runs([3, 1, 2, 7, 2]) == [[1, 3], [7, 7]]
    sources = Sources()
    sources.add(Preference(1, "a", "b", ({"annotations": 4}, {"rulings": 1}, {"annotations": 5})).sources)
    assert sources.to_json() == {"annotations": {"count": 2, "ids": [[4, 5]]}, "rulings": {"count": 1, "ids": [[1, 1]]}}


def test_contradictory_choices_are_refused_and_kinds_are_those_of_the_trainer() -> None:
    with pytest.raises(InvalidInput, match="above"):
        Labelling(kind=SnapshotKind.THUMBS, up_from=0.3, down_to=0.5)
    with pytest.raises(InvalidInput, match="metadata"):
        Labelling(kind=SnapshotKind.LABELS)
    assert {kind.value for kind in SnapshotKind} == set(ROW_KINDS)
