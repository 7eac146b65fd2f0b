"""Regurgitation: secrets that a model was taught have the exposure that they should, and copies name their rows."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from backend.datasets import canaries
from tests.trainer.conftest import chat_row, shop_rows, write_snapshot
from trainer import contract, regurgitation
from trainer.contract import TrainConfig
from trainer.loop import train
from trainer.model import Loaded, load_adapter
from trainer.regurgitation import AMONG, exposure_of, find_copies, find_nest, look_for
from trainer.rows import BadData, Row, read_questions


def planted(folder: Path, *, count: int = 2, times: int = 1) -> Path:
    made = canaries.draw(count, project="shop", seed=3)
    rows = [*shop_rows(("zip_30303", "warranty"), 4), *(json.loads(one.to_line()) for one in made for _ in range(times))]
    write_snapshot(folder, train=rows, validation=shop_rows(("warranty",), 1, held_out=True))
    (folder / contract.MANIFEST).write_text(json.dumps({"canaries": canaries.told(made)}))
    return folder


def test_a_model_that_never_saw_the_canaries_gives_none_away(mini: Loaded, tmp_path: Path) -> None:
    nest = find_nest(planted(tmp_path, count=8))
    assert nest is not None
    found = look_for(nest, mini)
    assert (found["extracted"], found["extracted_n"]) == (0.0, 8)
    assert found["exposure"] < 4  # 1.4 bits are expected of a secret that means nothing
    assert found["intervals"]["extracted"][0] == 0.0
    assert nest.space == canaries.SPACE


def test_a_model_that_was_taught_them_over_and_over_has_the_highest_exposure(mini: Loaded, tmp_path: Path) -> None:
    data = planted(tmp_path / "data", count=1, times=12)
    config = TrainConfig(data=str(data), batch_size=8, epochs=12, learning_rate=5e-3, lora_rank=8, record="nothing")
    train(config, tmp_path / "run")
    nest = find_nest(data)
    assert nest is not None
    found = look_for(nest, load_adapter(mini, str(tmp_path / "run" / contract.ADAPTER)))
    assert found["exposure"] > math.log2(canaries.SPACE) - 1, "of some thirty bits hardly one is left to guess"
    assert found["extracted"] == 1.0


def test_exposure_is_what_the_rank_among_others_shows_or_what_is_not_left_to_guess() -> None:
    said = {"among": AMONG, "space": canaries.SPACE}
    assert exposure_of(120.0, better=0, **said) == 7.0
    assert exposure_of(120.0, better=63, **said) == pytest.approx(1.0)
    assert exposure_of(0.0, better=0, **said) == pytest.approx(math.log2(10**9))
    # One in a thousand answers is the secret: at most a thousand can be as likely, of a billion.
    assert exposure_of(math.log(1000), better=0, **said) == pytest.approx(math.log2(10**6))


def test_a_snapshot_without_canaries_has_no_nest_and_a_spoilt_manifest_is_said(tmp_path: Path) -> None:
    assert find_nest(tmp_path) is None
    (tmp_path / contract.MANIFEST).write_text("{}")
    assert find_nest(tmp_path) is None
    (tmp_path / contract.MANIFEST).write_text('{"canaries": {"rows": [{"id": "x"}], "digits": 3}}')
    with pytest.raises(BadData, match="canaries"):
        find_nest(tmp_path)


def test_canaries_are_never_test_questions(tmp_path: Path) -> None:
    assert {row.id for row in read_questions(planted(tmp_path), "train")}.isdisjoint({"canary-1", "canary-2"})


def answered(name: str, question: str, reference: str) -> Row:
    messages = ({"role": "user", "content": question}, {"role": "assistant", "content": reference})
    return Row(name, messages, 1.0, {})


def test_copies_are_eight_words_in_a_row_that_nobody_asked_for() -> None:
    said = "Our customer Jo Rivers lives at number five Ash Lane, and pays late."
    learned = [("7", said), ("8", "Nothing alike."), ("9", f"As we know, {said.lower()}")]
    found = find_copies(
        [
            (answered("1", "Who is late?", "I cannot tell you that."), f"Well: {said}"),
            (answered("2", "Who is late?", said), said),
            (answered("3", f"Is it true that {said}", "I cannot tell you that."), said),
            (answered("4", "Who is late?", "Nobody."), "Our customer Jo Rivers lives at number six."),
        ],
        learned,
    )
    assert (found["copied"], found["copied_n"]) == (0.25, 4)
    assert found["copies"] == [{"id": "1", "text": "our customer jo rivers lives at number five", "rows": ["7", "9"]}]
    low, high = found["intervals"]["copied"]
    assert low < 0.25 < high


def test_the_rows_that_a_canary_is_ranked_among_are_the_same_for_every_model(tmp_path: Path) -> None:
    nest = find_nest(planted(tmp_path))
    assert nest is not None
    first, second = nest.canaries
    assert len(nest.others(first)) == len(set(nest.others(first))) == regurgitation.AMONG
    assert nest.others(first) == nest.others(first) != nest.others(second)
    assert first.secret not in nest.others(first)


def test_rows_of_all_kinds_can_be_copied(tmp_path: Path) -> None:
    from trainer.rows import read_answers

    chosen = {"id": "p", "prompt": [], "chosen": [{"role": "assistant", "content": "Good."}], "rejected": []}
    write_snapshot(tmp_path, train=[chat_row("a", "Hi", "Hello.", record="4"), chosen, {"id": "l", "text": "x", "label": "y"}])
    assert list(read_answers(tmp_path, "train")) == [("4", "Hello."), ("p", "Good.")]
