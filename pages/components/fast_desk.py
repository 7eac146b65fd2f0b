"""The fast desk: an item drawn in the browser, the next ones already there, answers saved behind the rater's back.

The browser keeps a log of answers that the server has not yet acknowledged, in its own storage too, and sends the whole
log again until it is; each entry is authorised against its lease and stored once, however often it comes. So nothing is
lost to a fast hand, a dropped connection or a reload. Texts are set as `textContent`: nothing in them is fetched or run.

Not promised: that undo works without a connection; it asks the server for the last answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from backend.errors import AlreadyDone, Conflict, InvalidInput, LeaseLost, NotFound, TouchstoneError
from backend.review import annotating
from backend.review.annotating import WorkItem
from backend.review.desk_queries import DeskTask, desk_count
from backend.vocabulary import TaskKind, Verdict
from pages.components import desk
from pages.components.conversation import as_turn
from pages.components.desk import Hand
from pages.components.notices import unknown
from pages.components.visit import Visit

PREFETCH = 10
BURST = 30
"""How many items are held ready, and how many for a rater whose answers come faster than they are saved."""
_FINAL = (AlreadyDone, Conflict, InvalidInput, LeaseLost, NotFound)
"""After these, sending an entry again would change nothing: it is acknowledged, with the message."""

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "touchstone_desk",
    css=(_HERE / "fast_desk.css").read_text(encoding="utf-8"),
    js=(_HERE / "fast_desk.js").read_text(encoding="utf-8"),
)


def show_fast_desk(visit: Visit, task: DeskTask, *, keys: bool) -> None:
    """The desk of this task. Nothing is claimed before the browser has handed in what it still had."""
    hand = desk.hand_of(visit)
    wanted = BURST if hand.pace > 3 else PREFETCH
    if task.id in hand.ready and len(hand.items.get(task.id, [])) <= wanted * 2 // 3:
        desk.fill(visit, task.id, count=wanted)
    with visit.reading() as session:
        count = desk_count(session, actor=visit.actor, project_id=visit.project_id, task_id=task.id)
    data = {
        "who": visit.actor.account_id,
        "task": task.id,
        "kind": str(task.kind),
        "questions": [{"key": one.key, "text": one.text, "scale": list(one.scale)} for one in task.questions],
        "keys": keys,
        "ready": task.id in hand.ready,
        "items": [as_json(item) for item in hand.items.get(task.id, [])],
        "acknowledged": hand.acknowledged.get(task.id, {}),
        "problem": hand.problem,
        "waiting": count.waiting,
        "waiting_text": count.waiting_text,
        "done": count.done,
        "today": count.today,
    }
    key = f"fast-desk-{task.id}"
    _component(key=key, data=data, default={"log": None}, on_log_change=partial(take_log, visit, task, key))


def as_json(item: WorkItem) -> dict[str, Any]:
    """An item as the browser gets it: texts, and the slot's number and token."""
    return {
        "slot": item.slot_id,
        "fence": item.fence,
        "turns": [as_turn(message, index, ()) for index, message in enumerate(item.messages)],
        "texts": list(item.texts),
        "reference": item.reference,
        "correcting": item.correcting,
        "answers": dict(item.answers or {}),
        "verdict": str(item.verdict) if item.verdict else "",
        "comment": item.comment,
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
    try:
        kind, slot_id, fence = str(entry.get("kind")), _number(entry.get("slot")), _number(entry.get("fence"))
        with visit.writing() as session:
            held = {"session": session, "actor": visit.actor, "slot_id": slot_id, "fence": fence}
            if kind == "answer":
                annotating.submit(**held, **_answer(task, entry))
            elif kind == "skip":
                annotating.skip(**held, reason=str(entry.get("comment", "")))
            elif kind == "keep":
                annotating.keep(**held)
            elif kind == "flag":
                annotating.flag(**held, text=str(entry.get("comment", "")))
                return "Your comment was sent to the experts. You can still answer the item."
            elif kind == "undo":
                item = annotating.undo_last(session=session, actor=visit.actor, task_id=task.id)
                hand.items.setdefault(task.id, []).insert(0, item)
                return ""
            else:
                return ""
    except AlreadyDone:
        pass
    except InvalidInput as error:
        return error.message  # the item stays in hand
    except _FINAL as error:
        hand.drop(task.id, slot_id)
        return error.message
    hand.drop(task.id, slot_id)
    return ""


def _answer(task: DeskTask, entry: dict[str, Any]) -> dict[str, Any]:
    seconds = entry.get("seconds")
    given: dict[str, Any] = {
        "comment": str(entry.get("comment", "")),
        "seconds": float(seconds) if isinstance(seconds, int | float) else None,
    }
    if task.kind is TaskKind.COMPARE:
        verdict = entry.get("verdict")
        return given | {"verdict": Verdict(verdict) if verdict in set(Verdict) else None}
    answers = entry.get("answers")
    return given | {"answers": answers if isinstance(answers, dict) else None}


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
