"""The command `loop`: one turn of the whole loop without a person, through the same use-cases that people call.

In place of people stand judges whose rules are stated here and printed with the result. The expert holds the sample's key
of mistakes: it masks what was found, corrects what the key corrects, rejects what the key rejects and approves the other
records of the sample; records that are not the sample's are left to people. The two raters see both answers blind, with the
reference answer, and take the one that matches it exactly, else the one with the higher ROUGE-L, else neither. The lead
promotes exactly when the gate is passed, never against it.

Each stage's result goes to standard error as a line of JSON when it is there; the whole is printed at the end. Running it
again turns the loop again: what was decided stays decided.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlmodel import Session, col, select

from backend.access.actors import SYSTEM, Actor
from backend.access.queries import project_id_of
from backend.access.sessions import actor_of
from backend.conversations import Message, messages_from_json
from backend.curation import fixing
from backend.datasets import canaries
from backend.datasets.freezing import freeze
from backend.errors import AlreadyDone, NotReady, TouchstoneError
from backend.evaluation import evaluating, held_out, promoting
from backend.evaluation.evidence import standing
from backend.intake.sampling import FOLDER, load_sample
from backend.jobs import queue
from backend.jobs.waiting import wait
from backend.review import annotating, curating_faqs, queueing, reviewing, tasking
from backend.review.annotating import WorkItem
from backend.review.leases import Lease
from backend.review.selections import Selection
from backend.runtime import Runtime
from backend.serving import chatting
from backend.serving.own_engine import engine_of_ones_own
from backend.statistics.text import exact_match, rouge
from backend.store.accounts import Account, Membership
from backend.store.models import Evaluation, ModelVersion, Run
from backend.store.records import Faq, FaqRevision, Finding, Project, Record, RecordRevision
from backend.store.work import Item
from backend.task_options import TaskOptions
from backend.training import launching, recipes
from backend.vocabulary import PERSONAL_FINDINGS, Decision, FaqState, FindingStatus, JobKind, JobStatus, Role, TaskKind, Verdict
from backend.wiring import COLLECTORS
from trainer import contract

T = TypeVar("T")
RULES = {
    "expert": "holds the sample's key of mistakes; masks, corrects, rejects and approves by it",
    "raters": "an exact match with the reference answer wins, else the higher ROUGE-L, else neither",
    "lead": "promotes exactly when the gate is passed",
}


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser = subparsers.add_parser("loop", help="turn the whole loop once, with stated judges in place of people")
    parser.add_argument("--project", default="shop", help="the project's short name; the sample is loaded where it is absent")
    parser.add_argument("--seed", type=int, default=0, help="of the splits, the training and the drawn comparisons")
    parser.add_argument("--set", dest="assignments", action="append", default=[], metavar="NAME=VALUE", help="a recipe field")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace, house: Runtime) -> dict[str, Any]:
    """Every stage in order."""
    turn = Turn(house, arguments.project, arguments.seed, recipes.parse_assignments(arguments.assignments))
    stages: dict[str, dict[str, Any]] = {}
    for name, stage in turn.stages():
        stages[name] = stage()
        print(json.dumps({"stage": name, **stages[name]}, ensure_ascii=False, default=str), file=sys.stderr, flush=True)
    end = {name: stages.pop(name) for name in ("held_out", "promotion", "served")}
    return {"project": arguments.project, "judges": RULES, "stages": stages, **end}


@dataclass(slots=True)
class Turn:
    """One turn of the loop. Each stage reads what the ones before it left in the tables."""

    house: Runtime
    slug: str
    seed: int
    recipe: dict[str, Any]
    project_id: int = 0
    snapshot_id: int = 0
    version_id: int = 0
    evaluation_id: int = 0

    def stages(self) -> tuple[tuple[str, Callable[[], dict[str, Any]]], ...]:
        """The stages in order."""
        return (
            ("import", self.load),
            ("review", self.review),
            ("faqs", self.correct_faqs),
            ("snapshot", self.freeze),
            ("train", self.train),
            ("evaluate", self.evaluate),
            ("judge", self.judge),
            ("promotion", self.promote),
            ("held_out", self.hold_out),
            ("served", self.serve),
        )

    def do(self, use_case: Callable[..., T], *, actor: Actor = SYSTEM, **given: Any) -> T:
        """Call a use-case in a session of its own."""
        with self.house.database.writing() as session:
            return use_case(session=session, actor=actor, **given)

    def load(self) -> dict[str, Any]:
        """Load the sample project where it is absent."""
        try:
            loaded = self.do(load_sample, settings=self.house.settings, slug=self.slug)
            told: dict[str, Any] = {
                "records": loaded.records.imported,
                "faqs": loaded.faqs.imported,
                "past_ratings": loaded.ratings,
            }
        except AlreadyDone as done:
            told = {"already": done.message}
        with self.house.database.reading() as session:
            self.project_id = project_id_of(session, self.slug)
        return told

    # --- review ---

    def review(self) -> dict[str, Any]:
        """The expert goes through the review queue, record by record."""
        mistakes = {row["id"]: row for row in _key()["records"]}
        known = {row["id"] for row in _rows("records.jsonl")}
        expert, counts = self.judge_account("expert", Role.EXPERT), Counter[str]()
        here: dict[str, Any] = {"actor": expert, "project_id": self.project_id}
        while lease := self.do(queueing.next_item, seconds=self.house.settings.lease_seconds, **here):
            with self.house.database.reading() as session:
                record, messages, findings = _looked_at(session, lease)
            mistake = mistakes.get(record.external_id) if record.external_id in known else {"action": "leave"}
            counts[self._rule(here, lease, record.head, messages, findings, mistake or {})] += 1
        return dict(counts)

    def _rule(
        self,
        here: dict[str, Any],
        lease: Lease,
        number: int,
        messages: tuple[Message, ...],
        findings: list[int],
        mistake: dict[str, Any],
    ) -> str:
        """Decide on one record by the key; returns what was done."""
        action, reason = mistake.get("action"), f"The key says: {mistake.get('kind', '').replace('_', ' ')}."
        if action == "leave":
            self.do(reviewing.skip, lease=lease, reason="Not one of the sample's records; for people.", **here)
            return "left to people"
        if action == "reject":
            self.do(reviewing.reject, lease=lease, number=number, reason=reason, **here)
            return "rejected"
        right = messages_from_json(mistake["messages"]) if action in ("edit", "repair") else messages
        if right != messages:
            edit: dict[str, Any] = {"based_on": number, "messages": right, "reason": reason, "then_approve": True}
            self.do(reviewing.edit, lease=lease, **edit, **here)
            return "corrected and approved"
        if findings:
            number = self.do(fixing.fix, finding_ids=findings, **here).head
        self.do(reviewing.approve, lease=lease, number=number, **here)
        return "masked and approved" if findings else "approved"

    def correct_faqs(self) -> dict[str, Any]:
        """The expert corrects the outdated FAQs; the lead approves."""
        expert, corrected = self.judge_account("expert", Role.EXPERT), []
        for row in _key()["faqs"]:
            with self.house.database.reading() as session:
                newest = session.exec(
                    select(FaqRevision)
                    .join(Faq, (col(Faq.id) == FaqRevision.faq_id) & (col(Faq.head) == FaqRevision.number))
                    .where(Faq.project_id == self.project_id, Faq.key == row["key"])
                ).first()
            if newest is None:
                continue
            here: dict[str, Any] = {"project_id": self.project_id, "faq_id": newest.faq_id}
            if newest.answer != row["answer"]:
                text: dict[str, Any] = {
                    "question": newest.question,
                    "answer": row["answer"],
                    "reason": "Outdated, says the key.",
                }
                newest = self.do(curating_faqs.propose, actor=expert, based_on=newest.number, **text, **here)
            if newest.state is FaqState.PROPOSED:
                self.do(curating_faqs.rule, number=newest.number, decision=Decision.APPROVED, **here)
                corrected.append(row["key"])
        return {"corrected": corrected}

    # --- snapshot, training, evaluation ---

    def freeze(self) -> dict[str, Any]:
        """Freeze what is approved."""
        how: dict[str, Any] = {"name": "By the loop", "seed": self.seed, "canaries": canaries.USUAL}
        snapshot = self.do(freeze, settings=self.house.settings, project_id=self.project_id, **how)
        self.snapshot_id = snapshot.id or 0
        return {"snapshot": snapshot.number, "rows": snapshot.manifest["counts"], "hash": snapshot.content_hash}

    def train(self) -> dict[str, Any]:
        """Train on the snapshot."""
        started = self.do(
            launching.start_run,
            settings=self.house.settings,
            project_id=self.project_id,
            snapshot_id=self.snapshot_id,
            recipe={"seed": self.seed} | self.recipe,
        )
        self._wait(started.job_id)
        with self.house.database.reading() as session:
            version = session.exec(select(ModelVersion).where(ModelVersion.run_id == started.id)).one()
            result = session.get_one(Run, started.id).result
        self.version_id = version.id or 0
        kept = ("steps", "best_step", "best_validation_loss", "tokens_per_second", "seconds", "device")
        return {"run": started.number, "version": version.served_as} | {name: result[name] for name in kept if name in result}

    def evaluate(self) -> dict[str, Any]:
        """The candidate and the version that it would replace answer the test questions."""
        evaluation = self.do(
            evaluating.start_evaluation,
            settings=self.house.settings,
            project_id=self.project_id,
            candidate_version_id=self.version_id,
        )
        self._wait(evaluation.job_id)
        self.evaluation_id = evaluation.id or 0
        with self.house.database.reading() as session:
            models = session.get_one(Evaluation, evaluation.id).report["models"]
        kept = ("n", "loss", "perplexity", "bleu", "rouge_l", "exact_match")
        return {"evaluation": evaluation.id} | {name: {key: one[key] for key in kept} for name, one in models.items()}

    def _wait(self, job_id: int | None) -> None:
        settings = self.house.settings
        job = wait(database=self.house.database, settings=settings, job_id=job_id or 0, collectors=COLLECTORS)
        if job.status is not JobStatus.SUCCEEDED:
            raise TouchstoneError(
                f"The job ended as {job.status.value}. {job.error} Its log: {settings.data / job.folder}/log.txt"
            )

    # --- judging, promotion ---

    def judge(self) -> dict[str, Any]:
        """Two raters compare the answers blind. Where no two answers differ there is nothing to judge."""
        try:
            task = self.do(
                tasking.create_task,
                project_id=self.project_id,
                kind=TaskKind.COMPARE,
                selection=Selection(evaluation_id=self.evaluation_id, seed=self.seed),
                overlap=2,
                options=TaskOptions(show_reference=True),
                name=f"Blind comparison by the loop, evaluation {self.evaluation_id}",
            )
        except NotReady as nothing:
            return {"judgements": 0, "why": nothing.message}
        answers = Counter[str]()
        for name in ("rater-one", "rater-two"):
            rater = self.judge_account(name, Role.RATER)
            while items := self.do(annotating.next_items, actor=rater, task_id=task.id, count=10):
                for item in items:
                    verdict = preference(item)
                    self.do(annotating.submit, actor=rater, slot_id=item.slot_id, fence=item.fence, verdict=verdict)
                    answers[verdict.value] += 1
        return {"identical_answers": task.options["identical"], "judgements": answers.total(), "verdicts": dict(answers)}

    def promote(self) -> dict[str, Any]:
        """Promote the candidate if it passes the gate."""
        with self.house.database.reading() as session:
            found = standing(session, project_id=self.project_id, version_id=self.version_id)
            replaces = session.get_one(Project, self.project_id).current_version_id
        checks = [f"{check.outcome.value}: {check.title}, {check.measured}" for check in found.result.checks]
        told = {"instead_of": found.baseline_name, "verdict": found.result.verdict.value, "checks": checks}
        if not found.result.passed:
            return {"decision": "not promoted"} | told
        decision = self.do(
            promoting.promote,
            settings=self.house.settings,
            project_id=self.project_id,
            version_id=self.version_id,
            replaces=replaces,
            reason="The gate is passed.",
        )
        return {"decision": decision.kind.value} | told

    # --- held-out questions, serving ---

    def hold_out(self) -> dict[str, Any]:
        """Base and candidate answer questions that are in no snapshot: unseen phrasings of changed and unchanged facts."""
        settings = self.house.settings
        folder = settings.runs / f"held-out-{secrets.token_hex(8)}"
        with self.house.database.writing() as session:
            specs = _specs(session, self.project_id, self.version_id)
            config = contract.EvaluateConfig(data=str(folder), models=specs, threads=settings.trainer_threads)
            held_out.write(folder, _rows("heldout.jsonl"), config)
            job = queue.enqueue(
                session,
                actor=SYSTEM,
                project_id=self.project_id,
                kind=JobKind.EVALUATE,
                arguments=["evaluate", "--config", str(folder / contract.CONFIG), "--out", str(folder)],
                folder=str(folder.relative_to(settings.data)),
            )
            session.commit()
        self._wait(job.id)
        return {label: held_out.scores(folder, _rows("heldout.jsonl"), label) for label in ("base", "tuned")}

    def serve(self) -> dict[str, Any]:
        """The demonstration question, asked at an engine as the chat asks; the current version answers."""
        about = json.loads((FOLDER / "project.json").read_text(encoding="utf-8"))
        try:
            chat_id = self.do(chatting.start_chat, project_id=self.project_id, channel="loop")
        except NotReady as nobody:
            return {"question": about["demo_question"], "answer": None, "why": nobody.message}
        question = self.do(chatting.ask, chat_id=chat_id, text=about["demo_question"])
        speaker, started = question.speaker, time.monotonic()
        with engine_of_ones_own(self.house.settings) as engine:
            answer = engine.complete(model=speaker.served_as, messages=question.messages, decoding=speaker.decoding)
        self.do(chatting.keep_answer, question=question, text=answer, seconds=time.monotonic() - started)
        right = exact_match(answer, about["demo_answer_after"])
        return {"version": speaker.served_as, "question": about["demo_question"], "answer": answer, "right": right}

    def judge_account(self, name: str, role: Role) -> Actor:
        """The judge's account in this project: switched off, so that nobody can sign in as it."""
        email = f"{name}@judges.invalid"
        with self.house.database.writing() as session:
            account = session.exec(select(Account).where(Account.email == email)).one_or_none()
            if account is None:
                account = Account(email=email, name=f"Judge ({name})", is_active=False)
                session.add(account)
                session.flush()
            here = (Membership.account_id == account.id, Membership.project_id == self.project_id)
            if session.exec(select(Membership.id).where(*here)).first() is None:
                session.add(Membership(account_id=account.id or 0, project_id=self.project_id, role=role))
            session.commit()
            return actor_of(session, account)


