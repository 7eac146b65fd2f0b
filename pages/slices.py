"""Bias slices: one measure by one metadata key, each slice with its interval and its difference to the rest."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from backend.evaluation import results, results_queries, slicing
from backend.vocabulary import Action
from pages.components import charts
from pages.components.links import link_to
from pages.components.notices import guarded, plain
from pages.components.visit import Visit, require


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure with its values by version."""

    title: str
    shares: bool
    by_version: dict[str, list[tuple[float, dict[str, str]]]]


def measures(visit: Visit) -> list[Measure]:
    """Every measure that has values: win rate, rating questions, automatic scores."""
    where = {"actor": visit.actor, "project_id": visit.project_id}
    with visit.reading() as session:
        votes = results_queries.votes(session, **where)
        ratings = results_queries.ratings(session, **where)
        questions = results_queries.rubric_questions(session, project_id=visit.project_id)
        scored = {name: results_queries.measured(session, measure=name, **where) for name in ("exact_match", "rouge_l")}
    found = []
    versions = sorted({name for vote in votes for name in (vote.second, vote.first)}, reverse=True)
    found.append(Measure("Win rate in blind comparisons", True, {one: results.vote_values(votes, one) for one in versions}))
    rated = sorted({rating.version for rating in ratings})
    for question in questions:
        by_version = {
            one: results.rating_values([rating for rating in ratings if rating.version == one], question.key) for one in rated
        }
        found.append(Measure(f"Rating: {question.key} (1 to {len(question.scale)})", False, by_version))
    for name, title in (("exact_match", "Exact match"), ("rouge_l", "ROUGE-L")):
        by_version = {}
        for version, value, slices in scored[name]:
            by_version.setdefault(version, []).append((value, slices))
        found.append(Measure(title, name == "exact_match", by_version))
    kept = [Measure(one.title, one.shares, {k: v for k, v in one.by_version.items() if v}) for one in found]
    return [one for one in kept if one.by_version]


def main() -> None:
    """The whole page."""
    visit = require(Action.VIEW_RESULTS)
    st.title("Bias slices")
    st.write("Does the chatbot serve everybody alike? One measure, cut by what is known about the questions.")
    with guarded():
        show(measures(visit))


def show(found: list[Measure]) -> None:
    """The choices, the chart, the table."""
    if not found:
        st.info("There is nothing to cut yet: no rating, no comparison, no evaluation.", icon=":material/stacked_bar_chart:")
        link_to("results", "Make a rating or comparison task", icon="leaderboard")
        return
    first, second, third, fourth = st.columns([3, 3, 2, 2])
    titles = [measure.title for measure in found]
    title = first.selectbox("Measure", titles, key="slice-measure")
    measure = found[titles.index(title)]
    version = second.selectbox("Model version", list(measure.by_version), key="slice-version")
    values = measure.by_version[version]
    keys = slicing.slice_keys(values)
    if not keys:
        st.info("These questions carry no metadata with two or more different values.", icon=":material/label_off:")
        st.write("Import records with columns such as language, channel or customer segment; they become slices.")
        return
    key = third.selectbox("By", keys, key="slice-key")
    min_n = fourth.number_input("Small below n", 2, 1000, 20, key="slice-min", help="Smaller slices are greyed and not tested.")
    draw(slicing.slice_table(values, key, shares=measure.shares, min_n=int(min_n)), measure, key)


def draw(frame: pd.DataFrame, measure: Measure, key: str) -> None:
    """The forest plot, what stands out, the table with its CSV."""
    overall = float((frame["value"] * frame["n"]).sum() / frame["n"].sum())
    figure = charts.intervals(
        frame, name="slice", value="value", low="low", high="high", faded="too small", reference=overall, share=measure.shares
    )
    standing = frame[frame["stands out"]]
    small = int(frame["too small"].sum())
    if len(standing):
        names = ", ".join(f"{row['slice']} ({row['difference to the rest']:+.2f})" for _, row in standing.iterrows())
        st.warning(plain(f"Different from the rest: {names}."), icon=":material/warning:")
    elif small == len(frame):
        st.info("Every slice is too small to test. Judge or evaluate more questions.", icon=":material/hourglass_empty:")
    else:
        st.success("No slice differs from the rest beyond chance.", icon=":material/check_circle:")
    number = st.column_config.NumberColumn(format="%.3f")
    numbers = [column for column in frame.columns if frame[column].dtype.kind == "f"]
    charts.show_chart(figure, frame, key=f"slices-{key}", columns=dict.fromkeys(numbers, number))
    method = (
        "Wilson's intervals, Newcombe's for the difference" if measure.shares else "t intervals, Welch's for the difference"
    )
    st.caption(
        f"95% {method}. Several raters of one item are averaged first. The dotted line is the mean over the slices. With many "
        "slices some differ by chance alone, so p-values are adjusted by Benjamini-Hochberg over the slices that are not "
        "small; “different” means an adjusted p of at most 0.05."
        + (f" Greyed: {small} below the minimum n, shown but not tested." if small else "")
    )


main()
