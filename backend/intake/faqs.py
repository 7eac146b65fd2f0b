"""Questions and answers of a file as FAQs to be. Pure.

An FAQ's key comes from the file (its id, or a column called key), else from the words of the question.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from backend.conversations import SYSTEM, Conversation
from backend.detectors.repair import repair
from backend.intake.conversations import Imported
from backend.intake.readers.rows import EXCERPT, Rejected

KEY_MAX = TOPIC_MAX = 120
_TOPICS = ("topic", "category", "section")


@dataclass(frozen=True, slots=True)
class FaqText:
    """A question with its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class FaqDraft:
    """An FAQ to be. `repaired` is None where nothing had to be repaired."""

    line: int
    key: str
    topic: str
    text: FaqText
    repaired: FaqText | None
    changes: tuple[str, ...]
    passage: str = ""
    """The text of the document that the answer was drafted from; empty where the file says the answer itself."""

    @property
    def newest(self) -> FaqText:
        """The text that counts."""
        return self.repaired or self.text


def faq_draft(imported: Imported, *, text_max: int) -> FaqDraft | Rejected:
    """The FAQ in a row, or why it is none."""
    conversation = imported.conversation
    if reason := _refusal(conversation, text_max):
        return Rejected(imported.line, reason, conversation.prompt[:EXCERPT])
    text = FaqText(conversation.prompt, conversation.answer or "")
    question, answer = repair(text.question), repair(text.answer)
    if not question.text.strip() or not answer.text.strip():
        return Rejected(imported.line, "the question or the answer holds only invisible characters", "")
    changes = tuple(dict.fromkeys((*question.changes, *answer.changes)))
    key = conversation.external_id or conversation.metadata.get("key") or key_of(question.text)
    topic = next((conversation.metadata[name] for name in _TOPICS if name in conversation.metadata), "")
    passage = conversation.metadata.get("passage", "")
    if len(key) > KEY_MAX or len(topic) > TOPIC_MAX:
        return Rejected(imported.line, f"the key or the topic is longer than {KEY_MAX} characters", text.question[:EXCERPT])
    return FaqDraft(imported.line, key, topic, text, FaqText(question.text, answer.text) if changes else None, changes, passage)


def _refusal(conversation: Conversation, text_max: int) -> str | None:
    turns = [message for message in conversation.messages if message.role != SYSTEM]
    if len(turns) != 2 or conversation.answer is None:
        return "an FAQ is one question and one answer"
    if any(len(message.content) > text_max for message in turns):
        return f"the question or the answer is longer than {text_max:,} characters"
    return None


def key_of(question: str) -> str:
    """A short key from the question's words, in plain letters."""
    plain = unicodedata.normalize("NFKD", question).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain) or re.findall(r"\w+", question.lower())
    return "_".join(words)[:60].strip("_") or "question"
