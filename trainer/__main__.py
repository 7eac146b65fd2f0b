"""The command line: ``python -m trainer base|shop|plan|run|search|resume|evaluate|generate|export|serve``.

Results go to standard output as JSON, the log and errors to standard error, the last line of which is a JSON object with
`error` and `message` when the exit code is not 0. Exit codes are those of `trainer.contract.Exit`. PyTorch is imported only
by the commands that compute.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trainer import contract, manual, member
from trainer.contract import ConfigError, Decoding, EvaluateConfig, Exit, TrainConfig, read_json
from trainer.folder import Refused, RunFolder, StopRequest, held, is_disk_full, write_json

log = logging.getLogger("trainer")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    warnings.simplefilter("ignore", FutureWarning)  # of the libraries about each other
    if member.is_started_by_us():
        return _as_member(options)
    if member.is_one_of_several() and int(os.environ["RANK"]):
        return _beside_the_chief(options)
    out = _run_folder(options)
    try:
        return int(options.command(options))
    except Exception as error:
        code, kind, message = classify(error)
        if isinstance(error, Refused):
            out = None
        if code is Exit.CRASH and type(error).__name__ != "Failed":
            log.exception("the program crashed")
    if out is not None and out.is_dir() and code is not Exit.STOPPED:
        RunFolder(out).error(kind, message)
    print(json.dumps({"error": kind, "message": message}, ensure_ascii=False), file=sys.stderr)
    return int(code)


def _beside_the_chief(options: argparse.Namespace) -> int:
    """One of several processes that torchrun was started with by hand: the first one writes and prints for all."""
    log.setLevel(logging.WARNING)
    return int(_quietly(options)[0])


def _as_member(options: argparse.Namespace) -> int:
    """One of a run's processes, which leaves how it ended for the one that started it. That one prints the result."""
    if int(os.environ.get("RANK", "0")):
        log.setLevel(logging.WARNING)
    if "TORCHELASTIC_RUN_ID" in os.environ:
        member.end_with_starters()
    code, kind, message = _quietly(options)
    member.note_end(code, kind, message)
    return 0 if code is Exit.STOPPED else int(code)


