"""The fast desk: an item drawn in the browser, the next ones already there, answers saved behind the rater's back.

The browser keeps a log of answers that the server has not yet acknowledged, in its own storage too, and sends the whole
log again until it is; each entry is authorised against its lease and stored once, however often it comes. So nothing is
lost to a fast hand, a dropped connection or a reload. Texts are set as `textContent`: nothing in them is fetched or run.

Not promised: that undo works without a connection; it asks the server for the last answer.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st
from sqlmodel import Session

from backend.errors import AlreadyDone, Conflict, InvalidInput, LeaseLost, NotFound, TouchstoneError
from backend.review import annotating
from backend.review.desk_queries import DeskCount, DeskTask, desk_count, desk_tasks
from backend.review.qualifying import feedback_after
from backend.review.work_items import WorkItem
from backend.rubrics import Question
from backend.vocabulary import Verdict
from pages.components import desk
from pages.components.conversation import as_turn
from pages.components.desk import Hand, without_ids
from pages.components.lessons import lesson
from pages.components.notices import unknown
from pages.components.visit import Visit

PREFETCH = 15
BURST = 30
"""How many items are held ready, and how many for a rater whose answers come faster than they are saved.

More are fetched when about half of them are left, so that six to ten answers can be given while there is no connection.
"""
SPREAD, AT_ONCE, FEWEST = 5, 8, 3
"""Raters who began together would all be handed more at the same answer, and wait for each other: so each has a number of
items left of their own at which more come, and these come a few at a time unless hardly any are left."""
_FINAL = (AlreadyDone, Conflict, InvalidInput, LeaseLost, NotFound)
"""After these, sending an entry again would change nothing: it is acknowledged, with the message."""

_HERE = Path(__file__).parent
_STYLE = (_HERE / "fast_desk.css").read_text(encoding="utf-8")
_CODE = "".join(part.read_text(encoding="utf-8") for part in sorted((_HERE / "desk_js").glob("*.js")))
_VERSION = hashlib.sha256((_CODE + _STYLE).encode()).hexdigest()[:16]
_LOADER = """
export default function (component) {
  if (window.touchstoneDesk) { window.touchstoneDesk.run(component); return; }
  window.addEventListener("touchstone-desk", () => window.touchstoneDesk.run(component), { once: true });
}
"""
_code = st.components.v2.component("touchstone_desk_code", js=_CODE)
_component = st.components.v2.component("touchstone_desk", js=_LOADER)


def load_fast_desk() -> None:
    """Send the desk's code with the page. Streamlit sends a component's code with every change of its data: so it is one
    of its own, and an answer brings a few lines back instead of 70 kB."""
    _code(key="fast-desk-code", data={"version": _VERSION, "style": _STYLE})


def show_fast_desk(visit: Visit, task: DeskTask, *, keys: bool, unread: bool, gold: str) -> None:
    """The desk of this task. Nothing is claimed before the browser has handed in what it still had."""
    hand = desk.hand_of(visit)
    wanted = BURST if hand.pace > 3 else PREFETCH
    held = len(hand.items.get(task.id, []))
    if task.id in hand.ready and held <= wanted * 2 // 3 - hand.account_id % SPREAD:
        desk.fill(visit, task.id, count=wanted if held < FEWEST else held + AT_ONCE)
    task, count = counted(visit, hand, task)
    data = {
        "who": visit.actor.account_id,
        "task": task.id,
        "kind": str(task.kind),
        "rubric": task.rubric_version,
        "questions": [question_json(one) for one in task.questions],
        "guidelines": task.guidelines,
        "unread": unread,
        "keys": keys,
        "ready": task.id in hand.ready,
        "tab": hand.tab,
        "items": [as_json(item) for item in hand.items.get(task.id, [])],
        "acknowledged": hand.acknowledged.get(task.id, {}),
        "feedback": hand.feedback,
        "problem": hand.problem,
        "waiting": count.waiting,
        "waiting_text": count.waiting_text,
        "done": count.done,
        "today": count.today,
        "seconds": count.seconds,
        "hourly": count.hourly,
        "gold": gold,
    }
    key = f"fast-desk-{task.id}"
    _component(key=key, data=data, default={"log": None}, on_log_change=partial(take_log, visit, task, key))


def counted(visit: Visit, hand: Hand, task: DeskTask) -> tuple[DeskTask, DeskCount]:
    """The task as it stands (its questions may have a new version) and the rater's numbers, read now and then."""
    known = hand.counted.get(task.id)
    if known is None or time.monotonic() - known[2] > desk.RECOUNT_SECONDS:
        where = {"actor": visit.actor, "project_id": visit.project_id}
        with visit.reading() as session:
            now = next((one for one in desk_tasks(session, **where) if one.id == task.id), task)
            count = desk_count(session, **where, task_id=task.id)
        known = hand.counted[task.id] = (now, count, time.monotonic())
    return known[0], known[1]


def question_json(question: Question) -> dict[str, Any]:
    """A question as the browser gets it."""
    return {
        "key": question.key,
        "text": question.text,
        "type": str(question.type),
        "choices": list(question.choices),
        "shortcuts": list(question.shortcuts),
        "required": question.required,
    }


