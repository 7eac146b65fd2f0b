"""What torchrun starts twice in `test_world`: trains every config of a list, one after another, as one of two processes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from trainer.contract import TrainConfig
from trainer.loop import train
from trainer.world import joined


def main(folder: Path) -> None:
    """`runs.json` in the folder: name → config."""
    with joined() as among:
        for name, config in json.loads((folder / "runs.json").read_text(encoding="utf-8")).items():
            train(TrainConfig.from_json(config), folder / name, among=among)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
