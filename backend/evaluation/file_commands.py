"""The commands `agreement`, `reliability` and `rank`: statistics of CSV files that never saw the database.

Each prints one JSON object. What cannot be estimated has `"value": null` and a `reason`; nothing is written anywhere.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Hashable, Mapping
from itertools import combinations
from typing import Any

from backend.errors import InvalidInput
from backend.evaluation import rating_files
from backend.evaluation.rating_files import Answers, Sides
from backend.statistics.agreement import Level, Weights, cohen_kappa, fleiss_kappa, krippendorff_alpha, percent_agreement
from backend.statistics.biases import position_bias
from backend.statistics.icc import icc_forms
from backend.statistics.ranking import Ranking, Ties, bradley_terry, bradley_terry_bootstrap, win_rates
from backend.statistics.reliability import dawid_skene
from backend.statistics.results import Estimate, NotEstimable, Result
from backend.statistics.scores import average_win_rates, elo


def register(subparsers: Any) -> None:
    """Add the parsers. Their handlers need no runtime, so no database is opened and no folder made."""
    agreement = subparsers.add_parser("agreement", help="how far raters answer alike, from a CSV file")
    agreement.add_argument("--wide", metavar="COL,COL,…", help="instead: one row an item, these columns are the raters")
    agreement.add_argument("--level", choices=[level.value for level in Level], default=Level.NOMINAL.value)
    agreement.set_defaults(handler=_agreement)
    reliability = subparsers.add_parser("reliability", help="consensus and rater accuracy (Dawid-Skene), from a CSV file")
    reliability.set_defaults(handler=_reliability)
    rank = subparsers.add_parser("rank", help="strengths from pairwise comparisons (Bradley-Terry), from a CSV file")
    for side in ("left", "right"):
        rank.add_argument(f"--{side}", required=True, metavar="COL", help=f"the {side} one of the two that were compared")
        rank.add_argument(f"--{side}-value", default=side, metavar="TEXT", help=f"what --winner says if it is the {side} one")
    rank.add_argument("--winner", required=True, metavar="COL", help="a side's value, the tie's, or the winner's own name")
    rank.add_argument("--tie-value", action="append", metavar="TEXT", help="what --winner says for a tie; can be repeated")
    rank.add_argument("--item", metavar="COL", help="what was judged; with it intervals redraw items and raters")
    rank.add_argument("--rater", metavar="COL", help="who judged; with it intervals redraw items and raters")
    rank.add_argument("--ridge", type=float, default=0.0, help="draw strengths to their mean; 0 does not")
    rank.set_defaults(handler=_rank)
    for parser in (agreement, reliability, rank):
        parser.add_argument("file", metavar="FILE.csv", help="the file; - for standard input")
        parser.add_argument("--missing", action="append", default=[], metavar="TEXT", help="a text that means no answer")
        parser.set_defaults(needs_house=False)
    for parser, needed in ((agreement, False), (reliability, True)):
        for name in ("item", "rater", "label"):
            parser.add_argument(f"--{name}", required=needed, metavar="COL", help=f"the column of the {name}")


# --- agreement --------------------------------------------------------------------------------------------------------


def _agreement(arguments: argparse.Namespace, _: None) -> dict[str, Any]:
    answers, level = _answers(arguments), Level(arguments.level)
    numeric = level is not Level.NOMINAL
    labels: Mapping[str, Mapping[str, Hashable]]
    labels = rating_files.as_numbers(answers, level.value) if numeric else rating_files.as_names(answers)
    # Alpha and Fleiss' kappa do not look at who answered, so a row need not have a cell for every rater.
    rows = [list(row.values()) for row in labels.values()]
    columns = {rater: {item: row[rater] for item, row in labels.items() if rater in row} for rater in answers.raters}
    told = _told(answers) | {
        "level": level.value,
        "alpha": _json(krippendorff_alpha(rows, level)),
        "fleiss_kappa": _json(fleiss_kappa(rows)),
        "percent_agreement": _json(percent_agreement(rows)),
        "cohen_kappa": _pairs(columns, None),
    }
    if numeric:
        told["weighted_kappa"] = _pairs(columns, Weights.QUADRATIC)
        table: Any = [[row.get(rater) for rater in answers.raters] for row in labels.values()]
        told["icc"] = {form.value: _json(result) for form, result in icc_forms(table).items()}
    return told


def _answers(arguments: argparse.Namespace) -> Answers:
    if getattr(arguments, "wide", None):
        raters = [name.strip() for name in next(csv.reader([arguments.wide])) if name.strip()]
        return rating_files.wide_answers(rating_files.read_sheet(arguments.file, raters, arguments.missing), raters)
    names = arguments.item, arguments.rater, arguments.label
    if not all(names):
        raise InvalidInput("Name the columns: --item, --rater and --label, or --wide with one column a rater.")
    return rating_files.long_answers(rating_files.read_sheet(arguments.file, names, arguments.missing), *names)


def _told(answers: Answers) -> dict[str, Any]:
    return {
        "items": len(answers.by_item),
        "raters": list(answers.raters),
        "answers": sum(map(len, answers.by_item.values())),
        "duplicates": answers.duplicates,
        "missing": answers.missing,
        "rows_without_item_or_rater": answers.without_id,
        "notes": _notes(answers),
    }


def _notes(answers: Answers) -> list[str]:
    """Labels that other programs write for nothing; here only blanks are missing, as “none” may be an answer."""
    labels = dict.fromkeys(label for row in answers.by_item.values() for label in row.values())
    return [
        f"“{label}” counts as a label; --missing {label} makes it a missing answer"
        for label in labels
        if label.casefold() in ("na", "nan", "n/a", "null", "none")
    ]


def _pairs(columns: Mapping[str, Mapping[str, Hashable]], weights: Weights | None) -> list[dict[str, Any]]:
    found = []
    for first, second in combinations(columns, 2):
        common = [item for item in columns[first] if item in columns[second]]
        pair = ([columns[rater][item] for item in common] for rater in (first, second))
        found.append({"raters": [first, second]} | _json(cohen_kappa(*pair, weights=weights)))
    return found


# --- reliability ------------------------------------------------------------------------------------------------------


def _reliability(arguments: argparse.Namespace, _: None) -> dict[str, Any]:
    answers = _answers(arguments)
    labels = rating_files.as_names(answers)
    found = dawid_skene((item, rater, label) for item, row in labels.items() for rater, label in row.items())
    told = _told(answers) | {"estimable": found.estimable, "n": found.n, "method": found.method}
    counts = Counter(rater for row in labels.values() for rater in row)
    if isinstance(found, NotEstimable):
        majority = _majority(labels)
        return told | {
            "reason": f"{found.reason}; the items' labels are those of the majority",
            "items": majority,
            "raters": {rater: {"accuracy": None, "reason": found.reason, "n": counts[rater]} for rater in answers.raters},
            "majority": majority,
        }
    return told | {
        "items": {one.item: one.label for one in found.items},
        "raters": {
            one.rater: _json(one.accuracy) | {"accuracy": one.accuracy.value, "confusion": one.confusion}
            for one in found.raters
        },
        "majority": {one.item: one.majority for one in found.items},
        "confidence": {one.item: one.confidence for one in found.items},
        "majority_tied": [one.item for one in found.items if one.tied],
        "marginals": found.marginals,
        "converged": found.converged,
    }


def _majority(labels: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The most frequent label of each item; ties go to the label that is more frequent over all, then to the first text."""
    overall = Counter(label for row in labels.values() for label in row.values())
    found = {}
    for item, row in labels.items():
        counts = Counter(row.values())
        found[item] = min(counts, key=lambda label: (-counts[label], -overall[label], label))
    return found