def preference(item: WorkItem) -> Verdict:
    """The raters' rule: exact match first, then ROUGE-L, a tie where both are equal."""
    left, right = (
        (exact_match(text, item.reference), rouge(text, item.reference, stemmer=False))
        for text in (item.texts[0], item.texts[1])
    )
    if left == right:
        return Verdict.TIE
    return Verdict.LEFT if left > right else Verdict.RIGHT


def _key() -> dict[str, list[dict[str, Any]]]:
    """The sample's key of mistakes."""
    found: dict[str, list[dict[str, Any]]] = json.loads((FOLDER / "mistakes.json").read_text(encoding="utf-8"))
    return found


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").split("\n") if line]


def _looked_at(session: Session, lease: Lease) -> tuple[Record, tuple[Message, ...], list[int]]:
    """The record under a lease, its newest text, and the ids of the personal data found in it."""
    record = session.get_one(Record, session.get_one(Item, lease.item_id).record_id)
    revision = select(RecordRevision).where(RecordRevision.record_id == record.id, RecordRevision.number == record.head)
    findings = select(Finding.id).where(
        Finding.record_id == record.id, Finding.status == FindingStatus.OPEN, col(Finding.kind).in_(PERSONAL_FINDINGS)
    )
    messages = messages_from_json(session.exec(revision).one().messages)
    return record, messages, [number or 0 for number in session.exec(findings)]


def _specs(session: Session, project_id: int, version_id: int) -> tuple[contract.ModelSpec, contract.ModelSpec]:
    """The base model that the candidate was made from, and the candidate."""
    tuned = session.get_one(ModelVersion, version_id)
    config = session.get_one(Run, tuned.run_id).config
    base = contract.ModelSpec(label="base", base_model=config["base_model"], revision=config.get("revision"))
    return base, contract.ModelSpec(label="tuned", base_model=tuned.base_model, revision=tuned.revision, adapter=tuned.adapter)
