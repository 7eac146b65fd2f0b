"""Takes a run's model along: merged weights or the adapter, with tokenizer, chat template and card, in Hugging Face's format.

Before an export stands, it is loaded again by plain transformers and PEFT and compared with the training model: the logits of
every token of a few conversations, and greedy answers. It is written beside `--out` and moved into it only when both agree, so
that a folder which has a `result.json` holds what was trained. Logits may differ by `TOLERANCE`, a rounding of the weights'
precision; greedy answers must be equal in fp32, and in half precision where the tie is not within the tolerance.

Not promised: that other programs tokenise or stop alike; a 4-bit run is compared with its adapter on whole base weights.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import peft
import torch
import transformers

from trainer import contract, holdout, model_card
from trainer.contract import OBJECTIVES, ConfigError, Decoding, ModelSpec, TrainConfig, read_json
from trainer.folder import write_json
from trainer.generate import generate
from trainer.model import BadModel, Loaded, choose_device, choose_dtype, load_adapter, load_base
from trainer.rows import BadData, Row, read_questions

FORMS = ("adapter", "merged")
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.5, torch.float16: 0.1}
"""The largest difference of a logit between the export and the training model, by the weights' precision."""
CARD = "README.md"
_COMPARED, _LONGEST = 8, 48


def export(run: Path, form: str, out: Path, *, told: Mapping[str, Any] | None = None, device: str = "auto") -> dict[str, Any]:
    """Writes the export into `out` and returns its `result.json`. `told` is what the card says beside the run's own files.

    Raises BadModel, and leaves nothing, when the export does not give what the training model gives.
    """
    config, spec = _spec(run, form)
    if (out / contract.RESULT).exists():
        raise ConfigError(f"{out} holds an export already; choose another folder.")
    torch.set_num_threads(config.threads)
    where = choose_device(device)
    loaded = _load(spec, where)
    rows = _rows(config)
    expected = _logits(loaded.model, loaded, rows)
    said = _greedy(loaded, rows)
    with _temporary(out) as folder:
        _write(loaded, folder, form, spec)
        again = _load_again(folder, form, spec, loaded)
        parity = _compare(expected, _logits(again.model, again, rows), said, _greedy(again, rows), loaded.model.dtype)
        result: dict[str, Any] = {"form": form, "base_model": spec.base_model, "revision": spec.revision, "parity": parity}
        (folder / CARD).write_text(model_card.write(config, _result(run), result, told or {}), encoding="utf-8")
        result["files"] = sorted(path.name for path in folder.iterdir())
        for path in folder.iterdir():
            path.replace(out / path.name)
    write_json(out / contract.RESULT, result)
    return result


def _spec(run: Path, form: str) -> tuple[TrainConfig, ModelSpec]:
    """What the run trained. Raises BadModel and ConfigError."""
    config = TrainConfig.from_json(read_json(run / contract.CONFIG))
    if not OBJECTIVES[config.objective].chats:
        raise ConfigError(f"A run with the objective '{config.objective}' made no chat model, and only those are exported.")
    if form not in FORMS:
        raise ConfigError(f"An export is one of {', '.join(FORMS)}; it is {form!r}.")
    adapter, weights = run / contract.ADAPTER, run / contract.MODEL
    if adapter.is_dir():
        return config, ModelSpec(label="run", base_model=config.base_model, revision=config.revision, adapter=str(adapter))
    if not weights.is_dir():
        raise BadModel(f"{run} holds no trained weights: the run has not finished. Resume it first.")
    if form == "adapter":
        raise ConfigError("This run trained whole weights, so there is no adapter to export. Export it merged.")
    return config, ModelSpec(label="run", base_model=str(weights))


def _load(spec: ModelSpec, device: torch.device) -> Loaded:
    loaded = load_base(spec.base_model, spec.revision, device=device, dtype=choose_dtype("auto", device))
    return load_adapter(loaded, spec.adapter) if spec.adapter else loaded


def _result(run: Path) -> dict[str, Any]:
    return read_json(run / contract.RESULT) if (run / contract.RESULT).exists() else {}


