"""The rating desk's hands: the items that one browser tab holds, and what becomes of a press.

Presses are callbacks: they save in one transaction, make no `st.*` drawing call and name the item that they mean, so that
a second fast press, or one that arrives late, never lands on the next item. What a tab holds is given back when it closes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from backend.errors import AlreadyDone, LeaseLost, NotFound, TouchstoneError
from backend.review import annotating
from backend.review.annotating import WorkItem
from backend.review.desk_queries import DeskTask
from backend.vocabulary import TaskKind, Verdict
from pages.components.notices import tell, unknown
from pages.components.visit import Visit

REPEAT_SECONDS = 0.12
"""The same key again within this time is the keyboard repeating, not a person answering."""
_KEY = "desk-hand"
IDLE_SECONDS = 3600
"""A tab in which nothing was done for this long holds on to nothing."""


@dataclass
class Hand:
    """What one tab holds of each task, in order, and the answers to the item at the front that are chosen so far."""

    account_id: int
    database: Any
    items: dict[int, list[WorkItem]] = field(default_factory=dict)
    chosen: dict[int, dict[str, int]] = field(default_factory=dict)
    shown_at: dict[int, float] = field(default_factory=dict)
    last_press: tuple[str, float] = ("", 0.0)
    touched: float = field(default_factory=time.monotonic)
    ready: set[int] = field(default_factory=set)
    """Tasks whose fast desk has handed in what the browser still held."""
    acknowledged: dict[int, dict[str, str]] = field(default_factory=dict)
    problem: str = ""
    pace: int = 0
    """How many answers came in the newest log."""

    def touch(self) -> None:
        """Somebody is there."""
        self.touched = time.monotonic()

    def front(self, task_id: int) -> WorkItem | None:
        """The item being looked at."""
        held = self.items.get(task_id, [])
        return held[0] if held else None

    def drop(self, task_id: int, slot_id: int) -> None:
        """Forget an item that was answered, passed on or lost."""
        self.items[task_id] = [item for item in self.items.get(task_id, []) if item.slot_id != slot_id]
        self.chosen.pop(slot_id, None)
        self.shown_at.pop(slot_id, None)

    def is_repeat(self, press: str) -> bool:
        """Whether this press is the keyboard repeating."""
        last, at = self.last_press
        self.last_press = (press, time.monotonic())
        return press == last and time.monotonic() - at < REPEAT_SECONDS


def _let_go(hands: list[Hand]) -> None:
    for hand in hands:
        held = [(item.slot_id, item.fence) for items in hand.items.values() for item in items if not item.correcting]
        if held:
            with hand.database.writing() as session:
                annotating.give_back(session=session, account_id=hand.account_id, held=held)


@st.cache_resource(scope="session", on_release=_let_go, show_spinner=False)
def _hands() -> list[Hand]:
    """The hands of this tab's session, given back when it ends."""
    return []


def hand_of(visit: Visit) -> Hand:
    """This tab's hand."""
    hand: Hand | None = st.session_state.get(_KEY)
    if hand is None or hand.account_id != visit.actor.account_id:
        hand = st.session_state[_KEY] = Hand(visit.actor.account_id or 0, visit.database)
    hands = _hands()
    if not any(known is hand for known in hands):  # new, or the connection was lost and came back
        hands.append(hand)
    return hand


def fill(visit: Visit, task_id: int, *, count: int = 1) -> Hand:
    """The hand, with at least one item of the task where there is any left."""
    hand = hand_of(visit)
    held = hand.items.setdefault(task_id, [])
    if len(held) < count:
        with visit.writing() as session:
            held += annotating.next_items(
                session=session,
                actor=visit.actor,
                task_id=task_id,
                count=count - len(held),
                besides=[item.slot_id for item in held],
            )
    for item in held[:1]:
        hand.shown_at.setdefault(item.slot_id, time.monotonic())
        if item.answers:
            hand.chosen.setdefault(item.slot_id, dict(item.answers))
    return hand


def press_verdict(visit: Visit, task: DeskTask, slot_id: int, verdict: Verdict) -> None:
    """Callback: the verdict on a comparison."""
    hand = hand_of(visit)
    item = hand.front(task.id)
    if not hand.is_repeat(str(verdict)) and item is not None and item.slot_id == slot_id:
        _save(visit, hand, task, item, verdict=verdict)


