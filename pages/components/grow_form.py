"""Choose records and a way to make others from them, look at what comes of it, add it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from backend.curation import growing_queries
from backend.curation.augmenting import METHODS, grow
from backend.curation.growing_queries import Choice
from backend.curation.rewording import by_model
from backend.curation.variations import Proposal, vary
from backend.engine import Engine
from backend.errors import NotReady, TouchstoneError
from backend.review.queries import slice_values
from backend.vocabulary import MadeBy
from pages.components import background
from pages.components.links import link_to
from pages.components.notices import attempt, tell
from pages.components.slice_titles import slice_title
from pages.components.visit import Visit

FOUND, WORK = "growing_found", "growing_work"
SHOWN = 30
HELP = {
    MadeBy.REPHRASED: "Templates and synonyms for English questions: cautious, so that many questions have no other wording. "
    "Numbers, names and masks stay.",
    MadeBy.TYPOS: "Neighbouring keys, dropped, doubled and swapped letters, lost apostrophes. Numbers, names and masks stay.",
    MadeBy.LOWER_CASE: "The whole question without capitals, as many people type in a chat. One for each record.",
    MadeBy.JOINED: "Two or three single exchanges become one conversation, from records that share the value chosen below. The "
    "last answer is what is taught.",
    MadeBy.MODEL: "The engine's model is asked for other wordings. What changes a number, a mask or a 'not', is nearly the "
    "same or about something else is left out. Small models write little of use.",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What was made for a look, and of how many records."""

    project_id: int
    method: MadeBy
    records: int
    proposals: tuple[Proposal, ...]


def show_form(visit: Visit) -> None:
    """The choices, and the button that makes a preview. Nothing is stored by it."""
    st.subheader("Make more")
    method = st.segmented_control(
        "How", list(METHODS), format_func=METHODS.__getitem__, default=MadeBy.REPHRASED, required=True, key="growing_method"
    )
    st.caption(HELP[method])
    with visit.reading() as session:
        slices = slice_values(session, visit.actor, visit.project_id)
    key, value, most, each, seed = st.columns([3, 3, 2, 2, 2], vertical_alignment="bottom")
    chosen = key.selectbox(
        "Only records with", ["", *slices], format_func=lambda name: slice_title(name) or "Any metadata", key="growing_slice"
    )
    if chosen:
        value.selectbox("Value", slices[chosen], key=f"growing_value_{chosen}")
    most.number_input("Records, at most", 1, 2000, 50, key="growing_most")
    each.number_input("Of each", 1, 5, 1, help="How many variations of one record, at most.", key="growing_each")
    seed.number_input("Seed", 0, 2**31 - 1, 0, help="The same seed draws the same records and slips.", key="growing_seed")
    waiting = st.toggle("Also from records that wait for review", key="growing_waiting")
    choice = _choice(waiting=waiting)
    extra = _alike(slices) if method is MadeBy.JOINED else _model(visit) if method is MadeBy.MODEL else ""
    with visit.reading() as session:
        count = growing_queries.count(session, visit.actor, visit.project_id, choice)
    if not count:
        st.info("No approved record of people's own fits this. Approve some first, or choose others.", icon=":material/task:")
        link_to("review", "Review records", icon="rate_review")
        return
    st.button(
        f"Show what {min(count, choice.most):,} of {count:,} records would give",
        icon=":material/preview:", on_click=attempt, args=(_look, visit, method, choice, extra), key="growing_look",
        disabled=method is MadeBy.MODEL and not extra,
    )  # fmt: skip


def _choice(*, waiting: bool) -> Choice:
    chosen = st.session_state
    key = chosen["growing_slice"]
    value = chosen.get(f"growing_value_{key}")
    return Choice(
        slice_key=key if value is not None else "", slice_value=value or "", most=chosen["growing_most"],
        seed=chosen["growing_seed"], waiting=waiting,
    )  # fmt: skip


