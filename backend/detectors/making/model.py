"""Trains the name tagger and writes `entities/data/tagger.npz`: `python -m backend.detectors.making.model`.

A linear-chain CRF (python-crfsuite) learns from generated texts; its weights are stored as plain arrays, so that using it
needs numpy alone. Needs requirements-dev.txt. The same seed and packages give the same texts.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path

import numpy as np
import pycrfsuite

from backend.detectors.entities.features import Word, describe, of_sequence, place_marks
from backend.detectors.entities.tokens import is_caseless, tokenise
from backend.detectors.making.sentences import Labelled, draw_many

TARGET = Path(__file__).parents[1] / "entities" / "data" / "tagger.npz"
SEED, TEXTS = 20_240, 30_000
_LEAST = 0.03
_HIDDEN = 0.3


def example(labelled: Labelled, rng: random.Random) -> tuple[list[list[str]], list[str]]:
    """Features and labels of one text. In some texts the lists are as if they did not hold the names."""
    tokens = tokenise(labelled.text)
    caseless = is_caseless(labelled.text)
    labels = ["O"] * len(tokens.words)
    for start, end, label in labelled.spans:
        inside = [i for i, (s, e) in enumerate(zip(tokens.starts, tokens.ends, strict=True)) if s >= start and e <= end]
        for place, index in enumerate(inside):
            labels[index] = ("B-" if place == 0 else "I-") + label
    hidden = rng.random() < _HIDDEN
    marks = place_marks(labelled.text, tokens.starts)
    words: list[Word] = [
        describe(
            word, caseless, mark, hidden and label != "O" and label[2:] in ("PERSON", "GPE", "STREET_ADDRESS") and len(word) > 3
        )
        for word, mark, label in zip(tokens.words, marks, labels, strict=True)
    ]
    return of_sequence(words), labels


def train(texts: int, iterations: int, l1: float, l2: float, seed: int = SEED) -> Path:
    """Train and return the path of crfsuite's own model file."""
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=True)
    trainer.set_params(
        {"c1": l1, "c2": l2, "max_iterations": iterations, "feature.possible_transitions": True, "feature.minfreq": 3}
    )
    rng = random.Random(seed)  # noqa: S311
    for labelled in draw_many(texts, seed):
        if labelled.text.strip():
            trainer.append(*example(labelled, rng))
    path = Path(tempfile.mkdtemp()) / "model.crfsuite"
    trainer.train(str(path))
    return path


def write(model: Path, target: Path = TARGET) -> None:
    """Store the weights as arrays: feature names, labels, a row of weights per feature, and transitions."""
    tagger = pycrfsuite.Tagger()
    tagger.open(str(model))
    info = tagger.info()
    labels = sorted(info.labels)
    place = {label: index for index, label in enumerate(labels)}
    rows: dict[str, np.ndarray] = {}
    for (feature, label), weight in info.state_features.items():
        if abs(weight) >= _LEAST:
            rows.setdefault(feature, np.zeros(len(labels), np.float16))[place[label]] = weight
    names = sorted(rows)
    transitions = np.full((len(labels), len(labels)), 0, np.float32)
    for (one, other), weight in info.transitions.items():
        transitions[place[one], place[other]] = weight
    weights = np.stack([rows[name] for name in names])
    filled, columns = np.nonzero(weights)
    np.savez_compressed(
        target,
        names=np.frombuffer("\n".join(names).encode(), np.uint8), labels=np.frombuffer("\n".join(labels).encode(), np.uint8),
        counts=np.bincount(filled, minlength=len(names)).astype(np.uint8), columns=columns.astype(np.uint8),
        values=weights[filled, columns], transitions=transitions,
    )  # fmt: skip
    print(f"{len(names)} features, {len(filled)} weights, {target.stat().st_size} bytes")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=TEXTS)
    parser.add_argument("--iterations", type=int, default=120)
    parser.add_argument("--l1", type=float, default=0.3)
    parser.add_argument("--l2", type=float, default=0.02)
    parser.add_argument("--target", type=Path, default=TARGET)
    arguments = parser.parse_args()
    write(train(arguments.texts, arguments.iterations, arguments.l1, arguments.l2), arguments.target)


if __name__ == "__main__":
    main()
