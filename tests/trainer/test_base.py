from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from trainer import base
from trainer.model import EMBEDDED_FOLDER


def digest(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_two_builds_are_equal_to_the_byte(tmp_path: Path) -> None:
    for name in ("one", "two"):
        base.build(tmp_path / name, steps=6)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


@pytest.mark.slow
def test_a_short_build_learns(tmp_path: Path) -> None:
    result = base.build(tmp_path, steps=200)
    assert result["first_loss"] > 6
    assert result["last_loss"] < 0.8
    assert 900_000 < result["parameters"] < 1_100_000


def test_the_shipped_model_is_small_and_has_the_tokenizer_of_the_script() -> None:
    assert sum(path.stat().st_size for path in EMBEDDED_FOLDER.iterdir()) < 3_000_000
    shipped, built = AutoTokenizer.from_pretrained(EMBEDDED_FOLDER), base.build_tokenizer()
    assert shipped.get_vocab() == built.get_vocab()
    assert shipped.chat_template == base.TEMPLATE


def test_the_template_marks_what_the_assistant_says() -> None:
    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED_FOLDER)
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi there"},
    ]
    assert tokenizer.apply_chat_template(messages, tokenize=False) == (
        "<|begin|><|system|>Be kind.<|end|><|user|>Hello<|end|><|assistant|>Hi there<|end|>"
    )
    marked = tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    said = [token for token, mask in zip(marked["input_ids"], marked["assistant_masks"], strict=True) if mask]
    assert tokenizer.decode(said) == "Hi there<|end|>"
    prompt = tokenizer.apply_chat_template(messages[:2], tokenize=False, add_generation_prompt=True)
    assert prompt.endswith("<|end|><|assistant|>")
