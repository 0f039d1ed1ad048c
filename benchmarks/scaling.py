"""How the time of a build grows with its input: ``python -m benchmarks.scaling [flags]``.

Joins GloVe texts of 0.5 to 4 GB, and builds from corpora of 0.25 to 2 million lines, with each
number of workers, and fits a line through the medians: the seconds that every build costs, and
those that each GB, or million of lines, adds. Beside it stand two limits of the same files: reading
them, and counting their newlines.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.cases import BUILD, DIM, LENGTH, MAX_TOKENS, Setting, program
from benchmarks.environment import describe_environment
from benchmarks.measure import run_program
from benchmarks.rounds import Runs
from benchmarks.scaling_plots import plot_job

_ROWS = (200_000, 400_000, 800_000, 1_600_000)
_CORPUS_LINES = (250_000, 500_000, 1_000_000, 2_000_000)
_TOKENS = 20_000
_FEW_LINES = 200
_BLOCK_BYTES = 1 << 20


@dataclass
class Point:
    """A build of one size, with one number of workers or more.

    Attributes:
        size: of the input, in the unit of its job.
        file: the input.
        flags: of the build, but for the workers and the output.
        runs: the measured builds, by workers.
        limits: seconds of what no build can be faster than, by what it is.
    """

    size: float
    file: Path
    flags: list[str]
    runs: dict[int, Runs] = field(default_factory=dict)
    limits: dict[str, list[float]] = field(default_factory=dict)


def read_whole(file: Path) -> int:
    """Reads a file in blocks of 1 MiB; gives its bytes."""
    with open(file, "rb", buffering=0) as stream:
        return sum(len(block) for block in iter(lambda: stream.read(_BLOCK_BYTES), b""))


def count_newlines(file: Path) -> int:
    """Reads a file in blocks of 1 MiB; gives its newlines, which memchr finds."""
    with open(file, "rb", buffering=0) as stream:
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(_BLOCK_BYTES), b""))


LIMITS: dict[str, Callable[[Path], int]] = {
    "reading the file": read_whole,
    "counting its newlines": count_newlines,
}


def join_points(setting: Setting) -> list[Point]:
    """The join of a vocabulary to GloVe texts of growing size, in GB."""
    points = []
    for full in _ROWS:
        rows = setting.count(full)
        vectors = data.glove_text(setting.data, rows, DIM)
        vocabulary = data.vocabulary(setting.data, setting.count(_TOKENS), rows)
        corpus = data.lines_of(setting.data, vocabulary, _FEW_LINES)
        flags = ["--corpus", f"train={corpus}", "--vectors", f"{vectors}"]
        flags += ["--vocabulary", f"{vocabulary}"]
        points.append(Point(vectors.stat().st_size / 1e9, vectors, flags))
    return points


def corpus_points(setting: Setting, *flags_of_all: str) -> list[Point]:
    """Vocabulary and examples of corpora of growing size, in millions of lines."""
    vectors = data.glove_text(setting.data, 2_000, 50)
    points = []
    for full in _CORPUS_LINES:
        lines = setting.count(full)
        corpus = data.corpus_text(setting.data, lines)
        flags = ["--corpus", f"train={corpus}", "--vectors", f"{vectors}"]
        flags += ["--max_tokens", f"{MAX_TOKENS}", "--max_length", f"{LENGTH}", *flags_of_all]
        points.append(Point(lines / 1e6, corpus, flags))
    return points


def in_order_points(setting: Setting) -> list[Point]:
    """The same without the shuffle, for which the local engine keeps all examples in memory."""
    return corpus_points(setting, "--shuffle_seed", "none")


def measure_points(
    points: Sequence[Point], workers: Sequence[int], rounds: int, warmups: int, output: Path
) -> None:
    """Measures all points in each round, so that what drifts on the machine meets them alike."""
    for number in range(-warmups, rounds):
        for point in points:
            for count in workers:
                shutil.rmtree(output, ignore_errors=True)
                flags = [*point.flags, "--direct_num_workers", f"{count}", "--output", f"{output}"]
                run = run_program(program(*BUILD, *flags))
                if number >= 0:
                    point.runs.setdefault(count, Runs()).add(run, inside=False)
            for name, limit in LIMITS.items():
                started = time.perf_counter()
                limit(point.file)
                if number >= 0:
                    point.limits.setdefault(name, []).append(time.perf_counter() - started)
        if number >= 0:
            print(f"  round {number + 1}", flush=True)


def fit_line(sizes: Sequence[float], seconds: Sequence[float]) -> dict[str, float]:
    """The line of least squares through some points.

    Returns:
        ``fixed_seconds``; ``seconds_per_unit``; and ``largest_deviation``, how far a point is
        from the line at most, as a share of the line.
    """
    slope, fixed = (float(number) for number in np.polyfit(sizes, seconds, 1))
    line = fixed + slope * np.asarray(sizes)
    deviation = float(np.abs(np.asarray(seconds) / line - 1).max())
    return {
        "fixed_seconds": fixed,
        "seconds_per_unit": slope,
        "largest_deviation": deviation,
    }


def describe_job(title: str, unit: str, points: Sequence[Point]) -> dict[str, Any]:
    """The results of a job as JSON: for each number of workers, and each limit, a series."""
    sizes = [point.size for point in points]
    series = [
        _series(f"{workers} worker{'s' if workers > 1 else ''}", sizes, runs)
        for workers in points[0].runs
        for runs in [[point.runs[workers] for point in points]]
    ]
    limits = [
        _series(name, sizes, [Runs(point.limits[name], [None]) for point in points])
        for name in points[0].limits
    ]
    return {"title": title, "unit": unit, "sizes": sizes, "builds": series, "limits": limits}


def _series(name: str, sizes: Sequence[float], runs: Sequence[Runs]) -> dict[str, Any]:
    medians = [statistics.median(of_size.seconds) for of_size in runs]
    return {
        "name": name,
        "seconds": [of_size.seconds for of_size in runs],
        "median_seconds": medians,
        "peak_bytes": [of_size.peak for of_size in runs],
        "fit": fit_line(sizes, medians),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures the jobs, prints the fits, writes scaling.json and the plots."""
    flags = _parse(arguments)
    setting = Setting(flags.data.resolve(), flags.scale)
    output = setting.work("scaling", "embprep")
    jobs = {}
    tokens = setting.count(_TOKENS)
    for name, title, unit, make_points in (
        ("join", f"{tokens:,} tokens joined to GloVe text of {DIM} dimensions", "GB", join_points),
        ("corpus", "Vocabulary and shuffled examples of a corpus", "million lines", corpus_points),
        ("corpus-in-order", "The same in the order of the input", "million lines", in_order_points),
    ):
        print(name, flush=True)
        points = make_points(setting)
        measure_points(points, flags.workers, flags.rounds, flags.warmups, output)
        jobs[name] = job = describe_job(title, unit, points)
        print("\n".join(map(_said, job["builds"] + job["limits"])))
        flags.plots.mkdir(parents=True, exist_ok=True)
        plot_job(job, flags.plots / f"scaling-{name}.svg")
    shutil.rmtree(output, ignore_errors=True)
    results = {"scale": flags.scale, "environment": describe_environment(), "jobs": jobs}
    flags.results.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1) + "\n"
    (flags.results / "scaling.json").write_text(text, encoding="utf-8")
    return 0