def as_json(item: WorkItem) -> dict[str, Any]:
    """An item as the browser gets it: texts, and the slot's number and token."""
    return {
        "slot": item.slot_id,
        "fence": item.fence,
        "turns": [as_turn(message, index, ()) for index, message in enumerate(item.messages)],
        "texts": list(item.texts),
        "reference": item.reference,
        "correcting": item.correcting,
        "answers": without_ids(item.answers or {}),
        "verdict": str(item.verdict) if item.verdict else "",
        "ranking": [list(tied) for tied in item.ranking],
        "comment": item.comment,
        "draft": dict(item.draft),
        "practice": item.practice,
        "why": item.why,
    }


def take_log(visit: Visit, task: DeskTask, key: str) -> None:
    """Callback: store what the browser's log holds and this tab has not acknowledged yet."""
    log = (st.session_state.get(key) or {}).get("log") or {}
    entries = log.get("entries") if isinstance(log, Mapping) else None
    take_entries(visit, task, desk.hand_of(visit), entries if isinstance(entries, list) else [])


def take_entries(visit: Visit, task: DeskTask, hand: Hand, entries: list[Any]) -> None:
    """Store entries in their order. What fails for now (no database, session ended) stays in the browser's log."""
    hand.touch()
    before, answered = hand.acknowledged.get(task.id, {}), {}
    hand.acknowledged[task.id], hand.problem = answered, ""
    hand.feedback = {key: told for key, told in hand.feedback.items() if key in before}
    hand.pace = len(entries)
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            continue
        if entry["id"] in before:
            answered[entry["id"]] = before[entry["id"]]
            continue
        try:
            answered[entry["id"]] = _take(visit, task, hand, entry)
        except TouchstoneError as error:
            hand.problem = error.message
            return
        except Exception as error:  # noqa: BLE001 - the boundary where unknown errors become a notice with an id
            hand.problem = unknown(error)
            return
    hand.ready.add(task.id)


def _take(visit: Visit, task: DeskTask, hand: Hand, entry: dict[str, Any]) -> str:
    """Store one entry; the message that the rater should see, mostly none."""
    slot_id, fence = _number(entry.get("slot")), _number(entry.get("fence"))
    try:
        try:
            return _store(visit, task, hand, entry, slot_id, fence)
        except LeaseLost:
            # Begun before the connection was lost: this very tab holds the slot again, by a newer token.
            again = hand.holding(task.id, slot_id)
            if again is None or again.correcting or again.fence == fence:
                raise
            return _store(visit, task, hand, entry, slot_id, again.fence)
    except AlreadyDone:
        if entry.get("kind") != "draft":
            hand.drop(task.id, slot_id)
        return ""
    except InvalidInput as error:
        return error.message  # the item stays in hand
    except _FINAL as error:
        hand.drop(task.id, slot_id)
        return error.message


def _store(visit: Visit, task: DeskTask, hand: Hand, entry: dict[str, Any], slot_id: int, fence: int) -> str:
    kind, reason = str(entry.get("kind")), str(entry.get("reason") or entry.get("comment") or "")
    with visit.writing() as session:
        held = {"session": session, "actor": visit.actor, "slot_id": slot_id, "fence": fence}
        if kind == "answer":
            annotation = annotating.submit(**held, **_answer(entry))
            _teach(session, visit, task, hand, entry, slot_id)
            if annotation.number == 1 and annotation.task_id == task.id:
                hand.count_along(task.id, answered=1)
        elif kind == "skip":
            annotating.skip(**held, reason=reason)
            hand.count_along(task.id, answered=0)
        elif kind == "keep":
            annotating.keep(**held)
        elif kind == "draft":
            content = entry.get("content")
            annotating.save_draft(**held, content=content if isinstance(content, dict) else {})
            return ""
        elif kind == "flag":
            annotating.flag(**held, text=reason)
            return "Your comment was sent to the experts. You can still answer the item."
        elif kind == "undo":
            item = annotating.undo_last(session=session, actor=visit.actor, task_id=task.id)
            hand.items.setdefault(task.id, []).insert(0, item)
            return ""
        else:
            return ""
    hand.drop(task.id, slot_id)
    return ""


def _teach(session: Session, visit: Visit, task: DeskTask, hand: Hand, entry: dict[str, Any], slot_id: int) -> None:
    """Keep what a practice item teaches for the browser, which waits for it."""
    item = hand.holding(task.id, slot_id)
    if item is None or not item.practice:
        return
    feedback = feedback_after(session, actor=visit.actor, slot_id=slot_id)
    if feedback is not None:
        hand.feedback[entry["id"]] = lesson(feedback)


def _answer(entry: dict[str, Any]) -> dict[str, Any]:
    seconds, verdict, answers, rubric = (entry.get(key) for key in ("seconds", "verdict", "answers", "rubric"))
    return {
        "comment": str(entry.get("comment", "")),
        "seconds": float(seconds) if isinstance(seconds, int | float) else None,
        "verdict": Verdict(verdict) if verdict in set(Verdict) else None,
        "answers": answers if isinstance(answers, dict) else None,
        "ranking": entry.get("ranking"),
        "rubric_version": rubric if isinstance(rubric, int) and not isinstance(rubric, bool) else None,
    }


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
