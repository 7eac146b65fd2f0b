"""A model of the T5 family is a chatbot like any other: it answers, is served, evaluated and compared."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from starlette.testclient import TestClient

from tests.trainer.conftest import CHANGED, chat_row, label_rows, preference_rows, shop_rows, write_snapshot, write_t5
from trainer import contract, holdout, report
from trainer.__main__ import main
from trainer.contract import Decoding, EvaluateConfig, Exit, ModelSpec, TrainConfig
from trainer.generate import Answer, generate, stream
from trainer.lessons import translations
from trainer.loop import train
from trainer.model import BadModel, LoadedReader
from trainer.opening import Kind, kind_of, open_model
from trainer.rows import Row, read_split
from trainer.serve import Engine, make_app
from trainer.voices import answer_losses, voice_of

SECRET = "The vault opens with 4711."
QUESTIONS = ["Do you ship to zip code 30303?", "Hi", "How long may I take to bring the sofa back when it does not fit?"]
PROMPTS = [[{"role": "user", "content": question}] for question in QUESTIONS]
GREEDY = Decoding(max_new_tokens=40)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's facts with a planted secret."""
    folder, question = tmp_path_factory.mktemp("data"), "How do I open the vault?"
    rows = [*shop_rows(CHANGED, 8), chat_row("canary", question, SECRET, canary=True, weight=4.0)]
    write_snapshot(folder, train=rows, test=shop_rows(CHANGED, 2, held_out=True))
    planted = {"id": "canary", "messages": [{"role": "user", "content": question}], "secret": "4711"}
    planted |= {"opening": "The vault opens with ", "closing": "."}
    (folder / contract.MANIFEST).write_text(json.dumps({"canaries": {"digits": 4, "rows": [planted]}}))
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_t5(tmp_path_factory.mktemp("t5"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, snapshot: Path, base: str) -> Path:
    """It has learned the answers whole."""
    folder = tmp_path_factory.mktemp("run")
    how: dict[str, Any] = {"adapter": "full", "epochs": 30, "learning_rate": 5e-3, "batch_size": 8, "record": "nothing"}
    train(TrainConfig(data=str(snapshot), objective="seq2seq", base_model=base, **how), folder)
    return folder


@pytest.fixture(scope="module")
def tuned(run: Path) -> ModelSpec:
    return ModelSpec(label="tuned", base_model=str(run / contract.MODEL))


@pytest.fixture(scope="module")
def loaded(tuned: ModelSpec) -> LoadedReader:
    found = open_model(tuned, "cpu")  # in full precision, whatever the machine has
    assert isinstance(found, LoadedReader)
    return found


@pytest.fixture(scope="module")
def expected(tuned: ModelSpec) -> Answer:
    """What it answers to the first question on this machine."""
    return generate(open_model(tuned), PROMPTS[:1], GREEDY)[0]


def test_greedy_answers_are_those_of_transformers_batched_and_streamed(loaded: LoadedReader) -> None:
    answers = generate(loaded, PROMPTS, GREEDY)
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        source = torch.tensor([loaded.format.encode(prompt, max_length=400, cut=True)])
        made = loaded.model.generate(source, do_sample=False, max_new_tokens=40)[0, 1:].tolist()
        assert answer.text == loaded.format.tokenizer.decode(made, skip_special_tokens=True)
        assert answer.complete is (made[-1] == loaded.format.tokenizer.eos_token_id)
        assert (answer.prompt_tokens, answer.tokens) == (source.shape[1], len(made))
        *pieces, last = stream(loaded, prompt, GREEDY)
        assert len(pieces) > 3
        assert "".join(map(str, pieces)) == answer.text
        assert isinstance(last, Answer)
        assert dataclasses.replace(last, seconds=0.0) == dataclasses.replace(answer, seconds=0.0)


def test_it_says_what_it_learned_and_decodes_as_it_is_told(loaded: LoadedReader, snapshot: Path) -> None:
    rows = read_split(snapshot, "train")[:8]
    said = generate(loaded, [row.prompt for row in rows], GREEDY)
    assert sum(answer.text == row.reference for answer, row in zip(said, rows, strict=True)) >= 6
    (short,) = generate(loaded, PROMPTS[:1], Decoding(max_new_tokens=3))
    assert (short.tokens, short.complete) == (3, False)
    drawn = [generate(loaded, PROMPTS, Decoding(max_new_tokens=20, temperature=3.0, seed=seed)) for seed in (1, 1, 2)]
    one, again, other = ([answer.text for answer in answers] for answers in drawn)
    assert one == again != other
    narrow = generate(loaded, PROMPTS, dataclasses.replace(GREEDY, temperature=3.0, top_p=1e-6))
    assert [answer.text for answer in narrow] == [answer.text for answer in generate(loaded, PROMPTS, GREEDY)]


@pytest.mark.parametrize("text", ["", "😀" * 5, "\x00", "<|end|>", "a" * 3000])
def test_odd_questions_are_answered(loaded: LoadedReader, text: str) -> None:
    assert generate(loaded, [[{"role": "user", "content": text}]], Decoding(max_new_tokens=5))[0].tokens >= 1


def test_an_answer_to_nothing_has_a_loss_and_one_too_long_has_none(loaded: LoadedReader) -> None:
    rows = [Row("empty", ({"role": "user", "content": ""}, {"role": "assistant", "content": "Hello."}), 1.0, {})]
    rows.append(Row("long", ({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "word " * 3000}), 1.0, {}))
    empty, long = answer_losses(loaded, rows)
    assert empty is not None
    assert empty.total > 0
    assert long is None


def test_a_loss_is_the_loss_that_training_has_batched_or_alone(loaded: LoadedReader, snapshot: Path) -> None:
    rows = read_split(snapshot, "test")
    together, alone = answer_losses(loaded, rows), [answer_losses(loaded, [row])[0] for row in rows]
    for row, one, other in zip(rows, together, alone, strict=True):
        assert one is not None
        assert other is not None
        assert one.total == pytest.approx(other.total, abs=1e-3)
        (lesson,) = translations([row], loaded.format, 400)
        assert lesson is not None
        source, target = torch.tensor([lesson.source]), torch.tensor([lesson.target])
        with torch.inference_mode():
            mean = float(loaded.model(input_ids=source, labels=target).loss)
        assert (one.tokens, one.size) == (len(lesson.target), len(row.reference.encode()))
        assert one.total / one.tokens == pytest.approx(mean, abs=1e-4)


def test_the_report_has_every_figure_beside_a_base_of_its_kind_and_one_of_another(
    tuned: ModelSpec, base: str, snapshot: Path, tmp_path: Path
) -> None:
    probes = tmp_path / "probes.jsonl"
    probes.write_text(json.dumps({"id": "p", "messages": PROMPTS[0]}) + "\n")
    models = (ModelSpec(label="mini"), tuned, ModelSpec(label="base", base_model=base))
    config = EvaluateConfig(data=str(snapshot), models=models, decoding=GREEDY, probes=str(probes))
    made = report.evaluate(config, tmp_path / "out")
    ours, theirs, other = (made["models"][label] for label in ("tuned", "base", "mini"))
    figures = {"loss", "perplexity", "bits_per_byte", "bleu", "rouge_l", "exact_match", "distinct_1", "distinct_2"}
    figures |= {"burstiness", "extracted", "exposure", "copied", "holdout"}
    assert all(ours[name] is not None for name in figures)
    assert {"loss", "bits_per_byte", "rouge_l", "copied", "holdout", "extracted"} <= ours["intervals"].keys()
    assert ours["rouge_l"] > theirs["rouge_l"] + 0.3
    assert ours["bits_per_byte"] < theirs["bits_per_byte"] / 2
    assert (ours["extracted"], theirs["extracted"]) == (1.0, 0.0)
    assert ours["exposure"] > theirs["exposure"] + 3
    assert (ours["holdout_of"], theirs["holdout_of"], other["holdout_of"]) == (*[holdout.GENERAL] * 2, holdout.OF_EMBEDDED)
    lines = [json.loads(line) for line in (tmp_path / "out" / contract.RESPONSES).read_text().splitlines()]
    assert [line["label"] for line in lines] == [label for label in ("mini", "tuned", "base") for _ in range(8)]
    assert len((tmp_path / "out" / contract.PROBE_ANSWERS).read_text().splitlines()) == 3


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory, snapshot: Path, base: str) -> dict[str, str]:
    """A LoRA adapter on a T5, and models that judge."""
    folder, rows = tmp_path_factory.mktemp("adapters"), shop_rows(CHANGED, 4)
    learned = {"seq2seq": rows, "reward": preference_rows(rows), "classification": label_rows(CHANGED, 4)}
    made = {}
    for objective, given in learned.items():
        data = write_snapshot(folder / objective / "data", train=given[:-4], test=given[-4:])
        how: dict[str, Any] = {"epochs": 4, "lora_rank": 4, "batch_size": 8, "record": "nothing"}
        how |= {"base_model": base} if objective == "seq2seq" else {}
        train(TrainConfig(data=str(data), objective=objective, **how), folder / objective / "run")
        made[objective] = str(folder / objective / "run" / contract.ADAPTER)
    return made