def _alike(slices: dict[str, list[str]]) -> str:
    names = list(slices)
    likely = next((place for place, name in enumerate(names) if "topic" in name or "segment" in name), 0)
    return st.selectbox(
        "Joined records share", ["", *names], index=likely + 1 if names else 0, key="growing_alike",
        format_func=lambda name: slice_title(name) or "Nothing: any two may meet",
        help="Questions of one topic or one kind of customer sound like one conversation.",
    )  # fmt: skip


def _model(visit: Visit) -> str:
    """One of the engine's models; "" where none answers."""
    try:
        names = Engine(visit.settings.engine, visit.settings.engine_key).models()
    except TouchstoneError:
        names = []
    if not names:
        st.info(
            "No engine answers now, so no model can be asked. Start it, or choose another way.", icon=":material/power_off:"
        )
        return ""
    with visit.reading() as session:
        current = growing_queries.current_model(session, visit.actor, visit.project_id)
    place = names.index(current) if current in names else 0
    return st.selectbox("Model", names, index=place, key="growing_model")


def _look(visit: Visit, method: MadeBy, choice: Choice, extra: str) -> None:
    st.session_state.pop(FOUND, None)
    each, project_id = st.session_state["growing_each"], visit.project_id
    with visit.writing() as session:  # a callback: who is signed in is looked up again
        originals = growing_queries.originals(session, visit.actor, project_id, choice)
    if method is not MadeBy.MODEL:
        made = vary(originals, method, each=each, seed=choice.seed, alike=extra)
        if not made:
            raise NotReady("These records give nothing in this way. Choose others, or another way.")
        st.session_state[FOUND] = Found(project_id, method, len(originals), tuple(made))
        return
    engine = Engine(visit.settings.engine, visit.settings.engine_key)

    def ask(report: Any) -> Found:
        made = by_model(originals, engine=engine, model=extra, each=each, seed=choice.seed, tell=report)
        return Found(project_id, method, len(originals), tuple(made))

    background.forget(WORK)
    background.begin(WORK, f"Asking {extra}", ask)


def show_found(visit: Visit) -> None:
    """The preview, side by side, and the button that adds all of it."""
    work = background.show_progress(WORK)
    if work is not None and work.result is not None and not work.seen:
        work.seen = True
        st.session_state[FOUND] = work.result
    found: Found | None = st.session_state.get(FOUND)
    if found is None or found.project_id != visit.project_id:
        return
    with st.container(border=True):
        st.text(
            f"{METHODS[found.method]}: {len(found.proposals):,} texts from {found.records:,} records. Nothing is stored yet."
        )
        table = pd.DataFrame(
            [(one.record_id, one.before, one.after) for one in found.proposals[:SHOWN]], columns=["Record", "Original", "Made"]
        )
        st.dataframe(table, hide_index=True, width="stretch", row_height=56)
        if len(found.proposals) > SHOWN:
            st.caption(f"The first {SHOWN}.")
        name, add, drop = st.columns([4, 3, 2], vertical_alignment="bottom")
        name.text_input("Name of the batch", max_chars=200, placeholder=METHODS[found.method], key="growing_name")
        add.button(
            f"Add {len(found.proposals):,} for review", type="primary", icon=":material/playlist_add:",
            on_click=attempt, args=(_add, visit, found), key="growing_add",
        )  # fmt: skip
        drop.button("Not these", icon=":material/close:", on_click=_forget, key="growing_drop")


def _add(visit: Visit, found: Found) -> None:
    with visit.writing() as session:
        done = grow(
            session=session,
            actor=visit.actor,
            project_id=found.project_id,
            proposals=found.proposals,
            method=found.method,
            name=st.session_state.get("growing_name", ""),
        )
    _forget()
    st.session_state["growing_name"] = ""
    left = [
        f"{done.known} were there already" if done.known else "",
        f"{done.stale} originals had changed" if done.stale else "",
    ]
    more = f" ({', '.join(part for part in left if part)})" if any(left) else ""
    tell(
        "success", f"{len(done.added)} synthetic records wait for review{more}. Next: review them, then clean before freezing."
    )


def _forget() -> None:
    st.session_state.pop(FOUND, None)
    background.forget(WORK)
