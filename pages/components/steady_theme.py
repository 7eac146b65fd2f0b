"""The theme, worked out once a process and not at every rerun.

Streamlit opens every rerun, also of a fragment, with a message that carries the theme, and reads its whole configuration
six times for it: a tenth of what a rater's save costs, on the loop that all sessions share. The configuration stands when
the first session begins, so the message does too.
Not promised: that a theme changed while the server runs is seen before it is started again.
"""

from __future__ import annotations

from streamlit.proto.NewSession_pb2 import CustomThemeConfig
from streamlit.runtime import app_session

_work_out = app_session._populate_theme_msg
_known: dict[str, CustomThemeConfig] = {}


def keep_theme() -> None:
    """Put this in the place of Streamlit's own working out, for this process."""
    app_session._populate_theme_msg = _populate


def _populate(message: CustomThemeConfig, section: str = "theme") -> None:
    if section not in _known:
        made = CustomThemeConfig()
        _work_out(made, section)
        _known[section] = made
    if _known[section].ByteSize():  # an empty one must not make a section that was not there
        message.MergeFrom(_known[section])
