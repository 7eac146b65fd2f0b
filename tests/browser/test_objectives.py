"""Every objective learns from labels that people made in their browsers: edits and approvals, ratings, blind comparisons and
classes are frozen on the page, a run of each objective is started on the Train page, and each leaves its figures and a version.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect
from sqlmodel import Session, col, select

from backend.access.actors import SYSTEM
from backend.access.sessions import open_session
from backend.intake.importing import import_records
from backend.review import tasking
from backend.review.selections import Selection
from backend.rubrics import Question, Rubric
from backend.settings import Settings
from backend.store.database import Database
from backend.store.models import ModelVersion, Response, Run
from backend.store.records import Record
from backend.vocabulary import QuestionType, Role, TaskKind
from tests.browser.conftest import World
from tests.browser.people import AGAIN, PATIENCE, TRIES, Crowd, Person
from tests.factories import a_person, a_project
from tests.stack import stack
from tests.trainer.conftest import write_t5

pytestmark = pytest.mark.browser

LONG = 600
"""Seconds that the runs before one, and the run itself, may take on a busy machine."""
ASKED = {
    "Returns": (
        "How do I send the blue armchair back to you?", "May I return a lamp that I have used?",
        "Who pays when I send a heavy wardrobe back?", "Can a friend bring my rug back to the shop?",
        "Is there a form for giving back a wrong mirror?",
    ),
    "Delivery": (
        "When does the oak table arrive in Madrid?", "Does the driver carry a sofa to the fourth floor?",
        "Which days do you deliver on the islands?", "Why has my parcel with six plates not come yet?",
        "Will somebody call before the van is here?",
    ),
}  # fmt: skip
"""What the shop is asked, by what it is about."""
KNOWS = {
    "Returns": "You can send it back within thirty days, and we pay for it.",
    "Delivery": "It arrives within four working days.",
}
NO_IDEA = "I do not know."
QUALITY = Rubric((Question("good", "How good is the answer?", ("Useless", "Poor", "Fair", "Good", "Excellent")),))
ABOUT = Rubric((Question("about", "What is the customer's question about?", tuple(ASKED), QuestionType.SINGLE),))
NUMBER = sum(map(len, ASKED.values()))
KINDS = (
    ("Approved answers", "Approved answers, to be imitated.", f"{NUMBER} records"),
    ("Preferences", "Pairs of answers of which people preferred one", f"{NUMBER + 2} rows"),
    ("Thumbs", "Single answers that people found good or bad", f"{NUMBER} rows"),
    ("Classes", "Texts with a class, such as an intent", f"{NUMBER} rows"),
)
"""Snapshots in the order in which they are frozen: what the page calls them, says of them, and says when they are frozen."""


def test_every_objective_learns_from_labels_made_in_the_browser(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    folder = tmp_path_factory.mktemp("objectives")
    with stack(folder) as running:
        database = Database(Settings.from_env(running.environ).database)
        database.migrate()
        tokens = furnish(database, Settings.from_env(running.environ))
        t5 = write_t5(folder / "t5")
        for process in ("web", "worker"):
            running.start(process)
        running.wait_for("web")
        crowd = Crowd(chromium, running.url)
        request.node.funcargs["world"] = World(running, crowd)  # what a failure's report shows
        lead, expert, rater = (crowd.known(name, tokens[name]) for name in ("Lena", "Emil", "Rosa"))
        with step("an expert edits and approves"):
            answers_are_edited_and_approved(expert)
        with step("what was approved is frozen, and learned while the others are at work"):
            it_is_frozen(lead, 1)
            for run in RUNS[:2]:
                it_is_started(lead, run, t5)
        with step("a rater rates, compares and sorts"):
            answers_are_judged(rater)
        with step("what was judged is frozen"):
            for number in (2, 3, 4):
                it_is_frozen(lead, number)
        with step("a run of each objective is started"):
            for run in RUNS[2:]:
                it_is_started(lead, run, t5)
        for number, run in enumerate(RUNS, 1):
            with step(f"{run.objective} has learned"):
                its_run_shows_figures_and_its_version(lead, run, number)
        with step("the versions are listed, and only what chats is a candidate"):
            versions_are_told_apart(lead)
        what_was_made_is_there(database, running.data)
        assert not [one for person in (lead, expert, rater) for one in person.complaints]
        crowd.leave()
        database.dispose()


@contextmanager
def step(name: str) -> Iterator[None]:
    """Say how long a stage took (`pytest -s` shows it)."""
    started = monotonic()
    yield
    print(f"  {name}: {monotonic() - started:.1f} s", flush=True)


# --- what is there before anybody opens a browser ---


def furnish(database: Database, settings: Settings) -> dict[str, str]:
    """Ten imported records, two bots' answers to each, three tasks, three people; the people's tokens."""
    with database.writing() as session:
        project = a_project(session)
        roles = {"Lena": Role.LEAD, "Emil": Role.EXPERT, "Rosa": Role.RATER}
        people = {name: a_person(session, f"{name}@example.org", project=project, role=role) for name, role in roles.items()}
        session.commit()
        rows = [{"prompt": question, "response": KNOWS[about]} for about, asked in ASKED.items() for question in asked]
        given: dict[str, Any] = {"actor": SYSTEM, "project_id": project.id or 0}
        import_records(session=session, settings=settings, name="Shop", rows=rows, **given)
    with database.writing() as session:
        answer(session, project.id or 0)
        for kind, name, rubric, bots in (
            (TaskKind.RATE, "How good", QUALITY, ("model:moody",)),
            (TaskKind.COMPARE, "Which is better", None, ("model:moody", "model:other")),
            (TaskKind.RATE, "What about", ABOUT, ("model:moody",)),
        ):
            chosen = Selection(contestants=bots)
            tasking.create_task(session=session, kind=kind, name=name, rubric=rubric, selection=chosen, **given)
        tokens = {name: open_session(session, account_id=person.account_id or 0, hours=1) for name, person in people.items()}
        session.commit()
    return tokens


def answer(session: Session, project_id: int) -> None:
    """Of two bots one knows what the other does not, and they take turns."""
    for place, record in enumerate(session.exec(select(Record).order_by(col(Record.id)))):
        for bot, knows in (("moody", place % 2 == 0), ("other", place % 2 == 1)):
            session.add(
                Response(
                    project_id=project_id, record_id=record.id, prompt=[{"role": "user", "content": record.prompt}],
                    reference=record.answer, text=f"{record.answer} Promised." if knows else NO_IDEA, decoding={"model": bot},
                )
            )  # fmt: skip
    session.commit()


# --- labels ---


def answers_are_edited_and_approved(expert: Person) -> None:
    """Two answers are put right, the others are fine."""
    expert.open("review")
    for done in range(1, NUMBER + 1):
        heading = expert.page.get_by_text(re.compile(r"^Record \d+$")).first
        shown = heading.inner_text(timeout=PATIENCE)
        if done > 2:
            expert.key("a", until=f"{done} decided by you today")
        else:
            expert.key("e", until="Why do you change it?")
            box = expert.page.get_by_test_id("stTextArea").filter(has_text="Assistant").last.locator("textarea")
            box.fill(f"Bring it or send it back within thirty days, please. We pay. ({done})")
            expert.fill("Why do you change it?", "It says what to do.")
            expert.page.keyboard.press("Tab")
            expert.settled()
            expert.press("Save and approve")
            expert.sees(f"{done} decided by you today")
        if done < NUMBER:
            expect(heading).not_to_have_text(shown, timeout=PATIENCE)
            expert.settled()


def answers_are_judged(rater: Person) -> None:
    """By what is on the screen: useless answers are rated so and lose, questions are sorted."""
    rater.open("rate")
    work_on(rater, "Rate: How good", lambda: "1" if NO_IDEA in said(rater, 0) else "5")
    work_on(rater, "Compare: Which is better", lambda: "ArrowRight" if NO_IDEA in said(rater, 0) else "ArrowLeft")
    work_on(rater, "Rate: What about", lambda: "1" if asked(rater) in ASKED["Returns"] else "2")


def work_on(rater: Person, task: str, key: Callable[[], str]) -> None:
    choice = rater.page.get_by_role("radio", name=task)
    tick(choice, choice)
    rater.sees(re.compile(rf"^{NUMBER} waiting for you"))
    for done in range(1, NUMBER + 1):
        expect(rater.page.locator(".desk .card .text").first).to_be_visible(timeout=PATIENCE)
        rater.key(key(), until=re.compile(rf"\b{done} done by you here"))
    rater.sees("All saved")


def asked(rater: Person) -> str:
    """The question on the screen."""
    return rater.page.get_by_role("list", name="Conversation").locator(".turn.user .bubble").last.inner_text(timeout=PATIENCE)


def said(rater: Person, side: int) -> str:
    """An answer on the screen."""
    return rater.page.locator(".desk .card .text").nth(side).inner_text(timeout=PATIENCE)


def tick(choice: Locator, words: Locator) -> None:
    """Choose something by its words, unless it is chosen: a second press would take some choices back."""

    def press() -> None:
        if not choice.is_checked(timeout=PATIENCE):
            words.click(timeout=PATIENCE)

    until(press, lambda limit: expect(choice).to_be_checked(timeout=limit))


def until(act: Callable[[], object], seen: Callable[[float], object]) -> None:
    """Act, and act again where nothing came of it because the page was being drawn."""
    for attempt in range(TRIES):
        act()
        try:
            seen((PATIENCE / 1000 if attempt == TRIES - 1 else AGAIN) * 1000)
            return
        except AssertionError:
            if attempt == TRIES - 1:
                raise


# --- snapshots ---


def it_is_frozen(lead: Person, number: int) -> None:
    holds, told, rows = KINDS[number - 1]
    be_at(lead, "snapshots")
    kind = lead.main.get_by_test_id("stButtonGroup").get_by_text(holds, exact=True)
    until(lambda: kind.click(timeout=PATIENCE), lambda limit: lead.sees(told, seconds=limit / 1000))
    lead.settled()
    if holds == "Preferences":
        edits_count_too(lead)
    if holds == "Classes":
        names = lead.main.get_by_test_id("stSelectbox").filter(has_text="What names the class").locator("input")
        expect(names).to_have_value("What people chose: What is the customer's question about?", timeout=PATIENCE)
    ready = lead.main.get_by_test_id("stMetric").filter(has_text="Would enter").get_by_test_id("stMetricValue")
    expect(ready).to_have_text(rows.split()[0], timeout=PATIENCE)
    lead.fill("Name", holds)
    lead.press("Freeze")
    lead.sees(f"Snapshot {number} is frozen with {rows}")
    lead.settled()


def edits_count_too(lead: Person) -> None:
    edits = lead.main.get_by_role("switch", name="Edits count as preferences too")
    words = lead.main.get_by_text("Edits count as preferences too")
    tick(edits, words)
    lead.settled()


# --- runs ---


@dataclass(frozen=True)
class Wanted:
    """A run to be started, and what it shall show."""

    objective: str
    snapshot: int
    choice: str
    """What the radio says; empty where there is nothing to choose."""
    figures: tuple[str, ...]
    kind: str = "chat model"


RUNS = (
    Wanted("sft", 1, "", ("Loss", "Perplexity", "Token accuracy")),
    Wanted("seq2seq", 1, "Imitate, read and write apart (T5)", ("Loss", "Perplexity"), "T5 model"),
    Wanted("dpo", 2, "Prefer (DPO)", ("Loss", "Preference accuracy", "Margin")),
    Wanted("orpo", 2, "Imitate and prefer (ORPO)", ("Loss", "Preference accuracy", "Log odds")),
    Wanted("reward", 2, "Score (reward model)", ("Loss", "Preference accuracy"), "reward model"),
    Wanted("kto", 3, "", ("Loss", "Margin", "KL estimate")),
    Wanted("classification", 4, "", ("Loss", "Accuracy", "Macro-F1"), "classifier"),
)


def it_is_started(lead: Person, run: Wanted, t5: str) -> None:
    be_at(lead, "training")
    form, words = lead.main.get_by_role("spinbutton", name="Epochs"), lead.main.get_by_text("Start a run", exact=True)
    opened = lead.main.locator("details[open]").filter(has=lead.page.get_by_text("Start a run", exact=True))
    expect(words).to_be_visible(timeout=PATIENCE)

    def unfold() -> None:
        if not opened.count():
            words.click(timeout=PATIENCE)

    until(unfold, lambda limit: expect(form).to_be_visible(timeout=limit))
    there = lead.main.get_by_test_id("stSelectbox").filter(has_text="Snapshot").locator("input").first
    if not there.input_value(timeout=PATIENCE).startswith(f"{run.snapshot}: "):
        lead.choose("Snapshot", re.compile(f"^{run.snapshot}: "))
    expect(there).to_have_value(re.compile(f"^{run.snapshot}: "), timeout=PATIENCE)
    model = "Another model" if run.objective == "seq2seq" else "touchstone-mini (ships with Touchstone)"
    pick(lead, lead.main.get_by_role("radio", name=model), model)
    if run.objective == "seq2seq":
        box = lead.main.get_by_test_id("stSelectbox").filter(has_text="Model").locator("input").last
        box.fill(t5, timeout=PATIENCE)
        box.press("Enter")
        lead.settled()
        expect(box).to_have_value(t5, timeout=PATIENCE)
    if run.choice:
        pick(lead, lead.main.get_by_role("radio", name=run.choice), run.choice)
    lead.fill("Name", f"Learns {run.objective}")
    form.fill("1", timeout=PATIENCE)
    form.press("Tab")
    lead.settled()
    lead.press("Start")
    lead.sees(f"Run {1 + RUNS.index(run)} is in the queue")
    lead.settled()


def be_at(lead: Person, page: str) -> None:
    """Go there, unless that is where one is: a page that is drawn again closes what was opened on it meanwhile."""
    if not lead.page.url.partition("?")[0].endswith(f"/{page}"):
        lead.go(page)


def pick(lead: Person, choice: Locator, words: str) -> None:
    """One of several, by its words."""
    target = lead.main.get_by_text(words, exact=True).filter(visible=True).first
    tick(choice, target)
    lead.settled()


def its_run_shows_figures_and_its_version(lead: Person, run: Wanted, number: int) -> None:
    be_at(lead, "training")
    lead.choose("Run", re.compile(f"^{number}: Learns {run.objective}"))
    lead.sees(f"Run {number} has finished", seconds=LONG)
    lead.settled()
    lead.sees(re.compile(rf"^It made the version shop-v\d+, a {run.kind}\.$"))
    shown = lead.main.get_by_test_id("stMetric")
    for figure in run.figures:
        value = shown.filter(has_text=figure).first.get_by_test_id("stMetricValue")
        expect(value).to_have_text(re.compile(r"\d"), timeout=PATIENCE)
    if run.kind in ("chat model", "T5 model"):
        expect(lead.main.get_by_role("link", name="Evaluate what it made")).to_be_visible(timeout=PATIENCE)
    else:
        lead.sees(re.compile(f"This {run.kind} .* It does not chat"))
    if run.objective == "classification":
        lead.sees("What was taken for what")


def versions_are_told_apart(lead: Person) -> None:
    tab = lead.main.get_by_role("tab", name="Versions")
    until(lambda: tab.click(timeout=PATIENCE), lambda limit: lead.sees("Look into", seconds=limit / 1000))
    for page in ("evaluations", "promotion"):
        lead.go(page)
        lead.sees(re.compile("Not listed, because they do not chat: .*Learns classification .classifier, Accuracy "))


def what_was_made_is_there(database: Database, data: Path) -> None:
    """A version of each run; the engine is offered those that chat."""
    with database.reading() as session:
        query = select(ModelVersion, Run).join(Run, col(Run.id) == ModelVersion.run_id)
        made = {run.config["objective"]: version for version, run in session.exec(query)}
        preferred = session.exec(select(Run).where(Run.number == 3)).one().result["rows"]
    assert sorted(made) == sorted(run.objective for run in RUNS)
    served = {path.parent.name for path in (data / "models").glob("*/served.json")}
    chats = {version.served_as for objective, version in made.items() if objective not in ("reward", "classification")}
    assert len(served - chats) == 2, "The base models: the embedded one and the T5."
    assert chats < served
    assert preferred >= NUMBER - 4
