from __future__ import annotations

from sqlmodel import select
from streamlit.testing.v1 import AppTest

from backend.runtime import Runtime
from backend.store.work import Gold, Item, Qualification, Task
from backend.vocabulary import ItemPurpose, TaskKind
from tests.backend.evaluation.test_quality import judged
from tests.backend.review.judging import Judging, judging
from tests.backend.review.test_watching import a_careless_rater
from tests.pages.desk import opened, words
from tests.pages.test_adjudicate import press


def page(house: Runtime, scene: Judging) -> AppTest:
    app = opened(house, scene.people["lead"], "quality")
    assert not app.exception
    return app


def table(app: AppTest, column: str) -> list[dict[str, object]]:
    found = next(frame.value for frame in app.dataframe if column in frame.value.columns)
    rows: list[dict[str, object]] = found.to_dict("records")
    return rows


def test_a_lead_sees_every_rater_against_gold_and_the_others(house: Runtime) -> None:
    scene = judged(house.database, TaskKind.RATE)
    rows = {row["rater"]: row for row in table(page(house, scene), "rater")}
    assert set(rows) == {"ann", "bob", "cem"}
    assert rows["ann"]["answers"] == 12
    assert rows["ann"]["shared answers"] == 24
    assert rows["ann"]["gold n"] == 0


def test_a_fallen_rater_is_told_to_leads_who_pause_them(house: Runtime) -> None:
    scene = a_careless_rater(house.database)
    app = page(house, scene)
    assert "0% of the last 10 right" in words(app)
    ann = scene.people["ann"].account_id
    app.button(key=f"notice-pause-{scene.task}-{ann}").click().run()
    with house.database.reading() as session:
        assert session.get_one(Task, scene.task).options["excluded"] == [ann]
    app.button(key=f"notice-seen-{scene.task}-{ann}").click().run()
    assert "0% of the last 10 right" not in words(app)
    app.selectbox(key="quality-rater").set_value(ann).run()
    app.button(key=f"readmit-{ann}").click().run()
    with house.database.reading() as session:
        assert session.get_one(Task, scene.task).options["excluded"] == []


def test_a_lead_marks_gold_changes_it_and_takes_it_back(house: Runtime) -> None:
    scene = judging(house.database, items=3)
    item = scene.items[1]
    app = page(house, scene)
    app.query_params["item"] = str(item)
    app.run()
    app.radio(key=f"gold-{item}-tone").set_value(5)
    app.text_area(key=f"gold-{item}-why").set_value("It greets.")
    press(app, "Make it gold")
    with house.database.reading() as session:
        gold = session.exec(select(Gold)).one()
        assert (gold.item_id, gold.answers, gold.explanation, gold.calibration) == (item, {"tone": 5}, "It greets.", False)
    assert [row["item"] for row in table(app, "explanation")] == [item]
    app.query_params["item"] = str(item)
    app.run()
    assert app.radio(key=f"gold-{item}-tone").value == 5
    app.checkbox(key=f"gold-{item}-calibration").check()
    press(app, "Save the change")
    with house.database.reading() as session:
        assert session.exec(select(Gold.calibration)).one() is True
    app.query_params["item"] = str(item)
    app.run()
    press(app, "Gold no more")
    with house.database.reading() as session:
        assert session.exec(select(Gold)).all() == []


def test_gold_that_is_surely_hard_stands_first(house: Runtime) -> None:
    scene = a_careless_rater(house.database)
    list(scene.rate_all("bob", most=20))
    rows = table(page(house, scene), "explanation")
    bounds = [float(str(row["high"])) for row in rows if row["asked"]]
    assert bounds == sorted(bounds)
    assert rows[0]["right"] == 0.0
    assert not rows[-1]["asked"]


def test_calibration_is_shown_and_begun_anew(house: Runtime) -> None:
    scene = judging(house.database, calibration_pass=0.5)
    scene.gold(5, calibration=True)
    asked = [item.purpose for item in scene.rate_all(most=2)]
    assert asked == [ItemPurpose.CALIBRATION, ItemPurpose.WORK]
    app = page(house, scene)
    assert table(app, "rater")[0]["calibration"] == "passed, 1 of 1 right, attempt 1"
    ann = scene.people["ann"].account_id
    app.selectbox(key="quality-rater").set_value(ann).run()
    app.button(key=f"reset-{ann}").click().run()
    with house.database.reading() as session:
        assert session.exec(select(Qualification)).one().passed_at is None
    assert table(app, "rater")[0]["calibration"] == "to begin anew"


def test_repeats_that_were_answered_otherwise_are_listed(house: Runtime) -> None:
    scene = judging(house.database, items=30, overlap=1, repeat_share=0.3)
    seen: set[str] = set()
    for _ in range(30):
        (item,) = scene.next()
        question = item.messages[0].content
        scene.answer(item, good=question not in seen)
        seen.add(question)
    with house.database.reading() as session:
        repeats = len(session.exec(select(Item).where(Item.purpose == ItemPurpose.REPEAT, Item.status == "done")).all())
    rows = table(page(house, scene), "before")
    assert len(rows) == repeats > 3
    assert rows[0]["before"] == "4 · Friendly · Yes"
    assert rows[0]["now"] == "1 · Rude · No"


def test_without_tasks_the_page_says_what_to_do(house: Runtime) -> None:
    from tests.factories import a_person, a_project

    with house.database.writing() as session:
        from backend.vocabulary import Role

        lead = a_person(session, "lead@example.org", project=a_project(session), role=Role.LEAD)
        session.commit()
    assert "Make a task first" in words(opened(house, lead, "quality"))
