"""Builds touchstone-mini, the base model that ships with the trainer: tokenizer and weights from scratch, from `corpus.py`.

The build goes by steps on one thread, never by time, so two builds on one kind of machine give the same weights to the byte.
Not promised: equal weights across processor families, whose matrix products round differently.
"""

from __future__ import annotations

import itertools
import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from trainer import corpus

STEPS = 1400
VOCABULARY = 1900
CONTEXT = 512
SEED = 1

PAD, BEGIN, END, SYSTEM, USER, ASSISTANT = "<|pad|>", "<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}<|assistant|>"
    "{% generation %}{{ message['content'] + '<|end|>' }}{% endgeneration %}"
    "{% else %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

_BATCH, _RATE, _WARMUP = 32, 4e-3, 60
_TOKENIZER_SAMPLE = 20_000
_PROMPT_WEIGHT = 0.2
"""Prompts are worth learning a little: it shapes how phrasings are understood. Answers are what counts."""


def build(out: Path, *, steps: int = STEPS, seed: int = SEED) -> dict[str, Any]:
    """Builds tokenizer and model, saves both into `out` and returns what happened (losses, seconds, parameters)."""
    torch.set_num_threads(1)
    started = time.monotonic()
    tokenizer = build_tokenizer(seed)
    model = _fresh_model(tokenizer, seed)
    losses = _pretrain(model, tokenizer, steps=steps, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return {
        "folder": str(out),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "steps": steps,
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "seconds": round(time.monotonic() - started, 1),
    }


def build_tokenizer(seed: int = SEED) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with the chat tokens and the chat template."""
    sample = itertools.islice(corpus.conversations(seed=seed + 1), _TOKENIZER_SAMPLE)
    texts = (message["content"] for messages in sample for message in messages)
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, BEGIN, END, SYSTEM, USER, ASSISTANT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=[SYSTEM, USER, ASSISTANT],
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def _fresh_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=128,
            intermediate_size=344,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=True,
            initializer_range=0.05,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def _pretrain(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, *, steps: int, seed: int) -> list[float]:
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}],
        lr=_RATE,
        betas=(0.9, 0.95),
        fused=True,
    )
    batches = _batches(tokenizer, seed)
    losses = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * min((step + 1) / _WARMUP, 0.5 + 0.5 * math.cos(math.pi * step / steps) + 0.01)
        tokens, weights = next(batches)
        logits = model(input_ids=tokens, use_cache=False).logits[:, :-1].flatten(0, 1)
        per_token = torch.nn.functional.cross_entropy(logits, tokens[:, 1:].flatten(), reduction="none")
        loss = (per_token * weights).sum() / weights.sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(round(float(loss.detach()), 5))
    return losses


def _batches(tokenizer: PreTrainedTokenizerFast, seed: int) -> Any:
    """Batches of like length: (tokens, weights of the next tokens). Sorted in windows, so little is padding."""
    stream, order = corpus.conversations(seed=seed), torch.Generator().manual_seed(seed)
    while True:
        window = [_encode(tokenizer, messages) for messages in itertools.islice(stream, _BATCH * 16)]
        window.sort(key=lambda row: len(row[0]))
        for start in torch.randperm(16, generator=order).tolist():
            rows = window[start * _BATCH : (start + 1) * _BATCH]
            width = max(len(row[0]) for row in rows)
            tokens = torch.tensor([ids + [tokenizer.pad_token_id] * (width - len(ids)) for ids, _ in rows])
            weights = torch.tensor([mask + [0.0] * (width - len(mask)) for _, mask in rows])
            yield tokens, weights[:, 1:].flatten()


def _encode(tokenizer: PreTrainedTokenizerFast, messages: list[corpus.Message]) -> tuple[list[int], list[float]]:
    rendered = tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    return rendered["input_ids"], [1.0 if answer else _PROMPT_WEIGHT for answer in rendered["assistant_masks"]]


def describe(result: dict[str, Any]) -> str:
    """The build's result as one JSON line."""
    return json.dumps(result)
