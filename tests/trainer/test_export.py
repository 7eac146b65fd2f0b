"""Exports: loaded by plain libraries they give what the training model gives, and one that does not is not kept."""

from __future__ import annotations

import json
from pathlib import Path

import peft
import pytest
import torch
import transformers
import yaml
from safetensors.torch import load_file, save_file

from tests.trainer.conftest import CHANGED, label_rows, preference_rows, shop_rows, write_snapshot, write_t5
from trainer import contract, export
from trainer.__main__ import main
from trainer.contract import ConfigError, TrainConfig
from trainer.loop import train
from trainer.model import EMBEDDED_FOLDER

QUESTION = [{"role": "user", "content": "Do you ship to zip code 30303?"}]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run whose adapter changes the model's answers."""
    folder = tmp_path_factory.mktemp("exported")
    rows = shop_rows(CHANGED, 6)
    data = write_snapshot(folder / "snapshot", train=rows[:20], validation=rows[20:])
    train(TrainConfig(data=str(data), batch_size=8, epochs=4, lora_rank=4, record="nothing"), folder / "run")
    return folder / "run"


def said(model: object, folder: Path) -> str:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    prompt = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    stop = tokenizer.convert_tokens_to_ids("<|end|>")
    given = {name: prompt[name] for name in ("input_ids", "attention_mask")}
    made = model.generate(**given, max_new_tokens=40, do_sample=False, eos_token_id=stop)  # type: ignore[attr-defined]
    return str(tokenizer.decode(made[0, given["input_ids"].shape[1] :], skip_special_tokens=True))


def test_merged_weights_and_adapter_answer_alike_when_others_load_them(run: Path, tmp_path: Path) -> None:
    results = {form: export.export(run, form, tmp_path / form) for form in export.FORMS}
    for form, result in results.items():
        assert json.loads((tmp_path / form / contract.RESULT).read_text()) == result
        assert result["parity"]["largest_logit_difference"] <= result["parity"]["tolerance"] == 1e-3
        assert result["parity"]["equal_greedy_answers"] == result["parity"]["conversations"] == 8
        assert not (tmp_path / form / ".export").exists()
    merged = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    base = transformers.AutoModelForCausalLM.from_pretrained(EMBEDDED_FOLDER)
    before = said(base, EMBEDDED_FOLDER)
    adapted = peft.PeftModel.from_pretrained(base, str(tmp_path / "adapter"))
    assert said(merged, tmp_path / "merged") == said(adapted, tmp_path / "adapter") != before
    assert (
        json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["base_model_name_or_path"] == contract.EMBEDDED
    )


