"""The task builder: five steps, each with its fields; what was typed stays when one goes back."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from backend.review import pool_queries, queries, task_queries, tasking
from backend.review.drawing import RANKED, REFERENCE
from backend.review.pool_queries import Contestant
from backend.review.selections import LARGEST_SEED
from backend.vocabulary import TaskKind
from pages.components import kept, rubric_builder
from pages.components.guidelines import show_guidelines
from pages.components.kept import first, within
from pages.components.links import link_to
from pages.components.notices import attempt, guarded, plain, tell
from pages.components.record_filters import choose_filter
from pages.components.slice_titles import slice_title
from pages.components.task_choices import EVERYBODY, KINDS, PAIRINGS, SAMPLES, SHARES, Choices
from pages.components.task_people import show_people
from pages.components.task_preview import look, show_preview, summary
from pages.components.visit import Visit

STEPS = ("What", "Which items", "Questions", "Who", "Preview")
OPEN = "task-builder-open"
PREFILL = "task_prefill"
"""Session state in which another page leaves fields to begin with: {"kind": "label", "where-slice": "topic", …}."""


def prefix_of(visit: Visit) -> str:
    """The prefix of the builder's fields in this project."""
    return f"new-{visit.project_id}-"


def open_builder(visit: Visit, **fields: object) -> None:
    """Callback: begin a task, with these fields filled in."""
    st.session_state[OPEN] = True
    for name, value in fields.items():
        st.session_state[f"{prefix_of(visit)}{name}"] = value


def close_builder() -> None:
    """Callback: back to the list; what was typed is there when the builder is opened again."""
    st.session_state[OPEN] = False


def show_builder(visit: Visit) -> None:
    """The step that is open, and the ways on and back."""
    prefix = prefix_of(visit)
    kept.restore(prefix)
    step = st.segmented_control(
        "Step",
        STEPS,
        key=within(f"{prefix}step", STEPS, STEPS[0]),
        format_func=lambda name: f"{STEPS.index(name) + 1} · {name}",
        label_visibility="collapsed",
        required=True,
    )
    _seed_questions(visit, prefix)
    choices = Choices(kept.values(prefix))
    draw: dict[str, Callable[[Visit, str, Choices], None]] = {
        "What": _what,
        "Which items": _items,
        "Questions": _questions,
        "Who": _who,
        "Preview": _preview,
    }
    with guarded():
        draw[step](visit, prefix, choices)
    _ways(prefix, STEPS.index(step))
    kept.keep(prefix)


def _ways(prefix: str, place: int) -> None:
    with st.container(horizontal=True, gap="small"):
        if place:
            st.button("Back", icon=":material/arrow_back:", key="go-back", on_click=_step, args=(prefix, place - 1))
        if place < len(STEPS) - 1:
            st.button(
                f"Next: {STEPS[place + 1].lower()}",
                icon=":material/arrow_forward:",
                key="go-next",
                type="primary",
                on_click=_step,
                args=(prefix, place + 1),
            )
        st.button("Back to all tasks", key="go-list", type="tertiary", on_click=close_builder)


def _step(prefix: str, place: int) -> None:
    st.session_state[f"{prefix}step"] = STEPS[place]


# --- 1 ---------------------------------------------------------------------------------------------------------------


def _what(visit: Visit, prefix: str, choices: Choices) -> None:
    st.subheader("What should people do?")
    st.radio(
        "Kind of task",
        list(KINDS),
        format_func=lambda kind: KINDS[kind][0],
        captions=[caption for _, caption in KINDS.values()],
        key=within(f"{prefix}kind", KINDS, TaskKind.RATE),
        label_visibility="collapsed",
    )
    st.text_input(
        "Name (raters see it, so name no version)",
        key=first(f"{prefix}name", ""),
        max_chars=200,
        placeholder=tasking.NAMES[Choices(kept.values(prefix)).kind],
    )


# --- 2 ---------------------------------------------------------------------------------------------------------------


