"""What can be learned and from which kind of snapshot, and what to do where there is none of a kind yet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import streamlit as st

from backend.datasets.kinds import HELP, NEEDS
from backend.training import recipes
from backend.training.queries import SnapshotChoice
from backend.vocabulary import SnapshotKind
from pages.components.labelling_form import LINKS
from pages.components.labelling_form import NAMES as HOLDS
from pages.components.links import link_to
from pages.components.recipe_form import NAMES


def show_guide(snapshots: Iterable[SnapshotChoice]) -> None:
    """A card a kind of snapshot, with those that the project has."""
    there: dict[str, list[int]] = defaultdict(list)
    for one in snapshots:
        there[one.kind].append(one.number)
    columns = st.columns(2)
    for place, kind in enumerate(SnapshotKind):
        with columns[place % 2], st.container(border=True):
            _card(kind, sorted(there.get(kind.value, [])))


def _card(kind: SnapshotKind, numbers: list[int]) -> None:
    icon = ":material/check_circle:" if numbers else ":material/radio_button_unchecked:"
    st.markdown(f"{icon} **{HOLDS[kind]}**")
    st.caption(HELP[kind])
    st.text("Teaches: " + ", ".join(NAMES[objective] for objective in recipes.objectives_for(kind.value)))
    if numbers:
        st.text("Snapshots: " + ", ".join(map(str, numbers)))
        return
    st.text(f"No snapshot of this kind yet. {NEEDS[kind]} Then freeze it on the Snapshots page, under “{HOLDS[kind]}”.")
    page, title, symbol = LINKS[kind]
    with st.container(horizontal=True):
        link_to(page, title, icon=symbol)
        link_to("snapshots", "Snapshots", icon="photo_camera")
