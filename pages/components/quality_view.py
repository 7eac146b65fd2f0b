"""What the page Quality draws about raters: notices, the table, what can be done; agreement and hidden repeats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from backend.review import qualifying, quality_tables, watching
from backend.review.quality_queries import ChangedMind, Notice, QualityTask, RaterRow
from pages.components import charts
from pages.components.notices import attempt, plain, tell
from pages.components.visit import Visit

SHARE = st.column_config.NumberColumn(format="percent")
POINTS = st.column_config.NumberColumn(format="%.2f")
SECONDS = st.column_config.NumberColumn(format="%.1f")
ALPHA = (
    "Alpha (Krippendorff) is 1 where all raters agree and 0 where they agree no more than by chance; from about 0.67 on "
    "conclusions can be drawn with care, from 0.8 on with confidence. For points of a scale it counts how far apart they are."
)
RATER_SHARES = ("gold", "gold low", "gold high", "as before", "like the others", "reliability")
FEW_BY = {"gold": "gold n", "gold low": "gold n", "gold high": "gold n", "as before": "repeats n",
          "like the others": "shared answers", "reliability": "shared answers"}  # fmt: skip


def show_notices(visit: Visit, notices: Sequence[Notice]) -> None:
    """Raters who fell, with what can be done about it."""
    for notice in notices:
        key = f"{notice.task_id}-{notice.account_id}"
        with st.container(border=True, key=f"notice-{key}"):
            text, buttons = st.columns([3, 2], vertical_alignment="center")
            title = f":orange[:material/trending_down:] **{plain(notice.rater)}** in {plain(notice.task)}"
            text.markdown(title + "".join(f"  \n{plain(one)}" for one in notice.sentences))
            with buttons.container(horizontal=True, horizontal_alignment="right"):
                st.button("Pause in this task", icon=":material/pause:", key=f"notice-pause-{key}", on_click=pause,
                          args=(visit, notice.task_id, notice.account_id, True))  # fmt: skip
                st.button("Put away", icon=":material/visibility_off:", key=f"notice-seen-{key}", on_click=put_away,
                          args=(visit, notice), help="It comes back only for what is answered from now on.")  # fmt: skip


def show_raters(visit: Visit, task: QualityTask, rows: Sequence[RaterRow], frame: pd.DataFrame) -> None:
    """The table, and what can be done to one of them."""
    show_greyed(frame, FEW_BY, key="raters", columns={**dict.fromkeys(RATER_SHARES, SHARE), "seconds": SECONDS})
    st.caption(
        "Gold: the share of known answers that were right, with Wilson's 95% interval. As before: hidden repeats answered "
        "like the first time. Like the others: how often another rater of the same item said the same. Reliability: how often "
        "Dawid and Skene's model takes the rater's answer as right; it trusts raters who agree with each other. Shares of "
        f"fewer than {quality_tables.FEW} answers are grey. Nobody but leads sees this."
    )
    names = {row.account_id: row.name for row in rows}
    chosen = st.selectbox("What to do about", list(names), index=None, format_func=lambda one: names[one], key="quality-rater",
                          placeholder="Choose a rater")  # fmt: skip
    row = next((row for row in rows if row.account_id == chosen), None)
    if row is None:
        return
    who = (visit, task.id, row.account_id)
    with st.container(horizontal=True):
        if row.paused:
            st.button("Let them in again", icon=":material/play_arrow:", key=f"readmit-{row.account_id}",
                      on_click=pause, args=(*who, False))  # fmt: skip
        else:
            st.button("Pause in this task", icon=":material/pause:", key=f"pause-{row.account_id}",
                      on_click=pause, args=(*who, True), help="No more items of this task; answers stay.")  # fmt: skip
        st.button("Begin the calibration anew", icon=":material/restart_alt:", key=f"reset-{row.account_id}",
                  on_click=reset, args=who, disabled=not row.has_begun)  # fmt: skip


def show_greyed(frame: pd.DataFrame, small: Mapping[str, str], *, key: str, columns: Mapping[str, Any]) -> None:
    """A table with what few answers stand behind in grey, and its CSV."""
    config = {name: {**given, "label": name[:1].upper() + name[1:]} for name, given in columns.items()}
    for name in set(frame.columns) - set(config):
        is_moment = isinstance(frame[name].dtype, pd.DatetimeTZDtype)
        kind = partial(st.column_config.DatetimeColumn, format="D MMM YYYY, HH:mm") if is_moment else st.column_config.Column
        config[name] = kind(name[:1].upper() + name[1:])
    st.dataframe(quality_tables.greyed(frame, small), width="stretch", hide_index=True, column_config=config)
    st.download_button("Download as CSV", lambda: charts.as_csv(frame), file_name=f"{key}.csv", mime="text/csv",
                       icon=":material/download:", key=f"{key}-csv", on_click="ignore")  # fmt: skip


def show_agreement(rows: Sequence[Mapping[str, Any]], most: int) -> None:
    """Alpha by question, then by slice of one key."""
    whole = quality_tables.agreement_table([row for row in rows if not row["key"]]).drop(columns="slice")
    if whole.empty or not whole["items"].any():
        st.info("No item has two answers yet, so nothing can be said about agreement.", icon=":material/group:")
        st.text("Give a task two or more raters an item; as soon as two have answered one, agreement appears here.")
        return
    draw_alphas(whole, "question", key="agreement")
    st.caption(f"{ALPHA} Intervals leave out one item at a time. Of the newest {most:,} answers at most, before any ruling.")
    keys = list(dict.fromkeys(row["key"] for row in rows if row["key"]))
    if not keys:
        return
    left, right = st.columns(2)
    question = left.selectbox("Question", list(dict.fromkeys(whole["question"])), key="agreement-question")
    key = right.selectbox("By", keys, key="agreement-key")
    part = quality_tables.agreement_table([row for row in rows if row["key"] == key and row["question"] == question])
    if part.empty:
        st.info("No item of these slices has two answers yet.", icon=":material/group:")
    else:
        draw_alphas(part.drop(columns="question"), "slice", key="agreement-slices")
        st.caption(f"Slices of fewer than {quality_tables.SMALL} items are grey.")


def draw_alphas(frame: pd.DataFrame, name: str, *, key: str) -> None:
    """The forest plot of alphas, with the table behind it."""
    figure = charts.intervals(
        frame, name=name, value="alpha", low="alpha low", high="alpha high", faded="too small", reference=0.67
    )
    numbers = {**dict.fromkeys(("alpha", "alpha low", "alpha high"), POINTS), "raw agreement": SHARE}
    charts.show_chart(figure, frame, key=key, columns=numbers)


def show_repeats(task: QualityTask, rows: Sequence[RaterRow], changes: Sequence[ChangedMind]) -> None:
    """How like themselves raters are, and what they changed their minds about."""
    asked = sum(row.repeats.n for row in rows)
    if not asked:
        st.info("No hidden repeat was answered yet.", icon=":material/repeat:")
        st.text(f"This task repeats {task.repeat_share:.0%} of a rater's items. The share is chosen when a task is made.")
        return
    same = sum((row.repeats.value or 0.0) * row.repeats.n for row in rows)
    st.metric("Answered as before", f"{same / asked:.0%}", help=f"Of {asked} hidden repeats by all raters.")
    if changes:
        charts.show_table(quality_tables.changes_table(changes), key="repeats", columns={"alike": SHARE})
    st.caption("The newest repeats that were answered otherwise than before. Questions that many change their minds about are "
               "hard, or asked unclearly.")  # fmt: skip


def pause(visit: Visit, task_id: int, account_id: int, paused: bool) -> None:
    """Callback."""
    where = {"project_id": visit.project_id, "task_id": task_id, "account_id": account_id}
    done = "The rater gets no more items of this task." if paused else "The rater gets items of this task again."
    _do(visit, watching.pause_rater, done, paused=paused, **where)


def put_away(visit: Visit, notice: Notice) -> None:
    """Callback."""
    where = {"project_id": visit.project_id, "task_id": notice.task_id, "account_id": notice.account_id}
    _do(visit, watching.put_notice_away, "The notice is put away.", **where)


def reset(visit: Visit, task_id: int, account_id: int) -> None:
    """Callback."""
    where = {"project_id": visit.project_id, "task_id": task_id, "account_id": account_id}
    _do(visit, qualifying.reset, "The rater begins the calibration anew with the next item.", **where)


def _do(visit: Visit, use_case: Callable[..., Any], done: str, **given: Any) -> None:
    def act() -> bool:
        with visit.writing() as session:
            use_case(session=session, actor=visit.actor, **given)
        return True

    if attempt(act):
        tell("success", done)
