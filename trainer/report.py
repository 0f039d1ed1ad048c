"""What a training run leaves next to its model: metrics, history and a learning curve."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# A column of Keras' history, one value an epoch.
History = Mapping[str, Sequence[float]]


def write_metrics(path: str, metrics: Mapping[str, Any]) -> None:
    """Writes the metrics as one JSON object; a number that is not finite becomes null."""
    finite = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in metrics.items()
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(finite, file, indent=2, ensure_ascii=False, allow_nan=False)
        file.write("\n")


def write_history(path: str, history: History) -> None:
    """Writes a row an epoch, counted from 1 as in the progress bar."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["epoch", *history])
        rows.writerows(
            [epoch, *values] for epoch, values in enumerate(zip(*history.values(), strict=True), 1)
        )


def write_learning_curve(path: str, history: History, *, title: str, best_epoch: int) -> None:
    """Draws loss and accuracy by epoch, of training and, where there is one, validation.

    Args:
        path: of the PNG.
        history: Keras' history; ``val_`` columns may be absent.
        title: of the figure.
        best_epoch: the epoch, from 1, whose weights the model has; it is marked.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for axes, measure in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for column, name in ((measure, "train"), (f"val_{measure}", "validation")):
            if column in history:
                values = history[column]
                axes.plot(range(1, len(values) + 1), values, marker="o", markersize=3, label=name)
        axes.axvline(best_epoch, color="0.7", linestyle=":", label="weights of the model")
        axes.set_xlabel("epoch")
        axes.set_ylabel(measure)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()
    figure.savefig(path, dpi=120)
