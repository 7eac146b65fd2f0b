"""The map and the table of topics, what can be done with one, and the search for topics."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from backend.curation import topic_queries
from backend.curation.clustering import NO_TOPIC
from backend.curation.naming_topics import LONGEST, MOST, MOST_PARTS, merge, rename, split, wish_for
from backend.curation.topic_queries import TOPIC, Looking, Overview
from backend.vocabulary import Action
from pages.components import charts, topic_charts
from pages.components.links import link_to
from pages.components.notices import attempt, plain, tell
from pages.components.visit import Visit

CHOSEN = "topic-chosen"


def show_search(visit: Visit, found: Overview) -> None:
    """How far a run is; for leads the way to start one."""
    if found.looking is not None:
        _progress(visit)
        return
    if found.error:
        st.error(plain(found.error), icon=":material/error:")
    if not visit.may(Action.BULK_REVIEW):
        return
    if not len(found.table):
        st.button(
            "Find topics",
            type="primary",
            icon=":material/category:",
            key="topics-find",
            on_click=attempt,
            args=(_find, visit, False),
        )
        return
    if found.new:
        st.button(
            f"Put {found.new:,} new records to these topics", icon=":material/playlist_add:", key="topics-add",
            on_click=attempt, args=(_find, visit, False),
        )  # fmt: skip
    with st.expander("Find topics anew", icon=":material/refresh:"):
        st.caption("Names that people gave and what they merged is kept where the topics are found again.")
        own, count = st.columns([2, 3], vertical_alignment="bottom")
        chosen = own.toggle("Choose how many", key="topics-own")
        count.slider("Topics", 2, MOST, max(4, min(MOST, len(found.table))), key="topics-count", disabled=not chosen)
        st.text_input(
            "Sentence model, for those who have one installed", key="topics-model", max_chars=180, placeholder="None: by words",
            help="A published name, such as sentence-transformers/all-MiniLM-L6-v2. It needs the package sentence-transformers "
            "and the model on the worker's machine; nothing is fetched.",
        )  # fmt: skip
        st.button("Find topics anew", icon=":material/refresh:", key="topics-anew", on_click=attempt, args=(_find, visit, True))


@st.fragment(run_every=2.0)
def _progress(visit: Visit) -> None:
    with visit.reading() as session:
        run = topic_queries.looking(session, actor=visit.actor, project_id=visit.project_id)
    if run is None:
        st.rerun()
    st.progress(_share(run), text=plain(_words(run)))


def _share(run: Looking) -> float:
    return min(1.0, run.done / run.total) if run.is_alive and run.total else 0.0


def _words(run: Looking) -> str:
    return run.step or "Looking at records" if run.is_alive else "Waits for the worker. You can leave this page."


def _find(visit: Visit, anew: bool) -> None:
    chosen = st.session_state
    count = int(chosen["topics-count"]) if anew and chosen.get("topics-own") else None
    with visit.writing() as session:
        wish_for(
            session=session, actor=visit.actor, project_id=visit.project_id, anew=anew, count=count,
            model=str(chosen.get("topics-model") or "") if anew else "",
        )  # fmt: skip


def show_map(visit: Visit, found: Overview) -> None:
    """The map; a click on a point chooses its topic."""
    with visit.reading() as session:
        places = topic_queries.places(session, actor=visit.actor, project_id=visit.project_id)
    if places.empty:
        return
    names = found.table["topic"].tolist()
    at = places["topic"].tolist()

    def choose(place: int) -> None:
        if at[place] in names:
            st.session_state[CHOSEN] = at[place]

    dark = st.context.theme.type == "dark"
    figure = topic_charts.topic_map(places, topics=names, chosen=_chosen(names), dark=dark)
    charts.show_figure(figure, key="topics-map", on_click=choose)
    st.caption(
        f"{len(places):,} records of {found.records:,}, each one a point; neighbours share words. Point at one to read its "
        "question, click to choose its topic. Distances between far topics mean nothing."
    )


def show_table(found: Overview) -> None:
    """All topics with how they stand."""
    frame = found.table.drop(columns="id")
    if not frame["includes"].any():
        frame = frame.drop(columns="includes")
    share = st.column_config.NumberColumn
    charts.show_table(
        frame,
        key="topics",
        columns={
            "share": share("Share", format="percent"),
            "approved": share("Approved", format="percent", help="Of the topic's records."),
            "negative": share("Negative", format="percent", help="Of the topic's records whose customer's sentiment is known."),
        },
    )
    if found.none:
        st.caption(f"{found.none:,} records fit no topic: their words are too rare, or there are none.")
        _to_records(NO_TOPIC, "Records without a topic")


def show_one(visit: Visit, found: Overview) -> None:
    """The chosen topic: its records, and for leads its name, a merge, a split."""
    names = found.table["topic"].tolist()
    st.subheader("One topic")
    name = st.selectbox("Topic (or click on the map)", names, key=CHOSEN, index=None, placeholder="Choose a topic")
    if name is None:
        return
    row = found.table.set_index("topic").loc[name]
    st.text(
        f"{row['records']:,} records. Words: {row['words']}" + (f". Includes: {row['includes']}" if row["includes"] else "")
    )
    with st.container(horizontal=True):
        _to_records(name, "Its records")
        link_to("tasks", "A task about them", icon="add_task", address={"slice_key": TOPIC, "slice_value": name})
    if visit.may(Action.BULK_REVIEW):
        _change(visit, int(row["id"]), name, found.table)


def _change(visit: Visit, topic_id: int, name: str, table: pd.DataFrame) -> None:
    first, second, third = st.columns(3)
    with first.container(border=True):
        st.text_input("Name", name, max_chars=LONGEST, key=f"topic-name-{topic_id}")
        st.button(
            "Rename", icon=":material/edit:", key=f"topic-rename-{topic_id}", on_click=attempt, args=(_rename, visit, topic_id)
        )
    with second.container(border=True):
        others = {int(row["id"]): str(row["topic"]) for _, row in table.iterrows() if row["id"] != topic_id}
        st.selectbox(
            "Merge into", list(others), format_func=others.__getitem__, key=f"topic-into-{topic_id}", disabled=not others
        )
        st.button(
            "Merge", icon=":material/merge:", key=f"topic-merge-{topic_id}", disabled=not others,
            on_click=attempt, args=(_merge, visit, topic_id),
        )  # fmt: skip
    with third.container(border=True):
        st.number_input("Parts", 2, MOST_PARTS, 2, key=f"topic-parts-{topic_id}")
        st.button(
            "Split",
            icon=":material/call_split:",
            key=f"topic-split-{topic_id}",
            on_click=attempt,
            args=(_split, visit, topic_id),
        )
    st.caption("The slice of the topic's records changes with it at once. The audit trail keeps the old name.")


def _rename(visit: Visit, topic_id: int) -> None:
    wanted = str(st.session_state[f"topic-name-{topic_id}"])
    with visit.writing() as session:
        topic = rename(session=session, actor=visit.actor, project_id=visit.project_id, topic_id=topic_id, name=wanted)
    st.session_state[CHOSEN] = topic.name
    tell("success", f"The topic is called “{topic.name}” now.")


def _merge(visit: Visit, topic_id: int) -> None:
    into = int(st.session_state[f"topic-into-{topic_id}"])
    with visit.writing() as session:
        target = merge(session=session, actor=visit.actor, project_id=visit.project_id, topic_id=topic_id, into_id=into)
    st.session_state[CHOSEN] = target.name
    tell("success", f"Merged into “{target.name}”. Split it to take it apart again.")


def _split(visit: Visit, topic_id: int) -> None:
    parts = int(st.session_state[f"topic-parts-{topic_id}"])
    with visit.writing() as session:
        rows = split(session=session, actor=visit.actor, project_id=visit.project_id, topic_id=topic_id, parts=parts)
    tell("success", "Split into " + " · ".join(f"“{row.name}” ({row.size:,})" for row in rows) + ".")


def _chosen(names: list[str]) -> str:
    name = st.session_state.get(CHOSEN)
    return name if name in names else ""


def _to_records(name: str, words: str) -> None:
    link_to("records", words, icon="table_rows", address={"slice_key": TOPIC, "slice_value": name})
