"""The review desk's hands: the record that one browser tab holds, and what becomes of a press.

Presses are callbacks: they save in one transaction, draw nothing, and name the lease that they mean, so that a second fast
press, or one that arrives late, never lands on the next record. What a tab holds is given back when it closes. Drafts
stay with the record and the revision they were begun on, also when the lease or the race for a save is lost.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import streamlit as st

from backend import runtime
from backend.access.actors import Actor
from backend.conversations import Message
from backend.curation import dismissing, fixing
from backend.errors import AlreadyDone, Conflict, LeaseLost, NotFound, StaleRevision, TouchstoneError
from backend.review import amending, queueing, reviewing
from backend.review.filters import RecordFilter
from backend.review.leases import Lease
from backend.review.queries import FindingCard, RecordDetail
from backend.review.reviewing import Act, Done
from backend.review.task_queries import QueueChoice
from backend.vocabulary import PERSONAL_FINDINGS, FindingKind
from pages.components.notices import tell, unknown
from pages.components.visit import Visit

REPEAT_SECONDS = 0.3
"""The same key again within this time is the keyboard repeating, not a person deciding."""
AWAY_SECONDS = 5.0
"""After this time without a look at the page, it is asked whether the record in hand still is."""
UNDOABLE = 20
"""How many decisions back one can go."""
WORDS = {
    Act.APPROVED: "approved",
    Act.EDITED: "edited",
    Act.REJECTED: "rejected",
    Act.FLAGGED: "flagged",
    Act.SKIPPED: "skipped",
}


@dataclass(frozen=True, slots=True)
class Collision:
    """An edit that came too late: the text that was saved meanwhile, and the one that was not."""

    record_id: int
    newest: int
    theirs: str
    yours: str
    messages: tuple[Message, ...]


@dataclass
class Hand:
    """What one tab holds in one project, and what was decided in it. `mode` is the form that is open."""

    actor: Actor
    project_id: int
    lease: Lease | None = None
    mode: str = ""
    done: list[Done] = field(default_factory=list)
    collision: Collision | None = None
    only: RecordFilter | None = None
    queue: QueueChoice | None = None
    """The task that is worked on; None: the standing queue."""
    last_press: tuple[str, float] = ("", 0.0)
    drawn: float = 0.0

    def seconds(self, visit: Visit) -> int:
        """How long a record is held without a sign of life."""
        return self.queue.lease_seconds if self.queue else visit.settings.lease_seconds

    def is_repeat(self, press: str) -> bool:
        """Whether this press is the keyboard repeating."""
        last, at = self.last_press
        self.last_press = (press, time.monotonic())
        return press == last and time.monotonic() - at < REPEAT_SECONDS

    def finish(self, *decisions: Done) -> None:
        """Remember decisions; the record is let go unless it was only edited."""
        self.done = [*self.done, *decisions][-UNDOABLE:]
        self.mode, self.collision = "", None
        if decisions[-1].act is not Act.EDITED:
            self.lease = None


def _let_go(hands: list[Hand]) -> None:
    for hand in hands:
        if hand.lease is not None:
            with runtime.current().database.writing() as session:
                queueing.give_back(session=session, actor=hand.actor, lease=hand.lease)


@st.cache_resource(scope="session", on_release=_let_go, show_spinner=False)
def _hands() -> list[Hand]:
    """This tab's hands; Streamlit releases what a session has cached when the tab closes."""
    return []


def hand_of(visit: Visit) -> Hand:
    """This tab's hand in this project."""
    key = f"review-hand-{visit.project_id}-{visit.actor.account_id}"
    if key not in st.session_state:
        st.session_state[key] = Hand(visit.actor, visit.project_id)
        _hands().append(st.session_state[key])
    hand: Hand = st.session_state[key]
    return hand


def fill(visit: Visit, hand: Hand) -> Lease | None:
    """The lease on the record in hand, or on the next one; None where nothing waits.

    Who comes back to the page after a while is not shown a record that was decided meanwhile; an open draft stays.
    """
    away, hand.drawn = time.monotonic() - hand.drawn > AWAY_SECONDS, time.monotonic()
    if away and not hand.mode and hand.collision is None and not beat(visit, hand):
        hand.lease = None
    if hand.lease is None:
        with visit.writing() as session:
            hand.lease = queueing.next_item(
                session=session,
                actor=visit.actor,
                project_id=visit.project_id,
                seconds=hand.seconds(visit),
                only=hand.only,
                task_id=hand.queue.task_id if hand.queue else None,
            )
    return hand.lease


