"""The router: which pages there are, who sees which, the project switcher. It draws nothing else."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from backend.access.forms import MARK, WORDMARK
from backend.access.maintaining import remember_project
from backend.vocabulary import Action
from pages.components.doors import way_out
from pages.components.notices import attempt, show_notices
from pages.components.places import place
from pages.components.visit import PROJECT_KEY, Visit, handed_over, look

HERE = Path(__file__).parent

# The accent carries white text on buttons; as text on the dark page it would be too dim.
DARK = """<style>
[data-testid="stTab"][aria-selected="true"], [data-testid="stButtonGroup"] [data-selected="true"]{color:#e3b448 !important}
</style>"""

# file, title, icon, what one must be allowed to do to see it (None: everybody signed in)
PAGES: dict[str, list[tuple[str, str, str, Action | None]]] = {
    "": [
        ("home", "Home", "home", None),
    ],
    "Judge": [
        ("review", "Review records", "rate_review", Action.REVIEW),
        ("rate", "Rate and compare", "balance", Action.RATE),
        ("adjudicate", "Disputes", "gavel", Action.ADJUDICATE),
        ("tasks", "Tasks", "assignment", Action.CREATE_TASK),
        ("progress", "Progress", "speed", Action.VIEW_RESULTS),
        ("quality", "Quality", "verified_user", Action.VIEW_RESULTS),
        ("faqs", "FAQs", "quiz", Action.EDIT_FAQ),
    ],
    "Prepare": [
        ("imports", "Import", "upload_file", Action.IMPORT),
        ("cleaning", "Clean", "cleaning_services", Action.REVIEW),
        ("duplicates", "Duplicates", "content_copy", Action.VIEW_RECORDS),
        ("topics", "Topics", "category", Action.VIEW_RECORDS),
        ("fairness", "Data bias", "diversity_3", Action.VIEW_RESULTS),
        ("growing", "Grow", "auto_awesome", Action.BULK_REVIEW),
    ],
    "Data": [
        ("records", "Records", "table_rows", Action.VIEW_RECORDS),
        ("snapshots", "Snapshots", "photo_camera", Action.SNAPSHOT),
        ("exports", "Export", "download", Action.EXPORT),
        ("privacy", "Privacy", "shield_person", Action.EDIT_SETTINGS),
        ("rules", "Rules", "rule", Action.EDIT_SETTINGS),
        ("detectors", "Detectors", "radar", Action.VIEW_RECORDS),
    ],
    "Model": [
        ("training", "Train", "model_training", Action.TRAIN),
        ("jobs", "Jobs", "list_alt", Action.TRAIN),
        ("evaluations", "Evaluate", "fact_check", Action.EVALUATE),
        ("results", "Models", "leaderboard", Action.VIEW_RESULTS),
        ("slices", "Bias slices", "stacked_bar_chart", Action.VIEW_RESULTS),
        ("promotion", "Promote", "verified", Action.PROMOTE),
        ("lineage", "Lineage", "account_tree", Action.VIEW_DASHBOARD),
    ],
    "Project": [
        ("dashboard", "Dashboard", "dashboard", Action.VIEW_DASHBOARD),
        ("chat", "Chat", "chat", Action.CHAT),
        ("feedback", "Feedback", "thumbs_up_down", Action.VIEW_DASHBOARD),
        ("members", "Members", "group", Action.MANAGE_MEMBERS),
        ("audit", "Audit trail", "history", Action.VIEW_AUDIT),
    ],
    "You": [
        ("account", "Account", "person", None),
        ("admin", "Administration", "admin_panel_settings", Action.MANAGE_ACCOUNTS),
    ],
}


def main() -> None:
    """Draw the frame and run the chosen page."""
    st.set_page_config(page_title="Touchstone", page_icon=MARK, layout="wide")
    st.logo(WORDMARK, icon_image=MARK, size="large")
    if st.context.theme.type == "dark":
        st.html(DARK)
    visit = look()
    if visit is None:
        page = st.navigation([st.Page(HERE / "signed_out.py", title="Sign in", url_path="signed-out")], position="hidden")
        page.run()
        return
    sections = {
        section: [
            place(HERE / f"{name}.py", title, icon, default=name == "home")
            for name, title, icon, action in entries
            if action is None or visit.may(action)
        ]
        for section, entries in PAGES.items()
    }
    page = st.navigation({section: pages for section, pages in sections.items() if pages}, expanded=True)
    _switcher(visit)
    show_notices()
    with handed_over(visit):
        page.run()


def _switcher(visit: Visit) -> None:
    with st.sidebar:
        if visit.project is not None and len(visit.projects) > 1:
            names = {card.id: card.name for card in visit.projects}
            if st.session_state.get(PROJECT_KEY) not in names:
                st.session_state[PROJECT_KEY] = visit.project.id
            st.selectbox(
                "Project",
                list(names),
                format_func=names.__getitem__,
                key=PROJECT_KEY,
                on_change=attempt,
                args=(_remember, visit),
            )
        elif visit.project is not None:
            st.text(visit.project.name)
        st.text(f"Signed in as {visit.actor.label}")
        way_out()


def _remember(visit: Visit) -> None:
    with visit.writing() as session:
        remember_project(session=session, actor=visit.actor, project_id=st.session_state[PROJECT_KEY])


main()
