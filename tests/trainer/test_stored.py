from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainer.conftest import CHANGED, label_rows, preference_rows, shop_rows, thumb_rows, write_snapshot
from tests.trainer.test_learning import folder_of
from tests.trainer.test_loop import curve, quick
from trainer import contract, loop, rows, stored
from trainer.data import Example
from trainer.lessons import Lesson, Pair, Text, TextPair, Thumb, Translation, trained_tokens
from trainer.loop import Stopped
from trainer.rows import RowFile
from trainer.search import search
from trainer.spaces import SearchConfig
from trainer.stored import Stored

QUIET: dict[str, Any] = {"measured_answers": 0, "record": "nothing"}


def example(n: int, weight: float = 0.25) -> Example:
    return Example(f"r{n} \ud83d", tuple(range(n, 3 * n)), tuple(i % 2 == 0 for i in range(2 * n)), weight + n / 3, n % 2)


def pair(n: int) -> Pair:
    return Pair(f"r{n}", *(replace(example(n + more), id=f"r{n}") for more in (0, 2)), n / 3)


def thumb(n: int) -> Thumb:
    return Thumb(f"r{n}", *(replace(example(n + more), id=f"r{n}") for more in (1, 0)), n % 2 == 0, n / 3)


KINDS: list[Callable[[int], Lesson]] = [
    example,
    pair,
    thumb,
    lambda n: Text(f"r{n}", tuple(range(n)), n % 3, n / 3, n % 2),
    lambda n: TextPair(f"r{n}", tuple(range(n)), tuple(range(n, 4 * n)), n / 3),
    lambda n: Translation(f"r{n}", tuple(range(n)), tuple(range(2 * n)), n / 3, 1),
]


@pytest.mark.parametrize("made", KINDS)
def test_what_is_stored_is_read_back_as_it_was(tmp_path: Path, made: Callable[[int], Lesson]) -> None:
    lessons = [made(n) for n in range(1, 9)]
    weightless = replace(lessons[0], weight=0.0)  # type: ignore[type-var]
    kept = stored.keep(tmp_path, "key", lambda: [*lessons[:3], None, weightless, *lessons[3:]])
    assert list(kept) == lessons
    assert (len(kept), kept[-1], kept[2:5], kept.too_long) == (8, lessons[-1], lessons[2:5], 1)
    with pytest.raises(IndexError):
        kept[8]
    assert stored.lengths(kept) == stored.lengths(lessons) == [lesson.length for lesson in lessons]
    assert stored.token_counts(kept) == stored.token_counts(lessons) == [lesson.token_count for lesson in lessons]
    assert stored.trained_counts(kept) == stored.trained_counts(lessons) == [trained_tokens(lesson) for lesson in lessons]
    assert stored.shortened(kept) == stored.shortened(lessons) == sum(lesson.dropped_turns > 0 for lesson in lessons)


def test_what_the_starting_model_thought_is_told_with_each(tmp_path: Path) -> None:
    lessons, thought = [pair(n) for n in range(1, 5)], torch.arange(8.0).view(4, 2) / 3
    told = stored.refer(stored.keep(tmp_path, "key", lambda: lessons), thought)
    assert isinstance(told, Stored)
    assert list(told) == stored.refer(lessons, thought)
    assert told[2].reference == pytest.approx((4 / 3, 5 / 3))  # type: ignore[attr-defined]


def never() -> Iterator[Lesson]:
    raise AssertionError("made anew")
    yield


def test_what_is_kept_is_opened_and_not_made_again(tmp_path: Path) -> None:
    first = stored.keep(tmp_path, "key", lambda: map(example, range(1, 9)))
    again = stored.keep(tmp_path, "key", never)
    assert list(again) == list(first)
    assert again.digest == first.digest
    stored.forget(tmp_path)
    assert not list(tmp_path.iterdir())
    assert list(again) == list(first), "what is open stays readable"


def test_without_a_folder_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kept = stored.keep(None, "key", lambda: map(example, range(1, 9)))
    assert not list(tmp_path.iterdir())
    assert list(kept) == [example(n) for n in range(1, 9)]