def _quietly(options: argparse.Namespace) -> tuple[Exit, str, str]:
    """Runs a command without printing its result, and says how it ended, as `classify`."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return Exit(options.command(options)), "", ""
    except Exception as error:
        code, kind, message = classify(error)
        if code is Exit.CRASH:
            log.exception("the program crashed")
        return code, kind, message


def classify(error: BaseException) -> tuple[Exit, str, str]:
    """Exit code, kind (as in `error.json`) and a message to act on."""
    from trainer.processes import Failed

    if isinstance(error, Failed):
        return error.code, error.kind, str(error)
    kinds: dict[str, tuple[Exit, str]] = {
        "ConfigError": (Exit.BAD_INPUT, "bad_config"),
        "Refused": (Exit.BAD_INPUT, "bad_config"),
        "BadData": (Exit.BAD_INPUT, "bad_data"),
        "BadModel": (Exit.BAD_INPUT, "bad_model"),
        "BadTemplate": (Exit.BAD_INPUT, "bad_model"),
        "Damaged": (Exit.BAD_INPUT, "bad_data"),
        "NotFinite": (Exit.NOT_FINITE, "not_finite"),
        "Stopped": (Exit.STOPPED, "stopped"),
    }
    if is_disk_full(error):
        return Exit.DISK_FULL, "disk_full", "The disk is full. Free some space, then resume from the last checkpoint."
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower() or "can't allocate memory" in str(error):
        message = (
            "Out of memory, even one conversation at a time. Lower max_length, take the adapter 'qlora' or a smaller model. "
            "The last checkpoint is kept."
        )
        return Exit.OUT_OF_MEMORY, "out_of_memory", message
    if type(error).__name__ in kinds:
        return *kinds[type(error).__name__], str(error)
    return Exit.CRASH, "crash", f"The trainer crashed ({type(error).__name__}); the log has the details."


def _run_folder(options: argparse.Namespace) -> Path | None:
    if options.name in ("run", "search", "plan", "export"):
        return Path(options.out) if options.out else None
    return Path(options.folder) if options.name == "resume" else None


def _print(value: Any) -> int:
    print(json.dumps(value, ensure_ascii=False))
    return Exit.OK


def _base(options: argparse.Namespace) -> int:
    from trainer import base

    return _print(base.build(Path(options.out), steps=options.steps))


def _shop(options: argparse.Namespace) -> int:
    from trainer import shop

    return _print(shop.build(Path(options.out)))


def _read_train_config(path: str) -> TrainConfig:
    config = TrainConfig.from_json(read_json(Path(path)))
    if not config.data:
        raise ConfigError("data must name the snapshot folder.")
    return config


def _plan(options: argparse.Namespace) -> int:
    config = _read_train_config(options.config)
    if options.out and any((Path(options.out) / name).exists() for name in (contract.CHECKPOINTS, contract.METRICS)):
        raise Refused(f"{options.out} holds a run; name another folder for the plan.")
    from trainer import preflight

    told = preflight.describe(config)
    if options.out:
        write_json(RunFolder(Path(options.out)).path / contract.RESULT, told)
    return _print(told)


def _run(options: argparse.Namespace) -> int:
    config, out = _read_train_config(options.config), Path(options.out)
    if (out / contract.CHECKPOINTS).exists() or (out / contract.RESULT).exists():
        raise Refused(f"{out} holds a run already; use 'resume {out}' to go on with it, or another folder.")
    return _print(_train(config, out, resume=False))


def _train(config: TrainConfig, out: Path, *, resume: bool) -> dict[str, Any]:
    """In this process, as one of several, or by starting several."""
    if config.members > 1 and not member.is_one_of_several():
        from trainer.processes import train_together

        return train_together(config, out, resume=resume)
    from trainer.loop import train
    from trainer.world import joined

    with joined() as among, held(out) if among.is_chief else contextlib.nullcontext():
        return train(config, out, resume=resume, stop=StopRequest(out), among=among, parts=member.parts())


def _search(options: argparse.Namespace) -> int:
    from trainer.spaces import SearchConfig

    config, out = SearchConfig.from_json(read_json(Path(options.config))), Path(options.out)
    if not config.config.data:
        raise ConfigError("data must name the snapshot folder.")
    if (out / contract.STUDY).exists():
        raise Refused(f"{out} holds a search already; use 'resume {out}' to go on with it, or another folder.")
    from trainer.search import search

    with held(out):
        return _print(search(config, out))


def _resume_search(folder: Path) -> int:
    from trainer.search import search
    from trainer.spaces import SearchConfig

    with held(folder):
        return _print(search(SearchConfig.from_json(read_json(folder / contract.SEARCH)), folder, resume=True))


def _resume(options: argparse.Namespace) -> int:
    folder = Path(options.folder)
    if (folder / contract.RESULT).exists():
        return _print(read_json(folder / contract.RESULT))
    if (folder / contract.SEARCH).exists():
        return _resume_search(folder)
    if not (folder / contract.CONFIG).exists():
        raise Refused(f"{folder} holds neither a run nor a search to go on with.")
    config = _read_train_config(str(folder / contract.CONFIG))
    if not member.is_started_by_us():
        (folder / contract.STOP).unlink(missing_ok=True)  # an earlier wish; one from here on counts
    return _print(_train(config, folder, resume=True))


def _evaluate(options: argparse.Namespace) -> int:
    config = EvaluateConfig.from_json(read_json(Path(options.config)))
    from trainer.report import evaluate

    return _print(evaluate(config, Path(options.out)))


def _generate(options: argparse.Namespace) -> int:
    decoding = Decoding(
        max_new_tokens=options.max_new_tokens, temperature=options.temperature, top_p=options.top_p, seed=options.seed
    )
    prompts = [options.prompt] if options.prompt is not None else [line.rstrip("\n") for line in sys.stdin if line.strip()]
    from trainer import generate, opening

    opening.torch.set_num_threads(options.threads)
    loaded = opening.open_model(
        contract.ModelSpec(
            label="asked", base_model=options.base_model, revision=options.revision, adapter=options.adapter or None
        )
    )
    system = [{"role": "system", "content": options.system}] if options.system else []
    conversations = [[*system, {"role": "user", "content": prompt}] for prompt in prompts]
    for prompt, answer in zip(prompts, generate.generate(loaded, conversations, decoding), strict=True):
        _print({"prompt": prompt} | dataclasses.asdict(answer))
    return Exit.OK


def _export(options: argparse.Namespace) -> int:
    told = read_json(Path(options.card)) if options.card else None
    from trainer.export import export

    return _print(export(Path(options.run), options.form, Path(options.out), told=told, device=options.device))


def _serve(options: argparse.Namespace) -> int:
    from trainer.serve import serve

    serve(models=Path(options.models), host=options.host, port=options.port, keep=options.keep, threads=options.threads)
    return Exit.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description="Trains, evaluates and serves chat models.")
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], text: str, more: str = "") -> argparse.ArgumentParser:
        written = argparse.RawDescriptionHelpFormatter if more else argparse.HelpFormatter
        sub = commands.add_parser(name, help=text, description=text, epilog=more, formatter_class=written)
        sub.set_defaults(command=command)
        return sub

    sub = add("base", _base, "Build the embedded base model from scratch (a few minutes on one core).")
    sub.add_argument("--out", required=True, help="the folder to write the model to")
    sub.add_argument("--steps", type=int, default=1400, help="training steps (default: %(default)s, as shipped)")
    sub = add("shop", _shop, "Write the sample project's files.")
    sub.add_argument("--out", required=True, help="the folder to write the files to")
    about = manual.of_runs()
    sub = add(
        "plan",
        _plan,
        "Say what a run would do, without keeping anything: rows, tokens, steps, time, memory, one conversation.",
        about,
    )
    sub.add_argument("--config", required=True, help="a TrainConfig as JSON")
    sub.add_argument("--out", help="a folder to write the plan to as well, as result.json")
    sub = add("run", _run, "Train. SIGTERM or a file STOP in the run folder stops it with a checkpoint.", about)
    sub.add_argument("--config", required=True, help="a TrainConfig as JSON")
    sub.add_argument("--out", required=True, help="the run folder to write")
    told = "Try a recipe with other values, by grid, by chance or by Optuna, and cross-validate."
    sub = add("search", _search, told, manual.SEARCHES)
    sub.add_argument("--config", required=True, help="a SearchConfig as JSON")
    sub.add_argument("--out", required=True, help="the folder to write")
    sub = add("resume", _resume, "Go on with a run from its newest sound checkpoint, or with a search.")
    sub.add_argument("folder", help="the folder of the run or search")
    told = "Let models answer a split and measure the answers, or judge it and measure the verdicts."
    sub = add("evaluate", _evaluate, told, manual.EVALUATIONS)
    sub.add_argument("--config", required=True, help="an EvaluateConfig as JSON")
    sub.add_argument("--out", required=True, help="the folder for report.json and responses.jsonl")
    _add_generate(add("generate", _generate, "Answer one prompt, or one a line from standard input."))
    sub = add("export", _export, "Take a run's model along, checked against the training model, with its card.")
    sub.add_argument("--run", required=True, help="the run folder")
    sub.add_argument("--as", dest="form", choices=("adapter", "merged"), required=True, help="LoRA weights, or whole weights")
    sub.add_argument("--out", required=True, help="the folder to write")
    sub.add_argument("--card", help="a JSON object of what the model card says beside the run's own files")
    sub.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where (default: %(default)s)")
    sub = add("serve", _serve, "Serve models over HTTP in OpenAI's format.")
    sub.add_argument("--models", required=True, help="the folder whose subfolders hold a served.json each")
    sub.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    sub.add_argument("--port", type=int, default=8700, help="port to listen on (default: %(default)s)")
    sub.add_argument("--keep", type=int, default=4, help="models kept in memory (default: %(default)s)")
    sub.add_argument("--threads", type=int, default=1, help="CPU threads (default: %(default)s)")
    return parser


def _add_generate(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--prompt", help="the question; without it every line of standard input is one")
    sub.add_argument("--system", help="a system prompt before it")
    sub.add_argument("--base-model", default=contract.EMBEDDED, help="name, folder or hub id (default: %(default)s)")
    sub.add_argument("--revision", help="hub revision to pin")
    sub.add_argument("--adapter", help="a LoRA adapter folder")
    sub.add_argument("--max-new-tokens", type=int, default=160, help="longest answer (default: %(default)s)")
    sub.add_argument("--temperature", type=float, default=0.0, help="0 is greedy (default: %(default)s)")
    sub.add_argument("--top-p", type=float, default=1.0, help="share of likeliest tokens (default: %(default)s)")
    sub.add_argument("--seed", type=int, default=0, help="seed of sampling (default: %(default)s)")
    sub.add_argument("--threads", type=int, default=1, help="CPU threads (default: %(default)s)")


if __name__ == "__main__":
    sys.exit(main())
