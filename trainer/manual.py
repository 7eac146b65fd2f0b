"""What `--help` says of the files that the commands take. Standard library only; the examples in it are tried by a test."""

from __future__ import annotations

import dataclasses
import json
import textwrap

from trainer.contract import EMBEDDED, TrainConfig

SEARCHES = """\
CONFIG is a JSON object, such as
{"config": {"data": "snapshot", "epochs": 3}, "method": "tpe", "trials": 20, "space": {"lora_rank": {"choices": [4, 16]},
"learning_rate": {"low": 0.0001, "high": 0.01, "log": true}, "batch_size": {"low": 8, "high": 32, "step": 8}}}

  config   what every trial has in common (see `run --help`)
  space    the fields to vary, by choices or between two ends
  method   grid, random or tpe
  trials   how many at most; hours: when none begins any more
  folds    0 for the snapshot's validation rows, k for cross-validation over train and validation, by group
  prune    whether a trial ends early that is behind the others
"""
EVALUATIONS = f"""\
CONFIG is a JSON object, such as
{{"data": "snapshot", "models": [{{"label": "base"}}, {{"label": "tuned", "adapter": "run/adapter"}}]}}

  data      the snapshot folder
  models    each a label with any of base_model ({EMBEDDED}), revision and adapter; a run that made whole weights is the
            base_model RUN/model
  split     train, validation or test (test)
  limit     how many rows (all)
  decoding  {{"max_new_tokens": 160, "temperature": 0, "top_p": 1, "seed": 0}}
  learned   the snapshot that was learned from, where the rows are another one's: for canaries and copies
  probes    a file of further prompts, each {{"id": "…", "messages": […]}}, answered and not measured
  device    auto, cpu or cuda; threads: of a CPU
"""
_ROWS = """\
CONFIG is a JSON object, such as
{"data": "snapshot", "objective": "sft", "epochs": 3}

Its folder `data` holds train.jsonl, validation.jsonl and test.jsonl; the latter two may be empty, and then nothing is measured
by them. A row is an object on a line of its own; M is a list of messages, such as
[{"role": "user", "content": "Where is it?"}, {"role": "assistant", "content": "On its way."}]

  sft, seq2seq       {"messages": M}, where the last one is the answer to learn
  dpo, orpo, reward  {"prompt": M, "chosen": M, "rejected": M}, where the latter two are one answer each
  kto                {"messages": M, "desirable": true or false}
  classification     {"text": "…" or "messages": M, "label": "…"}

Each may have "id", "group" (rows of one group stay in one split), "weight" and "metadata".

The fields, with what holds where one is left out:
"""


def of_runs() -> str:
    """The config of a run field by field, and its rows."""
    return _ROWS + "\n".join(_field(spec.name, spec.default, dict(spec.metadata)) for spec in dataclasses.fields(TrainConfig))


def _field(name: str, default: object, told: dict[str, object]) -> str:
    choices = told.get("choices")
    text = f"{told['help']} One of {', '.join(map(str, choices))}." if isinstance(choices, tuple) else str(told["help"])
    lines = textwrap.wrap(text, 110, initial_indent="      ", subsequent_indent="      ")
    return "\n".join([f"  {name} ({json.dumps(default)})", *lines])