def _rows(config: TrainConfig) -> list[Row]:
    """Conversations to compare on: of the run's test or validation rows, filled up with general talk."""
    found: list[Row] = []
    for split in ("test", "validation"):
        with contextlib.suppress(BadData):  # the snapshot may be gone by now
            found += read_questions(Path(config.data), split)
    return [*found[: _COMPARED // 2], *holdout.rows_of(holdout.GENERAL)][:_COMPARED]


def _write(loaded: Loaded, folder: Path, form: str, spec: ModelSpec) -> None:
    """Weights and tokenizer, whose template is the one that was trained with."""
    if form == "adapter":
        assert spec.adapter is not None
        for path in sorted(Path(spec.adapter).iterdir()):
            if path.is_file() and path.name not in (CARD, contract.MANIFEST):
                shutil.copyfile(path, folder / path.name)
        _name_base(folder / "adapter_config.json", spec.base_model)
    else:
        whole = loaded.model.merge_and_unload() if isinstance(loaded.model, peft.PeftModel) else loaded.model
        whole.save_pretrained(folder, safe_serialization=True)
    tokenizer = loaded.format.tokenizer
    tokenizer.chat_template = loaded.format.template
    tokenizer.save_pretrained(folder)


def _name_base(path: Path, base_model: str) -> None:
    """The adapter names its base model as the run did, not as a folder of this machine."""
    write_json(path, read_json(path) | {"base_model_name_or_path": base_model})


def _load_again(folder: Path, form: str, spec: ModelSpec, trained: Loaded) -> Loaded:
    """The export as anybody would load it: nothing of this process's model goes in."""
    dtype = trained.model.dtype
    try:
        if form == "merged":
            return load_base(str(folder), None, device=trained.device, dtype=dtype)
        fresh = load_base(spec.base_model, spec.revision, device=trained.device, dtype=dtype)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        model = peft.PeftModel.from_pretrained(fresh.model, str(folder)).eval()
        return Loaded(model, type(fresh.format)(tokenizer, stop_ids=sorted(fresh.format.stop_ids)), trained.device)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BadModel(
            f"The export cannot be loaded again, so it was not kept. ({' '.join(str(error).split())[:300]})"
        ) from error


@torch.inference_mode()
def _logits(model: Any, loaded: Loaded, rows: Sequence[Row]) -> list[tuple[tuple[int, ...], torch.Tensor]]:
    """The tokens of every conversation, and their logits."""
    found = []
    for row in rows:
        example = loaded.format.encode(row, max_length=loaded.context)
        if example is not None:
            tokens = torch.tensor([example.tokens], device=loaded.device)
            found.append((example.tokens, model(input_ids=tokens, use_cache=False).logits[0].float().cpu()))
    return found


def _greedy(loaded: Loaded, rows: Sequence[Row]) -> list[str]:
    answers = generate(loaded, [row.prompt for row in rows], Decoding(max_new_tokens=_LONGEST))
    return [answer.text for answer in answers]


Logits = Sequence[tuple[tuple[int, ...], torch.Tensor]]


def _compare(expected: Logits, found: Logits, said: Sequence[str], says: Sequence[str], dtype: torch.dtype) -> dict[str, Any]:
    """How far the two differ. Raises BadModel where that is more than rounding."""
    if [tokens for tokens, _ in expected] != [tokens for tokens, _ in found]:
        raise BadModel("The export reads a conversation as other tokens than the training model, so it was not kept.")
    tolerance = TOLERANCE.get(dtype, max(TOLERANCE.values()))
    worst = max((float((one - other).abs().max()) for (_, one), (_, other) in zip(expected, found, strict=True)), default=0.0)
    equal = sum(one == other for one, other in zip(said, says, strict=True))
    needed = len(said) if dtype is torch.float32 else len(said) - len(said) // 4
    told = {
        "conversations": len(said),
        "largest_logit_difference": worst,
        "tolerance": tolerance,
        "precision": str(dtype).removeprefix("torch."),
        "equal_greedy_answers": equal,
        "equal_needed": needed,
    }
    if not worst <= tolerance or equal < needed:
        raise BadModel(
            f"The export does not give what the training model gives, so it was not kept: a logit differs by {worst:.2g} "
            f"({tolerance:g} is allowed), and {equal} of {len(said)} greedy answers are equal ({needed} are needed)."
        )
    return told


@contextlib.contextmanager
def _temporary(out: Path) -> Iterator[Path]:
    """A folder inside `out`, which goes away with whatever is left in it."""
    folder = out / ".export"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
