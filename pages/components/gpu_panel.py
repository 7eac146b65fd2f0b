"""The GPUs of the workers' machines, and what runs on each; nothing at all where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import streamlit as st

from backend.training.gpu_queries import GpuCard

WIDTH = 300
"""Pixels of a card."""


def show_gpus(cards: Sequence[GpuCard]) -> None:
    """A card for each, by machine."""
    for host, group in groupby(cards, key=lambda card: card.host):
        on_it = list(group)
        free = sum(not card.doing for card in on_it)
        st.text(f"GPUs of {host}: {free} of {len(on_it)} free")
        with st.container(horizontal=True):
            for card in on_it:
                with st.container(border=True, width=WIDTH):
                    _card(card)


def _card(card: GpuCard) -> None:
    name = f"GPU {card.number}" + (f", {card.name}" if card.name else "")
    memory = f"{card.memory_mib / 1024:,.0f} GiB" if card.memory_mib else ""
    st.text(name)
    if memory:
        st.text(memory)
    if card.doing:
        st.badge("In use", icon=":material/memory:", color="orange")
        st.text(card.doing)
    else:
        st.badge("Free", icon=":material/check_circle:", color="green")
