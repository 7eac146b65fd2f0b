"""Imports on their way, in the background: started alike for one file and for the files of an archive.

The work belongs to the project that it was started in: another project's pages know nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from backend.errors import TouchstoneError
from backend.intake.files import Options, Progress
from backend.intake.importing import Summary, import_file
from backend.intake.mapping import Mapping
from pages.components import background
from pages.components.notices import tell
from pages.components.visit import Visit

ROUND = "import_round"
"""Counts finished imports, so that the uploader is empty again after each."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file to be imported."""

    name: str
    content: Path | bytes
    options: Options
    mapping: Mapping | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file: its summary, or why it stayed out."""

    name: str
    as_faqs: bool
    summary: Summary | None
    problem: str = ""


def work_key(visit: Visit) -> str:
    """Under which the session holds the import of this project."""
    return f"import_work_{visit.project_id}"


def start(visit: Visit, what: str, files: Sequence[Incoming], *, alone: bool) -> None:
    """Callback: import the files, one after another. What is refused of one file `alone` is the error of the whole work."""
    with visit.writing():  # looks up again who is signed in; the thread cannot
        database = visit.database

    def run(progress: Progress) -> list[Outcome]:
        outcomes = []
        for place, one in enumerate(files):

            def tell_part(share: float, words: str, place: int = place, one: Incoming = one) -> None:
                progress((place + share) / len(files), words if alone else f"{one.name}: {words}")

            outcomes.append(_take(visit, database, one, tell_part, alone=alone))
        return outcomes

    if not background.begin(work_key(visit), what, run):
        tell("info", "An import is still going on. Wait for its end, then start this one.")


def _take(visit: Visit, database: Any, one: Incoming, progress: Progress, *, alone: bool) -> Outcome:
    try:
        with database.writing() as session:
            summary = import_file(
                session=session, actor=visit.actor, project_id=visit.project_id, name=one.name, content=one.content,
                settings=visit.settings, mapping=one.mapping, options=one.options, progress=progress,
            )  # fmt: skip
    except TouchstoneError as error:
        if alone:
            raise
        return Outcome(one.name, one.options.as_faqs, None, error.message)
    return Outcome(one.name, one.options.as_faqs, summary)


def finished(visit: Visit) -> list[Outcome] | None:
    """Draws the progress; what came of the import once it is over, and not yet put away."""
    work = background.show_progress(work_key(visit))
    if work is None or work.result is None:
        return None
    if not work.seen:
        work.seen = True
        st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1
    outcomes: list[Outcome] = work.result
    return outcomes


def show_close(visit: Visit) -> None:
    """The button that puts a summary away."""
    st.button("Close this summary", on_click=background.forget, args=(work_key(visit),))