def _said(series: dict[str, Any]) -> str:
    fit = series["fit"]
    said = (
        f"  {series['name']}: {fit['fixed_seconds']:.2f} s + {fit['seconds_per_unit']:.2f} s a "
        f"unit, largest deviation {fit['largest_deviation']:.0%}"
    )
    peaks = [peak for peak in series["peak_bytes"] if peak is not None]
    return f"{said}, MB {', '.join(f'{peak / 1e6:.0f}' for peak in peaks)}" if peaks else said


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling",
        description="Measures how the time of a build grows with its input.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--workers", type=_numbers, default=[1, 2], metavar="N[,N...]",
        help="numbers of workers; 1,2")  # fmt: skip
    add("--rounds", type=int, default=5, help="measured builds of each; 5")
    add("--warmups", type=int, default=1, help="builds before them that do not count; 1")
    add("--scale", type=float, default=1.0, help="what the sizes are multiplied by; 1")
    add("--data", type=Path, default=Path("output/benchmarks"), metavar="FOLDER",
        help="where the inputs are kept, some 8 GB; output/benchmarks")  # fmt: skip
    add("--results", type=Path, default=Path("benchmarks"), metavar="FOLDER",
        help="where scaling.json is written; benchmarks")  # fmt: skip
    add("--plots", type=Path, default=Path("docs"), metavar="FOLDER",
        help="where the plots are written, as scaling-JOB.svg; docs")  # fmt: skip
    return parser.parse_args(arguments)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
