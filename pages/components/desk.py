"""The rating desk's hands: the items that one browser tab holds, and what becomes of an answer to one.

Both desks use them, the fast one and the one of plain buttons. What a tab holds is given back when it closes.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from backend.errors import AlreadyDone, LeaseLost, NotFound, TouchstoneError
from backend.review import annotating
from backend.review.desk_queries import DeskCount, DeskTask
from backend.review.work_items import WorkItem
from backend.vocabulary import Verdict
from pages.components.notices import tell, unknown
from pages.components.visit import Visit

REPEAT_SECONDS = 0.12
"""The same key again within this time is the keyboard repeating, not a person answering."""
_KEY = "desk-hand"
IDLE_SECONDS = 3600
"""A tab in which nothing was done for this long holds on to nothing."""
RECOUNT_SECONDS = 30.0
"""How old the rater's numbers may be; in between the desk counts along."""
ASK_AGAIN_SECONDS = 3.0
"""How long not to ask for more items where the last time there were fewer than wanted."""


@dataclass
class Work:
    """What is chosen for an item and not yet saved. `tying`: the next response shares the place of the last."""

    answers: dict[str, Any] = field(default_factory=dict)
    verdict: Verdict | None = None
    ranking: list[list[int]] = field(default_factory=list)
    tying: bool = False

    @classmethod
    def begun(cls, item: WorkItem) -> Work:
        """What a correction starts from, and on top of it the draft."""
        draft = item.draft
        verdict, ranking, answers = draft.get("verdict"), draft.get("ranking"), draft.get("answers")
        return cls(
            answers=without_ids({**(item.answers or {}), **(answers if isinstance(answers, dict) else {})}),
            verdict=Verdict(verdict) if verdict in set(Verdict) else item.verdict,
            ranking=_places(ranking, len(item.texts)) or [list(tied) for tied in item.ranking],
        )


def _places(ranking: object, count: int) -> list[list[int]]:
    if not isinstance(ranking, list) or not all(isinstance(tied, list) for tied in ranking):
        return []
    return [tied for tied in ranking if tied and all(type(place) is int and 0 <= place < count for place in tied)]


@dataclass
class Hand:
    """What one tab holds of each task, in order, and what is chosen so far for the items that were looked at."""

    account_id: int
    database: Any
    items: dict[int, list[WorkItem]] = field(default_factory=dict)
    chosen: dict[int, Work] = field(default_factory=dict)
    shown_at: dict[int, float] = field(default_factory=dict)
    last_press: tuple[str, float] = ("", 0.0)
    touched: float = field(default_factory=time.monotonic)
    tab: str = field(default_factory=lambda: secrets.token_hex(4))
    ready: set[int] = field(default_factory=set)
    """Tasks whose fast desk has handed in what the browser still held."""
    acknowledged: dict[int, dict[str, str]] = field(default_factory=dict)
    feedback: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What an answer to a practice item taught, by the log's entry."""
    problem: str = ""
    pace: int = 0
    """How many answers came in the newest log."""
    counted: dict[int, tuple[DeskTask, DeskCount, float]] = field(default_factory=dict)
    short: dict[int, float] = field(default_factory=dict)

    def touch(self) -> None:
        """Somebody is there."""
        self.touched = time.monotonic()

    def front(self, task_id: int) -> WorkItem | None:
        """The item being looked at."""
        held = self.items.get(task_id, [])
        return held[0] if held else None

    def holding(self, task_id: int, slot_id: int) -> WorkItem | None:
        """The item of this slot."""
        return next((item for item in self.items.get(task_id, []) if item.slot_id == slot_id), None)

    def work_on(self, item: WorkItem) -> Work:
        """What is chosen for this item so far."""
        return self.chosen.setdefault(item.slot_id, Work.begun(item))

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

    def count_along(self, task_id: int, *, answered: int) -> None:
        """One item less waits; it was answered (1) or passed on (0)."""
        if task_id in self.counted:
            task, count, at = self.counted[task_id]
            self.counted[task_id] = (task, count.after(answered=answered), at)


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
    """The hand, with up to `count` items of the task; at least one where there is any left."""
    hand = hand_of(visit)
    held = hand.items.setdefault(task_id, [])
    asked = held and time.monotonic() - hand.short.get(task_id, -ASK_AGAIN_SECONDS) < ASK_AGAIN_SECONDS
    if len(held) < count and not asked:
        with visit.writing() as session:
            held += annotating.next_items(
                session=session,
                actor=visit.actor,
                task_id=task_id,
                count=count - len(held),
                besides=[item.slot_id for item in held],
            )
        if len(held) < count:
            hand.short[task_id] = time.monotonic()
    for item in held[:1]:
        hand.shown_at.setdefault(item.slot_id, time.monotonic())
    return hand


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


@contextmanager
def outcome(hand: Hand, task: DeskTask, item: WorkItem) -> Iterator[None]:
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


def without_ids(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Answers whose marked passages name the place of their response, and not the response."""
    return {key: _placed(answer) for key, answer in answers.items()}


def _placed(answer: Any) -> Any:
    if not isinstance(answer, list):
        return answer
    return [
        {key: value for key, value in one.items() if key != "response_id"} if isinstance(one, dict) else one for one in answer
    ]


def gold_words(own: tuple[int, int] | None) -> str:
    """The rater's own agreement with gold, for people."""
    return f"{own[0] / own[1]:.0%} right on {own[1]} known items" if own else ""


def speed_words(count: DeskCount) -> Mapping[str, str]:
    """The rater's own speed, for people; empty before the first answer."""
    found = {}
    if count.seconds is not None:
        found["each"] = f"{count.seconds:g} s"
    if count.hourly is not None:
        found["an hour"] = str(count.hourly)
    return found
