"""A file on its way in: chosen, recognised, its columns mapped, tried on its first rows, and sent off in the background."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.intake.archives import is_archive
from backend.intake.files import EXTENSIONS, Options, Preview, limits_of, preview, try_mapping
from backend.intake.importing import already_imported
from pages.components.archive_form import show_archive
from pages.components.import_options import ask_approved, ask_general, ask_mask, start_as_ticked
from pages.components.import_work import ROUND, Incoming
from pages.components.kept_mappings import choose_kept, offer_to_keep
from pages.components.mapping_form import mapping_form, show_first, show_rows, show_verdict
from pages.components.notices import attempt, plain
from pages.components.visit import Visit


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
    if kind == "FAQs":
        return Options(as_faqs=True, approved=ask_approved(visit, key))
    return Options(mask=ask_mask(visit, key), general=ask_general(key))


def show_import_form(visit: Visit) -> None:
    """The uploader and, under it, what was recognised and the way in. An archive has a form of its own."""
    key = f"import_{st.session_state.setdefault(ROUND, 0)}"
    limit = visit.settings.import_max_bytes // 1_000_000
    upload = st.file_uploader(
        "A file of conversations or FAQs", type=list(EXTENSIONS), key=key,
        help=f"Tables (CSV, XLSX, Parquet, JSON), documents (DOCX, PDF, HTML, Markdown), transcripts, mail (EML, MBOX) and ZIP "
        f"archives of these, up to {limit:,} MB. What a file holds is recognised; you can change it.",
    )  # fmt: skip
    if upload is None:
        st.session_state.pop("import_preview", None)
        return
    if is_archive(upload.getvalue(), upload.name, limits=limits_of(visit.settings)):
        show_archive(visit, upload, key=key)
        return
    content, looked = _look(upload, visit)
    st.text(f"Recognised as: {looked.recognition.kind}. {looked.recognition.explanation}\n({looked.format}, {looked.detail})")
    show_rows(looked)
    with st.expander("Which column is which", expanded=looked.needs_a_person, icon=":material/view_column:"):
        kept = choose_kept(visit, looked, key=f"{key}_{upload.file_id}")
        mapping = mapping_form(looked, start=kept, key=f"{key}_{upload.file_id}_{kept is not None}")
        offer_to_keep(visit, mapping, key=key)
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
        on_click=attempt, kwargs={"alone": True},
        args=(start_as_ticked, visit, upload.name, [Incoming(upload.name, content, options, mapping)], key),
    )  # fmt: skip
    show_first(tried, key=key)
