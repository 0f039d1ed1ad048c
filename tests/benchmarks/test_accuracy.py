from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from benchmarks.accuracy import draw_corpus
from benchmarks.accuracy_settings import CHOSEN_RATES, EXPERIMENTS, columns_of
from benchmarks.accuracy_tables import coverage_table, make_tables, read_results
from formats.blocks import SPLITS


def made_up(accuracy_of) -> dict:
    """Results of every run, each with the accuracy that a function gives of its columns."""
    runs = (columns_of(run) for experiment in EXPERIMENTS.values() for run in experiment)
    return {
        tuple(columns.values()): {
            "best_epoch": "1",
            "validation_loss": "0.5",
            "test_accuracy": f"{accuracy_of(columns):.4f}",
        }
        for columns in runs
    }


def row_of(table: str, *cells: str) -> list[str]:
    [row] = [row for row in table.splitlines() if row.startswith(f"| {' | '.join(cells)} |")]
    return row.strip("| ").split(" | ")[len(cells) :]


def test_a_cell_holds_mean_and_standard_deviation_of_the_seeds_in_percent() -> None:
    def accuracy(run: dict[str, str]) -> float:
        return 0.6 + 0.01 * int(run["seed"]) + (0.1 if run["sentences"] == "all" else 0)

    table = make_tables(made_up(accuracy))["main"]
    spread = statistics.stdev([60, 61, 62, 63, 64])
    rate = CHOSEN_RATES["cnn", "frozen"]
    assert row_of(table, "cnn", "frozen", rate) == [
        f"62.0 ± {spread:.1f}",
        f"62.0 ± {spread:.1f}",
        f"72.0 ± {spread:.1f}",
    ]


def test_a_gain_is_the_difference_to_scratch_seed_by_seed() -> None:
    def accuracy(run: dict[str, str]) -> float:
        return 0.6 + 0.02 * int(run["seed"]) + (0.07 if run["embedding"] == "frozen" else 0)

    table = make_tables(made_up(accuracy))["gain"]
    assert row_of(table, "cnn", "frozen") == ["+7.0 ± 0.0"] * 3
    assert row_of(table, "cnn", "finetune") == ["+0.0 ± 0.0"] * 3


def test_what_was_not_run_is_told() -> None:
    results = made_up(lambda run: 0.6)
    few = {key: row for key, row in results.items() if key[0] == "500"}
    two_seeds = {key: row for key, row in results.items() if key[-1] in ("1", "2")}
    rate = CHOSEN_RATES["average", "scratch"]
    cells = row_of(make_tables(few | two_seeds)["main"], "average", "scratch", rate)
    assert cells == ["60.0 ± 0.0", "60.0 ± 0.0 (2 runs)", "60.0 ± 0.0 (2 runs)"]
    cells = row_of(make_tables(few)["main"], "average", "scratch", rate)
    assert cells == ["60.0 ± 0.0", "-", "-"]


def test_the_document_holds_the_tables_of_the_committed_results(repository: Path) -> None:
    docs = repository / "docs"
    document = (docs / "accuracy.md").read_text(encoding="utf-8")
    for name, table in make_tables(read_results(docs / "accuracy.csv")).items():
        assert table in document, name
    assert coverage_table(docs / "fallback.csv") in document


def test_the_learning_rates_are_those_that_validation_chose(repository: Path) -> None:
    results = read_results(repository / "docs" / "accuracy.csv")
    scores: dict[tuple[str, str], dict[str, list[float]]] = {}
    for run in EXPERIMENTS["learning_rate"]:
        setting, row = run[0], results[tuple(columns_of(run).values())]
        by_rate = scores.setdefault((setting.model, setting.embedding), {})
        by_rate.setdefault(setting.learning_rate, []).append(float(row["validation_loss"]))
    chosen = {
        model: min(by_rate, key=lambda rate: statistics.fmean(by_rate[rate]))
        for model, by_rate in scores.items()
    }
    assert chosen == CHOSEN_RATES


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.tsv"
    rows = [f"{'neg' if i % 2 else 'pos'}\tsentence number {i}\n" for i in range(4000)]
    path.write_text("label\ttext\n" + "".join(rows), encoding="utf-8")
    return path


def test_training_sentences_vary_with_the_seed_and_the_others_do_not(
    corpus: Path, tmp_path: Path
) -> None:
    def draw(sentences: str, seed: int) -> dict[str, list[str]]:
        paths = draw_corpus(sentences, seed, corpus, tmp_path / "work")
        return {split: path.read_text().splitlines()[1:] for split, path in paths.items()}

    whole, few, more, other = draw("all", 0), draw("500", 1), draw("2000", 1), draw("500", 2)
    assert sum(len(whole[split]) for split in SPLITS) == 4000
    assert [len(each["train"]) for each in (few, more, other)] == [500, 2000, 500]
    assert set(few["train"]) < set(more["train"]) < set(whole["train"])
    assert set(few["train"]) != set(other["train"])
    for each in (few, more, other):
        assert each["validation"] == whole["validation"]
        assert each["test"] == whole["test"]
    assert draw("500", 1) == few
