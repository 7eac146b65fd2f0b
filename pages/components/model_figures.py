"""What the page Models draws on each of its tabs, from figures as plain values."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.conversations import messages_from_json
from backend.evaluation import example_queries, result_tables
from backend.evaluation.example_queries import Example
from pages.components import charts, judgement_charts
from pages.components.conversation import show_conversation
from pages.components.notices import plain
from pages.components.visit import Visit

SHARE = st.column_config.NumberColumn(format="percent")
POINTS = st.column_config.NumberColumn(format="%.2f")
ALPHA = (
    "Raw agreement: the share of pairs of answers to one item that are the same. Krippendorff's alpha takes off what chance "
    "would bring: 1 is perfect, 0 is chance; from about 0.67 on conclusions hold tentatively, from 0.8 on well."
)


def show_leaderboard(figures: dict[str, Any]) -> None:
    """Strengths with intervals, the matrix of who beat whom, and what else decided."""
    text, estimable = result_tables.board_text(figures)
    (st.caption if estimable else st.warning)(plain(text))
    frame = result_tables.leaderboard_table(figures)
    shares = dict.fromkeys(("share", "win rate", "win rate low", "win rate high"), SHARE)
    order = dict.fromkeys(("strength", "low", "high"), POINTS)
    left, right = st.columns(2)
    with left:
        st.markdown("**Strength**" if estimable else "**Win rate**")
        names = ("strength", "low", "high") if estimable else ("win rate", "win rate low", "win rate high")
        value, low, high = names
        chart = charts.intervals(frame, name="version", value=value, low=low, high=high, reference=0.0 if estimable else 0.5)
        charts.show_chart(chart, frame, key="leaderboard", columns=shares | order)
        if estimable:
            st.caption("On a logarithmic scale with mean 0: a lead of 1 wins 73 of 100 decided comparisons, one of 2 wins 88.")
    with right:
        st.markdown("**Who beats whom**")
        matrix = result_tables.matrix_table(figures)
        table = matrix.rename_axis("version").reset_index()
        cells = dict.fromkeys(matrix.columns, SHARE)
        charts.show_chart(judgement_charts.matrix(matrix), table, key="matrix", columns=cells, names=list(matrix.columns))
        st.caption("The row's win rate against the column; ties and both bad count as half a win.")
    show_biases(figures)


def show_heads(figures: dict[str, Any], identical: int) -> None:
    """Each pair of versions that met: win rate, also with length taken out, and its verdicts."""
    heads = figures["heads"]
    for number, head in enumerate(heads[:12]):
        with st.container(border=True):
            _head(head, number)
            if len(heads) == 1 and (text := result_tables.identical_text(head, identical)):
                st.text(text)
    if len(heads) > 12:
        st.caption("The other pairs are in the table.")
    with st.expander(
        "The table behind this, with its CSV", icon=":material/table:", key="heads-behind", on_change="rerun"
    ) as behind:
        if behind.open:
            frame = result_tables.heads_table(heads)
            charts.show_table(frame, key="heads", columns=dict.fromkeys(frame.columns[8:14], SHARE))
    show_biases(figures)


def _head(head: dict[str, Any], number: int) -> None:
    result, controlled = head["win_rate"], head["length_controlled"]
    st.markdown(f"**{plain(head['version'])}** against **{plain(head['against'])}**")
    rate, same_length, wins, losses, ties, bad = st.columns(6)
    rate.metric("Win rate", _percent(result), help="Ties and both bad count as half a win.")
    same_length.metric(
        "At equal length", _percent(controlled), help="The win rate that would be seen were both answers equally long."
    )
    for column, title, key in (
        (wins, "Won", "wins"),
        (losses, "Lost", "losses"),
        (ties, "Tied", "ties"),
        (bad, "Both bad", "both_bad"),
    ):
        column.metric(title, f"{head[key]:,}")
    if "low" in result:
        st.text(f"95% interval {result['low']:.0%} to {result['high']:.0%} (Wilson), over {head['questions']:,} questions.")
    else:
        st.text(f"No interval: {result['reason']}.")
    equal = result_tables.interval(controlled)
    st.text(f"At equal length: {equal}.")
    chart = judgement_charts.verdicts(wins=head["wins"], ties=head["ties"], both_bad=head["both_bad"], losses=head["losses"])
    charts.show_figure(chart, key=f"verdicts-{number}")


def _percent(result: dict[str, Any]) -> str:
    return "–" if result.get("value") is None else f"{result['value']:.0%}"


def show_biases(figures: dict[str, Any]) -> None:
    """Position and length beside every result, in a sentence each."""
    texts = [result_tables.side_text(figures["position"]), result_tables.length_text(figures["length"])]
    texts.append(result_tables.order_text(figures["order"]))
    for (text, matters), icon in zip(texts, ("swap_horiz", "straighten", "format_list_numbered"), strict=True):
        if text:
            (st.warning if matters else st.info)(plain(text), icon=f":material/{icon}:")


def show_ratings(figures: dict[str, Any]) -> None:
    """Means and shares with intervals by version and question; choices, marked passages, reasons."""
    texts = {one["key"]: one for one in figures["questions"]}
    scales = [one for one in figures["means"] if not one["share"]]
    for title, key, rows in (
        ("Points", "means", scales),
        ("Share of yes", "yes", [one for one in figures["means"] if one["share"]]),
    ):
        if rows:
            st.markdown(f"**{title}**")
            frame = result_tables.means_table(rows)
            chart = judgement_charts.grouped_intervals(
                frame, name="question", group="version", value="mean", low="low", high="high"
            )
            format_ = SHARE if key == "yes" else POINTS
            charts.show_chart(chart, frame, key=f"ratings-{key}", columns=dict.fromkeys(("mean", "low", "high"), format_))
    if scales:
        st.caption("Means with 95% t intervals. Several raters of one answer are averaged first, so intervals count answers.")
    for part, rows in (("option", figures["choices"]), ("reason given", figures["passages"])):
        for question in dict.fromkeys(one["question"] for one in rows):
            st.markdown(f"**{plain(texts[question]['text'])}**")
            frame = result_tables.shares_table([one for one in rows if one["question"] == question], part)
            chart = judgement_charts.shares(frame, name=part, part="version", value="share")
            cells = dict.fromkeys(("share", "low", "high"), SHARE)
            charts.show_chart(chart, frame, key=f"ratings-{part}-{question}", columns=cells)
    if figures["reasons"]:
        st.markdown("**What was said beside comparisons and rankings**")
        frame = result_tables.table([one.values() for one in figures["reasons"]], ["question", "answer", "times"])
        charts.show_table(frame, key="reasons")


def show_agreement(figures: dict[str, Any]) -> None:
    """How far raters answer alike, before any ruling."""
    frame = result_tables.agreement_table(figures["agreement"])
    shares = dict.fromkeys(("raw agreement", "raw low", "raw high"), SHARE)
    charts.show_table(frame, key="agreement", columns=shares | dict.fromkeys(("alpha", "alpha low", "alpha high"), POINTS))
    st.caption(ALPHA + " Rulings are left out here: agreement is about what raters answered themselves.")


def show_examples(visit: Visit, figures: dict[str, Any]) -> None:
    """A few comparisons that a version won or lost, in full."""
    heads = {f"{head['version']} against {head['against']}": head for head in figures["heads"]}
    left, right = st.columns([3, 2])
    chosen = left.selectbox("Versions", list(heads), key="examples-pair")
    outcome = right.segmented_control("Shown", ["won", "lost"], default="won", required=True, key="examples-outcome",
                                      format_func=lambda one: "Wins" if one == "won" else "Losses")  # fmt: skip
    head = heads[chosen]
    with visit.reading() as session:
        where = {"actor": visit.actor, "project_id": visit.project_id}
        found = example_queries.examples(session, found=head[outcome or "won"], **where)
    if not found:
        st.info("There is none of these.", icon=":material/search_off:")
    for one in found:
        with st.container(border=True):
            _example(one, head)


def _example(one: Example, head: dict[str, Any]) -> None:
    show_conversation(messages_from_json(one.prompt), key=f"example-{one.item_id}")
    left, right = st.columns(2)
    left.markdown(f"**{plain(head['version'])}**")
    left.code(one.second, language=None, wrap_lines=True)
    right.markdown(f"**{plain(head['against'])}**")
    right.code(one.first, language=None, wrap_lines=True)
    if one.reasons:
        st.caption("Raters said")
        st.text("\n".join(one.reasons))
