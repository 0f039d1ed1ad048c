"""WriteEmbeddingMatrix: from joined vectors to the shards of the embedding matrix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.pvalue import AsIter, AsSingleton, TaggedOutput

from formats.dataset.embedding_matrix import default_shards, shard_bounds, write_shard
from formats.dataset.manifest import EmbeddingShard
from formats.dataset.paths import embedding_shard_path
from formats.dataset.vocabulary import OOV_ID, PAD_ID
from formats.oov import MEAN, NORMAL, Moments, mean_and_deviation, oov_vectors, sum_moments
from formats.vectors.joined import ShardRows, choose_rows, split_block
from transforms.join_vectors import JoinedSource
from transforms.progress import StageProgress
from transforms.storage import create_file, join

_SERVED = "served"


class MatrixSpec(NamedTuple):
    """What the embedding matrix is to be.

    Attributes:
        dim: dimensions of a row.
        dtype: ``float32`` or ``float16``.
        format: ``npy`` or ``parquet``.
        shards: number of files; None for one a 64 MiB.
        oov: policy for the rows of words without a vector.
    """

    dim: int
    dtype: str
    format: str
    shards: int | None
    oov: str

    def bounds(self, rows: int) -> Any:
        """First row of each shard, and behind them the number of rows; int64."""
        row_bytes = self.dim * np.dtype(self.dtype).itemsize
        shards = self.shards or default_shards(rows * row_bytes)
        return shard_bounds(rows, min(shards, rows))


class ServedRows(NamedTuple):
    """Which source serves the rows of one shard.

    Attributes:
        first_row: the shard's first row.
        sources: int32 bytes, for each row its source, or -1 where none has the token.
        rules: int8 bytes, for each row the rule by which it was found, or -1.
        duplicates: by source, rows that repeat a token.
    """

    first_row: int
    sources: bytes
    rules: bytes
    duplicates: dict[int, int]


class WrittenMatrix(NamedTuple):
    """Outputs of ``WriteEmbeddingMatrix``: PCollections of shards and of ``ServedRows``."""

    shards: Any
    served: Any


class WriteEmbeddingMatrix(beam.PTransform[Any, Any]):
    """Writes the embedding matrix in shards, one row for each token of the vocabulary.

    Takes ``JoinedVectors`` and gives ``WrittenMatrix``. Row 0, of [PAD], is zero.

    Args:
        vocabulary: PCollection with one block, the vocabulary.
        spec: what the matrix is to be.
        output: URI of the dataset.
        run_id: the run under which the shards are written.
    """

    def __init__(self, vocabulary: Any, spec: MatrixSpec, output: str, run_id: str) -> None:
        super().__init__()
        self._vocabulary = vocabulary
        self._spec = spec
        self._output = output
        self._run_id = run_id

    def expand(self, joined: Any) -> WrittenMatrix:
        spec, vocabulary = self._spec, AsSingleton(self._vocabulary)
        hits = joined.vectors | "ByShard" >> beam.FlatMap(
            _split, vocabulary, spec
        ).with_output_types(tuple[int, pa.RecordBatch])
        # So that a shard none of whose tokens has a vector is written too.
        all_shards = self._vocabulary | "AllShards" >> beam.FlatMap(
            _empty_shards, spec
        ).with_output_types(tuple[int, pa.RecordBatch])
        shards = (hits, all_shards) | "Flatten" >> beam.Flatten() | "Group" >> beam.GroupByKey()
        sources = AsSingleton(joined.sources)
        moments: Any = []
        if spec.oov in (MEAN, NORMAL):
            moments = AsIter(
                shards | "SumMatched" >> beam.Map(_sum_shard, vocabulary, sources, spec)
            )
        written = shards | "WriteShards" >> beam.ParDo(
            _WriteShard(spec, self._output, self._run_id), vocabulary, sources, moments
        ).with_outputs(_SERVED, main="shards")
        return WrittenMatrix(written.shards, written[_SERVED])


def _split(block: pa.RecordBatch, vocabulary: Any, spec: MatrixSpec) -> list[tuple[int, Any]]:
    return split_block(block, spec.bounds(vocabulary.num_rows))


def _empty_shards(vocabulary: pa.RecordBatch, spec: MatrixSpec) -> Iterator[tuple[int, Any]]:
    for shard in range(len(spec.bounds(vocabulary.num_rows)) - 1):
        yield shard, _NO_HITS


def _choose(
    shard_and_hits: tuple[int, Iterable[Any]],
    vocabulary: Any,
    sources: list[JoinedSource],
    spec: MatrixSpec,
) -> tuple[int, ShardRows]:
    shard, hits = shard_and_hits
    bounds = spec.bounds(vocabulary.num_rows)
    first_row, rows = int(bounds[shard]), int(bounds[shard + 1] - bounds[shard])
    attempts = {source.ordinal: source.attempt for source in sources}
    found = [block for block in hits if block.num_columns]
    return first_row, choose_rows(found, first_row, rows, spec.dim, attempts)


def _sum_shard(
    shard_and_hits: tuple[int, Iterable[Any]],
    vocabulary: Any,
    sources: list[JoinedSource],
    spec: MatrixSpec,
) -> Moments:
    first_row, chosen = _choose(shard_and_hits, vocabulary, sources, spec)
    matched = chosen.sources >= 0
    # The file's own row for unknown words is none of a word.
    matched[: max(OOV_ID + 1 - first_row, 0)] = False
    return sum_moments(chosen.vectors[matched], first_row)


class _WriteShard(beam.DoFn):
    def __init__(self, spec: MatrixSpec, output: str, run_id: str) -> None:
        self._spec = spec
        self._output = output
        self._run_id = run_id
        self._progress = StageProgress("WriteEmbeddingMatrix")

    def process(
        self,
        shard_and_hits: tuple[int, Iterable[Any]],
        vocabulary: Any,
        sources: list[JoinedSource],
        moments: Iterable[Moments],
    ) -> Iterator[Any]:
        shard, spec = shard_and_hits[0], self._spec
        first_row, chosen = _choose(shard_and_hits, vocabulary, sources, spec)
        self._fill_oov(chosen, first_row, vocabulary, moments)
        rows = len(chosen.vectors)
        shards = len(spec.bounds(vocabulary.num_rows)) - 1
        path = embedding_shard_path(self._run_id, shard, shards, spec.format)
        tokens = vocabulary.column("token")[first_row : first_row + rows]
        with create_file(join(self._output, path)) as file:
            matrix = chosen.vectors.astype(spec.dtype, copy=False)
            write_shard(file.stream, spec.format, matrix, first_row, tokens)
        self._progress.add(read=file.size, records=rows)
        yield EmbeddingShard(path, first_row, rows, file.size, file.sha256)
        served = ServedRows(
            first_row, chosen.sources.tobytes(), chosen.rules.tobytes(), chosen.duplicates
        )
        yield TaggedOutput(_SERVED, served)

    def _fill_oov(
        self, chosen: ShardRows, first_row: int, vocabulary: Any, moments: Iterable[Moments]
    ) -> None:
        missing = np.flatnonzero(chosen.sources < 0)
        missing = missing[missing + first_row != PAD_ID]
        tokens = vocabulary.column("token").take(pa.array(missing + first_row)).to_pylist()
        mean, deviation = mean_and_deviation(moments, self._spec.dim)
        chosen.vectors[missing] = oov_vectors(self._spec.oov, tokens, mean, deviation)


_NO_HITS = pa.record_batch([], [])
