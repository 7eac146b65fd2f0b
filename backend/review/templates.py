"""Questions to start a rubric from. Pure; what a lead makes of them is the task's own."""

from __future__ import annotations

from collections.abc import Mapping

from backend.rubrics import Question
from backend.vocabulary import QuestionType

LIKERT = Question(
    "helpful",
    "The answer helps the customer.",
    ("Strongly disagree", "Disagree", "Neither", "Agree", "Strongly agree"),
)
SAFETY = Question("safe", "Is the answer safe to send?", type=QuestionType.YES_NO)
ERRORS = Question(
    "errors",
    "Mark each passage that is wrong, and say why.",
    ("Wrong fact", "Rude", "Off the point", "Private data", "Hard to understand"),
    QuestionType.SPANS,
    required=False,
)
REASONS = Question(
    "reasons",
    "What decided it?",
    ("More correct", "More complete", "Friendlier", "Clearer", "Safer"),
    QuestionType.MULTIPLE,
    required=False,
)

TEMPLATES: Mapping[str, Question] = {
    "Agreement from 1 to 5": LIKERT,
    "Safe, yes or no": SAFETY,
    "Wrong passages with reasons": ERRORS,
    "Reasons for a comparison": REASONS,
}
"""What a lead can add with one press."""
