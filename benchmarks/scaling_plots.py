"""Plots of how time grows with the input; the same results give the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("svg")

from matplotlib import pyplot

_COLOURS = ("#0b6e4f", "#c1440e", "#3d5a80", "#8a5a9e")


def plot_job(job: dict[str, Any], path: Path) -> None:
    """Plots each build and limit of a job over its sizes, with the lines that were fitted.

    Args:
        job: as ``benchmarks.scaling.describe_job`` gives it.
        path: of the SVG.
    """
    # The names of the parts of an SVG are random without it.
    with matplotlib.rc_context({"svg.hashsalt": "embprep"}):
        figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
        sizes = np.array(job["sizes"])
        for number, build in enumerate(job["builds"]):
            colour = _COLOURS[number % len(_COLOURS)]
            fit = build["fit"]
            label = (
                f"{build['name']}: {fit['fixed_seconds']:.1f} s + "
                f"{fit['seconds_per_unit']:.2f} s per {job['unit']}"
            )
            ends = np.array([0, sizes.max()])
            line = fit["fixed_seconds"] + fit["seconds_per_unit"] * ends
            axes.plot(ends, line, color=colour, linewidth=1, label=label)
            low, high = ([pick(seconds) for seconds in build["seconds"]] for pick in (min, max))
            axes.vlines(sizes, low, high, color=colour, linewidth=1)
            axes.plot(sizes, build["median_seconds"], "o", color=colour, markersize=5)
        for limit, style in zip(job["limits"], ("--", ":"), strict=True):
            median = limit["median_seconds"]
            axes.plot(sizes, median, style, color="#777777", linewidth=1, label=limit["name"])
        axes.set(title=job["title"], xlabel=job["unit"], ylabel="seconds, whole process")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="upper left")
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)
