"""The tables of docs/accuracy.md, from the rows of docs/accuracy.csv and docs/fallback.csv."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.accuracy_settings import EXPERIMENTS, Run, columns_of

_TEST = "test_accuracy"
_VALIDATION = "validation_loss"
_MISSING = "-"

# Rows of a results file by the columns that tell them apart.
Results = Mapping[tuple[str, ...], Mapping[str, str]]


def read_results(path: Path) -> Results:
    """Reads the rows that the study has so far, by the values of ``columns_of`` their runs."""
    if not path.exists():
        return {}
    columns = columns_of(EXPERIMENTS["main"][0])
    with open(path, encoding="utf-8", newline="") as file:
        return {tuple(row[column] for column in columns): row for row in csv.DictReader(file)}


def make_tables(results: Results) -> dict[str, str]:
    """Makes every table of the study as Markdown, by name; accuracies are in percent."""
    size, trained = ["sentences"], ["model", "embedding"]
    words = ["vector_tokens", "vocabulary_splits"]
    return {
        "main": _pivot("main", [*trained, "learning_rate"], size, _TEST, results),
        "gain": _gains(results),
        "defaults": _pivot("defaults", trained, size, _TEST, results),
        "glove": _pivot("glove", ["model"], size, _TEST, results),
        "vocabulary": _pivot("vocabulary", [*trained, *words], size, _TEST, results),
        "learning rate (validation loss)": _pivot(
            "learning_rate", trained, ["learning_rate"], _VALIDATION, results
        ),
        "learning rate (test accuracy)": _pivot(
            "learning_rate", trained, ["learning_rate"], _TEST, results
        ),
        "stopping": _pivot("stopping", trained, ["epochs", "patience"], _TEST, results),
        "fallback": _pivot("fallback", ["fallback"], size, _TEST, results),
    }


def coverage_table(path: Path) -> str:
    """Makes the table of what each lookup rule adds, from docs/fallback.csv."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    cells = [
        [
            row["tokenizer"],
            row["fallback"].rpartition(",")[2],
            f"{int(row['matched']):,} of {int(row['vocabulary']):,}",
            f"{100 * float(row['type_coverage']):.2f}",
            f"{100 * float(row['token_coverage']):.2f}",
        ]
        for row in rows
    ]
    return _markdown(
        ["tokenizer", "rule added", "words found", "% of words", "% of running words"], cells
    )


def _pivot(
    name: str, rows: Sequence[str], columns: Sequence[str], score: str, results: Results
) -> str:
    """Makes a table of an experiment, a cell for the seeds of a setting."""
    cells: dict[tuple[str, ...], dict[tuple[str, ...], list[Run]]] = {}
    heads: dict[tuple[str, ...], str] = {}
    for run in EXPERIMENTS[name]:
        named = columns_of(run)
        head = tuple(named[column] for column in columns)
        heads[head] = ", ".join(f"{column} {named[column]}" for column in columns)
        row = cells.setdefault(tuple(named[column] for column in rows), {})
        row.setdefault(head, []).append(run)
    form = ".3f" if score == _VALIDATION else ".1f"
    lines = [
        [*label, *(_cell(_scores(row.get(head, []), score, results), form) for head in heads)]
        for label, row in cells.items()
    ]
    return _markdown([*rows, *heads.values()], lines)


def _gains(results: Results) -> str:
    """Makes a table of what vectors gain over scratch, seed by seed, in points."""
    scores: dict[tuple[str, ...], list[float]] = {}
    for run in EXPERIMENTS["main"]:
        named = columns_of(run)
        key = named["model"], named["embedding"], named["sentences"]
        scores.setdefault(key, []).extend(_scores([run], _TEST, results))
    sizes = list(dict.fromkeys(size for *_, size in scores))
    lines = []
    for model, embedding in dict.fromkeys(key[:2] for key in scores if key[1] != "scratch"):
        pairs = [
            zip(scores[model, embedding, size], scores[model, "scratch", size], strict=False)
            for size in sizes
        ]
        gains = [_cell([ours - scratch for ours, scratch in pair], "+.1f") for pair in pairs]
        lines.append([model, embedding, *gains])
    return _markdown(["model", "embedding", *(f"sentences {size}" for size in sizes)], lines)


def _scores(runs: Sequence[Run], score: str, results: Results) -> list[float]:
    """Gives what the runs that are there have scored: accuracy in percent, loss as it is."""
    unit = 1 if score == _VALIDATION else 100
    found = (results.get(tuple(columns_of(run).values())) for run in runs)
    return [unit * float(row[score]) for row in found if row is not None]


def _cell(scores: Sequence[float], form: str = ".1f") -> str:
    """Gives mean and standard deviation."""
    if len(scores) < 2:
        return _MISSING
    return f"{statistics.fmean(scores):{form}} ± {statistics.stdev(scores):{form.lstrip('+')}}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
