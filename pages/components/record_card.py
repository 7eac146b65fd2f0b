"""One record as pages show it: the conversation with what was found in it, FAQs it rests on, remarks, rulings, revisions.

Only draws. Whatever people or models wrote is shown as text.
"""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from backend.review.queries import RecordDetail, RevisionCard, RulingCard
from backend.review.revisions import as_text
from backend.vocabulary import MadeBy, RecordStatus
from pages.components.conversation import FINDING_WORDS, show_conversation
from pages.components.notices import plain
from pages.components.slice_titles import slice_title
from pages.components.worddiff import show_diff

STATUS = {
    RecordStatus.PENDING: ("Waiting", "hourglass_empty", "gray"),
    RecordStatus.APPROVED: ("Approved", "check_circle", "green"),
    RecordStatus.REJECTED: ("Rejected", "cancel", "red"),
    RecordStatus.FLAGGED: ("Flagged", "flag", "orange"),
}
MADE = {
    MadeBy.REPHRASED: "other words for record {of}",
    MadeBy.TYPOS: "typos of record {of}",
    MadeBy.LOWER_CASE: "record {of} in lower case",
    MadeBy.JOINED: "joined from records {of}",
    MadeBy.MODEL: "a model's words for record {of}",
    MadeBy.COUNTERFACTUAL: "record {of} with other names or groups",
}
"""How a synthetic record was made."""


def show_heading(detail: RecordDetail) -> None:
    """Number, status, where it came from, metadata."""
    words, icon, color = STATUS[detail.status]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**Record {detail.id}**", width="content")
        st.badge(words, icon=f":material/{icon}:", color=color)  # type: ignore[arg-type]
        if detail.made_by in MADE:
            made = MADE[detail.made_by].format(of=", ".join(map(str, sorted(detail.made_of))))
            st.badge(f"Synthetic: {made}", icon=":material/auto_awesome:", color="violet")
        if detail.approved_number not in (None, detail.head):
            st.badge(f"Revision {detail.approved_number} is in force", icon=":material/verified:", color="blue")
        for kind in dict.fromkeys(finding.kind for finding in detail.findings):
            st.badge(FINDING_WORDS.get(kind, "Finding"), icon=":material/search_insights:", color="orange")
    facts = [
        f"revision {detail.head}",
        detail.source and f"from {detail.source}",
        detail.external_id and f"id {detail.external_id}",
    ]
    facts += [f"{slice_title(key)}: {value}" for key, value in detail.metadata.items()]
    st.caption(plain(" · ".join(fact for fact in facts if fact)))


def show_text(detail: RecordDetail, *, key: str) -> None:
    """The newest revision, with findings marked."""
    show_conversation(detail.messages, key=key, highlight=detail.findings)


def show_more(detail: RecordDetail, *, key: str) -> None:
    """Findings, FAQs, remarks and history, each behind a tab that says how much there is."""
    flags = sum(remark.is_flag for remark in detail.comments)
    names = [
        f"Findings ({len(detail.findings)})",
        f"FAQs ({len(detail.citations)})",
        f"Comments ({len(detail.comments)}{', ' + str(flags) + ' flagged' if flags else ''})",
        f"History ({len(detail.revisions) + len(detail.rulings)})",
    ]
    sizes = (len(detail.findings), len(detail.citations), len(detail.comments))
    fullest = next((name for name, size in zip(names, sizes, strict=False) if size), names[3])
    findings, faqs, comments, history = st.tabs(names, default=fullest)
    with findings:
        _findings(detail)
    with faqs:
        _faqs(detail, key)
    with comments:
        _comments(detail)
    with history:
        show_history(detail, key=key)


def _findings(detail: RecordDetail) -> None:
    if not detail.findings:
        st.caption("The checks found nothing here.")
    for finding in detail.findings:
        text = detail.messages[finding.message].content if finding.message < len(detail.messages) else ""
        span = text[finding.start : finding.end]
        words = FINDING_WORDS.get(finding.kind, "Finding")
        change = f": {span} → {finding.proposal}" if span and finding.proposal else f": {span}" if span else ""
        st.text(f"{words} in message {finding.message + 1}{change}"[:400])


def _faqs(detail: RecordDetail, key: str) -> None:
    if not detail.citations:
        st.caption("This record names no FAQ. Link it to one on the page Records, to be told when that answer changes.")
    for faq in detail.citations:
        with st.container(border=True, key=f"{key}-faq-{faq.id}"):
            st.caption(plain(" · ".join(part for part in (faq.topic, "" if faq.is_approved else "not approved yet") if part)))
            st.markdown(f"**{plain(faq.question)}**")
            st.text(faq.answer)


def _comments(detail: RecordDetail) -> None:
    if not detail.comments:
        st.caption("Nobody has said anything about this record.")
    for remark in detail.comments:
        mark = ":material/flag: Flag" if remark.is_flag else ":material/chat: Comment"
        st.caption(f"{mark} · {plain(who(remark.author))} · {when(remark.created_at)}")
        st.text(remark.text)


def show_history(detail: RecordDetail, *, key: str) -> None:
    """Rulings and revisions, newest first; the chosen revision against the one before it."""
    for ruling in detail.rulings:
        st.caption(f":material/gavel: {plain(_ruling(ruling))}")
    for revision in detail.revisions:
        st.caption(f":material/edit: {plain(_revision(revision))}")
    if len(detail.revisions) < 2:
        return
    texts = {revision.number: as_text(revision.messages) for revision in detail.revisions}
    number = st.selectbox(
        "Compare",
        [number for number in texts if number > 1],
        format_func=lambda number: f"Revision {number} with revision {number - 1}",
        key=f"{key}-compare-{detail.head}",
    )
    show_diff(
        texts[number - 1],
        texts[number],
        key=f"{key}-diff-{number}",
        before_name=f"only in revision {number - 1}",
        after_name=f"only in revision {number}",
    )


def _revision(revision: RevisionCard) -> str:
    words = f"Revision {revision.number} · {who(revision.author)} · {when(revision.created_at)}"
    return f"{words}: {revision.reason}" if revision.reason else words


def _ruling(ruling: RulingCard) -> str:
    reason = f" ({ruling.reason})" if ruling.reason else ""
    words = f"Revision {ruling.revision} {ruling.decision}{reason} · {who(ruling.author)} · {when(ruling.created_at)}"
    if ruling.in_force:
        return words
    by = f" by {ruling.withdrawn_by}" if ruling.withdrawn_by else ""
    return f"{words} · no longer in force{by}: {ruling.withdrawn_reason}"


def who(author: str) -> str:
    """The author; without one the project itself acted (an import, the public chat)."""
    return author or "the system"


def when(at: datetime) -> str:
    """A moment, short."""
    return f"{at:%d %b %Y, %H:%M} UTC"
