"""WriteEmbeddingMatrix alone, in a pipeline of its own."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that

from formats.blocks import VOCABULARY
from formats.vectors.joined import joined_schema
from transforms.join_vectors import JoinedVectors
from transforms.prove_vectors import JoinedSource
from transforms.write_matrix import MatrixPart, MatrixSpec, WriteEmbeddingMatrix


def with_oov(oov: str) -> MatrixSpec:
    return MatrixSpec((MatrixPart((0, 1), 2, oov),), "float32", "npy", shards=1)


SPEC = with_oov("zeros")
WORDS = ["[PAD]", "[UNK]", "a", "b", "c", "d"]

# (row, source, attempt, position, vector): b comes twice in source 0, and a in both.
HITS = [
    (2, 1, 0, 5, [9.0, 9.0]),
    (3, 0, 0, 80, [7.0, 7.0]),
    (2, 0, 0, 90, [1.0, 2.0]),
    (3, 0, 0, 40, [3.0, 4.0]),
    (5, 1, 0, 9, [5.0, 6.5]),
]
EXPECTED = [[0, 0], [0, 0], [1, 2], [3, 4], [0, 0], [5, 6.5]]


Served = tuple[dict[int, list[int]], dict[int, int]]


def write(
    folder: Path,
    hits: list[Any],
    spec: MatrixSpec = SPEC,
    attempts: tuple[int, int] = (0, 0),
    served: Served | None = None,
) -> Any:
    """Writes a matrix, each hit in a block of its own, and reads it.

    ``served`` is what is expected: by first row of a shard the sources of its rows, and by
    source the repetitions.
    """
    (folder / "runs" / "r").mkdir(parents=True)

    def check_shards(shards: list[Any]) -> None:
        bounds = [len(WORDS) * number // spec.shards for number in range(spec.shards + 1)]
        shards = sorted(shards, key=lambda shard: shard.first_row)
        assert [shard.first_row for shard in shards] == bounds[:-1]
        assert [shard.first_row + shard.rows for shard in shards] == bounds[1:]
        for shard in shards:
            data = (folder / shard.path).read_bytes()
            assert (shard.bytes, shard.sha256) == (len(data), hashlib.sha256(data).hexdigest())
            assert shard.rows == len(read(folder / shard.path))

    def check_served(parts: list[Any]) -> None:
        sources = {part.first_row: np.frombuffer(part.sources, "i4").tolist() for part in parts}
        duplicates = [item for part in parts for item in part.duplicates.items()]
        assert served in (None, (sources, dict(duplicates)))

    pipeline = beam.Pipeline(runner=FnApiRunner())
    words = pa.record_batch([WORDS, [0] * len(WORDS)], schema=VOCABULARY)
    vocabulary = pipeline | "Words" >> beam.Create([words]).with_output_types(pa.RecordBatch)
    blocks = [
        # Each by the exact rule, in one part.
        pa.record_batch([[v] for v in (*hit[:3], 0, 0, 1, *hit[3:])], joined_schema(spec.dim))
        for hit in hits
    ]
    sources = [JoinedSource(i, attempt, 9, [], "", {}) for i, attempt in enumerate(attempts)]
    joined = JoinedVectors(
        vectors=pipeline | "Hits" >> beam.Create(blocks).with_output_types(pa.RecordBatch),
        sources=pipeline | "Sources" >> beam.Create([sources]),
        rejects=pipeline | "Rejects" >> beam.Create([]),
    )
    written = joined | WriteEmbeddingMatrix(vocabulary, spec, str(folder), "r")
    assert_that(written.shards, check_shards, "shards")
    assert_that(written.served, check_served, "served")
    pipeline.run()
    return np.concatenate([read(path) for path in sorted((folder / "runs" / "r").iterdir())])


def read(path: Path) -> Any:
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False)
    table = pq.read_table(path)
    assert table.column("token").to_pylist() == [WORDS[i] for i in table.column("id").to_pylist()]
    return np.array(table.column("vector").to_pylist(), np.float32)


def test_each_row_is_of_the_earliest_source_and_there_the_first(tmp_path: Path) -> None:
    matrix = write(tmp_path, HITS, served=({0: [-1, -1, 0, 0, -1, 1]}, {0: 1}))
    assert matrix.tolist() == EXPECTED
    assert matrix.dtype == np.float32


def test_the_order_of_the_blocks_does_not_matter(tmp_path: Path) -> None:
    assert write(tmp_path, HITS[::-1]).tolist() == EXPECTED


@pytest.mark.parametrize("format", ["npy", "parquet"])
def test_shards_part_the_rows_and_one_without_vectors_is_written_too(
    format: str, tmp_path: Path
) -> None:
    spec = SPEC._replace(shards=3, format=format)
    served = {0: [-1, -1], 2: [0, 0], 4: [-1, 1]}
    assert write(tmp_path, HITS, spec, served=(served, {0: 1})).tolist() == EXPECTED


def test_only_the_reading_that_counts_is_taken(tmp_path: Path) -> None:
    again = [(3, 0, 1, 40, [8.0, 8.0]), (4, 0, 1, 50, [2.0, 2.0])]
    matrix = write(tmp_path, HITS + again, attempts=(1, 0))
    assert matrix.tolist() == [[0, 0], [0, 0], [9, 9], [8, 8], [2, 2], [5, 6.5]]


def test_nothing_found_gives_zeros(tmp_path: Path) -> None:
    for oov in ("zeros", "mean", "normal"):
        assert not write(tmp_path / oov, [], with_oov(oov)).any()


@pytest.mark.parametrize("shards", [1, 3])
def test_the_mean_fills_all_rows_but_that_of_pad(shards: int, tmp_path: Path) -> None:
    matrix = write(tmp_path, HITS, with_oov("mean")._replace(shards=shards))
    mean = np.float32([3, 12.5 / 3]).tolist()
    assert matrix.tolist() == [[0, 0], mean, [1, 2], [3, 4], mean, [5, 6.5]]


def test_float16_is_the_nearest_half(tmp_path: Path) -> None:
    hits = [(2, 0, 0, 0, [0.1, -2.0003])]
    matrix = write(tmp_path, hits, SPEC._replace(dtype="float16"))
    assert matrix.dtype == np.float16
    assert matrix[2].tolist() == np.float16([0.1, -2.0003]).tolist()
