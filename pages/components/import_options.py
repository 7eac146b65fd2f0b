"""What a person chooses for an import beside the columns; the same words for one file and for an archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from backend.curation.queries import rules
from backend.intake.files import Options
from backend.vocabulary import Action, Replacement
from pages.components.import_work import Incoming, start
from pages.components.visit import Visit


def ask_mask(visit: Visit, key: str) -> bool:
    """Whether personal data is masked at once, and by what."""
    with visit.reading() as session:
        by_stand_ins = rules(session, actor=visit.actor, project_id=visit.project_id).replacement is Replacement.SURROGATE
    return st.checkbox(
        "Put stand-ins in place of personal data at once" if by_stand_ins else "Mask personal data at once", key=f"{key}_mask",
        help="As a revision that can be undone. Otherwise it is marked, and masked below or in review. "
        + ("The project wants stand-ins; the vault keeps what they stand for." if by_stand_ins else ""),
    )  # fmt: skip


def ask_general(key: str) -> bool:
    """Whether it is talk of other subjects."""
    return st.checkbox(
        "General talk, mixed in by a share", key=f"{key}_general",
        help="Not of your own subject: snapshots take it only by the share that you state, so that a model keeps what it knew.",
    )  # fmt: skip


def ask_approved(visit: Visit, key: str) -> bool:
    """Whether FAQs are approved already; only those who may approve are asked."""
    return visit.may(Action.APPROVE_FAQ) and st.checkbox(
        "These FAQs are already approved", key=f"{key}_approved", help="Otherwise each waits for an expert's approval."
    )


def start_as_ticked(visit: Visit, what: str, files: Sequence[Incoming], key: str, *, alone: bool) -> None:
    """Callback: import the files as the boxes are ticked now. The button was drawn before a tick that came just ahead of it."""
    start(visit, what, [replace(one, options=_as_ticked(one.options, key)) for one in files], alone=alone)


def _as_ticked(options: Options, key: str) -> Options:
    ticked = {
        name: bool(st.session_state.get(f"{key}_{name}", getattr(options, name))) for name in ("mask", "general", "approved")
    }
    if options.as_faqs:
        return replace(options, approved=ticked["approved"])
    return replace(options, mask=ticked["mask"], general=ticked["general"])
