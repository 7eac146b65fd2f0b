"""Reads about model versions: what they are, where they came from, and how they did on their test rows.

A version that does not chat is measured by its run alone; one that chats, by an evaluation of the answers that it writes too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlmodel import Session, col, select

from backend.store import versions as kinds
from backend.store.models import ModelVersion, Run, Snapshot
from backend.vocabulary import Stage
from trainer import contract


@dataclass(frozen=True, slots=True)
class VersionCard:
    """A model version with where it came from."""

    id: int
    number: int
    name: str
    stage: str
    base_model: str
    run: int | None
    snapshot_id: int | None
    created_at: datetime
    objective: str
    """What it has learned; nothing for a base model as it is."""
    test: dict[str, Any]
    """What its run measured on the test rows; nothing where that was left to evaluations, or there were none."""
    validation: dict[str, Any]
    """The same on the validation rows, at the step whose weights it has."""
    snapshot: int | None = None

    @property
    def is_base(self) -> bool:
        """Whether this is a base model as it is."""
        return self.run is None

    @property
    def chats(self) -> bool:
        """Whether it answers in a chat, and so can be evaluated by its answers, promoted and served."""
        return self.objective not in kinds.JUDGES

    @property
    def kind(self) -> str:
        """What people call such a model."""
        return "base model" if self.is_base else kinds.kind_of(self.objective)

    @property
    def standing(self) -> str:
        """Its stage, or its kind where it has no way to be promoted, or is a base model that never was."""
        if self.is_base and self.stage == Stage.CANDIDATE:
            return self.kind
        return kinds.standing(self.stage, self.objective)

    @property
    def figures(self) -> dict[str, float]:
        """The figures that its objective is watched by: those on the test rows, else those on the validation rows."""
        if self.is_base:
            return {}
        return named_figures(self.objective, self.test or self.validation)

    @property
    def told(self) -> str:
        """Its figures in a line; nothing where there are none."""
        rows = f"on {self.rows} of the test set" if self.test else "on the validation rows"
        shown = ", ".join(f"{title_of(name)} {value:.3g}" for name, value in self.figures.items())
        return f"{shown} {rows}" if shown else ""

    @property
    def rows(self) -> str:
        """How many test rows it was measured on, in words."""
        count = self.test.get("rows", 0)
        return f"{count:,} row" + ("" if count == 1 else "s")

    @property
    def told_first(self) -> str:
        """The figure that says most, for where there is little room: that of the kind, not the loss."""
        named = [*[(name, value) for name, value in self.figures.items() if name != "loss"], *self.figures.items()]
        return f"{title_of(named[0][0])} {named[0][1]:.3g}" if named else ""


_TITLES = {"macro_f1": "Macro-F1", "bleu": "BLEU", "rouge_l": "ROUGE-L", "kl": "KL estimate"}


def named_figures(objective: str, measured: dict[str, Any]) -> dict[str, float]:
    """Of what was measured, the loss and the objective's own figures."""
    names = dict.fromkeys(contract.metrics_of(objective))
    return {name: float(measured[name]) for name in names if isinstance(measured.get(name), int | float)}


def title_of(name: str) -> str:
    """A figure's name in plain words."""
    return _TITLES.get(name, name.replace("_", " ").capitalize())


def versions(session: Session, *, project_id: int) -> list[VersionCard]:
    """Every version, the newest first."""
    columns: list[Any] = [ModelVersion, Run, Snapshot.number]
    query = (
        select(*columns)
        .outerjoin(Run, col(Run.id) == ModelVersion.run_id)
        .outerjoin(Snapshot, col(Snapshot.id) == Run.snapshot_id)
        .where(ModelVersion.project_id == project_id)
        .order_by(col(ModelVersion.number).desc())
    )
    return [_card(one, run, snapshot) for one, run, snapshot in session.exec(query)]


def _card(one: ModelVersion, run: Run | None, snapshot: int | None) -> VersionCard:
    result = run.result if run else {}
    return VersionCard(
        id=one.id or 0,
        number=one.number,
        name=one.name,
        stage=str(one.stage),
        base_model=one.base_model,
        run=run.number if run else None,
        snapshot_id=run.snapshot_id if run else None,
        created_at=one.created_at,
        objective=str(run.config.get("objective", "sft")) if run else "",
        test=result.get("test") or {},
        validation={"loss": result.get("best_validation_loss")} | (result.get("validation") or {}),
        snapshot=snapshot,
    )


def table(cards: Sequence[VersionCard]) -> pd.DataFrame:
    """Versions as people compare them: number, name, kind, stage, figures, learned, run, snapshot, made."""
    rows = [
        (
            one.number, one.name, one.kind, "" if one.standing == one.kind else one.stage, one.told, one.objective,
            str(one.run or ""), str(one.snapshot or ""), one.created_at,
        )
        for one in cards
    ]  # fmt: skip
    names = ["number", "name", "kind", "stage", "figures", "learned", "run", "snapshot", "made"]
    return pd.DataFrame(rows, columns=names)
