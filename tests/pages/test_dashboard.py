from __future__ import annotations

from sqlmodel import Session

from backend.evaluation import activity, figure_queries, figures
from backend.runtime import Runtime
from backend.store.conversations import Feedback
from backend.store.database import Database
from backend.store.models import Promotion
from backend.vocabulary import PromotionKind, Stage, Thumb
from tests.backend.evaluation.scene import Scene, a_scene, compared, evaluated
from tests.factories import a_record
from tests.pages.desk import opened, words


def fill(session: Session, scene: Scene) -> None:
    """Work, feedback and a promoted version."""
    compared(session, scene, evaluated(session, scene))
    a_record(session, scene.project, prompt="New?", answer="Yes.")
    for thumb in (Thumb.UP, Thumb.UP, Thumb.DOWN):
        session.add(Feedback(project_id=scene.project_id, thumb=thumb, csat=4))
    scene.candidate.stage, scene.project.current_version_id = Stage.CURRENT, scene.candidate.id
    session.add(
        Promotion(
            project_id=scene.project_id,
            version_id=scene.candidate.id or 0,
            kind=PromotionKind.PROMOTED,
            author_id=scene.lead.account_id,
            reason="Better.",
        )
    )
    session.flush()


def test_the_numbers_are_those_of_the_tables(database: Database) -> None:
    with database.writing() as session:
        scene, other = a_scene(session), a_scene(session, slug="other")
        fill(session, scene)
        here = {"project_id": scene.project_id}
        funnel = activity.funnel(session, **here)
        assert list(funnel["records"]) == [17, 16, 16, 16, 4]
        rows = figure_queries.counted(session, name=figures.WORK, **here)["rows"]
        work = activity.together(activity.work(session, **here), activity.answers(session, rows=rows))
        people = activity.by_person(work).set_index("person")
        assert people.loc[scene.expert.label, "decisions"] == 16
        assert people.loc[scene.raters[0].label, "answers"] == 12
        assert activity.by_day(work)["answers"].sum() == 24
        feedback = activity.feedback(session, **here)
        assert feedback[["up", "down", "satisfaction"]].values.tolist() == [[2, 1, 4.0]]
        judged = figure_queries.material(session, **here)
        weeks = figures.worked_out(judged, figures.AGREEMENT, "") or {}
        agreement = activity.agreement(weeks["weeks"])
        assert agreement[["pairs", "agreed"]].values.tolist() == [[12, 1.0]]
        current = activity.current(session, **here)
        assert current is not None
        assert (current.name, current.by, current.reason) == ("Version 1", scene.lead.label, "Better.")
        assert activity.current(session, project_id=other.project_id) is None
        assert activity.feedback(session, project_id=other.project_id).empty
        assert list(activity.runs(session, **here)["version"]) == ["Version 1"]


def test_the_page_draws_all_of_it(house: Runtime) -> None:
    with house.database.writing() as session:
        scene = a_scene(session)
        fill(session, scene)
        session.commit()
    page = opened(house, scene.lead, "dashboard")
    assert not page.exception
    assert not page.error
    shown = words(page)
    for title in ("From imported to learned", "Current version", "Throughput", "Training runs", "How often raters agree"):
        assert title in shown
    page.segmented_control(key="dashboard_days").select("7 days").run()
    assert not page.exception
