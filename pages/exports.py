"""Export: records, raters' answers and preferences as files that other tools, and the import, read."""

from __future__ import annotations

import streamlit as st

from backend.vocabulary import Action
from pages.components.export_form import show_form
from pages.components.links import link_to
from pages.components.notices import guarded
from pages.components.visit import require

visit = require(Action.EXPORT)
st.title("Export")
st.text(
    "Importing an export again gives the same records and labels. Who exported what stands in the audit trail. For very large "
    "projects the command line writes the same files without a browser: python -m backend export --help."
)
with guarded():
    show_form(visit)
link_to("snapshots", "Export a snapshot instead: what was frozen, with its parts", icon="photo_camera")
