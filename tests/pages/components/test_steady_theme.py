"""The theme that is worked out once is the one that Streamlit would send."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.proto.NewSession_pb2 import CustomThemeConfig
from streamlit.runtime import app_session

from pages.components import steady_theme
from pages.components.steady_theme import keep_theme


def _whole(populate: Callable[..., None]) -> CustomThemeConfig:
    """The theme with its sections, filled in as Streamlit does."""
    made = CustomThemeConfig()
    populate(made)
    for section, part in {
        "theme.light": made.light,
        "theme.dark": made.dark,
        "theme.sidebar": made.sidebar,
        "theme.light.sidebar": made.light.sidebar,
        "theme.dark.sidebar": made.dark.sidebar,
    }.items():
        populate(part, section)
    return made


def test_the_theme_is_worked_out_once_and_is_what_streamlit_would_send(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = _whole(steady_theme._work_out)
    monkeypatch.setattr(app_session, "_populate_theme_msg", steady_theme._work_out)
    monkeypatch.setattr(steady_theme, "_known", {})
    keep_theme()
    first = _whole(app_session._populate_theme_msg)
    monkeypatch.setattr(steady_theme, "_work_out", None)  # nothing is worked out any more
    assert first == _whole(app_session._populate_theme_msg) == expected
    assert expected.dark.sidebar.background_color


def test_streamlit_asks_for_the_theme_by_the_name_that_is_replaced() -> None:
    assert "_populate_theme_msg" in app_session.AppSession._create_new_session_message.__code__.co_names