def _items(visit: Visit, prefix: str, choices: Choices) -> None:
    st.subheader("Which items?")
    judged = choices.kind is not TaskKind.LABEL
    if judged:
        with visit.reading() as session:
            evaluations = pool_queries.evaluation_choices(session, actor=visit.actor, project_id=visit.project_id)
        names = {EVERYBODY: "Everybody's newest answers", **{one.id: one.name for one in evaluations}}
        newest = evaluations[0].id if evaluations else EVERYBODY
        chosen = st.selectbox(
            "Answers from", list(names), format_func=names.__getitem__, key=within(f"{prefix}evaluation", names, newest)
        )
        with visit.reading() as session:
            found = pool_queries.contestants(
                session, actor=visit.actor, project_id=visit.project_id, evaluation_id=chosen or None
            )
        if not found:
            st.info(
                "Nobody has answered anything yet. Run an evaluation first; its answers come here.",
                icon=":material/fact_check:",
            )
            link_to("evaluations", "Evaluate", icon="fact_check")
            return
        pair = next((one.contestants for one in evaluations if one.id == (chosen or newest)), None)
        _whose(prefix, choices.kind, found, pair)
    filtered = any(
        choices.fields.get(f"where-{name}") for name in ("text", "status", "source", "slice", "finding", "duplicates")
    )
    title = "Only answers to these questions" if judged else "Only these records"
    with st.expander(title, icon=":material/filter_alt:", expanded=filtered or not judged):
        choose_filter(visit, prefix=f"{prefix}where-")
    _sample(visit, prefix)
    with guarded():
        st.info(plain(summary(look(visit, Choices(kept.values(prefix))), choices.kind)), icon=":material/functions:")


def _whose(prefix: str, kind: TaskKind, found: list[Contestant], pair: tuple[str, str] | None) -> None:
    """Whose answers are judged, as the kind of task needs it."""
    titles = {one.key: _title(one) for one in found}
    versions = [one.key for one in found if one.key != REFERENCE]
    current = next((one.key for one in found if one.is_current), None)
    base, candidate = pair or (versions[-1], versions[0])
    if kind is not TaskKind.COMPARE:
        known = [one for one in (base, candidate) if one in titles]
        st.multiselect(
            "Whose answers",
            list(titles),
            format_func=titles.__getitem__,
            key=within(f"{prefix}{kind}-who", titles, known if kind is TaskKind.RATE else list(titles)[: RANKED.stop - 1]),
        )
        if kind is TaskKind.RANK:
            st.number_input("Answers in each ranking", RANKED.start, RANKED.stop - 1, key=first(f"{prefix}ranked", 3))
        return
    pairing = st.segmented_control(
        "What is compared",
        list(PAIRINGS),
        format_func=PAIRINGS.__getitem__,
        key=within(f"{prefix}pairing", PAIRINGS, "current"),
        required=True,
    )
    if pairing == "robin":
        st.multiselect(
            "Whose answers",
            list(titles),
            format_func=titles.__getitem__,
            key=within(f"{prefix}robin-who", titles, versions),
            help="The pairs are spread over the questions so that each meets each equally often.",
        )
        st.number_input(
            "Pairs for each question (0: every pair)", 0, 100, key=first(f"{prefix}each", 1), help="More pairs, more work."
        )
        return
    left, right = st.columns(2)
    left.selectbox("Candidate", versions, format_func=titles.__getitem__, key=within(f"{prefix}candidate", versions, candidate))
    if pairing == "current":
        others = [one for one in versions if one != st.session_state[f"{prefix}candidate"]]
        usual = current if current in others else base if base in others else (others[0] if others else None)
        right.selectbox("Against", others, format_func=titles.__getitem__, key=within(f"{prefix}against", others, usual))


def _title(one: Contestant) -> str:
    return f"{one.name}{' (current)' if one.is_current else ''}, {one.answers:,} answers"


def _sample(visit: Visit, prefix: str) -> None:
    sample = st.segmented_control(
        "How many",
        list(SAMPLES),
        format_func=SAMPLES.__getitem__,
        key=within(f"{prefix}sample", SAMPLES, "all"),
        required=True,
    )
    if sample == "all":
        return
    size, seed, key, share = st.columns(4)
    size.number_input("Size", 1, 10_000_000, key=first(f"{prefix}size", 100))
    seed.number_input(
        "Seed", 0, LARGEST_SEED, key=first(f"{prefix}seed", 0), help="The same seed draws the same, so that you can repeat it."
    )
    if sample != "strata":
        return
    with visit.reading() as session:
        keys = list(queries.slice_values(session, visit.actor, visit.project_id))
    if not keys:
        st.warning("These records have no metadata to draw by. Choose a random sample.", icon=":material/info:")
        return
    key.selectbox("By the metadata", keys, format_func=slice_title, key=within(f"{prefix}stratify", keys, keys[0]))
    share.selectbox(
        "Of each value", list(SHARES), format_func=SHARES.__getitem__, key=within(f"{prefix}shares", SHARES, "share")
    )


# --- 3 ---------------------------------------------------------------------------------------------------------------