def cut(folder: Path) -> None:
    (folder / "tokens").write_bytes((folder / "tokens").read_bytes()[:-4])


def without_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def of_other_rows(folder: Path) -> None:
    other = folder.with_name("other")
    stored._write(other, "other", map(example, range(3, 5)))
    for file in folder.iterdir():
        file.write_bytes((other / file.name).read_bytes())


@pytest.mark.parametrize("harm", [cut, without_manifest, of_other_rows])
def test_what_is_damaged_or_foreign_is_made_anew(
    tmp_path: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    made = [example(n) for n in range(1, 9)]
    stored.keep(tmp_path, "key", lambda: made)
    harm(tmp_path / contract.LESSONS / "key")
    with caplog.at_level(logging.WARNING):
        assert list(stored.keep(tmp_path, "key", lambda: made)) == made
    assert "tokenised anew" in caplog.text
    assert list(stored.keep(tmp_path, "key", never)) == made


def test_a_run_keeps_nothing_of_earlier_rows(tmp_path: Path) -> None:
    stored.keep(tmp_path, "one", lambda: map(example, range(1, 9)))
    stored.keep(tmp_path, "two", lambda: map(example, range(1, 9)))
    assert [path.name for path in (tmp_path / contract.LESSONS).iterdir() if path.is_dir()] == ["two"]


def test_the_name_says_what_decides_the_tokens(tmp_path: Path) -> None:
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    one.write_text("{}\n")
    other.write_text("{} \n")
    said: dict[str, Any] = {"objective": "sft", "signature": "s", "length": 9}
    changed: list[dict[str, Any]] = [{"objective": "dpo"}, {"signature": "t"}, {"length": 8}]
    keys = [stored.key_of(one, **said), stored.key_of(other, **said), *(stored.key_of(one, **said | more) for more in changed)]
    assert len(set(keys)) == 5
    assert stored.key_of(one, **said) == keys[0]


def test_the_signature_goes_by_tokenizer_and_template_and_not_by_how_it_was_last_used(mini: Any) -> None:
    chat = mini.format
    before = chat.signature
    chat.tokenizer("a long text to be cut", truncation=True, max_length=3)
    assert chat.signature == before
    chat.template += " "
    assert chat.signature != before
    chat.template = chat.template[:-1]
    chat.tokenizer.add_tokens(["<|new|>"])
    assert chat.signature != before


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LARGE", 1)


OBJECTIVES = [
    ("sft", "sft"),
    ("dpo", "preferences"),
    ("kto", "thumbs"),
    ("reward", "preferences"),
    ("classification", "labels"),
]


@pytest.mark.parametrize(("objective", "kind"), OBJECTIVES)
def test_a_run_over_stored_rows_is_the_run_over_rows_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, objective: str, kind: str
) -> None:
    config = quick(folder_of(tmp_path, kind), objective=objective, epochs=1, **QUIET, max_length=40)
    _, small = loop.prepare(config)
    told = loop.train(config, tmp_path / "memory")
    monkeypatch.setattr(rows, "LARGE", 1)
    _, plan = loop.prepare(config)
    assert isinstance(plan.train, Stored)
    assert list(plan.train) == small.train
    assert (plan.too_long, plan.shortened, plan.tokens) == (small.too_long, small.shortened, small.tokens)
    result = loop.train(config, tmp_path / "stored")
    assert curve(tmp_path / "stored") == curve(tmp_path / "memory")
    assert result["rows"] == len(plan.train) == told["rows"] > 7
    assert not (tmp_path / "stored" / contract.LESSONS).exists(), "a finished run keeps no tokens"


