"""Rules of the shards of the embedding matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from formats.dataset import paths
from tests.pipeline.small_dataset import RUN, Parts
from tests.pipeline.verified import assignment, problems_of


def vectors_with(row: int, value: float) -> Any:
    vectors = Parts().vectors
    vectors[row, 1] = value
    return vectors


@pytest.mark.parametrize("format", ["npy", "parquet", "safetensors"])
@pytest.mark.parametrize(
    ("row", "value", "problem"),
    [
        (0, 1e-30, "row 0, of [PAD], is not zero"),
        (3, 1.0, "row 3: expected zeros, as its token has no vector"),
        (4, np.nan, "row 4: a number is not finite"),
        (2, np.inf, "row 2: a number is not finite"),
    ],
)
def test_a_wrong_row_of_the_matrix_is_reported(
    format: str, row: int, value: float, problem: str, tmp_path: Path
) -> None:
    path = paths.embedding_shard_path(RUN, int(row >= 3), 2, format)
    found = problems_of(tmp_path, vectors=vectors_with(row, value), format=format)
    assert found[0].startswith(f"{path}: {problem}")
    assert all(line.startswith(f"{path}: row {row}") for line in found)


def test_rows_without_a_vector_are_zero_only_if_the_manifest_says_so(tmp_path: Path) -> None:
    assert problems_of(tmp_path, vectors=vectors_with(3, 1.0), oov="mean") == []


def test_a_matrix_of_an_unknown_format_is_reported(tmp_path: Path) -> None:
    found = problems_of(tmp_path, change_manifest=assignment("embeddings", "format", value="h5"))
    assert (
        "manifest.json: embeddings.format: expected one of npy, parquet, safetensors, found 'h5'"
        in found
    )


def test_the_ids_and_tokens_of_parquet_shards_are_checked(tmp_path: Path) -> None:
    path = paths.embedding_shard_path(RUN, 1, 2, "parquet")
    change = assignment("embeddings", "shards", 1, "first_row", value=4)
    found = problems_of(tmp_path, format="parquet", change_manifest=change)
    assert f"{path}: rows from 4 on: the column id does not count on" in found
    assert f"{path}: rows from 4 on: the column token is not the vocabulary" in found
