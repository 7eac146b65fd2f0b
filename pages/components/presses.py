"""What the plain desk's buttons do. Each is a callback: it saves in one transaction and makes no drawing call.

Each names the item that it means, so that a second fast press, or one that arrives late, never lands on the next item.
What is chosen but not saved is kept as a draft on the server with every press.
"""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from backend.errors import TouchstoneError
from backend.review import annotating
from backend.review.desk_queries import DeskTask
from backend.review.qualifying import feedback_after
from backend.review.work_items import WorkItem
from backend.rubrics import Question
from backend.vocabulary import QuestionType, TaskKind, Verdict
from pages.components.desk import Hand, hand_of, outcome
from pages.components.notices import tell
from pages.components.visit import Visit

QUICK = (QuestionType.SCALE, QuestionType.YES_NO, QuestionType.SINGLE)
LESSON = "desk-lesson"
"""Where what a practice item taught waits for the next run."""


def saves_itself(task: DeskTask, item: WorkItem) -> bool:
    """Whether the last answer saves; else a button does."""
    quick = all(question.type in QUICK for question in task.questions)
    return quick and task.kind is not TaskKind.RANK and not (item.correcting and task.questions)


def meant(visit: Visit, task: DeskTask, slot_id: int, press: str) -> tuple[Hand, WorkItem] | None:
    """The hand and the item that a press meant; None where it is not in front any more, or the keyboard repeats."""
    hand = hand_of(visit)
    item = hand.front(task.id)
    return None if hand.is_repeat(press) or item is None or item.slot_id != slot_id else (hand, item)


def press_verdict(visit: Visit, task: DeskTask, slot_id: int, verdict: Verdict) -> None:
    """The verdict on a comparison."""
    if found := meant(visit, task, slot_id, str(verdict)):
        found[0].work_on(found[1]).verdict = verdict
        _chosen(visit, task, *found)


def press_choice(visit: Visit, task: DeskTask, slot_id: int, question: Question, place: int) -> None:
    """An answer to a question, by the place of its button. Pressed again, one of several choices is taken back."""
    found = meant(visit, task, slot_id, f"{question.key}-{place}")
    if found is None:
        return
    answers = found[0].work_on(found[1]).answers
    if question.type is QuestionType.SCALE:
        answers[question.key] = place + 1
    elif question.type is QuestionType.YES_NO:
        answers[question.key] = place == 0
    elif question.type is QuestionType.SINGLE:
        answers[question.key] = question.choices[place]
    else:
        had = answers.get(question.key) or []
        answers[question.key] = [one for one in question.choices if (one in had) != (one == question.choices[place])]
    _chosen(visit, task, *found)


def press_place(visit: Visit, task: DeskTask, slot_id: int, place: int) -> None:
    """The next best response of a ranking; one that has a place loses it."""
    found = meant(visit, task, slot_id, f"place-{place}")
    if found is None:
        return
    work = found[0].work_on(found[1])
    if any(place in tied for tied in work.ranking):
        work.ranking = [kept for tied in work.ranking if (kept := [one for one in tied if one != place])]
    elif work.tying and work.ranking:
        work.ranking[-1].append(place)
    else:
        work.ranking.append([place])
    work.tying = False
    _chosen(visit, task, *found)


def press_tie(visit: Visit, task: DeskTask, slot_id: int) -> None:
    """The next response shares the place of the last one."""
    if found := meant(visit, task, slot_id, "tie"):
        work = found[0].work_on(found[1])
        work.tying = bool(work.ranking) and not work.tying


def press_mark(visit: Visit, task: DeskTask, slot_id: int, question: Question) -> None:
    """Mark a passage: the words that were copied into the box, in the response that was chosen."""
    found = meant(visit, task, slot_id, f"mark-{question.key}")
    if found is None:
        return
    hand, item = found
    place, words, reason = (st.session_state.get(mark_key(question, slot_id, part)) for part in ("place", "words", "reason"))
    place, words = int(place or 0), str(words or "").strip()
    start = item.texts[place].find(words) if words else -1
    if start < 0:
        tell("error", "These words are not in the response. Copy them exactly as they stand there.")
        return
    span = {"response": place, "start": start, "end": start + len(words), "reason": reason}
    work = hand.work_on(item)
    work.answers[question.key] = [*(work.answers.get(question.key) or []), span]
    st.session_state[mark_key(question, slot_id, "words")] = ""
    _chosen(visit, task, hand, item)


def press_unmark(visit: Visit, task: DeskTask, slot_id: int, question: Question, number: int) -> None:
    """Take a mark away."""
    if found := meant(visit, task, slot_id, f"unmark-{question.key}-{number}"):
        marks = found[0].work_on(found[1]).answers.get(question.key) or []
        found[0].work_on(found[1]).answers[question.key] = [one for n, one in enumerate(marks) if n != number]
        _chosen(visit, task, *found)


