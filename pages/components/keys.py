"""The keyboard on pages that are worked by keys. Both components draw nothing.

`focus_on` puts the cursor into a box that has just opened, so that a decision begun with a key can be finished on the
keyboard. `one_press_one_act` lets a letter or digit that is held down count once, where Streamlit's shortcuts would fire
with every repeat; boxes that one types in keep repeating.
"""

from __future__ import annotations

import streamlit as st

_FOCUS = """
export default function (component) {
  const { data, parentElement } = component;
  const holder = parentElement.host ?? parentElement;
  if (holder.dataset.focused === data.token) return;
  holder.dataset.focused = data.token;
  let tries = 20;
  const find = () => {
    const box = document.querySelector(".st-key-" + CSS.escape(data.key) + " :is(input, textarea)");
    if (box) box.focus();
    else if (tries-- > 0) setTimeout(find, 50);
  };
  find();
}
"""

_ONCE = """
const typesText = (node) => node instanceof HTMLElement && (node.isContentEditable || node.matches("input, textarea, select"));
const stop = (event) => {
  if (event.repeat && event.key.length === 1 && event.key !== " " && !typesText(event.target)) event.stopImmediatePropagation();
};
export default function () {
  window.addEventListener("keydown", stop, true);
  return () => window.removeEventListener("keydown", stop, true);
}
"""

_focus = st.components.v2.component("touchstone_focus", js=_FOCUS)
_once = st.components.v2.component("touchstone_once", js=_ONCE)


def focus_on(key: str, token: str) -> None:
    """Focus the box of the widget with this key, once for each token."""
    _focus(key=f"focus-{key}", data={"key": key, "token": token})


def one_press_one_act() -> None:
    """While this is drawn, a key that is held down acts once."""
    _once(key="one-press-one-act")
