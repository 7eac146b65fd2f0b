"""Well-known base models: facts to choose by. Standard library only, a part of the contract; any other model works as well.

Sizes, licences and contexts are those of the models' own cards in 2026. Memory is worked out from the parameters, not
measured: `python -m trainer plan` measures it for a run.
"""

from __future__ import annotations

from dataclasses import dataclass

from trainer.learnable import OBJECTIVES

CHAT, SEQ2SEQ, ENCODER = "chat", "seq2seq", "encoder"
_OVERHEAD = 0.8
"""GB for activations of short conversations, the optimizer of the added matrices, and the libraries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModel:
    """One base model. `name` is its hub id, or the embedded one's name."""

    name: str
    kind: str
    parameters: float
    """In billions."""
    licence: str
    context: int
    """Tokens that it can read at once."""
    commercial: str = "yes"
    """Whether the licence permits use in a business: yes, or under which condition."""
    languages: str = "many"

    def memory(self, adapter: str) -> float:
        """GB to train it in bf16 with short conversations, about: weights, and for full training their gradients and AdamW."""
        each = {"qlora": 0.7, "full": 16.0}.get(adapter, 2.0)
        return self.parameters * each + _OVERHEAD

    @property
    def said(self) -> str:
        """The facts in a sentence."""
        size = f"{self.parameters:g}B" if self.parameters >= 0.1 else f"{self.parameters * 1000:g}M"
        return (
            f"{size} parameters, reads {self.context:,} tokens, {self.licence} licence, business use: {self.commercial}; about "
            f"{self.memory('lora'):.1f} GB with LoRA, {self.memory('qlora'):.1f} GB with QLoRA."
        )


_APACHE, _MIT = "Apache-2.0", "MIT"
_LLAMA = {"licence": "Llama 3.2 Community", "commercial": "yes, below 700 million monthly users, named “Built with Llama”"}
_GEMMA = {"licence": "Gemma terms", "commercial": "yes, within Google's use policy, which is handed on"}
MODELS = (
    BaseModel(
        name="touchstone-mini", kind=CHAT, parameters=0.001, licence="Touchstone's own", context=512, languages="English"
    ),
    BaseModel(
        name="HuggingFaceTB/SmolLM2-135M-Instruct",
        kind=CHAT,
        parameters=0.135,
        licence=_APACHE,
        context=8192,
        languages="English",
    ),
    BaseModel(
        name="HuggingFaceTB/SmolLM2-360M-Instruct",
        kind=CHAT,
        parameters=0.36,
        licence=_APACHE,
        context=8192,
        languages="English",
    ),
    BaseModel(name="Qwen/Qwen3-0.6B", kind=CHAT, parameters=0.6, licence=_APACHE, context=32768),
    BaseModel(name="Qwen/Qwen3-1.7B", kind=CHAT, parameters=1.7, licence=_APACHE, context=32768),
    BaseModel(name="Qwen/Qwen3-4B-Instruct-2507", kind=CHAT, parameters=4.0, licence=_APACHE, context=262144),
    BaseModel(name="Qwen/Qwen3-8B", kind=CHAT, parameters=8.2, licence=_APACHE, context=32768),
    BaseModel(name="HuggingFaceTB/SmolLM3-3B", kind=CHAT, parameters=3.1, licence=_APACHE, context=65536),
    BaseModel(name="ibm-granite/granite-3.3-2b-instruct", kind=CHAT, parameters=2.5, licence=_APACHE, context=131072),
    BaseModel(name="microsoft/Phi-4-mini-instruct", kind=CHAT, parameters=3.8, licence=_MIT, context=131072),
    BaseModel(name="mistralai/Mistral-7B-Instruct-v0.3", kind=CHAT, parameters=7.2, licence=_APACHE, context=32768),
    BaseModel(name="meta-llama/Llama-3.2-1B-Instruct", kind=CHAT, parameters=1.2, context=131072, **_LLAMA),
    BaseModel(name="meta-llama/Llama-3.2-3B-Instruct", kind=CHAT, parameters=3.2, context=131072, **_LLAMA),
    BaseModel(name="google/gemma-3-270m-it", kind=CHAT, parameters=0.27, context=32768, **_GEMMA),
    BaseModel(name="google/gemma-3-1b-it", kind=CHAT, parameters=1.0, context=32768, **_GEMMA),
    BaseModel(name="google/flan-t5-small", kind=SEQ2SEQ, parameters=0.077, licence=_APACHE, context=512),
    BaseModel(name="google/flan-t5-base", kind=SEQ2SEQ, parameters=0.25, licence=_APACHE, context=512),
    BaseModel(
        name="distilbert/distilbert-base-uncased",
        kind=ENCODER,
        parameters=0.067,
        licence=_APACHE,
        context=512,
        languages="English",
    ),
    BaseModel(name="FacebookAI/xlm-roberta-base", kind=ENCODER, parameters=0.28, licence=_MIT, context=512),
    BaseModel(
        name="answerdotai/ModernBERT-base", kind=ENCODER, parameters=0.15, licence=_APACHE, context=8192, languages="English"
    ),
)


def fitting(objective: str) -> tuple[BaseModel, ...]:
    """The models that can learn an objective: who writes, who chats, who sorts."""
    if objective == "seq2seq":
        return tuple(model for model in MODELS if model.kind == SEQ2SEQ)
    if OBJECTIVES[objective].chats:
        return tuple(model for model in MODELS if model.kind == CHAT)
    return tuple(model for model in MODELS if model.kind != SEQ2SEQ)


def known(name: str) -> BaseModel | None:
    """The model of this name, if it is well known."""
    return next((model for model in MODELS if model.name == name), None)
