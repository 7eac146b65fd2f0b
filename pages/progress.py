"""Progress: how much is judged, how fast it goes, when it will be done; by task and by rater."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import streamlit as st

from backend.evaluation import figure_queries, figures, pace, progress_tables
from backend.vocabulary import Action
from pages.components import judgement_charts
from pages.components.charts import bars, show_chart, show_table
from pages.components.figure_view import figure, show_age, state_of
from pages.components.links import link_to
from pages.components.notices import guarded, plain
from pages.components.visit import Visit, require

PARTS = (("finished", "Finished"), ("disputed", "Disputed"), ("open", "Open"))


def main() -> None:
    """The whole page."""
    visit = require(Action.VIEW_RESULTS)
    st.title("Progress")
    with guarded():
        show(visit)


def show(visit: Visit) -> None:
    """All tasks, then one by one, then the raters."""
    state = state_of(visit)
    found = figure(visit, state, figures.PROGRESS)
    show_age(visit, state, found)
    if found is None:
        return
    tasks = found.value["tasks"]
    if not tasks:
        st.info("There is no task with items yet.", icon=":material/assignment:")
        link_to("tasks", "Make a task", icon="assignment")
        return
    names = unique_names(tasks)
    at = datetime.now(UTC)
    show_sum(tasks, at)
    show_tasks(tasks, names, at)
    with visit.reading() as session:
        accounts = {one["account"] for one in found.value["raters"]}
        where = {"actor": visit.actor, "project_id": visit.project_id}
        people = figure_queries.people(session, accounts=accounts, **where)
    show_raters(found.value["raters"], people, names)


def unique_names(tasks: list[dict[str, Any]]) -> dict[int, str]:
    """What each task is called; two of one name are told apart by their numbers."""
    given = [task["name"] for task in tasks]
    return {task["id"]: f"{task['name']} ({task['id']})" if given.count(task["name"]) > 1 else task["name"] for task in tasks}


def show_sum(tasks: list[dict[str, Any]], at: datetime) -> None:
    """What the open tasks together still need."""
    running = progress_tables.open_tasks(tasks)
    wanted = sum(task["wanted"] for task in running)
    forecast = pace.forecast(progress_tables.hourly(running), wanted, now=progress_tables.hour_at(at))
    items, finished = (sum(task[name] for task in tasks) for name in ("items", "finished"))
    first, second, third, fourth = st.columns(4)
    first.metric("Items finished", f"{finished:,}", help=f"Of {items:,} in all tasks.")
    second.metric("Share", f"{finished / items:.0%}" if items else "–")
    third.metric("Answers still wanted", f"{wanted:,}", help="In open tasks. Where raters disagree more may be asked for.")
    fourth.metric(
        "Pace", progress_tables.rate_text(forecast) or "–", help="Of the last days, or at first hours, in open tasks."
    )
    st.info(plain(f"Done by: {progress_tables.finish_text(forecast, at)}"), icon=":material/event_upcoming:")
    if forecast.hours:
        st.caption("A 95% interval from the ups and downs of the last days. It takes the days to come to be like them.")


def show_tasks(tasks: list[dict[str, Any]], names: dict[int, str], at: datetime) -> None:
    """Each task's share, pace and forecast; answers by day; what adaptive overlap saved."""
    st.subheader("By task")
    frame = progress_tables.task_table(tasks, names, at=at)
    done = frame.assign(finished=frame["finished"] - frame["disputed"], open=frame["items"] - frame["finished"])
    show_chart(judgement_charts.done(done, name="task", parts=PARTS), frame, key="progress-tasks")
    show_table(frame[["task", "still wanted", "rate", "done by"]], key="progress-forecast")
    daily = progress_tables.daily_table(tasks[:6], names, days=60)
    if len(daily):
        st.markdown("**Answers by day (UTC)**")
        titles = [name for name in daily.columns if name != "day"]
        show_chart(bars(daily, x="day", y=titles), daily, key="progress-days", names=titles)
        if len(tasks) > 6:
            st.caption("The six newest tasks.")
    savings = progress_tables.savings_table(tasks, names)
    if len(savings):
        st.markdown("**What adaptive overlap saved**")
        show_table(savings, key="progress-savings", columns={"share saved": st.column_config.NumberColumn(format="percent")})
        st.caption("Against asking for the full overlap on every finished item.")


def show_raters(raters: list[dict[str, Any]], people: dict[int, str], names: dict[int, str]) -> None:
    """Who did how much, over all tasks or in one."""
    st.subheader("By rater")
    if not raters:
        st.info("Nobody has answered anything yet.", icon=":material/group:")
        link_to("members", "Invite raters", icon="group")
        return
    titles: dict[int | None, str] = {None: "All tasks", **names}
    task = st.selectbox("Task", list(titles), format_func=titles.__getitem__, key="progress-task") if len(names) > 1 else None
    frame = progress_tables.rater_table(raters, people, task_id=task)
    show_chart(bars(frame.head(20), x="rater", y=["answers"], sideways=True), frame, key="progress-raters")


main()