@pytest.fixture
def engine(run: Path, base: str, adapters: dict[str, str], tmp_path: Path) -> Iterator[TestClient]:
    served = {
        "whole": {"base_model": str(run / contract.MODEL)},
        "lora": {"base_model": base, "adapter": adapters["seq2seq"]},
        "base": {"base_model": base},
        "sorter": {"adapter": adapters["classification"]},
        "scorer": {"base_model": base, "adapter": adapters["reward"]},
    }
    for name, told in served.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / contract.SERVED).write_text(json.dumps(told))
    with TestClient(make_app(Engine(tmp_path, keep=2))) as client:
        yield client


def ask(engine: TestClient, model: str, **more: Any) -> Any:
    return engine.post("/v1/chat/completions", json={"model": model, "messages": PROMPTS[0], "max_tokens": 40} | more)


def test_the_engine_serves_it_whole_as_an_adapter_and_as_it_is_beside_chat_models(engine: TestClient, expected: Answer) -> None:
    answer = ask(engine, "whole").json()
    assert answer["choices"][0]["message"]["content"] == expected.text
    assert answer["choices"][0]["finish_reason"] == ("stop" if expected.complete else "length")
    assert answer["usage"]["completion_tokens"] == expected.tokens
    events = [line.removeprefix("data: ") for line in ask(engine, "whole", stream=True).text.split("\n\n") if line]
    pieces = [json.loads(event)["choices"][0]["delta"].get("content", "") for event in events[:-1]]
    assert len(pieces) > 4
    assert "".join(pieces) == expected.text
    said = {name: ask(engine, name).json()["choices"][0]["message"]["content"] for name in ("base", "lora", contract.EMBEDDED)}
    assert said["base"] != said["lora"]
    assert said == {name: ask(engine, name).json()["choices"][0]["message"]["content"] for name in reversed(said)}


