"""The GPUs of the workers' machines, and what runs on each; nothing at all where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import streamlit as st

from backend.training.gpu_queries import GpuCard


def show_gpus(cards: Sequence[GpuCard]) -> None:
    """A line for each, by machine."""
    for host, group in groupby(cards, key=lambda card: card.host):
        on_it = list(group)
        free = sum(not card.doing for card in on_it)
        with st.container(border=True, gap="small"):
            st.text(f"GPUs of {host}: {free} of {len(on_it)} free")
            for card in on_it:
                _line(card)


def _line(card: GpuCard) -> None:
    memory = f"{card.memory_mib / 1024:,.0f} GiB" if card.memory_mib else ""
    state, what, doing = st.columns([1, 3, 4], gap="small", vertical_alignment="center")
    if card.doing:
        state.badge("In use", icon=":material/memory:", color="orange")
        doing.text(card.doing)
    else:
        state.badge("Free", icon=":material/check_circle:", color="green")
    what.text(", ".join(filter(None, (f"GPU {card.number}", card.name, memory))))
