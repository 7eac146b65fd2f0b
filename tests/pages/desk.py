"""A page of the app as somebody sees it: the router runs, then the page is chosen."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from backend.access.actors import Actor
from backend.access.sessions import COOKIE, open_session
from backend.runtime import Runtime

ENTRY = Path(__file__).resolve().parents[2] / "pages" / "_entry.py"


def opened(house: Runtime, actor: Actor, page: str) -> AppTest:
    """`pages/<page>.py`, reached through the router."""
    with house.database.writing() as session:
        token = open_session(session, account_id=actor.account_id or 0, hours=1)
        session.commit()
    app = AppTest.from_file(str(ENTRY), default_timeout=90)
    app.session_state[COOKIE] = token
    return app.run().switch_page(f"{page}.py").run()


def words(app: AppTest) -> str:
    """Everything that the page says in text elements."""
    kinds = (
        app.title,
        app.header,
        app.subheader,
        app.markdown,
        app.text,
        app.caption,
        app.info,
        app.warning,
        app.error,
        app.success,
    )
    return "\n".join(str(element.value) for elements in kinds for element in elements)
