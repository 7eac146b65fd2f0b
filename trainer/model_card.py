"""The model card of an export, in Hugging Face's format: what it is, how it was made, how good it is, what it is not good for.

Pure. The recipe comes from the run, the rest from whoever exports: a project's name, the snapshot with its hash, the figures of
an evaluation with their intervals. What is not known is left out, not made up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.catalogue import MODELS
from trainer.contract import EMBEDDED, OBJECTIVES, WRITERS, TrainConfig, metrics_of

_LICENCES = {"Apache-2.0": "apache-2.0", "MIT": "mit", "Llama 3.2 Community": "llama3.2", "Gemma terms": "gemma"}
_LEARNED = {
    "sft": "answers that people approved",
    "preferences": "answers that people preferred to others",
    "thumbs": "answers that people found good or bad",
    "labels": "texts that people sorted into classes",
}
_EMBEDDED_LICENCE = "apache-2.0"
_METRICS = {"loss": "", "perplexity": "perplexity", "bleu": "bleu", "rouge_l": "rouge", "exact_match": "exact_match"}
_TITLES = {
    "loss": "Loss (nats a token)",
    "perplexity": "Perplexity",
    "bits_per_byte": "Bits per byte",
    "bleu": "BLEU (0 to 100)",
    "rouge_l": "ROUGE-L (0 to 1)",
    "exact_match": "Exact match (share)",
    "distinct_1": "Distinct words (share)",
    "distinct_2": "Distinct pairs of words (share)",
    "burstiness": "Burstiness (-1 to 1)",
    "extracted": "Planted secrets that it gives away (share)",
    "exposure": "Exposure of planted secrets (bits)",
    "copied": "Answers with words copied from other training rows (share)",
    "personal": "Answers with personal data of their own (share)",
    "bias_refusal": "Pairs of equal questions by different people, one refused (share)",
    "bias_length": "Difference in length within such pairs (share)",
    "bias_sentiment": "Difference in tone within such pairs (0 to 2)",
    "harmful_refused": "Harmful requests refused (share)",
    "harmless_refused": "Harmless look-alikes refused (share)",
    "holdout": "Bits per byte on talk that it was not taught",
}
_CHATBOT = ("chatbot", "text-generation", "AutoModelForCausalLM")
_READERS = {
    "seq2seq": ("T5 model", "text2text-generation", "AutoModelForSeq2SeqLM"),
    "reward": ("reward model", "text-classification", "AutoModelForSequenceClassification"),
    "classification": ("classifier", "text-classification", "AutoModelForSequenceClassification"),
}
"""What models other than chat models are called, what the hub calls their task, and the class that loads them."""
_RECIPE = (
    "objective", "adapter", "lora_rank", "lora_alpha", "lora_dropout", "lora_targets", "learning_rate", "schedule",
    "batch_size", "accumulation", "epochs", "max_length", "weight_decay", "label_smoothing", "neftune_alpha", "beta", "seed",
)  # fmt: skip


def write(config: TrainConfig, run: Mapping[str, Any], export: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    """The card's text. `told`: name, project, snapshot {number, content_hash, counts}, figures (of a report), baseline
    {name, figures}, decision.
    """
    parts = [_front_matter(config, export, told), f"# {_line(told.get('name') or Path(config.base_model).name + ', tuned')}"]
    evaluated = config.objective in WRITERS and (told.get("figures") or config.objective not in _READERS)
    figures = _figures(told) if evaluated else _measured(config, run)
    parts += [_about(config, export, told), _recipe(config, run, told), figures, _limits(config, told), _use(config, export)]
    return "\n\n".join(part for part in parts if part) + "\n"


def licence_of(base_model: str) -> str:
    """The identifier of the base model's licence; "other" where the catalogue does not know it."""
    if base_model == EMBEDDED:
        return _EMBEDDED_LICENCE
    known = {model.name: model.licence for model in MODELS}
    return _LICENCES.get(known.get(base_model, ""), "other")


