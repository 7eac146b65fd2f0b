"""Import: bring a file in, see what was taken and what not, mask personal data."""

from __future__ import annotations

import streamlit as st

from backend.intake.queries import has_records, imports
from backend.intake.sampling import load_sample
from backend.vocabulary import Action
from pages.components.archive_form import show_taken
from pages.components.findings_panel import show_findings
from pages.components.import_form import show_import_form
from pages.components.import_result import show_imports, show_summary
from pages.components.import_work import finished, show_close
from pages.components.notices import attempt, guarded, tell
from pages.components.visit import Visit, require


def _load_sample(visit: Visit, slug: str) -> None:
    with visit.writing() as session:
        summary = load_sample(session=session, actor=visit.actor, settings=visit.settings, slug=slug)
    tell("success", f"The sample is loaded: {summary.records.imported} records, {summary.faqs.imported} FAQs and past ratings.")


def _offer_sample(visit: Visit, slug: str) -> None:
    with st.container(border=True):
        st.text("This project is empty. Import a file below, or try everything on the sample: a home-décor shop's records "
                "and FAQs, with real mistakes to find.")  # fmt: skip
        st.button("Load the sample into this project", icon=":material/storefront:", on_click=attempt,
                  args=(_load_sample, visit, slug))  # fmt: skip


visit = require(Action.IMPORT)
st.title("Import")
st.text("Files come in whole or not at all. Nothing is changed in silence: repairs and masks are revisions that you can see.")
with visit.reading() as session:
    listed = imports(session, actor=visit.actor, project_id=visit.project_id)
    empty = not has_records(session, project_id=visit.project_id)
outcomes = finished(visit)
if outcomes is not None:
    with guarded(), st.container(border=True):
        if len(outcomes) == 1 and outcomes[0].summary is not None:
            show_summary(visit, outcomes[0].summary, as_faqs=outcomes[0].as_faqs)
        else:
            show_taken(visit, outcomes)
        show_close(visit)
elif empty and visit.project is not None:
    _offer_sample(visit, visit.project.slug)
with guarded():
    show_import_form(visit)
if not empty:
    with guarded():
        show_findings(visit)
if len(listed):
    with guarded():
        show_imports(visit, listed)
