"""One kind of finding: what it means, what is open, what a fix would make of it, fixing and dismissing by a rule."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from backend.curation import check_queries, dismissing
from backend.curation.fix_rules import JUDGED, Rule
from backend.curation.queries import KINDS
from backend.vocabulary import Action, FindingKind, FindingStatus
from pages.components import kept_counts
from pages.components.findings_table import FIX, SHOWN, choose, fix_all, show_actions, show_closed, tabs
from pages.components.links import link_to
from pages.components.notices import attempt, counted, plain, tell
from pages.components.visit import Visit
from pages.components.worddiff import show_diff

EXPLAINED = {
    FindingKind.ENCODING: "Characters that were broken on their way, and signs that nobody sees.",
    FindingKind.MARKUP: "Tags and codes of a web page in the text. The model would learn to write them.",
    FindingKind.PLACEHOLDER: "A gap of a template that was never filled, such as {{name}}. Most need a person who knows.",
    FindingKind.BOILERPLATE: "Greetings of a mail program, signatures, legal notes: the same under every answer, of no use.",
    FindingKind.TRUNCATED: "The answer breaks off. The model would learn to stop in the middle.",
    FindingKind.ECHO: "The answer only says again what was asked.",
    FindingKind.LANGUAGE: "Not in one of the languages of the project; the Rules page says which those are.",
    FindingKind.SPELLING: "A word that looks misspelled, with a proposal. Add product words on the Rules page.",
    FindingKind.ABUSE: "Words that may insult. It is a flag and often wrong; the Detectors page says how often.",
    FindingKind.LENGTH: "Much shorter or longer than answers usually are.",
    FindingKind.READABILITY: "Long sentences and long words: hard to read on a telephone.",
    FindingKind.UNANSWERED: "The answer shares next to nothing with the question. Experts decide.",
    FindingKind.UNSUPPORTED: "Numbers, names or a “not” that differ from the approved FAQs, or nothing of it is in them.",
    FindingKind.VOICE: "Against the project's own rules on how answers sound; the Rules page holds them.",
    FindingKind.DUPLICATE: "The same text as an earlier record. Both would count twice in what is learned.",
    FindingKind.NEAR_DUPLICATE: "Nearly the same text as another record. They stay together in one split.",
    FindingKind.CONTRADICTION: "Nearly the same question has another answer elsewhere. Only one of them can be taught.",
    FindingKind.POOR_ANSWER: "The file that it came from calls this answer a bad one.",
}
"""What each kind means, and why it matters."""
ELSEWHERE = {
    FindingKind.DUPLICATE: "duplicates", FindingKind.NEAR_DUPLICATE: "duplicates", FindingKind.CONTRADICTION: "duplicates",
    FindingKind.LANGUAGE: "rules", FindingKind.SPELLING: "rules", FindingKind.VOICE: "rules",
    FindingKind.ABUSE: "detectors", FindingKind.UNSUPPORTED: "faqs",
}  # fmt: skip
"""The page on which more can be done about a kind."""
_LINKS = {
    "duplicates": "Compare them side by side",
    "rules": "The rules",
    "detectors": "How good the flag is",
    "faqs": "The FAQs",
}
_EXAMPLES = 3


def show_kind(visit: Visit, kind: FindingKind) -> None:
    """The whole panel."""
    st.text(EXPLAINED[kind])
    one, two = st.columns(2)
    with one:
        link_to("records", "Show the records", icon="table_rows", address={"finding": kind.value})
    if kind in ELSEWHERE:
        with two:
            link_to(ELSEWHERE[kind], _LINKS[ELSEWHERE[kind]])
    opened, fixed, dismissed = tabs(FIX)
    with opened:
        rule = _rule(visit, kind)
        chosen = choose(visit, FindingStatus.OPEN, rule, "Nothing of this kind is open by this rule.", hidden=("kind",))
        places, records = kept_counts.fixable(visit, rule)
        if chosen:
            _show_examples(visit, rule, [finding for finding, _ in chosen])
            seen = kind not in JUDGED or len(chosen) <= _EXAMPLES
            if not seen:
                st.caption(f"To fix these, choose at most {_EXAMPLES}, so that you see what becomes of each.")
            show_actions(
                visit, chosen, FIX, prefix=kind.value, placeholder="It is meant to be so", can_fix=bool(places) and seen
            )  # fmt: skip
        else:
            st.caption(f"The least sure come first, at most {SHOWN} are shown. Choose rows to fix or dismiss only these.")
            if places:
                with st.expander("What a fix makes of the first ones", icon=":material/difference:"):
                    _show_examples(visit, rule)
        if visit.may(Action.BULK_REVIEW):
            _bulk(visit, rule, places, records)
    show_closed(visit, rule.kinds, FIX, fixed, dismissed, prefix=kind.value)


def _rule(visit: Visit, kind: FindingKind) -> Rule:
    """Which of them: how sure, and found by what."""
    with visit.reading() as session:
        names = check_queries.detectors(session, actor=visit.actor, project_id=visit.project_id, kind=kind)
    one, two = st.columns(2)
    surest = one.slider("At least this sure", 0, 100, 0, 5, format="%d%%", key=f"{kind.value}_score")
    name = ""
    if len(names) > 1:
        name = (
            two.selectbox("Found by", ["", *names], format_func=lambda one: one or "any detector", key=f"{kind.value}_by") or ""
        )
    return Rule(kinds=frozenset({kind}), min_score=surest / 100, detector=name)


def _show_examples(visit: Visit, rule: Rule, finding_ids: Sequence[int] = ()) -> None:
    """Before and after, for the first of the chosen, or of all that the rule means."""
    with visit.reading() as session:
        found = check_queries.examples(
            session, actor=visit.actor, project_id=visit.project_id, rule=rule, limit=_EXAMPLES,
            finding_ids=finding_ids,
        )  # fmt: skip
    for example in found:
        with st.container(border=True):
            st.caption(plain(f"Record {example.record_id}" + (f" · {example.why}" if example.why else "")))
            if example.after is None:
                st.text(example.before)
                st.caption("No machine can fix this one. Edit the record, or dismiss the finding.")
            else:
                show_diff(example.before, example.after, key=f"example_{example.finding_id}")
            link_to("records", "Open the record", icon="open_in_new", address={"record": str(example.record_id)})


def _bulk(visit: Visit, rule: Rule, places: int, records: int) -> None:
    (kind,) = rule.kinds
    if places and kind in JUDGED:
        st.text("The proposals are only proposals: choose rows, look at what becomes of them, and fix those that are right.")
    elif places:
        st.button(
            f"Fix all {places:,} in {counted(records, 'record')}", type="primary",
            icon=":material/build:", key=f"{kind.value}_fix_all",
            on_click=attempt, args=(fix_all, visit, rule, FIX),
            help="Each fix is a revision, and the records wait for review again. You can undo all of it at once.",
        )  # fmt: skip
    elif kind in ELSEWHERE and ELSEWHERE[kind] == "duplicates":
        st.text("On the Duplicates page all that repeats an earlier record is rejected by one rule, which can be undone.")
    else:
        st.text("These are for people: the checks say what is wrong, not what is right. Edit the records, or dismiss them.")
    with st.popover("Dismiss all of these", icon=":material/close:"):
        why = st.text_input("Why are they no problem?", key=f"{kind.value}_why_all")
        st.button("Dismiss all", on_click=attempt, args=(_dismiss_all, visit, rule, why), key=f"{kind.value}_dismiss_all")


def _dismiss_all(visit: Visit, rule: Rule, why: str) -> None:
    with visit.writing() as session:
        count, left = dismissing.dismiss_all(
            session=session, actor=visit.actor, project_id=visit.project_id, rule=rule, reason=why
        )
    (kind,) = rule.kinds
    rest = f" {left:,} are left; press again." if left else ""
    tell("success", f"Dismissed {count:,} ({KINDS[kind]}). The same text in later revisions stays dismissed.{rest}")
