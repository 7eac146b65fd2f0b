"""Import: bring a file in, see what was taken and what not, mask personal data."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.intake.files import EXTENSIONS, Options, Preview, Progress, limits_of, preview, try_mapping
from backend.intake.importing import Summary, already_imported, import_file
from backend.intake.mapping import Mapping
from backend.intake.queries import has_records, imports
from backend.intake.sampling import load_sample
from backend.vocabulary import Action
from pages.components import background
from pages.components.findings_panel import show_findings
from pages.components.import_result import show_imports, show_summary
from pages.components.mapping_form import mapping_form, show_first, show_rows, show_verdict
from pages.components.notices import attempt, guarded, plain, tell
from pages.components.visit import Visit, require

WORK, AS_FAQS = "import_work", "import_as_faqs"
ROUND = "import_round"  # counts finished imports, so that the uploader is empty again after each


def _start(visit: Visit, name: str, content: bytes, mapping: Mapping, options: Options) -> None:
    with visit.writing():  # looks up again who is signed in; the thread cannot
        database = visit.database

    def work(progress: Progress) -> Summary:
        with database.writing() as session:
            return import_file(
                session=session,
                actor=visit.actor,
                project_id=visit.project_id,
                name=name,
                content=content,
                settings=visit.settings,
                mapping=mapping,
                options=options,
                progress=progress,
            )

    if background.begin(WORK, name, work):
        st.session_state[AS_FAQS] = options.as_faqs
    else:
        tell("info", "An import is still going on. Wait for its end, then start this one.")


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


def _look(upload: Any, visit: Visit) -> tuple[bytes, Preview]:
    """The file's bytes and its preview, worked out once for each upload."""
    kept = st.session_state.get("import_preview")
    if kept is None or kept[0] != upload.file_id:
        content = upload.getvalue()
        kept = (upload.file_id, content, preview(content, upload.name, limits=limits_of(visit.settings)))
        st.session_state["import_preview"] = kept
    return kept[1], kept[2]


def _options(visit: Visit, looked: Preview, key: str) -> Options:
    kind = st.radio(
        "Take the rows as", ["records", "FAQs"], index=int(looked.looks_like_faqs), horizontal=True, key=f"{key}_as"
    )
    as_faqs = kind == "FAQs"
    if not as_faqs:
        return Options(mask=st.checkbox(
            "Mask e-mail addresses, phone and card numbers at once", key=f"{key}_mask",
            help="As a revision that can be undone. Otherwise they are marked, and masked below or in review.",
        ))  # fmt: skip
    approved = visit.may(Action.APPROVE_FAQ) and st.checkbox(
        "These FAQs are already approved", key=f"{key}_approved", help="Otherwise each waits for an expert's approval."
    )
    return Options(as_faqs=True, approved=approved)


def _take_in(visit: Visit) -> None:
    key = f"import_{st.session_state.setdefault(ROUND, 0)}"
    limit = visit.settings.import_max_bytes // 1_000_000
    upload = st.file_uploader(
        "A file of conversations or FAQs", type=list(EXTENSIONS), key=key,
        help=f"CSV, TSV, JSON or JSONL, up to {limit:,} MB. The shape of the rows is recognised; you can change it.",
    )  # fmt: skip
    if upload is None:
        st.session_state.pop("import_preview", None)
        return
    content, looked = _look(upload, visit)
    st.text(f"Recognised as: {looked.recognition.kind}. {looked.recognition.explanation}\n({looked.format}, {looked.detail})")
    show_rows(looked)
    with st.expander("Which column is which", expanded=looked.needs_a_person, icon=":material/view_column:"):
        mapping = mapping_form(looked, key=f"{key}_{upload.file_id}")
    options = _options(visit, looked, key)
    with visit.reading() as session:
        earlier = already_imported(session, visit.project_id, content, as_faqs=options.as_faqs)
    if earlier:
        st.info(plain(earlier), icon=":material/content_copy:")
        return
    if mapping is None:
        return
    tried = try_mapping(looked, mapping)
    show_verdict(tried)
    st.button(
        "Import", type="primary", icon=":material/upload_file:", key=f"{key}_go",
        on_click=attempt, args=(_start, visit, upload.name, content, mapping, options),
    )  # fmt: skip
    show_first(tried, key=key)


visit = require(Action.IMPORT)
st.title("Import")
st.text("Files come in whole or not at all. Nothing is changed in silence: repairs and masks are revisions that you can see.")
with visit.reading() as session:
    listed = imports(session, actor=visit.actor, project_id=visit.project_id)
    empty = not has_records(session, project_id=visit.project_id)
work = background.show_progress(WORK)
if work is not None and work.result is not None:
    if not work.seen:
        work.seen = True
        st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1
    with guarded(), st.container(border=True):
        show_summary(visit, work.result, as_faqs=st.session_state.get(AS_FAQS, False))
        st.button("Close this summary", on_click=background.forget, args=(WORK,))
elif empty and visit.project is not None:
    _offer_sample(visit, visit.project.slug)
with guarded():
    _take_in(visit)
if not empty:
    with guarded():
        show_findings(visit)
if len(listed):
    with guarded():
        show_imports(visit, listed)