def take_up(visit: Visit, hand: Hand, record_id: int) -> None:
    """Put down what is in hand and take this very record up."""
    with _outcome(hand), visit.writing() as session:
        lease = queueing.claim_record(
            session=session,
            actor=visit.actor,
            project_id=visit.project_id,
            record_id=record_id,
            seconds=visit.settings.lease_seconds,
        )
        put_down(visit, hand, besides=lease)
        hand.lease = lease


def put_down(visit: Visit, hand: Hand, *, besides: Lease | None = None) -> None:
    """Give back what is in hand, unless it is the slot of `besides`."""
    held, hand.lease, hand.mode = hand.lease, None, ""
    if held is not None and (besides is None or besides.slot_id != held.slot_id):
        with visit.writing() as session:
            queueing.give_back(session=session, actor=visit.actor, lease=held)


def narrow(visit: Visit, hand: Hand, key: str) -> None:
    """Callback: work on repeated records only, or on all again."""
    hand.only = RecordFilter(duplicates_only=True) if st.session_state[key] else None
    with _outcome(hand):
        put_down(visit, hand)


def change_queue(visit: Visit, hand: Hand, choices: Mapping[int, QueueChoice], key: str) -> None:
    """Callback: work on another queue."""
    hand.queue, hand.only = choices.get(st.session_state[key]), None
    with _outcome(hand):
        put_down(visit, hand)


def beat(visit: Visit, hand: Hand) -> bool:
    """Hold on to the record in hand; False where it was lost."""
    if hand.lease is None:
        return True
    try:
        with visit.writing() as session:
            queueing.heartbeat(
                session=session,
                actor=visit.actor,
                project_id=visit.project_id,
                lease=hand.lease,
                seconds=hand.seconds(visit),
            )
    except (LeaseLost, AlreadyDone):
        return False
    return True


def open_form(hand: Hand, lease: Lease, mode: str) -> None:
    """Callback: open the form of a decision that needs words, or close it."""
    if hand.lease == lease:
        hand.mode = "" if hand.mode == mode else mode


def press_approve(visit: Visit, lease: Lease, number: int) -> None:
    """Callback: approve the revision that was looked at."""
    hand = hand_of(visit)
    if not _meant(hand, lease, "approve"):
        return
    with _outcome(hand), visit.writing() as session:
        hand.finish(
            reviewing.approve(session=session, actor=visit.actor, project_id=visit.project_id, lease=lease, number=number)
        )


def press_mask(visit: Visit, lease: Lease, detail: RecordDetail) -> None:
    """Callback: put stand-ins in place of the personal data, then approve the text without it."""
    hand = hand_of(visit)
    if not _meant(hand, lease, "mask"):
        return
    here: dict[str, Any] = {"actor": visit.actor, "project_id": visit.project_id}
    with _outcome(hand):
        with visit.writing() as session:
            record = fixing.fix(
                session=session, **here, finding_ids=[finding.id for finding in personal(detail)], folder=visit.settings.data
            )
        with visit.writing() as session:
            hand.finish(reviewing.approve(session=session, **here, lease=lease, number=record.head))


def press_dismiss(visit: Visit, lease: Lease, detail: RecordDetail) -> None:
    """Callback: say that what was found is no personal data."""
    hand = hand_of(visit)
    if not _meant(hand, lease, "dismiss"):
        return
    with _outcome(hand), visit.writing() as session:
        dismissing.dismiss(
            session=session,
            actor=visit.actor,
            project_id=visit.project_id,
            finding_ids=[finding.id for finding in personal(detail)],
            reason=str(st.session_state.get(words_key(lease, "dismiss")) or ""),
        )
        hand.mode = ""


def personal(detail: RecordDetail) -> list[FindingCard]:
    """What keeps the record from approval."""
    return [finding for finding in detail.findings if finding.kind in PERSONAL_FINDINGS]


def poor(detail: RecordDetail) -> bool:
    """Whether the file that it came from calls the answer bad."""
    return any(finding.kind is FindingKind.POOR_ANSWER for finding in detail.findings)