# --- rank -------------------------------------------------------------------------------------------------------------


def _rank(arguments: argparse.Namespace, _: None) -> dict[str, Any]:
    if arguments.ridge < 0:
        raise InvalidInput("--ridge is 0 or more.")
    votes, left_out = _votes(arguments)
    plain = [vote[:3] for vote in votes]
    redraw = bool(arguments.item or arguments.rater)
    told: dict[str, Any] = {
        "n": sum(left != right for left, right, _ in plain),
        "ties": sum(left != right and outcome == "tie" for left, right, outcome in plain),
        "against_itself": sum(left == right for left, right, _ in plain),
        **left_out,
    }
    halves = bradley_terry(plain, ridge=arguments.ridge)
    told |= {"estimable": halves.estimable} | _ranked(halves)
    davidson = _ranked(bradley_terry(plain, ties=Ties.DAVIDSON, ridge=arguments.ridge))
    told["davidson"] = davidson.pop("scores")
    told["davidson_model"] = davidson
    if redraw:
        redrawn = _ranked(bradley_terry_bootstrap(votes, ridge=arguments.ridge))
        told["bootstrap"] = {name: value for name, value in redrawn.items() if name != "scores"}
    told["win_rates"] = {item: _json(result) for item, result in win_rates(plain).items()}
    told["average_win_rates"], told["elo"] = average_win_rates(plain), elo(plain)
    told["left_side_wins"] = _json(position_bias(outcome for left, right, outcome in plain if left != right))
    return told


