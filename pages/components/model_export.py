"""Taking a version's weights along: choose, wait for the worker, download. What was checked stands beside each export."""

from __future__ import annotations

import streamlit as st

from backend.evaluation.exporting import MOST_BYTES, ExportCard, ModelForm, archive, export_card, exports, start_export
from backend.evaluation.version_queries import VersionCard
from backend.vocabulary import Action, JobStatus
from pages.components.notices import attempt, plain, tell
from pages.components.version_view import name_of
from pages.components.visit import Visit

_FORMS = {
    ModelForm.MERGED: "Whole weights, ready for any server",
    ModelForm.ADAPTER: "Only what training added (LoRA), for the same base model",
}
_SECONDS = 2.0


def show_model_export(visit: Visit, versions: list[VersionCard]) -> None:
    """The form and the newest exports; nothing for those who may not export."""
    trained = {one.id: name_of(one) for one in versions if not one.is_base}
    if not trained or not visit.may(Action.EXPORT):
        return
    with st.expander("Take a version along", icon=":material/output:"):
        st.write(
            "Weights, tokenizer and model card in Hugging Face's format. Before an export stands, it is loaded again and "
            "compared with the training model."
        )
        with st.form("model_export", border=False):
            left, right = st.columns(2)
            left.selectbox("Version", list(trained), format_func=lambda key: trained[key], key="export_version")
            right.selectbox("As", list(_FORMS), format_func=lambda form: _FORMS[form], key="export_model_form")
            st.form_submit_button("Export", icon=":material/output:", on_click=_start, args=(visit,))
        with visit.reading() as session:
            cards = exports(session, visit.actor, visit.settings, visit.project_id)
        for card in cards:
            _done(card) if card.is_over else _waiting(visit, card.job_id)


def _start(visit: Visit) -> None:
    chosen = st.session_state

    def start() -> int:
        with visit.writing() as session:
            job = start_export(
                session=session,
                actor=visit.actor,
                settings=visit.settings,
                project_id=visit.project_id,
                version_id=chosen.export_version,
                form=chosen.export_model_form,
            )
            return job.id or 0

    if attempt(start):
        tell("info", "A worker writes the export and checks it. It appears under “Take a version along”.")


@st.fragment(run_every=_SECONDS)
def _waiting(visit: Visit, job_id: int) -> None:
    with visit.reading() as session:
        card = export_card(session, visit.actor, visit.settings, project_id=visit.project_id, job_id=job_id)
    if card.is_over:
        st.rerun()
    word = "waits for a worker" if card.status is JobStatus.QUEUED else "is being written"
    st.info(f"{plain(card.title)}: {word}.", icon=":material/hourglass_top:")


def _done(card: ExportCard) -> None:
    with st.container(border=True):
        if not card.files:
            st.error(f"{plain(card.title)}: {plain(card.error or 'it has no files any more.')}", icon=":material/error:")
            return
        left, right = st.columns([3, 1], vertical_alignment="center")
        parity = card.result.get("parity", {})
        left.markdown(f":material/check_circle: **{plain(card.title)}**, {card.size / 1e6:,.1f} MB")
        left.text(
            f"Compared with the training model on {parity.get('conversations')} conversations: largest difference of a logit "
            f"{parity.get('largest_logit_difference', 0):.2g} ({parity.get('tolerance', 0):g} allowed), "
            + (f"{parity['equal_greedy_answers']} greedy answers equal." if "equal_greedy_answers" in parity else "")
        )
        if card.size > MOST_BYTES:
            left.text(f"Too large for a browser: its files lie in exports/{card.folder.name} in the data folder.")
            return
        right.download_button(
            "Download", lambda: archive(card), file_name=f"{card.folder.name}.zip", mime="application/zip",
            icon=":material/download:", on_click="ignore", key=f"export-take-{card.job_id}",
        )  # fmt: skip
