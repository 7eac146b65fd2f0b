"""The conversation component: what is drawn is the text, whole and as text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from pages.components.conversation import marked

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.sampled_from(["email", "phone"])), max_size=6)


@given(text=st.text(max_size=50), spans=SPANS)
def test_marking_findings_changes_no_character(text: str, spans: list[tuple[int, int, str]]) -> None:
    assert "".join(piece for piece, _ in marked(text, spans, {})) == text


def test_a_finding_is_named_beside_its_span() -> None:
    pieces = marked("Write to ann@example.org now", [(9, 24, "email")], {"email": "E-mail"})
    assert pieces == [("Write to ", ""), ("ann@example.org", "E-mail"), (" now", "")]


def _page() -> None:
    from backend.conversations import Message
    from pages.components.conversation import show_conversation
    from pages.components.worddiff import show_diff

    hostile = "<img src=x onerror=alert(1)> ![x](http://example.org/x.png) :red[hot]"
    show_conversation([Message("user", hostile), Message("assistant", "no")], key="talk")
    show_diff(hostile, hostile + " more")


def test_hostile_text_reaches_no_element_that_reads_markdown_or_html() -> None:
    page = AppTest.from_function(_page).run()
    assert not page.exception
    drawn = page.get("bidi_component")
    assert len(drawn) == 2
    assert all("onerror" in element.proto.json and "onerror" not in element.proto.html_content for element in drawn)
    assert not page.markdown
    assert not page.get("html")
