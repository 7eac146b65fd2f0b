from __future__ import annotations

from typing import Any

import pytest

from backend.evaluation import figure_queries, figures, quality
from backend.store.database import Database
from backend.vocabulary import TaskKind
from tests.backend.review.judging import Judging, judging


def figure(scene: Judging) -> dict[str, Any]:
    with scene.database.reading() as session:
        material = figure_queries.material(session, project_id=scene.project)
        found = figures.worked_out(material, figures.QUALITY, figures.subject_of(scene.task))
    assert found is not None
    return found


def judged(database: Database, kind: TaskKind, *, wrong: int = 3) -> Judging:
    """Ann and Bob answer twelve items and differ on the first `wrong`; Cem answers the first two beside them, wrongly."""
    scene = judging(database, kind, items=12, overlap=3)
    for who in ("ann", "bob"):
        for number, item in enumerate(scene.next(who, count=12)):
            scene.answer(item, who, good=who == "ann" or number >= wrong)
    for item in scene.next("cem", count=2):
        scene.answer(item, "cem", good=False)
    return scene


@pytest.mark.parametrize(
    ("kind", "titles"),
    [
        (TaskKind.RATE, {"tone", "fits"}),
        (TaskKind.COMPARE, {quality.PREFERRED}),
        (TaskKind.RANK, {quality.ORDER_OF_TWO}),
    ],
)
def test_agreement_is_told_by_question_and_by_slice(sqlite: Database, kind: TaskKind, titles: set[str]) -> None:
    found = figure(judged(sqlite, kind))
    whole = [row for row in found["agreement"] if not row["key"]]
    assert {row["question"] for row in whole} == titles
    cut = [row for row in found["agreement"] if row["key"] == "language"]
    assert {row["slice"] for row in cut} == {"en", "es"}
    for row in whole:
        parts = [one["items"] for one in cut if one["question"] == row["question"]]
        assert sum(parts) == row["items"] == (36 if kind is TaskKind.RANK else 12)
        assert row["alpha"]["value"] == pytest.approx(row["alpha"]["value"])


def test_raters_are_held_against_the_others(sqlite: Database) -> None:
    scene = judged(sqlite, TaskKind.RATE)
    rows = {row["rater"]: row for row in figure(scene)["raters"]}
    ann, bob, cem = (rows[scene.people[name].account_id or 0] for name in ("ann", "bob", "cem"))
    # twelve items and two questions; on two items Ann agrees with none of two others, on one with none of one
    assert ann["alike"]["value"] == pytest.approx(9 / 12)
    assert bob["alike"]["value"] == pytest.approx((9 + 2 * 0.5) / 12)
    assert cem["alike"]["value"] == pytest.approx(0.5)
    assert ann["alike"]["n"] == 24
    assert 0 <= cem["reliability"]["value"] <= 1


def test_answers_to_copies_say_nothing_about_agreement(sqlite: Database) -> None:
    scene = judging(sqlite, TaskKind.COMPARE, items=12, overlap=1, gold_share=0.5)
    for number in range(6, 12):
        scene.gold(number)
    list(scene.rate_all())
    found = figure(scene)
    assert found["agreement"][0]["items"] == 0
    assert found["raters"][0]["alike"]["n"] == 0
    assert "no item" in found["raters"][0]["why_not"] or "one rater" in found["raters"][0]["why_not"]