def no_encoding(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    """From here on, only rows of validation and test become tokens."""
    from trainer.data import ChatFormat

    encode, learned = ChatFormat.encode, {json.loads(line)["id"] for line in (data / "train.jsonl").read_text().splitlines()}
    held = {
        json.loads(line)["id"] for name in ("validation", "test") for line in (data / f"{name}.jsonl").read_text().splitlines()
    }

    def only_held(self: ChatFormat, row: Any, **said: Any) -> Any:
        assert row.id not in learned - held, "a training row is tokenised again"
        return encode(self, row, **said)

    monkeypatch.setattr(ChatFormat, "encode", only_held)


def test_a_run_that_goes_on_opens_its_tokens(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: None
) -> None:
    config, run = quick(snapshot, **QUIET), tmp_path / "run"
    loop.train(config, tmp_path / "whole")
    run.mkdir()
    (run / contract.STOP).touch()
    with pytest.raises(Stopped):
        loop.train(config, run)
    assert (run / contract.LESSONS).is_dir()
    with monkeypatch.context() as patched:
        no_encoding(patched, snapshot)
        loop.train(config, run, resume=True)
    assert curve(run) == curve(tmp_path / "whole")


def test_the_trials_of_a_search_share_their_tokens(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: None
) -> None:
    made: list[Path] = []
    write = stored._write
    monkeypatch.setattr(stored, "_write", lambda folder, *given: made.append(folder) or write(folder, *given))
    config = quick(snapshot, epochs=1, **QUIET)
    space = {"learning_rate": {"choices": [1e-3, 2e-3, 3e-3]}}
    asked = SearchConfig.from_json({"config": config.to_json(), "space": space, "method": "grid", "trials": 3})
    result = search(asked, tmp_path / "search")
    assert result["trials"] == 3
    assert [folder.parent for folder in made] == [tmp_path / "search" / contract.LESSONS]
    assert not (tmp_path / "search" / contract.LESSONS).exists(), "a finished search keeps no tokens"


@pytest.mark.parametrize(
    ("objective", "made"),
    [
        ("sft", shop_rows(CHANGED, 3)),
        ("dpo", preference_rows(shop_rows(CHANGED, 3))),
        ("kto", thumb_rows(shop_rows(CHANGED, 3))),
        ("classification", label_rows(CHANGED, 3)),
    ],
)
def test_rows_that_stay_in_their_file_are_the_rows_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, objective: str, made: Sequence[dict[str, object]]
) -> None:
    folder = write_snapshot(tmp_path, train=made)
    text = (folder / "train.jsonl").read_text().splitlines()
    for ending in ("\n", "\r\n", "\r", "\n \n\r\n"):
        (folder / "train.jsonl").write_bytes(ending.join(text).encode())
        kept = rows.read_rows(folder, objective)["train"]
        with monkeypatch.context() as patched:
            patched.setattr(rows, "LARGE", 2)
            streamed = rows.read_rows(folder, objective)["train"]
        assert isinstance(streamed, RowFile)
        assert list(streamed) == list(kept)
        assert (streamed[-1], streamed[1:3]) == (kept[-1], list(kept[1:3]))
        with pytest.raises(IndexError):
            streamed[len(kept)]


def test_a_bad_row_that_stays_in_its_file_is_named(tmp_path: Path, large: None) -> None:
    folder = write_snapshot(tmp_path, train=shop_rows(CHANGED, 3))
    with (folder / "train.jsonl").open("a") as file:
        file.write('\n{"messages": []}\n')
    with pytest.raises(rows.BadData, match=r"train\.jsonl line 14: the last message"):
        rows.read_rows(folder, "sft")
    with (folder / "train.jsonl").open("wb") as binary:
        binary.write(b"\xff\xfe")
    with pytest.raises(rows.BadData, match="UTF-8"):
        rows.read_rows(folder, "sft")


def test_leaks_from_rows_that_stay_in_their_file_are_refused(tmp_path: Path, large: None) -> None:
    made = shop_rows(CHANGED, 3)
    same = write_snapshot(tmp_path / "text", train=made, test=made[:2])
    with pytest.raises(rows.BadData, match=r"test\.jsonl has 2 rows that are in train\.jsonl as well"):
        rows.read_rows(same, "sft")
    group = write_snapshot(tmp_path / "group", train=made)
    held = shop_rows(CHANGED, 1, held_out=True)[0] | {"group": f"train {made[1]['group']}"}
    (group / "validation.jsonl").write_text(json.dumps(held))
    with pytest.raises(rows.BadData, match=r"validation\.jsonl shares 1 groups with train\.jsonl"):
        rows.read_rows(group, "sft")
