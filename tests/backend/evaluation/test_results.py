from __future__ import annotations

import pytest
from sqlmodel import select

from backend.evaluation import result_tables, results, results_queries, slicing
from backend.evaluation.results import Rating, Vote
from backend.statistics.results import Estimate
from backend.store.database import Database
from backend.store.models import Response
from backend.store.work import Annotation, Item, Task
from backend.vocabulary import TaskKind, Verdict
from tests.backend.evaluation.scene import a_scene, compared, evaluated


def a_vote(
    item: int, rater: int, winner: str | None, verdict: Verdict = Verdict.LEFT, language: str = "en", task: int = 1
) -> Vote:
    return Vote(
        task_id=task,
        item_id=item,
        question_id=item,
        rater_id=rater,
        first="base",
        second="tuned",
        verdict=verdict if winner is None or verdict is not Verdict.TIE else Verdict.LEFT,
        winner=winner,
        slices={"language": language},
    )


def a_rating(item: int, rater: int, points: int, version: str = "tuned") -> Rating:
    return Rating(task_id=1, item_id=item, rater_id=rater, version=version, answers={"tone": points}, slices={})


def test_the_win_rate_is_the_published_wilson_interval() -> None:
    votes = [a_vote(n, 1, "tuned" if n < 81 else "base") for n in range(263)]
    (head,) = results.head_to_heads(votes)
    assert isinstance(head.win_rate, Estimate)
    assert (round(head.win_rate.low, 4), round(head.win_rate.high, 4)) == (0.2553, 0.3662)
    assert (head.wins, head.losses, head.questions, head.judgements) == (81, 182, 263, 263)


def test_two_raters_on_one_question_are_one_observation_and_ties_are_half() -> None:
    votes = [
        a_vote(1, 1, "tuned"), a_vote(1, 2, "tuned"),
        a_vote(2, 1, "tuned"), a_vote(2, 2, None, Verdict.TIE),
        a_vote(3, 1, "base"), a_vote(3, 2, None, Verdict.BOTH_BAD),
    ]  # fmt: skip
    (head,) = results.head_to_heads(votes)
    assert (head.wins, head.losses, head.ties, head.both_bad, head.questions) == (3, 1, 1, 1, 3)
    assert head.win_rate.value == pytest.approx((1 + 0.75 + 0.25) / 3)
    assert head.win_rate.n == 3


def test_position_bias_is_seen_in_the_verdicts_for_a_side() -> None:
    votes = [a_vote(n, 1, "tuned" if n % 2 else "base", Verdict.LEFT) for n in range(20)]
    text, matters = result_tables.left_text(votes)
    assert matters
    assert text.startswith("Left won 100% of 20")
    assert result_tables.left_text([a_vote(1, 1, None, Verdict.TIE)])[1] is False
    balanced = [a_vote(n, 1, "tuned", Verdict.LEFT if n % 2 else Verdict.RIGHT) for n in range(20)]
    assert result_tables.left_text(balanced)[1] is False


def test_agreement_is_about_the_version_not_the_side() -> None:
    """Each pair of raters prefers the same version, seen on different sides."""
    votes = [a_vote(n, rater, "tuned" if n % 2 else "base", side) for n in range(10) for rater, side in
             ((1, Verdict.LEFT), (2, Verdict.RIGHT))]  # fmt: skip
    agreement = results.vote_agreement(votes)
    assert agreement.raw.value == 1.0
    assert agreement.alpha.value == 1.0


def test_raw_agreement_is_the_share_of_equal_pairs() -> None:
    ratings = [a_rating(1, 1, 5), a_rating(1, 2, 5), a_rating(2, 1, 4), a_rating(2, 2, 3), a_rating(3, 1, 2)]
    (found,) = results.rating_agreement(ratings, ["tone"])
    assert (found.raw.value, found.raw.n) == (0.5, 2)


