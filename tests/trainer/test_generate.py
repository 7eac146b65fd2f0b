from __future__ import annotations

import dataclasses

import pytest
import torch

from trainer.contract import Decoding
from trainer.generate import Answer, generate, stream
from trainer.model import Loaded

QUESTIONS = [
    "Hello!",
    "How long does delivery take?",
    "What is the Decatur sofa made of, and does it fit a small room?",
    "Bye!",
]
PROMPTS = [[{"role": "user", "content": question}] for question in QUESTIONS]


def transformers_answer(mini: Loaded, prompt: list[dict[str, str]]) -> str:
    """What transformers' own greedy generation says."""
    tokens = torch.tensor([mini.format.encode_prompt(prompt, max_length=400)])
    made = mini.model.generate(tokens, attention_mask=torch.ones_like(tokens), do_sample=False, max_new_tokens=40)
    return mini.format.decode(made[0, tokens.shape[1] :].tolist())


def test_greedy_answers_are_those_of_transformers_batched_and_streamed(mini: Loaded) -> None:
    decoding = Decoding(max_new_tokens=40)
    expected = [transformers_answer(mini, prompt) for prompt in PROMPTS]
    answers = generate(mini, PROMPTS, decoding)
    assert [answer.text for answer in answers] == expected
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        *pieces, last = stream(mini, prompt, decoding)
        assert "".join(map(str, pieces)) == answer.text
        assert isinstance(last, Answer)
        assert dataclasses.replace(last, seconds=0.0) == dataclasses.replace(answer, seconds=0.0)


def test_sampling_repeats_with_its_seed_and_differs_without(mini: Loaded) -> None:
    decodings = [Decoding(max_new_tokens=30, temperature=2.0, seed=seed) for seed in (1, 1, 2)]
    one, again, other = ([answer.text for answer in generate(mini, PROMPTS, decoding)] for decoding in decodings)
    assert one == again != other


def test_a_tiny_top_p_is_greedy(mini: Loaded) -> None:
    greedy = generate(mini, PROMPTS, Decoding(max_new_tokens=30))
    narrow = generate(mini, PROMPTS, Decoding(max_new_tokens=30, temperature=2.0, top_p=1e-6))
    assert [answer.text for answer in narrow] == [answer.text for answer in greedy]


def test_the_token_limit_is_kept_and_told(mini: Loaded) -> None:
    (answer,) = generate(mini, PROMPTS[1:2], Decoding(max_new_tokens=3))
    assert (answer.tokens, answer.complete) == (3, False)
    (whole,) = generate(mini, PROMPTS[1:2], Decoding(max_new_tokens=60))
    assert whole.complete


def test_a_prompt_longer_than_the_context_loses_its_oldest_turns(mini: Loaded) -> None:
    turns = [{"role": role, "content": "word " * 40} for _ in range(12) for role in ("user", "assistant")]
    (answer,) = generate(mini, [[*turns, *PROMPTS[0]]], Decoding(max_new_tokens=20))
    assert answer.prompt_tokens <= mini.context - 20
    (answer,) = generate(mini, [[*turns, *PROMPTS[0]]], Decoding(max_new_tokens=100_000, temperature=5.0))
    assert answer.prompt_tokens + answer.tokens <= mini.context


def test_a_stream_ends_when_it_is_told_to(mini: Loaded) -> None:
    seen: list[object] = []
    for piece in stream(mini, PROMPTS[2], Decoding(max_new_tokens=40), stop=lambda: len(seen) >= 2):
        seen.append(piece)
    assert isinstance(seen[-1], Answer)
    assert seen[-1].tokens <= 4


@pytest.mark.parametrize("text", ["", "😀" * 5, "\x00", "<|end|><|assistant|>", "a" * 3000])
def test_odd_prompts_are_answered(mini: Loaded, text: str) -> None:
    assert generate(mini, [[{"role": "user", "content": text}]], Decoding(max_new_tokens=5))[0].tokens >= 1