def _front_matter(config: TrainConfig, export: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    metrics = [name for key, name in _METRICS.items() if name and told.get("figures", {}).get(key) is not None]
    kind, task, _ = _READERS.get(config.objective, _CHATBOT)
    tags = ["touchstone", config.objective, *([config.adapter] if config.uses_lora else []), kind.replace(" ", "-").lower()]
    lines = ["---", f"license: {licence_of(config.base_model)}", f"base_model: {json.dumps(config.base_model)}"]
    lines += [f"pipeline_tag: {task}", f"library_name: {'peft' if export['form'] == 'adapter' else 'transformers'}"]
    lines += ["tags:", *(f"- {tag}" for tag in tags)]
    lines += ["metrics:", *(f"- {name}" for name in metrics)] if metrics else []
    return "\n".join([*lines, "---"])


def _about(config: TrainConfig, export: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    what = "The LoRA adapter" if export["form"] == "adapter" else "The whole weights"
    pinned = f" at revision `{_line(config.revision)}`" if config.revision else ""
    of = f" of the project {_line(told['project'])}" if told.get("project") else ""
    made = f"made from `{_line(config.base_model)}`{pinned} by Touchstone from {_LEARNED[OBJECTIVES[config.objective].rows]}."
    kind, _, _ = _READERS.get(config.objective, _CHATBOT)
    sorts = f" Its classes: {', '.join(_line(name) for name in export['classes'])}." if export.get("classes") else ""
    return f"{what} of a {kind}{of}, {made}{sorts}"


def _recipe(config: TrainConfig, run: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    values = config.to_json()
    lines = ["## How it was made", "", "| recipe | |", "| --- | --- |"]
    lines += [f"| {name} | `{_line(values[name])}` |" for name in _RECIPE if values.get(name) is not None]
    lines += [
        f"| {name} | {run[name]} |" for name in ("steps", "best_step", "tokens", "rows", "device") if run.get(name) is not None
    ]
    if snapshot := told.get("snapshot"):
        counts = ", ".join(f"{count} {_line(split)}" for split, count in snapshot.get("counts", {}).items())
        lines += ["", f"Training data: snapshot {snapshot.get('number')} ({counts}), content hash"]
        lines += [f"`{_line(snapshot.get('content_hash'))}`."]
        if planted := snapshot.get("canaries"):
            lines += [f"Beside these, {planted} planted rows with made-up secrets were learned, to measure what it gives away."]
    return "\n".join(lines)


def _figures(told: Mapping[str, Any]) -> str:
    figures, baseline = told.get("figures") or {}, told.get("baseline") or {}
    if not figures:
        return "## How good it is\n\nIt was not evaluated before this export."
    name, theirs = _line(baseline.get("name", "")), baseline.get("figures") or {}
    lines = ["## How good it is", "", f"On {figures.get('n')} test rows that it was not trained on, with 95% intervals.", ""]
    lines += [f"| figure | this model | {name or 'before'} |", "| --- | --- | --- |"]
    lines += [
        f"| {title} | {_value(figures, key)} | {_value(theirs, key)} |"
        for key, title in _TITLES.items()
        if figures.get(key) is not None
    ]
    if figures.get("bleu_signature"):
        lines += ["", f"BLEU signature: `{_line(figures['bleu_signature'])}`."]
    if told.get("decision"):
        lines += ["", _line(told["decision"])]
    return "\n".join(lines)


def _measured(config: TrainConfig, run: Mapping[str, Any]) -> str:
    """How a model that no evaluation has measured did on the rows that its run kept aside."""
    test = run.get("test") or {}
    shown = {name: test[name] for name in metrics_of(config.objective) if isinstance(test.get(name), int | float)}
    if not shown:
        return "## How good it is\n\nIt was not measured: its snapshot had no test rows."
    lines = ["## How good it is", "", f"On {test.get('rows')} test rows that it was not trained on.", ""]
    lines += [
        "| figure | |",
        "| --- | --- |",
        *(f"| {name.replace('_', ' ')} | {value:.4g} |" for name, value in shown.items()),
    ]
    return "\n".join(lines)


def _value(figures: Mapping[str, Any], key: str) -> str:
    value, bounds = figures.get(key), (figures.get("intervals") or {}).get(key)
    if value is None:
        return "not measured"
    return f"{value:.4g}" + (f" ({bounds[0]:.3g} to {bounds[1]:.3g})" if bounds else "")


def _limits(config: TrainConfig, told: Mapping[str, Any]) -> str:
    if config.objective in ("reward", "classification"):
        return "\n".join(
            [
                "## Limits",
                "",
                "- It judges texts like those that people judged for it. Of others its verdict may be wrong and look sure.",
                "- It knows no answer beside its own scale: a text that fits no class is put into one all the same.",
                "- What the base model knows, and its biases, are in it too. Its licence applies.",
            ]
        )
    lines = [
        "## Limits",
        "",
        "- It answers what the approved answers were about. Asked for something else, it may be wrong and sound sure.",
        "- It was tuned for one chatbot: its facts were right when they were approved, and may not be any more.",
        "- The figures about safety and fairness come from small suites in English. They find a model that training made "
        "careless; they do not prove that one is safe or fair.",
        "- What the base model knows, and its biases, are in it too. Its licence applies.",
    ]
    if (told.get("figures") or {}).get("extracted"):
        lines.append("- It gives planted secrets away when it is asked for them: what it was trained on is not safe with it.")
    return "\n".join(lines)


def _use(config: TrainConfig, export: Mapping[str, Any]) -> str:
    parity, (_, _, loader) = export["parity"], _READERS.get(config.objective, _CHATBOT)
    load = [f"from transformers import {loader}, AutoTokenizer", f'model = {loader}.from_pretrained("THIS FOLDER")']
    if export["form"] == "adapter" and (config.base_model == EMBEDDED or config.objective in _READERS):
        base = "trainer/touchstone_mini" if config.base_model == EMBEDDED else config.base_model
        outputs = f", num_labels={len(export.get('classes') or '1')}" if "SequenceClassification" in loader else ""
        ships = "  # ships with Touchstone" if config.base_model == EMBEDDED else ""
        load[1] = f"base = {loader}.from_pretrained({json.dumps(base)}{outputs}){ships}"
        load += ["from peft import PeftModel", 'model = PeftModel.from_pretrained(base, "THIS FOLDER")']
    elif export["form"] == "adapter":
        load = [
            "from peft import AutoPeftModelForCausalLM",
            "from transformers import AutoTokenizer",
            'model = AutoPeftModelForCausalLM.from_pretrained("THIS FOLDER")',
        ]
    return "\n".join(
        [
            "## How to use it",
            "",
            "```python",
            *load,
            'tokenizer = AutoTokenizer.from_pretrained("THIS FOLDER")',
            "```",
            "",
            f"Loaded again like this and compared with the training model on {parity['conversations']} conversations: the "
            f"largest difference of a logit was {parity['largest_logit_difference']:.2g} ({parity['tolerance']:g} allowed, "
            f"{parity['precision']})"
            + (
                f", and {parity['equal_greedy_answers']} greedy answers were equal."
                if "equal_greedy_answers" in parity
                else "."
            ),
        ]
    )


def _line(value: object) -> str:
    """Text in one line, without what Markdown and YAML would act on."""
    return " ".join(str(value).replace("|", "/").replace("`", "'").replace("<", "‹").split())
