from __future__ import annotations

from sqlmodel import col, select
from streamlit.testing.v1 import AppTest

from backend.review.wording import PREFERENCE
from backend.runtime import Runtime
from backend.store.work import Adjudication, Gold
from backend.vocabulary import TaskKind, Verdict
from tests.backend.review.judging import Judging
from tests.backend.review.test_adjudicating import a_dispute
from tests.pages.desk import opened, words


def rulings(house: Runtime) -> list[Adjudication]:
    with house.database.reading() as session:
        return list(session.exec(select(Adjudication).order_by(col(Adjudication.id))))


def page(house: Runtime, scene: Judging, who: str = "eva") -> AppTest:
    app = opened(house, scene.people[who], "adjudicate")
    assert not app.exception
    return app


def fill(app: AppTest, key: str, why: str = "It greets.") -> AppTest:
    app.text_area(key=f"{key}-why").set_value(why)
    return app


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


def test_an_expert_rules_on_one_dispute_after_the_other(house: Runtime) -> None:
    scene = a_dispute(house.database)
    app = page(house, scene)
    assert "Rater 1" in words(app)
    assert "ann says so" in words(app)
    first, second = scene.items[:2]
    app.radio(key=f"rule-{first}-0-tone").set_value(4)
    app.radio(key=f"rule-{first}-0-fits").set_value(True)
    press(fill(app, f"rule-{first}-0"), "Rule")
    assert [(one.item_id, one.answers, one.reason) for one in rulings(house)] == [
        (first, {"tone": 4, "fits": True}, "It greets.")
    ]
    app.radio(key=f"rule-{second}-0-tone").set_value(1)
    app.radio(key=f"rule-{second}-0-fits").set_value(False)
    press(fill(app, f"rule-{second}-0"), "Rule")
    assert "No item waits for a ruling" in words(app)
    assert len(rulings(house)) == 2


def test_a_ruling_without_a_reason_is_refused_and_the_choice_stays(house: Runtime) -> None:
    scene = a_dispute(house.database, TaskKind.COMPARE)
    app = page(house, scene)
    key = f"rule-{scene.items[0]}-0"
    app.radio(key=f"{key}-{PREFERENCE}").set_value(Verdict.TIE)
    press(app, "Rule")
    assert "Please write why" in words(app)
    assert rulings(house) == []
    assert app.radio(key=f"{key}-{PREFERENCE}").value == Verdict.TIE


def test_a_lead_sees_names_makes_a_ruling_gold_and_an_expert_cannot(house: Runtime) -> None:
    scene = a_dispute(house.database, TaskKind.RANK, dispute_at=0.5)
    assert "Make it gold, to check other raters with" not in {one.label for one in page(house, scene).checkbox}
    app = page(house, scene, "lead")
    assert "ann" in words(app)
    key = f"rule-{scene.items[0]}-0"
    with house.database.reading() as session:
        from backend.store.work import Item

        responses = session.get_one(Item, scene.items[0]).response_ids or []
    for place, response in enumerate(responses, start=1):
        app.selectbox(key=f"{key}-place-{response}").set_value(min(place, 2))
    app.checkbox(key=f"{key}-gold").check()
    press(fill(app, key), "Rule")
    assert [one.ranking for one in rulings(house)] == [[[responses[0]], sorted(responses[1:])]]
    with house.database.reading() as session:
        assert session.exec(select(Gold)).one().item_id == scene.items[0]


def test_a_ruling_can_be_looked_up_and_withdrawn(house: Runtime) -> None:
    scene = a_dispute(house.database)
    from backend.review import adjudicating

    scene.of_project(
        adjudicating.rule_on, "lead", item_id=scene.items[0], reason="It greets.", answers={"tone": 4, "fits": True}
    )
    app = page(house, scene)
    app.query_params["item"] = str(scene.items[0])
    app.run()
    assert "Because: It greets." in words(app)
    app.text_input(key=f"withdraw-why-{scene.items[0]}").set_value("Too hasty.")
    press(app, "Withdraw the ruling")
    assert [one.withdrawn_reason for one in rulings(house)] == ["Too hasty."]


def test_an_item_left_for_later_gives_way_to_the_next(house: Runtime) -> None:
    scene = a_dispute(house.database)
    app = page(house, scene)
    assert app.button(key=f"later-{scene.items[0]}").label == "Leave it for later"
    press(app, "Leave it for later")
    assert app.button(key=f"later-{scene.items[1]}").label == "Leave it for later"


def test_what_raters_wrote_is_shown_as_text(house: Runtime) -> None:
    scene = a_dispute(house.database)
    with house.database.writing() as session:
        from backend.store.work import Annotation

        for one in session.exec(select(Annotation)):
            one.comment = "![x](http://evil.example/a.png) :red[loud] <b>bold</b>"
        session.commit()
    app = page(house, scene)
    assert any("evil.example" in text.value for text in app.text)
    assert not any("evil.example" in one.value for one in [*app.markdown, *app.caption])


def test_without_disputes_the_page_says_where_they_come_from(house: Runtime) -> None:
    from tests.backend.review.judging import judging

    app = page(house, judging(house.database))
    assert "No item waits for a ruling" in words(app)
