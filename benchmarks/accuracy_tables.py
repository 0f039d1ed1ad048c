"""The tables of docs/accuracy.md, from the rows of docs/accuracy.csv and docs/fallback.csv."""

from __future__ import annotations

import csv
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.accuracy_settings import EXPERIMENTS, Run, Setting, columns_of

_TEST = "test_accuracy"
_VALIDATION = "validation_loss"
_BEST_EPOCH = "best_epoch"
# By what a score is multiplied, and how it is written: accuracies are in percent.
_FORMS = {_TEST: (100, ".1f"), _VALIDATION: (1, ".3f"), _BEST_EPOCH: (1, ".0f")}
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
    """Makes the tables of the study as Markdown, by name, but for those without a number.

    Accuracies are in percent; a cell is mean and standard deviation of the seeds.
    """
    size, trained = ["sentences"], ["model", "embedding"]
    words = ["vector_tokens", "vocabulary_splits"]
    made = {
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
        "learning rate (best epoch)": _pivot(
            "learning_rate", trained, ["learning_rate"], _BEST_EPOCH, results
        ),
        "fallback": _pivot("fallback", ["fallback"], size, _TEST, results),
    }
    return {name: table for name, table in made.items() if "±" in table}


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
    _, form = _FORMS[score]

    def cell(runs: Sequence[Run]) -> str:
        return _cell(_scores(runs, score, results), len(runs), form)

    lines = [[*label, *(cell(row.get(head, [])) for head in heads)] for label, row in cells.items()]
    return _markdown([*rows, *heads.values()], lines)


def _gains(results: Results) -> str:
    """Makes a table of what vectors gain over scratch, seed by seed, in points."""
    gains: dict[tuple[str, str], dict[str, list[float]]] = {}
    wanted: Counter[tuple[str, str, str]] = Counter()
    for setting, seed in EXPERIMENTS["main"]:
        model, embedding, size = setting.model, setting.embedding, setting.data.sentences
        if embedding == "scratch":
            continue
        wanted[model, embedding, size] += 1
        by_size = gains.setdefault((model, embedding), {}).setdefault(size, [])
        ours = _scores([(setting, seed)], _TEST, results)
        theirs = _scores([_scratch(setting, seed)], _TEST, results)
        by_size += [one - other for one, other in zip(ours, theirs, strict=False)]
    sizes = list(dict.fromkeys(size for *_, size in wanted))
    lines = [
        [
            model,
            embedding,
            *(_cell(by_size[size], wanted[model, embedding, size], "+.1f") for size in sizes),
        ]
        for (model, embedding), by_size in gains.items()
    ]
    return _markdown(["model", "embedding", *(f"sentences {size}" for size in sizes)], lines)


def _scratch(like: Setting, seed: int) -> Run:
    """Finds the run from scratch with the model, the sentences and the seed of another."""
    [found] = (
        setting
        for setting, other in EXPERIMENTS["main"]
        if (setting.model, setting.embedding, other) == (like.model, "scratch", seed)
        and setting.data.sentences == like.data.sentences
    )
    return found, seed


def _scores(runs: Sequence[Run], score: str, results: Results) -> list[float]:
    """Gives what the runs that are there have scored."""
    factor, _ = _FORMS[score]
    found = (results.get(tuple(columns_of(run).values())) for run in runs)
    return [factor * float(row[score]) for row in found if row is not None]


def _cell(scores: Sequence[float], wanted: int, form: str = ".1f") -> str:
    """Gives mean and standard deviation, and the number of scores where some are missing."""
    if not scores:
        return _MISSING
    spread = f" ± {statistics.stdev(scores):{form.lstrip('+')}}" if len(scores) > 1 else ""
    runs = "1 run" if len(scores) == 1 else f"{len(scores)} runs"
    number = f" ({runs})" if len(scores) < wanted else ""
    return f"{statistics.fmean(scores):{form}}{spread}{number}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
