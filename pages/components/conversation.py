"""A conversation as chat bubbles. What was imported, typed or generated stays text: it is set as `textContent` only.

Promised: nothing in a message is read as HTML, Markdown or a Streamlit directive, fetched or run; a long message folds and
opens on demand; what a check found is marked by an outline and a word, not by colour alone. The component draws in the
page itself, so that screen readers and the browser's search find the text; its colours are the theme's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import streamlit as st

from backend.curation.queries import KINDS

LABELS = {"user": "Customer", "assistant": "Assistant", "system": "System"}
FINDING_WORDS = {kind.value: words for kind, words in KINDS.items()}
"""How a kind of finding is called on every page."""


class Turn(Protocol):
    """One message, as `backend.conversations.Message` is."""

    @property
    def role(self) -> str:
        """Who speaks."""

    @property
    def content(self) -> str:
        """What is said."""


class Span(Protocol):
    """A finding in a message: `message` is the turn's index, `start` and `end` are characters in it."""

    @property
    def kind(self) -> str:
        """A FindingKind."""

    @property
    def message(self) -> int:
        """Index of the turn."""

    @property
    def start(self) -> int:
        """First character."""

    @property
    def end(self) -> int:
        """The character after the last."""


_CSS = """
.talk { display: flex; flex-direction: column; gap: 0.75rem; font-family: var(--st-font); color: var(--st-text-color);
  font-size: 1rem; line-height: 1.5; list-style: none; margin: 0; padding: 0; }
.turn { max-width: min(46rem, 92%); }
.turn.user { align-self: flex-start; }
.turn.assistant { align-self: flex-end; }
.turn.system { align-self: stretch; max-width: 100%; }
.who { font-size: 0.8125rem; font-weight: 600; margin: 0 0.25rem 0.2rem; }
.turn.assistant .who { text-align: right; }
.bubble { border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius); padding: 0.6rem 0.85rem;
  white-space: pre-wrap; overflow-wrap: anywhere; background: var(--st-background-color); text-align: start;
  unicode-bidi: plaintext; }
.turn.user .bubble { background: var(--st-secondary-background-color); }
.turn.assistant .bubble { border-inline-start: 3px solid var(--st-primary-color); }
.turn.system .bubble { border-style: dashed; font-size: 0.9375rem; }
.bubble.folded { max-height: 15rem; overflow: hidden;
  mask-image: linear-gradient(to bottom, black 80%, transparent);
  -webkit-mask-image: linear-gradient(to bottom, black 80%, transparent); }
mark { color: inherit; background: var(--st-yellow-background-color); outline: 1px solid var(--st-text-color);
  border-radius: 2px; padding: 0 1px; }
mark small { font-size: 0.75rem; font-weight: 600; margin-inline-start: 0.3rem; user-select: none; }
button { font: inherit; font-size: 0.875rem; color: var(--st-link-color); background: none; border: 0;
  padding: 0.25rem; min-height: 24px; cursor: pointer; text-decoration: underline; }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
"""

_JS = """
const LONG = 1400;
export default function (component) {
  const { data, parentElement } = component;
  const signature = JSON.stringify(data);
  let root = parentElement.querySelector(".talk");
  if (root && root.dataset.signature === signature) return;
  if (root) root.remove();
  for (const old of parentElement.querySelectorAll(".talk")) old.remove();
  root = document.createElement("ol");
  root.className = "talk";
  root.setAttribute("aria-label", "Conversation");
  root.dataset.signature = signature;
  data.turns.forEach((turn) => {
    const item = document.createElement("li");
    item.className = "turn " + turn.side;
    const who = document.createElement("div");
    who.className = "who";
    who.textContent = turn.label;
    const bubble = document.createElement("div");
    bubble.className = "bubble";
    let length = 0;
    turn.parts.forEach(([text, word]) => {
      length += text.length;
      if (!word) { bubble.append(document.createTextNode(text)); return; }
      const mark = document.createElement("mark");
      mark.append(document.createTextNode(text));
      const name = document.createElement("small");
      name.textContent = word;
      mark.append(name);
      bubble.append(mark);
    });
    item.append(who, bubble);
    if (length > LONG || (turn.lines > 14)) {
      bubble.classList.add("folded");
      const more = document.createElement("button");
      more.type = "button";
      const say = (open) => {
        more.textContent = open ? "Show less" : "Show all (" + length.toLocaleString() + " characters)";
        more.setAttribute("aria-expanded", String(open));
      };
      say(false);
      more.onclick = () => say(!bubble.classList.toggle("folded"));
      item.append(more);
    }
    root.append(item);
  });
  parentElement.append(root);
}
"""

_component = st.components.v2.component("touchstone_conversation", css=_CSS, js=_JS)


def show_conversation(messages: Iterable[Turn], *, key: str, highlight: Sequence[Span] | None = None) -> None:
    """Draw the turns; spans in `highlight` are outlined and named."""
    _component(key=key, data={"turns": [as_turn(turn, index, highlight or ()) for index, turn in enumerate(messages)]})


def as_turn(turn: Turn, index: int, spans: Iterable[Span]) -> dict[str, Any]:
    """What the component draws for one message."""
    side = turn.role if turn.role in LABELS else "user"
    mine = [(span.start, span.end, str(span.kind)) for span in spans if span.message == index and span.end > span.start]
    return {
        "side": side,
        "label": LABELS.get(turn.role, turn.role),
        "lines": turn.content.count("\n"),
        "parts": marked(turn.content, mine, FINDING_WORDS),
    }


def marked(text: str, spans: Iterable[tuple[int, int, str]], words: Mapping[str, str]) -> list[tuple[str, str]]:
    """`text` cut into (piece, word) where a span begins and ends; the word is empty outside spans.

    Where spans overlap the first counts. The pieces joined are always `text`.
    """
    pieces: list[tuple[str, str]] = []
    position = 0
    for start, end, kind in sorted(spans):
        stop = min(end, len(text))
        if start < position or stop <= start:
            continue
        if start > position:
            pieces.append((text[position:start], ""))
        pieces.append((text[start:stop], words.get(kind, kind)))
        position = stop
    if position < len(text) or not pieces:
        pieces.append((text[position:], ""))
    return pieces