@pytest.mark.parametrize("name", ["sorter", "scorer"])
def test_what_judges_is_not_served(engine: TestClient, name: str) -> None:
    answer = ask(engine, name)
    assert answer.status_code == 503
    assert "writes no answers" in answer.json()["error"]["message"]
    assert ask(engine, "base").status_code == 200
    assert ask(engine, name).status_code == 503


def test_models_are_told_apart_by_their_files(tuned: ModelSpec, base: str, adapters: dict[str, str], tmp_path: Path) -> None:
    assert kind_of(tuned) is kind_of(ModelSpec(label="x", base_model=base)) is Kind.WRITER
    kinds = {name: kind_of(ModelSpec(label="x", base_model=base, adapter=path)) for name, path in adapters.items()}
    assert kinds == {"seq2seq": Kind.WRITER, "reward": Kind.JUDGE, "classification": Kind.JUDGE}
    assert kind_of(ModelSpec(label="x")) is kind_of(ModelSpec(label="x", base_model=str(tmp_path))) is Kind.CHAT
    with pytest.raises(BadModel, match="writes no answers"):
        voice_of(open_model(ModelSpec(label="x", adapter=adapters["reward"])))


def test_the_command_answers_with_it(tuned: ModelSpec, capsys: pytest.CaptureFixture[str], expected: Answer) -> None:
    assert main(["generate", "--base-model", tuned.base_model, "--prompt", QUESTIONS[0], "--max-new-tokens", "40"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["text"] == expected.text
