"""The project's rules about personal data: kinds, product words, number formats, masks or stand-ins."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.curation import cleaning, setting_rules
from backend.curation.queries import KINDS
from backend.vocabulary import PERSONAL_FINDINGS, Check, FindingKind, Replacement
from pages.components.notices import attempt, tell
from pages.components.visit import Visit

_REPLACEMENTS = {
    Replacement.MASK: "A mask, such as [NAME]",
    Replacement.SURROGATE: "A stand-in that reads like the real thing; the same person always gets the same one",
}


def show_rules(visit: Visit, held: Any) -> None:
    """The form, and the button that looks at the records again."""
    st.subheader("What counts as personal data here")
    with st.form("privacy_rules"):
        st.multiselect(
            "Look for", [kind for kind in FindingKind if kind in PERSONAL_FINDINGS],
            default=sorted(held.kinds, key=list(KINDS).index), format_func=KINDS.__getitem__, key="privacy_kinds",
            help="A kind that is not chosen is not looked for at all. Towns, organisations, dates and the like are mostly "
            "public words in a shop's answers, so they are left out until you choose them.",
        )  # fmt: skip
        one, two = st.columns(2)
        one.text_area(
            "Words that are nobody's name, one a line", value="\n".join(sorted(held.allowed)), key="privacy_allowed",
            height=160, placeholder="Linden\nSavannah sofa", help="Your products, shops and public staff: never marked.",
        )  # fmt: skip
        two.text_area(
            "Your order and customer numbers, one format a line", value="\n".join(held.patterns),
            key="privacy_patterns", height=160, placeholder="ORD-######",
            help="# is a digit, @ a letter, #+ any number of digits; other signs stand for themselves.",
        )  # fmt: skip
        st.radio(
            "What takes its place", list(_REPLACEMENTS), index=list(_REPLACEMENTS).index(held.replacement),
            format_func=_REPLACEMENTS.__getitem__, key="privacy_replacement",
            help="Either is a revision that can be undone. What stands behind a stand-in is kept encrypted for admins.",
        )  # fmt: skip
        st.form_submit_button("Save", type="primary", icon=":material/save:", on_click=attempt, args=(_save, visit))
    st.text("Records that are here already keep their findings until the check for personal data runs again.")
    st.button("Look at all records again", icon=":material/search:", key="privacy_again", on_click=attempt, args=(_look, visit))


def _save(visit: Visit) -> None:
    given = st.session_state
    with visit.writing() as session:
        setting_rules.set_rules(
            session=session,
            actor=visit.actor,
            project_id=visit.project_id,
            kinds=given["privacy_kinds"],
            allowed=given["privacy_allowed"].splitlines(),
            patterns=given["privacy_patterns"].splitlines(),
            replacement=given["privacy_replacement"],
        )
    tell("success", "Saved. New imports and edits go by it; press “Look at all records again” for the others.")


def _look(visit: Visit) -> None:
    with visit.writing() as session:
        cleaning.ask(session=session, actor=visit.actor, project_id=visit.project_id, checks=[Check.PERSONAL])
    tell("success", "The records will be looked at as soon as a worker is free; the Clean page shows how far it is.")