def press_point(visit: Visit, task: DeskTask, slot_id: int, question: str, point: int) -> None:
    """Callback: a point of a scale. The last missing one saves the rating; a correction waits for `press_save`."""
    hand = hand_of(visit)
    item = hand.front(task.id)
    if hand.is_repeat(str(point)) or item is None or item.slot_id != slot_id:
        return
    chosen = hand.chosen.setdefault(slot_id, {})
    chosen[question] = point
    if not item.correcting and len(chosen) == len(task.questions):
        _save(visit, hand, task, item)


def press_save(visit: Visit, task: DeskTask, slot_id: int) -> None:
    """Callback: save a corrected rating."""
    hand = hand_of(visit)
    item = hand.front(task.id)
    if item is not None and item.slot_id == slot_id:
        _save(visit, hand, task, item)


def press_skip(visit: Visit, task: DeskTask, slot_id: int) -> None:
    """Callback: pass the item on, with the comment as the reason."""
    hand = hand_of(visit)
    item = hand.front(task.id)
    if hand.is_repeat("skip") or item is None or item.slot_id != slot_id:
        return
    with _outcome(hand, task, item), visit.writing() as session:
        annotating.skip(session=session, actor=visit.actor, slot_id=slot_id, fence=item.fence, reason=comment_on(slot_id))


def press_undo(visit: Visit, task: DeskTask) -> None:
    """Callback: take the last answer in hand again."""
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
    """Callback: leave the last answer as it was."""
    hand = hand_of(visit)
    item = hand.front(task.id)
    if item is not None and item.slot_id == slot_id:
        with _outcome(hand, task, item), visit.writing() as session:
            annotating.keep(session=session, actor=visit.actor, slot_id=slot_id, fence=item.fence)


def press_flag(visit: Visit, task: DeskTask, slot_id: int) -> None:
    """Callback: tell the experts what is wrong; the item stays."""
    hand = hand_of(visit)
    item = hand.front(task.id)
    if item is None or item.slot_id != slot_id:
        return
    try:
        with visit.writing() as session:
            annotating.flag(session=session, actor=visit.actor, slot_id=slot_id, fence=item.fence, text=comment_on(slot_id))
        tell("success", "Your comment was sent to the experts as a flag. You can still answer the item.")
    except TouchstoneError as error:
        tell("error", error.message)


def beat(visit: Visit, task: DeskTask) -> None:
    """Hold on to what is in hand while somebody is there; forget what was lost meanwhile."""
    hand = hand_of(visit)
    if time.monotonic() - hand.touched > IDLE_SECONDS:
        return
    for item in list(hand.items.get(task.id, [])):
        try:
            with visit.writing() as session:
                annotating.heartbeat(session=session, actor=visit.actor, slot_id=item.slot_id, fence=item.fence)
        except (LeaseLost, AlreadyDone, NotFound):
            hand.drop(task.id, item.slot_id)


def comment_key(slot_id: int) -> str:
    """The comment box's key."""
    return f"comment-{slot_id}"


def comment_on(slot_id: int) -> str:
    """The draft comment on an item."""
    return str(st.session_state.get(comment_key(slot_id)) or "")


def _save(visit: Visit, hand: Hand, task: DeskTask, item: WorkItem, verdict: Verdict | None = None) -> None:
    seconds = time.monotonic() - hand.shown_at.get(item.slot_id, time.monotonic())
    with _outcome(hand, task, item), visit.writing() as session:
        annotating.submit(
            session=session,
            actor=visit.actor,
            slot_id=item.slot_id,
            fence=item.fence,
            answers=hand.chosen.get(item.slot_id) if task.kind is TaskKind.RATE else None,
            verdict=verdict,
            comment=comment_on(item.slot_id),
            seconds=seconds,
        )


@contextmanager
def _outcome(hand: Hand, task: DeskTask, item: WorkItem) -> Iterator[None]:
    """Around a save: the item leaves the hand when it is saved, or lost for good; what else goes wrong leaves it there."""
    hand.touch()
    try:
        yield
    except AlreadyDone:
        pass
    except LeaseLost as error:
        tell("error", error.message)
    except TouchstoneError as error:
        tell("error", error.message)
        return
    except Exception as error:  # noqa: BLE001 - the boundary where unknown errors become a notice with an id
        tell("error", unknown(error))
        return
    hand.drop(task.id, item.slot_id)