def press_with_words(visit: Visit, lease: Lease, number: int, what: str) -> None:
    """Callback: reject, flag or skip, for the reason in the form."""
    hand = hand_of(visit)
    if not _meant(hand, lease, what):
        return
    here: dict[str, Any] = {"actor": visit.actor, "project_id": visit.project_id, "lease": lease}
    words = str(st.session_state.get(words_key(lease, what)) or "")
    calls = {
        "reject": partial(reviewing.reject, **here, number=number, reason=words),
        "flag": partial(reviewing.flag, **here, number=number, comment=words),
        "skip": partial(reviewing.skip, **here, reason=words),
    }
    with _outcome(hand), visit.writing() as session:
        hand.finish(calls[what](session=session))


def press_save(visit: Visit, lease: Lease, detail: RecordDetail, then_approve: bool) -> None:
    """Callback: save the draft as a new revision."""
    hand = hand_of(visit)
    if not _meant(hand, lease, "save"):
        return
    messages = tuple(
        Message(message.role, str(st.session_state.get(draft_key(detail.id, detail.head, index), message.content)))
        for index, message in enumerate(detail.messages)
    )
    with _outcome(hand):
        try:
            with visit.writing() as session:
                done = reviewing.edit(
                    session=session,
                    actor=visit.actor,
                    project_id=visit.project_id,
                    lease=lease,
                    based_on=detail.head,
                    messages=messages,
                    reason=str(st.session_state.get(words_key(lease, "edit")) or ""),
                    most_chars=visit.settings.text_max_chars,
                    then_approve=then_approve,
                )
        except StaleRevision as error:
            hand.collision = Collision(detail.id, error.newest, error.theirs, error.yours, messages)
            hand.mode = ""
            raise
        hand.finish(*done)


def press_comment(visit: Visit, record_id: int, key: str) -> None:
    """Callback: leave a remark."""
    try:
        with visit.writing() as session:
            amending.comment(
                session=session,
                actor=visit.actor,
                project_id=visit.project_id,
                record_id=record_id,
                text=str(st.session_state.get(key) or ""),
            )
        st.session_state[key] = ""
    except TouchstoneError as error:
        tell("error", error.message)


def press_undo(visit: Visit, done: Done) -> None:
    """Callback: take the last decision back and its record up again."""
    hand = hand_of(visit)
    if not hand.done or hand.done[-1] != done or hand.is_repeat("undo"):
        return
    with _outcome(hand):
        try:
            with visit.writing() as session:
                lease = reviewing.undo(
                    session=session,
                    actor=visit.actor,
                    project_id=visit.project_id,
                    done=done,
                    seconds=visit.settings.lease_seconds,
                )
        except Conflict:
            hand.done.pop()  # others have acted on it: what was decided before that can still be undone
            raise
        hand.done.pop()
        put_down(visit, hand, besides=lease)
        hand.lease = lease


def keep_mine(hand: Hand, collision: Collision) -> None:
    """Callback: carry the unsaved text over to the newest revision, to be edited and saved on top of it."""
    for index, message in enumerate(collision.messages):
        st.session_state[draft_key(collision.record_id, collision.newest, index)] = message.content
    hand.collision, hand.mode = None, "edit"


def keep_theirs(hand: Hand) -> None:
    """Callback: leave the saved text as it is."""
    hand.collision = None


def words_key(lease: Lease, what: str) -> str:
    """The key of the box with the reason."""
    return f"review-{what}-{lease.item_id}"


def draft_key(record_id: int, number: int, index: int) -> str:
    """The key of the box with the draft of one turn."""
    return f"draft-{record_id}-{number}-{index}"


def _meant(hand: Hand, lease: Lease, what: str) -> bool:
    """Whether a press means the record in hand and is not the keyboard repeating."""
    return not hand.is_repeat(what) and hand.lease == lease


@contextmanager
def _outcome(hand: Hand) -> Iterator[None]:
    try:
        yield
    except AlreadyDone:
        hand.lease = None
    except (LeaseLost, NotFound) as error:
        hand.lease = None
        tell("error", error.message)
    except TouchstoneError as error:
        tell("error", error.message)
    except Exception as error:  # noqa: BLE001 - the boundary where unknown errors become a notice with an id
        tell("error", unknown(error))
