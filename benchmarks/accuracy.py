"""How much pretrained vectors help a classifier that has little to train on.

``python -m benchmarks.accuracy run`` builds datasets of 500, 2,000 and all training sentences of
rt-polarity, trains on each, and appends a row to ``docs/accuracy.csv`` as each run ends; what has a
row already is not run again. ``python -m benchmarks.accuracy tables`` makes the tables of
``docs/accuracy.md`` from these rows.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import dataclasses
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.accuracy_settings import EXPERIMENTS, DataSetting, Run, columns_of
from benchmarks.accuracy_tables import make_tables, read_results
from formats.blocks import SPLITS
from formats.tokenizers import tokenize_basic
from pipeline.main import main as embprep
from trainer.main import main as trainer

# More to test on than by default: the error of 2,154 tested sentences is one point.
_SPLITS = {"train": 0.7, "validation": 0.1, "test": 0.2}
# No sentence of rt-polarity is longer; more padding would only take longer.
_MAX_LENGTH = "51"
_SCORES = ("validation_accuracy", "validation_loss", "test_accuracy", "test_loss")


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the command line asks for; gives the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.accuracy")
    parser.add_argument("command", choices=("run", "tables"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("output/accuracy"))
    parser.add_argument("--results", type=Path, default=Path("docs/accuracy.csv"))
    parser.add_argument("--only", choices=EXPERIMENTS, action="append")
    flags = parser.parse_args(arguments)
    if flags.command == "run":
        _run_missing(flags.only or list(EXPERIMENTS), flags.data, flags.work, flags.results)
    for name, table in make_tables(read_results(flags.results)).items():
        print(f"{name}\n\n{table}\n")
    return 0


def _run_missing(experiments: Sequence[str], data: Path, work: Path, results: Path) -> None:
    # The sums of another number of threads differ in their last digits.
    os.environ.update(TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1")
    wanted = [run for name in experiments for run in EXPERIMENTS[name]]
    done = read_results(results)
    missing = [run for run in dict.fromkeys(wanted) if tuple(columns_of(run).values()) not in done]
    for number, run in enumerate(missing, 1):
        started = time.monotonic()
        row = columns_of(run) | _train(run, data, work)
        _append(results, row)
        print(f"{number}/{len(missing)} {time.monotonic() - started:.1f}s", *row.values())
        sys.stdout.flush()


def _append(results: Path, row: dict[str, str]) -> None:
    is_new = not results.exists()
    with open(results, "a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def _train(run: Run, data: Path, work: Path) -> dict[str, str]:
    """Trains one classifier; gives what came out, by column."""
    setting, seed = run
    dataset = build_dataset(setting.data, seed, data, work)
    output = work / "runs" / "-".join(columns_of(run).values()).replace(",", "+")
    flags = {
        "data": dataset,
        "output": output,
        "model": setting.model,
        "embedding": setting.embedding,
        "learning_rate": setting.learning_rate,
        "epochs": setting.epochs,
        "patience": setting.patience,
        "seed": seed,
    }
    _call(trainer, [f"--{name}={value}" for name, value in flags.items()])
    import keras  # The trainer has told it by now which backend to use.

    # Hundreds of models would fill memory and disk; the learning curve stays.
    keras.utils.clear_session()
    (output / "model.keras").unlink()
    metrics = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
    # The setting's own column says how many epochs there were to be at most.
    epochs = {"trained_epochs": str(metrics["epochs"]), "best_epoch": str(metrics["best_epoch"])}
    return epochs | {score: f"{metrics[score]:.4f}" for score in _SCORES}


def build_dataset(setting: DataSetting, seed: int, data: Path, work: Path) -> Path:
    """Builds a dataset, unless it is there; gives its directory.

    Args:
        setting: how much of the corpus is trained on, and the flags.
        seed: which sentences are trained on.
        data: holds ``corpora/rt-polarity.tsv`` and the folder ``vectors``.
        work: where corpora and datasets are kept.
    """
    corpora = draw_corpus(setting.sentences, seed, data / "corpora" / "rt-polarity.tsv", work)
    name = "-".join([corpora["train"].parent.name, *dataclasses.astuple(setting)[1:]])
    output = work / "datasets" / name.replace(",", "+")
    if (output / "manifest.json").exists():
        return output
    flags = {
        "vectors": data / "vectors" / setting.vectors,
        "vector_tokens": setting.vector_tokens,
        "vocabulary_splits": setting.vocabulary_splits,
        "fallback": setting.fallback,
        "max_length": _MAX_LENGTH,
        "output": output,
    }
    corpus_flags = [f"--corpus={split}={path}" for split, path in corpora.items()]
    _call(embprep, ["build", *corpus_flags, *(f"--{name}={flag}" for name, flag in flags.items())])
    return output


def draw_corpus(sentences: str, seed: int, corpus: Path, work: Path) -> dict[str, Path]:
    """Writes the three splits as TSV, unless they are there; gives their paths by split.

    A sentence's split goes by a BLAKE2b hash of its basic tokens: the study's own, so that its
    figures stay what they are whatever ``--splits`` does. Of the training split the first rows of
    an order that the seed draws are kept, so that 500 sentences are among the 2,000.

    Args:
        sentences: how many to train on, or ``all``, whatever the seed.
        seed: which sentences are trained on.
        corpus: TSV with a header and the columns label and text.
        work: where the splits are kept.
    """
    seed = 0 if sentences == "all" else seed
    folder = work / "corpora" / f"{sentences}-{seed}"
    paths = {split: folder / f"{split}.tsv" for split in SPLITS}
    if folder.exists():
        return paths
    header, *rows = corpus.read_text(encoding="utf-8").rstrip("\n").split("\n")
    texts = pa.array([row.partition("\t")[2] for row in rows])
    splits = _assign_splits(texts)
    folder.mkdir(parents=True)
    for place, (split, path) in enumerate(paths.items()):
        chosen = np.flatnonzero(splits == place)
        if split == "train" and sentences != "all":
            chosen = np.random.default_rng(seed).permutation(chosen)[: int(sentences)]
        path.write_text("\n".join([header, *(rows[i] for i in chosen)]) + "\n", encoding="utf-8")
    return paths


def _assign_splits(texts: Any) -> npt.NDArray[np.int64]:
    joined = pc.binary_join(tokenize_basic(texts), " ").to_pylist()
    hashes = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in joined]
    shares = np.cumsum([_SPLITS[split] for split in SPLITS])[:-1]
    bounds = np.array([int(share * 2.0**64) for share in shares], np.uint64)
    return np.searchsorted(bounds, np.frombuffer(b"".join(hashes), "<u8"), side="right")


def _call(command: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> None:
    """Calls one of embprep's commands in this process, which saves the seconds of an import."""
    with contextlib.redirect_stdout(sys.stderr):
        code = command(arguments)
    if code:
        raise SystemExit(code)


if __name__ == "__main__":
    sys.exit(main())
