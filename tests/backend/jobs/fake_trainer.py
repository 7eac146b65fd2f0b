"""A small program that keeps the trainer's contract: `run OUT STEPS [how]`, `resume OUT STEPS`. No torch, starts in 30 ms.

how: deaf (ignores STOP and SIGTERM), fail:CODE (error.json, then that exit code), die:STEP (crashes there, first time only)

It notes the GPUs that it may see, when it began and when it ended: a line of `gpus` each, "began|ended MOMENT GPUS".
"""

import atexit
import json
import os
import signal
import sys
import time
from pathlib import Path


def write(path: Path, value: object) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(value))
    temporary.replace(path)


def note(out: Path, what: str) -> None:
    with (out / "gpus").open("a") as file:
        file.write(f"{what} {time.monotonic()} {os.environ.get('CUDA_VISIBLE_DEVICES', 'all')}\n")


def main() -> int:
    name, out, steps, how = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), (sys.argv[4:] or [""])[0]
    checkpoints = out / "checkpoints"
    start = max((int(p.name) for p in checkpoints.iterdir()), default=0) if name == "resume" else 0
    terminated: list[int] = []
    note(out, "began")
    atexit.register(note, out, "ended")
    signal.signal(signal.SIGTERM, lambda *_: terminated.append(1))
    print(f"{name} from step {start}", flush=True)
    with (out / "starts").open("a") as file:
        file.write(f"{name} {start} {os.environ['TOUCHSTONE_JOB_NONCE']}\n")
    if how.startswith("fail:"):
        write(out / "error.json", {"kind": "disk_full", "message": "The disk is full. Free some space."})
        return int(how[5:])
    for step in range(start + 1, steps + 1):
        write(out / "status.json", {"state": "running", "step": step, "total_steps": steps, "epoch": 0.0, "message": ""})
        (checkpoints / str(step)).mkdir(parents=True, exist_ok=True)
        if how == f"die:{step}" and name == "run":
            os.kill(os.getpid(), signal.SIGKILL)
        if how != "deaf" and ((out / "STOP").exists() or terminated):
            write(out / "status.json", {"state": "stopped", "step": step, "total_steps": steps})
            return 3
        time.sleep(0.05)
    write(out / "result.json", {"steps": steps})
    write(out / "status.json", {"state": "finished", "step": steps, "total_steps": steps})
    return 0


sys.exit(main())
