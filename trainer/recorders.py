"""Where a run's metrics go beside `metrics.jsonl`: TensorBoard's event files, and MLflow where it is installed.

They are copies for those tools' users; nothing of Touchstone reads them, and a resumed run writes on after what it wrote.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from trainer.contract import ConfigError, TrainConfig

FOLDER = "tensorboard"


class Recorder(Protocol):
    """One place that metrics are copied to."""

    def record(self, event: str, values: Mapping[str, Any]) -> None:
        """One event of the metrics, with its step among the values."""

    def close(self) -> None:
        """Write what is left."""


def recorders(config: TrainConfig, folder: Path) -> list[Recorder]:
    """Those that the config asks for. Raises ConfigError for one that is not installed."""
    made: list[Recorder] = []
    if config.record in ("tensorboard", "both"):
        made.append(TensorBoard(folder / FOLDER))
    if config.record in ("mlflow", "both"):
        made.append(MLflow(config, folder))
    return made


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The values that can be drawn."""
    return {
        name: float(value)
        for name, value in values.items()
        if name != "step" and isinstance(value, int | float) and not isinstance(value, bool)
    }


class TensorBoard:
    """Event files as TensorBoard reads them, written without TensorFlow."""

    def __init__(self, folder: Path) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._writer = EventFileWriter(str(folder))

    def record(self, event: str, values: Mapping[str, Any]) -> None:
        """Numbers as scalars, samples as text."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboard.compat.proto.tensor_pb2 import TensorProto

        shown = [Summary.Value(tag=f"{event}/{name}", simple_value=value) for name, value in numbers(values).items()]
        for place, sample in enumerate(values.get("samples") or ()):
            words = "\n\n".join(f"{name}: {text}" for name, text in sample.items())
            data = TensorProto(dtype=7, string_val=[words.encode()])  # 7: a string
            plugin = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
            shown.append(Summary.Value(tag=f"samples/{place + 1}", tensor=data, metadata=plugin))
        if shown:
            step = int(values.get("step", 0))
            self._writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=shown)))

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


class MLflow:
    """A run in MLflow: MLFLOW_TRACKING_URI says where, as for MLflow itself; without it a file in the run folder."""

    def __init__(self, config: TrainConfig, folder: Path) -> None:
        try:
            from mlflow import MlflowClient
            from mlflow.entities import Metric, Param
        except ImportError as error:
            raise ConfigError(
                "MLflow is not installed here. Install it (pip install mlflow), or record nothing there."
            ) from error
        self._metric = Metric
        client = MlflowClient(tracking_uri=os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder.resolve()}/mlflow.db")
        known = client.get_experiment_by_name("touchstone")
        experiment = known.experiment_id if known else client.create_experiment("touchstone")
        self._client, self._run = client, client.create_run(experiment, run_name=folder.name).info.run_id
        params = [Param(name, str(value)[:500]) for name, value in config.to_json().items()]
        client.log_batch(self._run, params=params)

    def record(self, event: str, values: Mapping[str, Any]) -> None:
        """Numbers as metrics."""
        at, step = int(time.time() * 1000), int(values.get("step", 0))
        found = [self._metric(f"{event}.{name}", value, at, step) for name, value in numbers(values).items()]
        if found:
            self._client.log_batch(self._run, metrics=found)

    def close(self) -> None:
        """The run has ended."""
        self._client.set_terminated(self._run)
