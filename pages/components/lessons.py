"""What a practice item teaches, in words: for the fast desk as an object, for the plain one as text."""

from __future__ import annotations

from typing import Any

import streamlit as st

from backend.review.grading import Feedback
from pages.components.notices import plain


def lesson(feedback: Feedback) -> dict[str, Any]:
    """As the browser gets it."""
    return {
        "right": feedback.right,
        "title": "That was right." if feedback.right else "That was not quite right.",
        "lines": [
            f"{line.title} You said: {line.yours}. Right: {line.wanted}." for line in feedback.lines if line.score is not None
        ],
        "explanation": feedback.explanation,
        "standing": standing(feedback),
    }


def standing(feedback: Feedback) -> str:
    """Where the rater is in the round."""
    if feedback.passed:
        return f"You have passed the practice round with {feedback.correct} of {feedback.asked} right. The real items follow."
    if feedback.failed:
        return f"{feedback.correct} of {feedback.asked} were right, which is not enough yet. Another practice round follows."
    return f"{feedback.correct} of {feedback.answered} right so far; {feedback.asked} in this practice round."


def show_lesson(feedback: Feedback) -> None:
    """On the plain desk, above the next item."""
    told = lesson(feedback)
    draw = st.success if told["right"] else st.warning
    draw(plain(f"{told['title']} {told['standing']}"), icon=":material/school:")
    for line in told["lines"]:
        st.text(line)
    if told["explanation"]:
        st.text(told["explanation"])
