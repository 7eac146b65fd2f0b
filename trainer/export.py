"""Takes a run's model along: merged weights or the adapter, with tokenizer, chat template and card, in Hugging Face's format.

Before an export stands, it is loaded again by plain transformers and PEFT and compared with the training model (see `parity`).
It is written beside `--out` and moved into it only when both agree, so that a folder which has a `result.json` holds what was
trained. Chat models are taken along like this, and so are classifiers, reward models and models of the T5 family.

Not promised: that other programs tokenise or stop alike; a 4-bit run is compared with its adapter on whole base weights.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import peft
import torch
import transformers

from trainer import contract, holdout, model_card, parity
from trainer.contract import OBJECTIVES, WRITERS, ConfigError, ModelSpec, TrainConfig, read_json
from trainer.data import TextFormat
from trainer.folder import Refused, write_json
from trainer.model import BadModel, Loaded, LoadedReader, choose_device, choose_dtype, load_adapter
from trainer.opening import Kind, labels_in, open_base
from trainer.rows import BadData, Row, read_questions, read_split

FORMS = ("adapter", "merged")
CARD = "README.md"
_COMPARED = 8


def export(run: Path, form: str, out: Path, *, told: Mapping[str, Any] | None = None, device: str = "auto") -> dict[str, Any]:
    """Writes the export into `out` and returns its `result.json`. `told` is what the card says beside the run's own files.

    Raises BadModel, and leaves nothing, when the export does not give what the training model gives.
    """
    config, spec = _spec(run, form)
    if (out / contract.RESULT).exists():
        raise Refused(f"{out} holds an export already; choose another folder.")
    torch.set_num_threads(config.threads)
    where = choose_device(device)
    classes = labels_in(Path(spec.adapter or spec.base_model))
    loaded = _load(config, spec, where, choose_dtype("auto", where), classes)
    rows = _rows(config)
    expected, said = parity.logits_of(loaded, rows), parity.said_by(config, loaded, rows)
    with _temporary(out) as folder:
        _write(loaded, folder, form, spec)
        again = _load_again(config, folder, form, spec, loaded)
        found, says = parity.logits_of(again, rows), parity.said_by(config, again, rows)
        alike = parity.compare(expected, found, said, says, loaded.model.dtype)
        result: dict[str, Any] = {"form": form, "base_model": spec.base_model, "revision": spec.revision, "parity": alike}
        result |= {"objective": config.objective} | ({"classes": list(classes)} if classes else {})
        (folder / CARD).write_text(model_card.write(config, _result(run), result, told or {}), encoding="utf-8")
        result["files"] = sorted(path.name for path in folder.iterdir())
        for path in folder.iterdir():
            path.replace(out / path.name)
    write_json(out / contract.RESULT, result)
    return result


def _spec(run: Path, form: str) -> tuple[TrainConfig, ModelSpec]:
    """What the run trained. Raises BadModel and ConfigError."""
    config = TrainConfig.from_json(read_json(run / contract.CONFIG))
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


def _load(
    config: TrainConfig, spec: ModelSpec, device: torch.device, dtype: torch.dtype, classes: tuple[str, ...]
) -> Loaded | LoadedReader:
    kind = Kind.CHAT if OBJECTIVES[config.objective].chats else Kind.WRITER if config.objective in WRITERS else Kind.JUDGE
    loaded: Any = open_base(spec, kind, device, dtype, classes)
    opened: Loaded | LoadedReader = load_adapter(loaded, spec.adapter) if spec.adapter else loaded
    return opened


def _result(run: Path) -> dict[str, Any]:
    return read_json(run / contract.RESULT) if (run / contract.RESULT).exists() else {}


def _rows(config: TrainConfig) -> list[Row]:
    """Conversations to compare on: of the run's test or validation rows, filled up with general talk."""
    found: list[Row] = []
    for split in ("test", "validation"):
        with contextlib.suppress(BadData):  # the snapshot may be gone by now
            chats, folder = OBJECTIVES[config.objective].chats, Path(config.data)
            found += read_questions(folder, split) if chats else read_split(folder, split, config.objective)
    return [*found[: _COMPARED // 2], *holdout.rows_of(holdout.GENERAL)][:_COMPARED]


def _write(loaded: Loaded | LoadedReader, folder: Path, form: str, spec: ModelSpec) -> None:
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
    if isinstance(loaded, Loaded):
        tokenizer.chat_template = loaded.format.template
    tokenizer.save_pretrained(folder)


def _name_base(path: Path, base_model: str) -> None:
    """The adapter names its base model as the run did, not as a folder of this machine."""
    write_json(path, read_json(path) | {"base_model_name_or_path": base_model})


def _load_again(
    config: TrainConfig, folder: Path, form: str, spec: ModelSpec, trained: Loaded | LoadedReader
) -> Loaded | LoadedReader:
    """The export as anybody would load it: nothing of this process's model goes in."""
    dtype, classes = trained.model.dtype, trained.classes if isinstance(trained, LoadedReader) else ()
    try:
        if form == "merged":
            return _load(config, ModelSpec(label="export", base_model=str(folder)), trained.device, dtype, classes)
        fresh = _load(config, replace(spec, adapter=None), trained.device, dtype, classes)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        model = peft.PeftModel.from_pretrained(fresh.model, str(folder)).eval()
        if isinstance(fresh, LoadedReader):
            return replace(fresh, model=model, format=TextFormat(tokenizer))
        return Loaded(model, type(fresh.format)(tokenizer, stop_ids=sorted(fresh.format.stop_ids)), trained.device)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BadModel(
            f"The export cannot be loaded again, so it was not kept. ({' '.join(str(error).split())[:300]})"
        ) from error


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