def test_means_average_the_raters_of_an_item_first() -> None:
    ratings = [a_rating(1, 1, 5), a_rating(1, 2, 3), a_rating(2, 1, 2), a_rating(3, 1, 1, version="base")]
    base, tuned = results.rating_means(ratings, ["tone", "fluency"])
    assert (tuned.estimate.value, tuned.estimate.n, tuned.ratings) == (3.0, 2, 3)
    frame = result_tables.means_table([base, tuned])
    assert frame["note"].tolist() == ["one observation says nothing about the spread", ""]
    assert frame.loc[0, ["low", "high"]].isna().all()


def test_pairs_of_equal_answers_count_as_ties_in_the_sentence_beside_the_win_rate() -> None:
    (head,) = results.head_to_heads([a_vote(n, 1, "tuned") for n in range(10)])
    assert "win rate 75%" in result_tables.identical_text(head, 10)
    assert result_tables.identical_text(head, 0) == ""


def test_a_slice_that_differs_stands_out_and_a_small_one_is_not_tested() -> None:
    votes = [a_vote(n, 1, "tuned" if n % 10 else "base", language="en") for n in range(100)]
    votes += [a_vote(100 + n, 1, "base" if n % 10 else "tuned", language="es") for n in range(40)]
    votes += [a_vote(200 + n, 1, "tuned", language="fr") for n in range(5)]
    values = results.vote_values(votes, "tuned")
    assert slicing.slice_keys(values) == ["language"]
    frame = slicing.slice_table(values, "language", shares=True, min_n=20).set_index("slice")
    assert frame["n"].to_dict() == {"en": 100, "es": 40, "fr": 5}
    assert frame.loc["es", "stands out"]
    assert frame.loc["es", "difference high"] < -0.5
    assert frame.loc["fr", "too small"]
    assert not frame.loc["fr", "stands out"]
    assert frame.loc["en", "adjusted p"] >= frame.loc["en", "p"]


def test_only_the_newest_answer_counts_and_every_vote_names_its_versions(database: Database) -> None:
    with database.writing() as session:
        scene = a_scene(session, tested=4)
        task = compared(session, scene, evaluated(session, scene, exact=4), lost=1)
        first = session.exec(select(Annotation).order_by(Annotation.id)).first()  # type: ignore[arg-type]
        assert first is not None
        session.add(
            Annotation(**{**first.model_dump(), "id": None, "number": 2, "verdict": Verdict.TIE, "winner_response_id": None})
        )
        session.commit()
        where = {"actor": scene.lead, "project_id": scene.project_id}
        votes = results_queries.votes(session, **where)
        (head,) = results.head_to_heads(votes)
        assert (head.first, head.second) == ("0 · touchstone-mini", "1 · Version 1")
        assert (head.wins, head.losses, head.ties) == (6, 1, 1)
        assert votes == results_queries.votes(session, **where, task_id=task.id)
        assert results_queries.votes(session, **where, task_id=999) == []
        assert results_queries.ratings(session, **where) == []
        work = results_queries.work_by_rater(session, **where, task_id=task.id or 0)
        assert (work["answers"].sum(), work["corrections"].sum()) == (8, 1)


def test_ratings_without_a_version_are_named_by_their_model_and_measures_by_version(database: Database) -> None:
    with database.writing() as session:
        scene = a_scene(session, tested=4)
        evaluated(session, scene, exact=3)
        old = Response(project_id=scene.project_id, text="x", decoding={"model": "former chatbot"}, slices={"language": "en"})
        task = Task(project_id=scene.project_id, kind=TaskKind.RATE, name="Past")
        session.add_all([old, task])
        session.flush()
        item = Item(task_id=task.id or 0, response_id=old.id)
        session.add(item)
        session.flush()
        session.add(Annotation(project_id=scene.project_id, task_id=task.id or 0, item_id=item.id or 0, answers={"tone": 4}))
        session.commit()
        where = {"actor": scene.lead, "project_id": scene.project_id}
        assert [(one.version, one.answers) for one in results_queries.ratings(session, **where)] == [
            ("former chatbot", {"tone": 4})
        ]
        scores = results_queries.measured(session, **where, measure="exact_match")
        assert sum(value for version, value, _ in scores if version == "1 · Version 1") == 3
        assert len(scores) == 8