def _questions(visit: Visit, prefix: str, choices: Choices) -> None:
    if choices.kind is TaskKind.LABEL:
        st.subheader("Guidelines")
    else:
        st.subheader("What do raters answer?")
        with visit.reading() as session:
            usual = task_queries.default_rubric(session, project_id=visit.project_id)
            cards = task_queries.task_cards(session, actor=visit.actor, project_id=visit.project_id)
        starts = {"The project's usual questions": usual.questions, "No questions": ()}
        starts |= {f"{card.name} ({card.id})": card.rubric.questions for card in cards if card.rubric.questions}
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.selectbox("Start from", list(starts), key=within(f"{prefix}start", starts, next(iter(starts))), width=420)
            st.button(
                "Use these instead", icon=":material/restart_alt:", key="go-start", on_click=rubric_builder.fill,
                args=(f"{prefix}q-", starts[st.session_state[f"{prefix}start"]]),
            )  # fmt: skip
        rubric_builder.show_builder(f"{prefix}q-", choices.kind)
        if choices.kind is TaskKind.RATE:
            st.button(
                "Make these the project's usual questions", icon=":material/bookmark:", key="go-usual", type="tertiary",
                on_click=_make_usual, args=(visit, prefix),
            )  # fmt: skip
    show_guideline_fields(f"{prefix}guidelines")


def _seed_questions(visit: Visit, prefix: str) -> None:
    """A rating task begins with the project's usual questions, other kinds with none; what somebody wrote is left alone."""
    choices, begun_for = Choices(kept.values(prefix)), f"{prefix}q-for"
    if st.session_state.get(begun_for) == choices.kind:
        return
    with visit.reading() as session:
        usual = task_queries.default_rubric(session, project_id=visit.project_id).questions
    rows = st.session_state.get(f"{prefix}q-rows")
    if not rows or rubric_builder.questions_of(f"{prefix}q-") == usual:
        rubric_builder.fill(f"{prefix}q-", usual if choices.kind is TaskKind.RATE else ())
    st.session_state[begun_for] = choices.kind


def show_guideline_fields(key: str) -> None:
    """Guidelines to write, and as raters see them."""
    left, right = st.columns(2)
    left.text_area(
        "Guidelines (Markdown)",
        key=first(key, ""),
        height=220,
        max_chars=tasking.LONGEST_GUIDELINES,
        placeholder="What makes an answer good here? Give an example of each point.",
    )
    with right:
        st.caption("As raters see it. Pictures are shown as links.")
        with st.container(border=True, height=200):
            show_guidelines(st.session_state[key] or "Nothing yet.")


def _make_usual(visit: Visit, prefix: str) -> None:
    rubric = Choices(kept.values(prefix)).rubric
    if rubric is None:
        tell("error", "Something is wrong with these questions. Put it right first.")
        return

    def save() -> bool:
        with visit.writing() as session:
            tasking.set_default_rubric(session=session, actor=visit.actor, project_id=visit.project_id, rubric=rubric)
        return True

    if attempt(save):
        tell("success", "New rating tasks of this project begin with these questions from now on.")


# --- 4, 5 ------------------------------------------------------------------------------------------------------------


def _who(visit: Visit, prefix: str, choices: Choices) -> None:
    st.subheader("Who, and how often?")
    show_people(visit, prefix, choices.kind)


def _preview(visit: Visit, prefix: str, choices: Choices) -> None:
    st.subheader("Look before it starts")
    found = look(visit, choices)
    problem = show_preview(found, choices)
    st.button(
        "Start the task",
        type="primary",
        icon=":material/play_arrow:",
        key="go-make",
        disabled=problem or not found.items,
        on_click=_make,
        args=(visit, prefix),
    )


def _make(visit: Visit, prefix: str) -> None:
    choices = Choices(kept.values(prefix))

    def make() -> str:
        with visit.writing() as session:
            return tasking.create_task(
                session=session,
                actor=visit.actor,
                project_id=visit.project_id,
                kind=choices.kind,
                name=choices.fields.get("name") or "",
                selection=choices.selection,
                rubric=choices.rubric,
                guidelines=choices.fields.get("guidelines") or "",
                overlap=choices.overlap,
                overlap_max=choices.overlap_max,
                options=choices.options(),
                lease_seconds=choices.lease_seconds,
            ).name

    if name := attempt(make):
        where = "Review records" if choices.kind is TaskKind.LABEL else "Rate and compare"
        tell("success", f"“{name}” is open. People find it under {where}.")
        kept.forget(prefix)
        close_builder()
