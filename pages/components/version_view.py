"""The model versions of a project: what each is, how its run measured it, and where one goes on with it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from backend.evaluation import version_queries
from backend.evaluation.version_queries import VersionCard
from pages.components.charts import show_table
from pages.components.links import link_to
from pages.components.measured import show_measured
from pages.components.notices import plain
from pages.components.visit import Visit

NO_CHAT = {
    "reward": "scores answers",
    "classification": "sorts texts into its classes",
}
"""What each kind of model that does not chat does instead."""


def show_versions(visit: Visit) -> None:
    """The list, and one of them."""
    with visit.reading() as session:
        cards = version_queries.versions(session, project_id=visit.project_id)
    if not cards:
        st.info("No version yet. Every run that finishes makes one.", icon=":material/deployed_code:")
        return
    show_table(
        version_queries.table(cards), key="versions", columns={"figures": st.column_config.TextColumn("Figures", width="large")}
    )
    made = {card.id: card for card in cards if not card.is_base}
    if not made:
        return
    chosen = st.selectbox("Look into", list(made), format_func=lambda key: name_of(made[key]), key="version_shown")
    _version(made[chosen])


def name_of(card: VersionCard) -> str:
    """What a version is called in lists: its number, its name, and its stage, or its kind where it does not chat."""
    return f"{card.number}: {card.name} ({card.standing})"


def _version(card: VersionCard) -> None:
    if card.chats:
        stands = {"candidate": " It waits for a decision.", "current": " The project's chat answers with it."}
        st.text(f"A {card.kind} from run {card.run} on snapshot {card.snapshot}.{stands.get(card.stage, '')}")
    show_measured(card.objective, card.test, card.validation, key=f"version-{card.id}")
    if card.chats:
        with st.container(horizontal=True):
            link_to("evaluations", "Evaluate its answers", icon="fact_check")
            link_to("promotion", "Promote it, or take it along", icon="verified")
        return
    say_no_chat(card.objective, card.kind)


def say_left_out(silent: Sequence[VersionCard]) -> None:
    """Which versions a page about chatbots does not list, with their figures, and why."""
    if silent:
        named = "; ".join(f"{one.number}: {one.name} ({', '.join(filter(None, (one.kind, one.told_first)))})" for one in silent)
        st.caption(
            plain(f"Not listed, because they do not chat: {named}. Their figures are on the Train page, under Versions.")
        )


def say_no_chat(objective: str, kind: str) -> None:
    """What a version that does not chat is for, and what cannot be done with it here."""
    st.info(
        plain(
            f"This {kind} {NO_CHAT[objective]}. It does not chat, so it is not evaluated by answers and is no candidate for "
            "the chatbot. Take its weights along on the Promote page."
        ),
        icon=":material/rule:",
    )
    link_to("promotion", "Take it along", icon="output")
