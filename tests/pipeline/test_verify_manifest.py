"""A manifest that contradicts itself, or the files that it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.verified import (
    LAST_NPY,
    LAST_TRAIN,
    NPY,
    REJECTS,
    TRAIN,
    VOCABULARY,
    assignment,
    problems_of,
)

SHARD = ("embeddings", "shards", 0)
TRAIN_SHARD = ("examples", "splits", "train", "shards", 0)


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (
            assignment(*SHARD, "path", value="../outside.npy"),
            ["manifest.json: embeddings.shards[0].path: '../outside.npy': expected a path inside"],
        ),
        (
            assignment("vocabulary", "path", value="/etc/hostname"),
            ["manifest.json: vocabulary.path: '/etc/hostname': expected a path inside"],
        ),
        (
            assignment(*TRAIN_SHARD, "path", value=NPY),
            [
                f"{NPY}: bytes: expected",
                f"{NPY}: sha256: expected",
                f"manifest.json: {NPY}: named 2 times",
                f"{NPY}: record 0, byte 0: expected more compressed data",
            ],
        ),
        (
            assignment("vocabulary", "size", value=8),
            [
                f"{VOCABULARY}: vocabulary size: expected 8, found 7",
                "manifest.json: embeddings.rows against vocabulary.size: expected 8, found 7",
            ],
        ),
        (assignment("vocabulary", "pad_id", value=1), ["manifest.json: vocabulary.pad_id: exp"]),
        (assignment("vocabulary", "oov_id", value=0), ["manifest.json: vocabulary.oov_id: exp"]),
        (
            assignment("embeddings", "rows", value=6),
            [
                "manifest.json: embeddings.rows against vocabulary.size: expected 7, found 6",
                "manifest.json: embeddings.rows against its shards: expected 7, found 6",
            ],
        ),
        (
            assignment("embeddings", "dim", value=4),
            [
                f"{NPY}: rows, dim and dtype: expected 3 x 4 float32, found 3 x 3 float32",
                f"{LAST_NPY}: rows, dim and dtype: expected 4 x 4 float32",
            ],
        ),
        (
            assignment("embeddings", "dtype", value="float16"),
            [
                f"{NPY}: rows, dim and dtype: expected 3 x 3 float16, found 3 x 3 float32",
                f"{LAST_NPY}: rows, dim and dtype: expected 4 x 3 float16",
            ],
        ),
        (assignment("embeddings", "format", value="pkl"), ["manifest.json: embeddings.format: "]),
        (
            assignment("embeddings", "shards", 1, "first_row", value=4),
            [
                "manifest.json: embeddings.shards[1].first_row: expected 3, found 4",
                f"{LAST_NPY}: row 6: expected zeros",
                "manifest.json: embeddings.rows against its shards: expected 8, found 7",
            ],
        ),
        (
            assignment(*SHARD, "bytes", value=1),
            [f"{NPY}: bytes: expected 1, found 164"],
        ),
        (
            assignment(*TRAIN_SHARD, "examples", value=4),
            [
                "manifest.json: examples.splits.train.examples against its shards: expected 6, f",
                f"{TRAIN}: examples: expected 4, found 3",
            ],
        ),
        (
            assignment("examples", "splits", "train", "examples", value=6),
            ["manifest.json: examples.splits.train.examples against its shards: expected 5, f"],
        ),
        (
            lambda values: values["examples"]["splits"].update(
                dev=values["examples"]["splits"].pop("validation")
            ),
            ["manifest.json: examples.splits: 'dev' is none of train, validation, test"],
        ),
        (
            assignment("examples", "features", "label", "dtype", value="float"),
            ["manifest.json: examples.features: expected"],
        ),
        (
            assignment("examples", "compression", value="zip"),
            ["manifest.json: examples: compression 'zip' and max_length 4 can't be"],
        ),
        (
            assignment("labels", value=["pos", "neg"]),
            ["manifest.json: labels: not sorted, or one comes twice"],
        ),
        (
            assignment("labels", value=["pos", "pos"]),
            ["manifest.json: labels: not sorted, or one comes twice"],
        ),
        (
            assignment("labels", value=["neg"]),
            [
                f"{TRAIN}: record 1: a label out of range, 0 to 0",
                f"{LAST_TRAIN}: record 0: a label out of range, 0 to 0",
            ],
        ),
        (
            assignment("coverage", "matched", value=4),
            [
                "manifest.json: coverage.matched against the vocabulary: expected 3, found 4",
            ],
        ),
        (
            assignment("coverage", "token_coverage", value=0.5),
            ["manifest.json: coverage.token_coverage against the vocabulary: expected 0.69"],
        ),
        (
            assignment("coverage", "by_source", value={"glove.txt": 3}),
            ["manifest.json: coverage.by_source against the vocabulary: expected"],
        ),
        (
            assignment("coverage", "top_oov", value=[]),
            ["manifest.json: coverage.top_oov against the vocabulary: expected [('film', 5), "],
        ),
        (
            assignment("inputs", "vectors", 0, "matched", value=0),
            ["manifest.json: inputs.vectors: matched, against the vocabulary: expected [2, 1]"],
        ),
        (
            assignment("rejects", "corpus", "no text", value=2),
            [f"{REJECTS}: rejects by reason: expected"],
        ),
        (assignment("format_version", value=2), ["manifest.json: format_version: expected 1, "]),
    ],
)
def test_a_wrong_manifest_is_reported(
    change: Callable[[dict[str, Any]], None], problems: list[str], tmp_path: Path
) -> None:
    found = problems_of(tmp_path, change_manifest=change)
    assert len(found) == len(problems), found
    for problem, start in zip(found, problems, strict=True):
        assert problem.startswith(start)
