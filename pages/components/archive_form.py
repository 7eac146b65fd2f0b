"""A ZIP of files on its way in: what each was recognised as, importing those that need no choice, and what came of each."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from backend.intake.archives import Member, members
from backend.intake.files import Options, limits_of
from pages.components.import_options import ask_approved, ask_general, ask_mask, start_as_ticked
from pages.components.import_result import show_rejected, show_remarks
from pages.components.import_work import Incoming, Outcome
from pages.components.notices import attempt, plain
from pages.components.visit import Visit

_KEPT = "import_archive"


def show_archive(visit: Visit, upload: Any, *, key: str) -> None:
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
    records = Options(mask=ask_mask(visit, f"{key}_zip"), general=ask_general(f"{key}_zip"))
    faqs = Options(as_faqs=True, approved=ask_approved(visit, f"{key}_zip"))
    files = [Incoming(one.name, one.content, faqs if one.looked and one.looked.looks_like_faqs else records) for one in usable]
    st.button(
        f"Import {len(usable):,} files", type="primary", icon=":material/upload_file:", key=f"{key}_zip_go",
        on_click=attempt, args=(start_as_ticked, visit, upload.name, files, f"{key}_zip"), kwargs={"alone": False},
    )  # fmt: skip


def show_taken(visit: Visit, outcomes: list[Outcome]) -> None:
    """What became of each file of the archive, and the next step."""
    taken = [(one, one.summary) for one in outcomes if one.summary is not None]
    st.success(f"{len(taken):,} of {len(outcomes):,} files came in.", icon=":material/check_circle:")
    rows = [
        (one.name, "FAQs" if one.as_faqs else "records", summary.imported, summary.rejected, summary.duplicates,
         sum(summary.findings.values()), "")
        if (summary := one.summary) is not None
        else (one.name, "", 0, 0, 0, 0, one.problem)
        for one in outcomes
    ]  # fmt: skip
    columns = ["File", "Taken as", "Imported", "Rejected", "Duplicates", "Personal data", "Problem"]
    st.dataframe(pd.DataFrame(rows, columns=columns), width="stretch", hide_index=True)
    for one, summary in taken:
        show_remarks(summary, name=one.name)
        if summary.rejected:
            with st.expander(plain(f"{one.name}: {summary.rejected:,} rejected"), icon=":material/rule:"):
                show_rejected(visit, summary.source_id, summary.rejected)
    for page, label, wanted in (("review", "Next: review the records", False), ("faqs", "Next: look through the FAQs", True)):
        if any(one.as_faqs is wanted for one, _ in taken):
            st.page_link(f"{page}.py", label=label, icon=":material/arrow_forward:")