def test_an_export_that_lost_its_training_is_refused_with_an_exit_code(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = export._write

    def spoilt(loaded: object, folder: Path, form: str, spec: object) -> None:
        written(loaded, folder, form, spec)  # type: ignore[arg-type]
        weights = load_file(folder / "model.safetensors")
        name = next(name for name in weights if "q_proj" in name)
        save_file(weights | {name: weights[name] + 0.3 * torch.ones(1)}, folder / "model.safetensors", {"format": "pt"})

    monkeypatch.setattr(export, "_write", spoilt)
    (tmp_path / "out").mkdir()
    assert main(["export", "--run", str(run), "--as", "merged", "--out", str(tmp_path / "out")]) == contract.Exit.BAD_INPUT
    assert "was not kept: a logit differs" in capsys.readouterr().err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {contract.ERROR, contract.STATUS}


def test_the_card_says_how_the_model_was_made_how_good_it_is_and_what_it_cannot(run: Path, tmp_path: Path) -> None:
    told = {
        "name": "Shop | bot `v3`",
        "project": "shop",
        "snapshot": {"number": 2, "content_hash": "ab" * 32, "counts": {"train": 20, "test": 4}, "canaries": 3},
        "figures": {"n": 4, "bleu": 91.5, "exact_match": 0.75, "extracted": 0.5, "intervals": {"exact_match": [0.3, 0.95]}},
        "baseline": {"name": "before", "figures": {"exact_match": 0.25}},
    }
    (tmp_path / "card.json").write_text(json.dumps(told))
    arguments = ["export", "--run", str(run), "--as", "adapter", "--out", str(tmp_path / "out")]
    assert main([*arguments, "--card", str(tmp_path / "card.json")]) == 0
    card = (tmp_path / "out" / export.CARD).read_text()
    front = yaml.safe_load(card.split("---")[1])
    assert (front["license"], front["base_model"], front["library_name"]) == ("apache-2.0", contract.EMBEDDED, "peft")
    assert set(front["metrics"]) == {"bleu", "exact_match"}
    assert "# Shop / bot 'v3'" in card
    assert "ab" * 32 in card
    assert "| Exact match (share) | 0.75 (0.3 to 0.95) | 0.25 |" in card
    assert "| lora_rank | `4` |" in card
    assert "gives planted secrets away" in card
    with pytest.raises(ConfigError, match="holds an export already"):
        export.export(run, "adapter", tmp_path / "out")


def test_what_cannot_be_exported_is_refused_in_words(run: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    (whole / contract.MODEL).mkdir(parents=True)
    config = json.loads((run / contract.CONFIG).read_text())
    (whole / contract.CONFIG).write_text(json.dumps(config | {"adapter": "full"}))
    with pytest.raises(ConfigError, match="Export it merged"):
        export.export(whole, "adapter", tmp_path / "x")
    (whole / contract.MODEL).rmdir()
    (whole / contract.CONFIG).write_text(json.dumps(config))
    with pytest.raises(ValueError, match="has not finished"):
        export.export(whole, "merged", tmp_path / "x")


@pytest.fixture(scope="module")
def reader_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Short runs of models that do not chat."""
    folder = tmp_path_factory.mktemp("readers")
    rows = shop_rows(CHANGED, 3)
    given = {"reward": preference_rows(rows), "classification": label_rows(CHANGED, 3), "seq2seq": rows}
    extra = {"reward": {"adapter": "lora"}, "classification": {"adapter": "lora"}, "seq2seq": {"adapter": "full"}}
    made = {}
    for objective, learned in given.items():
        data = write_snapshot(folder / objective / "snapshot", train=learned[:-2], test=learned[-2:])
        base = {"base_model": write_t5(folder / "t5")} if objective == "seq2seq" else {}
        how = {"batch_size": 8, "epochs": 2, "lora_rank": 4, "record": "nothing", **extra[objective], **base}
        made[objective] = folder / objective / "run"
        train(TrainConfig(data=str(data), objective=objective, **how), made[objective])
    return made


@pytest.mark.parametrize(
    ("objective", "form"),
    [("reward", "merged"), ("reward", "adapter"), ("classification", "merged"), ("classification", "adapter"),
     ("seq2seq", "merged")],
)  # fmt: skip
def test_what_does_not_chat_is_taken_along_and_gives_the_same_logits(
    reader_runs: dict[str, Path], tmp_path: Path, objective: str, form: str
) -> None:
    result = export.export(reader_runs[objective], form, tmp_path / "out")
    assert result["parity"]["conversations"] >= 4
    assert result["parity"]["largest_logit_difference"] <= 1e-3
    card = (tmp_path / "out" / export.CARD).read_text()
    front = yaml.safe_load(card.split("---")[1])
    assert front["pipeline_tag"] == ("text2text-generation" if objective == "seq2seq" else "text-classification")
    assert "On 2 test rows" in card
    if objective == "seq2seq":
        told = {"figures": {"n": 7, "rouge_l": 0.5, "intervals": {"rouge_l": [0.4, 0.6]}}}
        export.export(reader_runs[objective], form, tmp_path / "told", told=told)
        assert "| ROUGE-L (0 to 1) | 0.5 (0.4 to 0.6)" in (tmp_path / "told" / export.CARD).read_text()
        assert transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out").config.is_encoder_decoder
        with pytest.raises(ConfigError, match="Export it merged"):
            export.export(reader_runs[objective], "adapter", tmp_path / "x")
    elif form == "merged":
        model = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "out")
        assert model.config.num_labels == len(result.get("classes", [1]))
        if objective == "classification":
            assert sorted(model.config.id2label.values()) == sorted(result["classes"])
    assert ("equal_greedy_answers" in result["parity"]) is (objective != "reward")


def test_a_classifier_whose_head_is_lost_on_the_way_is_not_kept(
    reader_runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = export._write

    def spoilt(loaded: object, folder: Path, form: str, spec: object) -> None:
        written(loaded, folder, form, spec)  # type: ignore[arg-type]
        weights = load_file(folder / "model.safetensors")
        save_file(weights | {"score.weight": weights["score.weight"] + 0.5}, folder / "model.safetensors", {"format": "pt"})

    monkeypatch.setattr(export, "_write", spoilt)
    with pytest.raises(ValueError, match="was not kept"):
        export.export(reader_runs["classification"], "merged", tmp_path / "out")
    assert not (tmp_path / "out" / contract.RESULT).exists()