def write(visit: Visit, task: DeskTask, slot_id: int, question: Question | None) -> None:
    """A text box was left: its words are part of the draft; without a question it is the comment."""
    hand = hand_of(visit)
    item = hand.front(task.id)
    if item is not None and item.slot_id == slot_id:
        if question is not None:
            hand.work_on(item).answers[question.key] = str(st.session_state.get(text_key(question, slot_id)) or "")
        _draft(visit, hand, item)


def press_save(visit: Visit, task: DeskTask, slot_id: int) -> None:
    """Save what is chosen."""
    if found := meant(visit, task, slot_id, "save"):
        _save(visit, task, *found)


def press_skip(visit: Visit, task: DeskTask, slot_id: int) -> None:
    """Pass the item on, with the reason that was chosen, and the comment."""
    if found := meant(visit, task, slot_id, "skip"):
        hand, item = found
        reason = ": ".join(filter(None, (str(st.session_state.get(skip_key(slot_id)) or ""), comment_on(slot_id))))
        with outcome(hand, task, item), visit.writing() as session:
            annotating.skip(session=session, actor=visit.actor, slot_id=slot_id, fence=item.fence, reason=reason)


def press_undo(visit: Visit, task: DeskTask) -> None:
    """Take the last answer in hand again."""
    hand = hand_of(visit)
    front = hand.front(task.id)
    if hand.is_repeat("undo") or (front is not None and front.correcting):
        return
    try:
        with visit.writing() as session:
            item = annotating.undo_last(session=session, actor=visit.actor, task_id=task.id)
    except TouchstoneError as error:
        tell("error", error.message)
        return
    hand.items.setdefault(task.id, []).insert(0, item)
    st.session_state[comment_key(item.slot_id)] = item.comment


def press_keep(visit: Visit, task: DeskTask, slot_id: int) -> None:
    """Leave the last answer as it was."""
    if found := meant(visit, task, slot_id, "keep"):
        hand, item = found
        with outcome(hand, task, item), visit.writing() as session:
            annotating.keep(session=session, actor=visit.actor, slot_id=slot_id, fence=item.fence)


def press_flag(visit: Visit, task: DeskTask, slot_id: int) -> None:
    """Tell the experts what is wrong; the item stays."""
    found = meant(visit, task, slot_id, "flag")
    if found is None:
        return
    try:
        with visit.writing() as session:
            annotating.flag(session=session, actor=visit.actor, slot_id=slot_id, fence=found[1].fence, text=comment_on(slot_id))
        tell("success", "Your comment was sent to the experts as a flag. You can still answer the item.")
    except TouchstoneError as error:
        tell("error", error.message)


def comment_key(slot_id: int) -> str:
    """The comment box's key."""
    return f"comment-{slot_id}"


def skip_key(slot_id: int) -> str:
    """The key of the box with the reasons."""
    return f"skip-reason-{slot_id}"


def text_key(question: Question, slot_id: int) -> str:
    """The key of a question's text box."""
    return f"text-{question.key}-{slot_id}"


def mark_key(question: Question, slot_id: int, part: str) -> str:
    """The keys of the boxes by which a passage is marked."""
    return f"mark-{part}-{question.key}-{slot_id}"


def comment_on(slot_id: int) -> str:
    """The comment on an item."""
    return str(st.session_state.get(comment_key(slot_id)) or "").strip()


def _chosen(visit: Visit, task: DeskTask, hand: Hand, item: WorkItem) -> None:
    """After a choice: save where it was the last one, else keep the draft."""
    work = hand.work_on(item)
    verdict = task.kind is not TaskKind.COMPARE or work.verdict is not None
    if saves_itself(task, item) and verdict and all(question.key in work.answers for question in task.questions):
        _save(visit, task, hand, item)
    else:
        _draft(visit, hand, item)


def _draft(visit: Visit, hand: Hand, item: WorkItem) -> None:
    hand.touch()
    work = hand.work_on(item)
    content: dict[str, Any] = {
        "answers": work.answers,
        "verdict": str(work.verdict or ""),
        "ranking": work.ranking,
        "comment": comment_on(item.slot_id),
        "at": int(time.time() * 1000),
    }
    try:
        with visit.writing() as session:
            annotating.save_draft(session=session, actor=visit.actor, slot_id=item.slot_id, fence=item.fence, content=content)
    except TouchstoneError as error:
        tell("error", error.message)


def _save(visit: Visit, task: DeskTask, hand: Hand, item: WorkItem) -> None:
    work = hand.work_on(item)
    with outcome(hand, task, item), visit.writing() as session:
        annotating.submit(
            session=session,
            actor=visit.actor,
            slot_id=item.slot_id,
            fence=item.fence,
            answers=work.answers,
            verdict=work.verdict,
            ranking=work.ranking,
            comment=comment_on(item.slot_id),
            seconds=time.monotonic() - hand.shown_at.get(item.slot_id, time.monotonic()),
            rubric_version=task.rubric_version,
        )
        if item.practice:
            st.session_state[LESSON] = feedback_after(session, actor=visit.actor, slot_id=item.slot_id)
