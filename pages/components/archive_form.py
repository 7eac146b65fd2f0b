"""A ZIP of files on its way in: what each was recognised as, importing those that need no choice, and what came of each."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from backend.errors import TouchstoneError
from backend.intake.archives import Member, members
from backend.intake.files import Options, Progress, limits_of
from backend.intake.importing import Summary, import_file
from backend.vocabulary import Action
from pages.components import background
from pages.components.import_result import show_rejected
from pages.components.notices import attempt, plain, tell
from pages.components.visit import Visit

Outcome = tuple[str, bool, Summary | str]
"""A file's name, whether its rows were taken as FAQs, and its summary or why it stayed out."""
_KEPT = "import_archive"


def show_archive(visit: Visit, upload: Any, *, work: str, key: str) -> None:
    """What the archive holds, and the button that takes it in."""
    kept = st.session_state.get(_KEPT)
    if kept is None or kept[0] != upload.file_id:
        kept = (upload.file_id, members(upload.getvalue(), upload.name, limits=limits_of(visit.settings)))
        st.session_state[_KEPT] = kept
    found: list[Member] = kept[1]
    usable = [member for member in found if member.can_be_taken]
    st.text(f"An archive of {len(found):,} files; {len(usable):,} of them can be taken as they are.")
    rows = [(member.name, "Yes" if member.can_be_taken else "No", member.what) for member in found]
    st.dataframe(pd.DataFrame(rows, columns=["File", "Can be taken", "What it is"]), width="stretch", hide_index=True)
    if not usable:
        return
    mask = st.checkbox("Mask personal data at once", key=f"{key}_zip_mask")
    approved = visit.may(Action.APPROVE_FAQ) and st.checkbox("FAQs in it are already approved", key=f"{key}_zip_approved")
    st.button(
        f"Import {len(usable):,} files", type="primary", icon=":material/upload_file:", key=f"{key}_zip_go",
        on_click=attempt, args=(_start, visit, work, upload.name, usable, mask, approved),
    )  # fmt: skip


def _start(visit: Visit, work: str, name: str, usable: list[Member], mask: bool, approved: bool) -> None:
    with visit.writing():  # looks up again who is signed in; the thread cannot
        database = visit.database

    def take(member: Member, progress: Progress) -> Outcome:
        as_faqs = member.looked is not None and member.looked.looks_like_faqs
        options = Options(as_faqs=True, approved=approved) if as_faqs else Options(mask=mask)
        try:
            with database.writing() as session:
                summary = import_file(
                    session=session, actor=visit.actor, project_id=visit.project_id, name=member.name,
                    content=member.content, settings=visit.settings, options=options, progress=progress,
                )  # fmt: skip
        except TouchstoneError as error:
            return member.name, as_faqs, error.message
        return member.name, as_faqs, summary

    def run(progress: Progress) -> list[Outcome]:
        outcomes = []
        for place, member in enumerate(usable):

            def tell_part(share: float, words: str, place: int = place, member: Member = member) -> None:
                progress((place + share) / len(usable), f"{member.name}: {words}")

            outcomes.append(take(member, tell_part))
        return outcomes

    if not background.begin(work, name, run):
        tell("info", "An import is still going on. Wait for its end, then start this one.")


def show_taken(visit: Visit, outcomes: list[Outcome]) -> None:
    """What became of each file of the archive, and the next step."""
    taken = [(name, as_faqs, one) for name, as_faqs, one in outcomes if isinstance(one, Summary)]
    st.success(f"{len(taken):,} of {len(outcomes):,} files came in.", icon=":material/check_circle:")
    rows = [
        (name, "FAQs" if as_faqs else "records", one.imported, one.rejected, one.duplicates, sum(one.findings.values()), "")
        if isinstance(one, Summary)
        else (name, "", 0, 0, 0, 0, one)
        for name, as_faqs, one in outcomes
    ]
    columns = ["File", "Taken as", "Imported", "Rejected", "Duplicates", "Personal data", "Problem"]
    st.dataframe(pd.DataFrame(rows, columns=columns), width="stretch", hide_index=True)
    for name, _, summary in taken:
        if summary.rejected:
            with st.expander(plain(f"{name}: {summary.rejected:,} rejected"), icon=":material/rule:"):
                show_rejected(visit, summary.source_id, summary.rejected)
    for page, label, wanted in (("review", "Next: review the records", False), ("faqs", "Next: look through the FAQs", True)):
        if any(as_faqs is wanted for _, as_faqs, _ in taken):
            st.page_link(f"{page}.py", label=label, icon=":material/arrow_forward:")