def _votes(arguments: argparse.Namespace) -> tuple[list[tuple[str, str, str, Hashable, Hashable]], dict[str, int]]:
    """(left, right, outcome, item, rater) of each row; and how many rows were left out, by why."""
    wanted = [arguments.left, arguments.right, arguments.winner]
    extra = [name for name in (arguments.item, arguments.rater) if name]
    sheet = rating_files.read_sheet(arguments.file, [*wanted, *extra], arguments.missing)
    sides = Sides(arguments.left_value, arguments.right_value, tuple(arguments.tie_value or ["tie"]))
    if len({sides.left, sides.right, *sides.ties}) < 2 + len(sides.ties):
        raise InvalidInput("--left-value, --right-value and --tie-value must differ.")
    votes: list[tuple[str, str, str, Hashable, Hashable]] = []
    missing = without_name = 0
    of = {name: sheet.columns[name] for name in extra}
    for row, (line, (left, right, winner)) in enumerate(sheet.rows(*wanted)):
        if left is None or right is None:
            without_name += 1
        elif winner is None:
            missing += 1
        else:
            outcome = rating_files.outcome_of(line, left, right, winner, sides)
            # Without a column for items each comparison is an item of its own; without raters there is one rater.
            item = of[arguments.item][row] if arguments.item else row
            votes.append((left, right, outcome, item, of[arguments.rater][row] if arguments.rater else None))
    return votes, {"missing": missing, "rows_without_a_name": without_name}


def _ranked(found: Ranking | NotEstimable) -> dict[str, Any]:
    told: dict[str, Any] = {"method": found.method, "n": found.n, "estimable": found.estimable}
    if isinstance(found, NotEstimable):
        return told | {"scores": None, "intervals": None, "log_strengths": None, "reason": found.reason}
    if found.tie_weight is not None:
        told["tie_weight"] = found.tie_weight
    return told | {
        "scores": {one.item: one.share for one in found.strengths},
        "intervals": {one.item: [one.share_estimate.low, one.share_estimate.high] for one in found.strengths},
        "log_strengths": {one.item: _json(one.log_strength) for one in found.strengths},
    }


# --- results as JSON --------------------------------------------------------------------------------------------------


def _json(result: Result) -> dict[str, Any]:
    if isinstance(result, Estimate):
        return {
            "value": result.value,
            "low": result.low,
            "high": result.high,
            "interval": [result.low, result.high],
            "n": result.n,
            "method": result.method,
            "confidence": result.confidence,
        }
    told = {"value": None, "reason": result.reason, "n": result.n, "method": result.method}
    return told | ({"observed": result.value} if result.value is not None else {})
