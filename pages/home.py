"""Home: what waits for you in this project, and where to go for it."""

from __future__ import annotations

import streamlit as st

from backend.access.overview import MOST_COUNTED, Overview, overview
from backend.vocabulary import Action
from pages.components.notices import plain
from pages.components.visit import Visit, require

visit = require(needs_project=False)


def steps(visit: Visit, seen: Overview) -> list[tuple[Action, str, str, int, str, str, str]]:
    """(who may, icon, what, how much waits, why, page, link's label), in the order of the loop."""
    return [
        (Action.RATE, "balance", "Items to rate or compare", seen.items_for_me,
         "Your answers are not shown to the others before they have given theirs.", "rate", "Rate and compare"),
        (Action.REVIEW, "rate_review", "Records to review", seen.pending,
         "Approve what the chatbot should learn, put right what is wrong, reject the rest.", "review", "Review records"),
        (Action.REVIEW, "flag", "Flagged records", seen.flagged,
         "Somebody was not sure about these and left a remark.", "records", "Look at them"),
        (Action.APPROVE_FAQ, "quiz", "Proposed FAQ answers", seen.proposed_faqs,
         "An edit counts once somebody has approved it.", "faqs", "FAQs"),
        (Action.ADJUDICATE, "gavel", "Disputes to rule on", seen.disputes,
         "Raters disagree about these, and wait for somebody to say what is right.", "adjudicate", "Disputes"),
        (Action.VIEW_RESULTS, "trending_down", "Raters who have become worse", seen.fallen,
         "They miss known answers, or contradict themselves, more than before. Only leads see this.", "quality", "Quality"),
        (Action.VIEW_DASHBOARD, "thumbs_up_down", "Complaints to answer", seen.complaints,
         "People who were not helped by an answer in the chat.", "feedback", "Feedback"),
        (Action.SNAPSHOT, "photo_camera", "Approved and not frozen yet", seen.unfrozen,
         "Freeze them into a snapshot: only frozen records are learned from.", "snapshots", "Snapshots"),
        (Action.TRAIN, "model_training", "Jobs going", seen.jobs_going,
         "Training and evaluation go on while you close this window.", "jobs", "Jobs"),
        (Action.TRAIN, "error", "Jobs that failed", seen.jobs_failed,
         "Each tells why; most can be tried again.", "jobs", "Jobs"),
        (Action.PROMOTE, "verified", "Model versions awaiting judgement", seen.candidates,
         "Evaluate them, let people compare them blind, then promote the one that wins.", "promotion", "Promote"),
    ]  # fmt: skip


def first_step(seen: Overview) -> tuple[str, str, str]:
    """(sentence, page, label) for a lead of a project that is at its beginning, or where nothing waits."""
    if not seen.records:
        return "This project is empty. Begin by importing conversations, or invite the people who will.", "imports", "Import"
    if not seen.snapshots:
        return "When enough records are approved, freeze them into the first snapshot.", "snapshots", "Snapshots"
    if not seen.current_version:
        return "Train on a snapshot, compare the result with the base model, promote it.", "training", "Train"
    return "Chat with the current version, or see how things go on the dashboard.", "dashboard", "Dashboard"


def link(page: str, label: str) -> None:
    """A link to a page of the app."""
    st.page_link(f"{page}.py", label=label, icon=":material/arrow_forward:")


def _beginning(seen: Overview) -> None:
    sentence, page, label = first_step(seen)
    st.write(sentence)
    link(page, label)


def card(icon: str, what: str, how_much: int, why: str, page: str, label: str, *, key: str) -> None:
    """One thing that waits."""
    with st.container(border=True, height="stretch", key=key):
        st.metric(f":material/{icon}: {what}", f"{how_much:,}" + "+" * (page == "rate" and how_much == MOST_COUNTED))
        st.write(why)
        link(page, label)


def draw(visit: Visit) -> None:
    """The page of somebody who is in a project."""
    with visit.reading() as session:
        seen = overview(session, actor=visit.actor, project_id=visit.project_id)
    waiting = [step[1:] for step in steps(visit, seen) if visit.may(step[0]) and step[3]]
    if waiting:
        st.subheader("What waits for you")
        columns = st.columns(3)
        for number, step in enumerate(waiting):
            with columns[number % 3]:
                card(*step, key=f"waiting_{number}")
        if visit.may(Action.IMPORT):
            _beginning(seen)
    else:
        with st.container(border=True):
            st.subheader("Nothing waits for you")
            if visit.may(Action.IMPORT):
                _beginning(seen)
            elif visit.may(Action.REVIEW):
                st.write("Every record here was looked at. New ones come with the next import, or from the chat.")
            else:
                st.write("A lead opens rating tasks; items for you appear here. Until then, try the chat.")
    st.subheader("This project")
    numbers = [("Records", f"{seen.records:,}"), ("Approved", f"{seen.approved:,}"), ("Your answers", f"{seen.done_by_me:,}")]
    if visit.may(Action.VIEW_DASHBOARD):
        numbers += [("Snapshots", f"{seen.snapshots:,}"), ("Members", f"{seen.members:,}")]
    for column, (name, value) in zip(st.columns(len(numbers)), numbers, strict=True):
        column.metric(name, value)
    st.text(f"Current version: {seen.current_version or 'none yet; the chat answers once a version is promoted.'}")


if visit.project is None:
    st.title("Welcome")
    if visit.actor.is_admin:
        st.write("There is no project yet. A project is one chatbot that is being tuned: its records, its people, its models.")
        link("admin", "Create the first project")
    else:
        st.write("You are in no project yet. Ask a lead for an invitation; it shows up here at your next click.")
else:
    st.title(plain(visit.project.name))
    if visit.project.description:
        st.text(visit.project.description)
    draw(visit)
