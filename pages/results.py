"""Results: what raters said about each model version, and how far they agree."""

from __future__ import annotations

import streamlit as st

from backend.evaluation import result_tables, results, results_queries
from backend.evaluation.results import Rating, Vote
from backend.evaluation.results_queries import TaskState
from backend.vocabulary import Action, TaskKind
from pages.components import charts
from pages.components.links import link_to
from pages.components.notices import guarded, plain
from pages.components.visit import Visit, require

SHARE = st.column_config.NumberColumn(format="percent")
POINTS = st.column_config.NumberColumn(format="%.2f")


def main() -> None:
    """The whole page."""
    visit = require(Action.VIEW_RESULTS)
    st.title("Results")
    with visit.reading() as session:
        tasks = results_queries.tasks(session, actor=visit.actor, project_id=visit.project_id)
    with guarded():
        show_results(visit, tasks)
    link_to("tasks", "The tasks that ask raters, and new ones", icon="assignment")


def show_results(visit: Visit, tasks: list[TaskState]) -> None:
    """Of all tasks, or of one."""
    names: dict[int | None, str] = {None: "All tasks", **{task.id: task.name for task in tasks}}
    chosen = None
    if len(tasks) > 1:
        chosen = st.selectbox("Task", list(names), format_func=lambda key: names[key], key="results-task")
    where = {"actor": visit.actor, "project_id": visit.project_id, "task_id": chosen}
    with visit.reading() as session:
        votes = results_queries.votes(session, **where)
        ratings = results_queries.ratings(session, **where)
        questions = [one.key for one in results_queries.rubric_questions(session, project_id=visit.project_id, task_id=chosen)]
    if not votes and not ratings:
        st.info("Nobody has rated or compared anything here yet.", icon=":material/leaderboard:")
        st.write("Make a task on the page Tasks. As soon as raters answer, means, win rates and agreement appear here.")
        return
    if votes:
        compared = [task for task in tasks if task.kind is TaskKind.COMPARE and chosen in (None, task.id)]
        show_comparisons(votes, compared[0].identical if len(compared) == 1 else 0)
    if ratings:
        show_ratings(ratings, questions)
    link_to("slices", "The same by language, channel, segment…", icon="stacked_bar_chart")


def show_comparisons(votes: list[Vote], identical: int) -> None:
    """Win rates, position bias, agreement."""
    st.subheader("Blind comparisons")
    heads = results.head_to_heads(votes)
    for number, head in enumerate(heads):
        value, low, high, note = result_tables.cells(head.win_rate)
        with st.container(border=True):
            st.markdown(f"**{plain(head.second)}** against **{plain(head.first)}**")
            rate, wins, losses, ties, bad = st.columns(5)
            rate.metric("Win rate", "–" if value is None else f"{value:.0%}", help="Ties and both bad count as half a win.")
            wins.metric("Won", head.wins)
            losses.metric("Lost", head.losses)
            ties.metric("Tied", head.ties)
            bad.metric("Both bad", head.both_bad)
            if low is not None:
                st.text(f"95% interval {low:.0%} to {high:.0%} (Wilson), over {head.questions} questions.")
            elif note:
                st.text(f"No interval: {note}.")
            if len(heads) == 1 and (text := result_tables.identical_text(head, identical)):
                st.text(text)
            st.plotly_chart(
                charts.verdicts(wins=head.wins, ties=head.ties, both_bad=head.both_bad, losses=head.losses),
                key=f"verdicts-{number}",
                theme="streamlit",
                config={"displayModeBar": False},
            )
    with st.expander("The table behind this, with its CSV", icon=":material/table:"):
        shares = dict.fromkeys(("win rate", "low", "high"), SHARE)
        charts.show_table(result_tables.heads_table(heads), key="comparisons", columns=shares)
    text, matters = result_tables.left_text(votes)
    (st.warning if matters else st.info)(plain(text), icon=":material/swap_horiz:")
    st.markdown("**Agreement on the preferred version**")
    show_agreement([results.vote_agreement(votes)], key="agreement-comparisons")


def show_ratings(ratings: list[Rating], questions: list[str]) -> None:
    """Means with intervals by version and question, agreement."""
    st.subheader("Ratings from 1 (worst) to 5 (best)")
    frame = result_tables.means_table(results.rating_means(ratings, questions))
    charts.show_chart(
        charts.grouped_intervals(frame, name="question", group="version", value="mean", low="low", high="high"),
        frame,
        key="ratings",
        columns=dict.fromkeys(("mean", "low", "high"), POINTS),
    )
    st.caption("Means with 95% t intervals. Several raters of one answer are averaged first, so intervals count answers.")
    st.markdown("**Agreement of the raters**")
    show_agreement(results.rating_agreement(ratings, questions), key="agreement-ratings")


def show_agreement(found: list[results.Agreement], *, key: str) -> None:
    """The table, and what it means."""
    frame = result_tables.agreement_table(found)
    shares = dict.fromkeys(("raw agreement", "raw low", "raw high"), SHARE)
    points = dict.fromkeys(("alpha", "alpha low", "alpha high"), POINTS)
    charts.show_table(frame, key=key, columns=shares | points)
    st.caption(
        "Raw agreement: the share of pairs of answers to one item that are the same. Krippendorff's alpha takes off what "
        "chance would bring: 1 is perfect, 0 is chance; from about 0.67 on conclusions hold tentatively, from 0.8 on well."
    )


main()
