"""Who is looking, at which project, and whether they may: every page's first line is `visit = require(Action.…)`.

The session token comes from the HttpOnly cookie (read at the websocket handshake), or from session state, which no
browser can set. It is looked up again at every rerun, by the router or by a page that runs alone, so that a revoked session
ends at the next click.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import streamlit as st
from sqlmodel import Session
from streamlit.runtime.scriptrunner import get_script_run_ctx

from backend import runtime
from backend.access import policy
from backend.access.actors import Actor
from backend.access.queries import ProjectCard, projects_of, remembered_project
from backend.access.sessions import COOKIE, cookie_name, resolve
from backend.errors import Forbidden, NotSignedIn
from backend.settings import Settings
from backend.vocabulary import Action
from pages.components.doors import way_in

PROJECT_KEY = "project_id"
_WHO = "visit_account"
_handed_over: ContextVar[Visit | None] = ContextVar("handed_over", default=None)


@dataclass(frozen=True, slots=True)
class Visit:
    """One look at one page. `project` is None only on pages that need none."""

    actor: Actor
    project: ProjectCard | None
    projects: tuple[ProjectCard, ...]
    settings: Settings

    @property
    def project_id(self) -> int:
        """The chosen project's id; only for pages behind `require`, which stops where there is none."""
        if self.project is None:
            raise LookupError("This page needs a project; require() it.")
        return self.project.id

    def may(self, action: Action) -> bool:
        """Whether the actor may do this in the chosen project. For showing and hiding; use-cases check again."""
        return policy.may(self.actor, action, self.project.id if self.project else None)

    @property
    def database(self) -> Any:
        """The handle itself, for the few use-cases that hold no transaction while they work."""
        return runtime.current().database

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for queries.

        A live part of a page draws itself anew with the visit of the page's last whole run. There too it is looked up who
        is signed in: where that has changed the whole page runs again, and `require` says what is the matter.
        """
        with runtime.current().database.reading() as session:
            if _is_part_of_a_page() and not self._holds(session):
                st.rerun()
            yield session

    def _holds(self, session: Session) -> bool:
        try:
            return resolve(session, token()) == self.actor
        except NotSignedIn:
            return False

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session for one use-case.

        Callbacks run before the page's own `require`, with the visit of the run before: who is signed in is looked up
        again here, so that a session ended or a role taken meanwhile saves nothing.
        """
        with runtime.current().database.writing() as session:
            if resolve(session, token()) != self.actor:
                raise Forbidden("Your rights have changed meanwhile, so nothing was saved. Please try again.")
            yield session


def _is_part_of_a_page() -> bool:
    """Whether only a fragment is drawn anew now."""
    context = get_script_run_ctx()
    return context is not None and bool(context.fragment_ids_this_run)


def token() -> str | None:
    """The session token of this browser, or None."""
    sent = st.context.cookies.get(cookie_name(runtime.current().settings.secure))
    return st.session_state.get(COOKIE) or (sent if isinstance(sent, str) else None)  # tests have no real cookies


def look() -> Visit | None:
    """The visit, or None where nobody is signed in."""
    house = runtime.current()
    with house.database.reading() as session:
        try:
            actor = resolve(session, token())
        except NotSignedIn:
            return None
        _forget_others(actor)
        projects = tuple(projects_of(session, actor))
        wanted = st.session_state.get(PROJECT_KEY) or remembered_project(session, actor)
    # not the first by name: a project that somebody is added to must not take the place of the one they work in
    oldest = min(projects, key=lambda card: card.id, default=None)
    project = next((card for card in projects if card.id == wanted), oldest)
    return Visit(actor, project, projects, house.settings)


def _forget_others(actor: Actor) -> None:
    """A tab that lost its connection keeps its state, also when somebody else has signed in in this browser since."""
    if st.session_state.get(_WHO, actor.account_id) != actor.account_id:
        for key in [key for key in st.session_state if key != COOKIE]:
            del st.session_state[key]
    st.session_state[_WHO] = actor.account_id


@contextmanager
def handed_over(visit: Visit) -> Iterator[None]:
    """Around the run of a page: `require` takes this visit, which the router looked up in the same run, a moment ago."""
    mark = _handed_over.set(visit)
    try:
        yield
    finally:
        _handed_over.reset(mark)


def require(action: Action | None = None, *, needs_project: bool = True) -> Visit:
    """The visit, or a notice and the end of the page: not signed in, no project, or not allowed."""
    visit = _handed_over.get() or look()
    if visit is None:
        st.info("Your session has ended. What you saved is safe.", icon=":material/lock:")
        way_in()
        st.stop()
    if needs_project and visit.project is None:
        st.info("You are in no project yet. Ask a lead for an invitation, or an admin to make one.", icon=":material/group:")
        st.stop()
    if action is not None and not visit.may(action):
        st.warning("Your role does not open this page. Ask a lead of the project for it.", icon=":material/block:")
        st.stop()
    return visit
