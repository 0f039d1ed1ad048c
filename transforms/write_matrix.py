"""WriteEmbeddingMatrix: from joined vectors to the shards of the embedding matrix."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.pvalue import AsIter, AsSingleton, TaggedOutput

from formats.dataset.embedding_matrix import PARQUET, default_shards, shard_bounds, write_shard
from formats.dataset.manifest import EmbeddingShard
from formats.dataset.paths import embedding_shard_path
from formats.dataset.vocabulary import OOV_ID, PAD_ID
from formats.oov import (
    MEAN,
    NORMAL,
    SUBWORD,
    Moments,
    mean_and_deviation,
    normal_vectors,
    sum_moments,
)
from formats.vectors.joined import ShardRows, choose_rows, of_sources, split_block, subword_rows
from transforms.progress import SHARD, StageProgress
from transforms.prove_vectors import JoinedSource
from transforms.storage import create_file, join

# How several vector files make one row: an earlier one wins, or all stand side by side.
FIRST, CONCAT = "first", "concat"
COMBINE = (FIRST, CONCAT)

_SERVED = "served"


class MatrixPart(NamedTuple):
    """Columns of the embedding matrix, and the vector files that they come from.

    Attributes:
        sources: ordinals of the files; an earlier one wins, a later one fills in.
        dim: dimensions of their vectors.
        oov: policy for the rows of words that none of them has.
    """

    sources: tuple[int, ...]
    dim: int
    oov: str


class MatrixSpec(NamedTuple):
    """What the embedding matrix is to be.

    Attributes:
        parts: what stands side by side in a row.
        dtype: ``float32`` or ``float16``.
        format: one of ``formats.dataset.embedding_matrix.MATRIX_FORMATS``.
        shards: number of files; None for one a 64 MiB.
        oov_seed: of the rows that are drawn.
    """

    parts: tuple[MatrixPart, ...]
    dtype: str
    format: str
    shards: int | None
    oov_seed: int = 0

    @property
    def needs_tokens(self) -> bool:
        """Whether a shard is made by the tokens of its rows too, and not by their vectors alone."""
        return self.format == PARQUET or any(part.oov == NORMAL for part in self.parts)

    @property
    def dim(self) -> int:
        """Dimensions of a row."""
        return sum(part.dim for part in self.parts)

    def bounds(self, rows: int) -> Any:
        """First row of each shard, and behind them the number of rows; int64."""
        row_bytes = self.dim * np.dtype(self.dtype).itemsize
        shards = self.shards or default_shards(rows * row_bytes)
        return shard_bounds(rows, min(shards, rows))


class ServedRows(NamedTuple):
    """Which source serves the rows of one shard.

    Attributes:
        first_row: the shard's first row.
        rows: how many rows it has.
        sources: int32 bytes [parts, rows], for each part and row the source, or -1 where none
            of the part's has the token.
        rules: int8 bytes [parts, rows], the rule by which it was found, or -1.
        subword: how many rows were made of subwords in some part.
        duplicates: by source, rows that repeat a token.
        arrived: by source, vectors that came to be chosen from.
    """

    first_row: int
    rows: int
    sources: bytes
    rules: bytes
    subword: int
    duplicates: dict[int, int]
    arrived: dict[int, int]


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
        spec = self._spec
        # Few need more of the vocabulary than its size, and it may be hundreds of megabytes.
        rows = AsSingleton(self._vocabulary | "CountRows" >> beam.Map(_number_of_rows))
        vocabulary = AsIter(self._vocabulary)
        shards = (
            joined.vectors
            | "ByShard"
            >> beam.FlatMap(_split, rows, spec).with_output_types(tuple[int, pa.RecordBatch])
            | "Group" >> beam.GroupByKey()
        )
        sources = AsSingleton(joined.sources)
        moments: Any = []
        if any(part.oov in (MEAN, NORMAL) for part in spec.parts):
            moments = AsIter(shards | "SumMatched" >> beam.FlatMap(_sum_shard, rows, sources, spec))
        write = beam.ParDo(
            _WriteShard(spec, self._output, self._run_id), rows, vocabulary, sources, moments
        ).with_outputs(_SERVED, main="shards")
        written = shards | "WriteShards" >> write
        # Those none of whose tokens has a vector. Apart from the others: an engine would write all
        # of them down once more to add these.
        empty = (
            joined.vectors.pipeline
            | "Once" >> beam.Impulse()
            | "EmptyShards" >> beam.FlatMap(_empty_shards, AsIter(written.shards), rows, spec)
            | "WriteEmptyShards" >> write
        )
        return WrittenMatrix(
            (written.shards, empty.shards) | "AllShards" >> beam.Flatten(),
            (written[_SERVED], empty[_SERVED]) | "AllServed" >> beam.Flatten(),
        )


def _number_of_rows(vocabulary: Any) -> int:
    return int(vocabulary.num_rows)


def _split(block: pa.RecordBatch, rows: int, spec: MatrixSpec) -> list[tuple[int, Any]]:
    return split_block(block, spec.bounds(rows))


def _empty_shards(
    _: bytes, written: Iterable[EmbeddingShard], rows: int, spec: MatrixSpec
) -> Iterator[tuple[int, list[Any]]]:
    there = {shard.first_row for shard in written}
    for shard, first_row in enumerate(spec.bounds(rows)[:-1].tolist()):
        if first_row not in there:
            yield shard, []


class _Shard(NamedTuple):
    """The rows of one shard: what was chosen for them, by parts, and all that was found."""

    first_row: int
    rows: int
    chosen: list[ShardRows]
    found: list[Any]


def _choose(
    shard_and_hits: tuple[int, Iterable[Any]],
    all_rows: int,
    sources: list[JoinedSource],
    spec: MatrixSpec,
) -> _Shard:
    shard, hits = shard_and_hits
    bounds = spec.bounds(all_rows)
    first_row, rows = int(bounds[shard]), int(bounds[shard + 1] - bounds[shard])
    attempts = {source.ordinal: source.attempt for source in sources}
    found = list(hits)
    chosen = [
        choose_rows(of_sources(found, part.sources), first_row, rows, part.dim, attempts)
        for part in spec.parts
    ]
    return _Shard(first_row, rows, chosen, found)


def _sum_shard(
    shard_and_hits: tuple[int, Iterable[Any]],
    all_rows: int,
    sources: list[JoinedSource],
    spec: MatrixSpec,
) -> Iterator[tuple[int, Moments]]:
    shard = _choose(shard_and_hits, all_rows, sources, spec)
    for number, chosen in enumerate(shard.chosen):
        matched = chosen.sources >= 0
        # The file's own row for unknown words is none of a word.
        matched[: max(OOV_ID + 1 - shard.first_row, 0)] = False
        yield number, sum_moments(chosen.vectors[matched], shard.first_row)


class _WriteShard(beam.DoFn):
    def __init__(self, spec: MatrixSpec, output: str, run_id: str) -> None:
        self._spec = spec
        self._output = output
        self._run_id = run_id
        self._progress = StageProgress("WriteEmbeddingMatrix", SHARD)

    def process(
        self,
        shard_and_hits: tuple[int, Iterable[Any]],
        all_rows: int,
        vocabulary: Iterable[Any],
        sources: list[JoinedSource],
        moments: Iterable[tuple[int, Moments]],
    ) -> Iterator[Any]:
        since = time.monotonic()
        shard, spec = _choose(shard_and_hits, all_rows, sources, self._spec), self._spec
        tokens = _tokens_of(shard, vocabulary) if spec.needs_tokens else None
        of_part: list[list[Moments]] = [[] for _ in spec.parts]
        for number, of_shard in moments:
            of_part[number].append(of_shard)
        made = np.zeros(shard.rows, bool)
        for part, own in enumerate(of_part):
            self._fill_oov(shard, part, tokens, own, made)
        path = embedding_shard_path(
            self._run_id, shard_and_hits[0], len(spec.bounds(all_rows)) - 1, spec.format
        )
        with create_file(join(self._output, path)) as file:
            columns = [chosen.vectors for chosen in shard.chosen]
            # A copy of a shard is worth sparing.
            matrix = columns[0] if len(columns) == 1 else np.hstack(columns)
            matrix = matrix.astype(spec.dtype, copy=False)
            write_shard(file.stream, spec.format, matrix, shard.first_row, tokens)
        self._progress.add(read=file.size, records=shard.rows)
        self._progress.add_piece(file.size, shard.rows, since)
        yield EmbeddingShard(path, shard.first_row, shard.rows, file.size, file.sha256)
        yield TaggedOutput(_SERVED, _served(shard, int(made.sum())))

    def _fill_oov(
        self, shard: _Shard, number: int, tokens: Any, moments: list[Moments], made: Any
    ) -> None:
        """Fills the rows of a part that have no vector; marks those that subwords made."""
        part, chosen = self._spec.parts[number], shard.chosen[number]
        missing = np.flatnonzero(chosen.sources < 0)
        missing = missing[missing + shard.first_row != PAD_ID]
        mean, deviation = mean_and_deviation(moments, part.dim)
        if part.oov == MEAN:
            chosen.vectors[missing] = mean
        if part.oov == NORMAL:
            words = tokens.take(pa.array(missing)).to_pylist()
            chosen.vectors[missing] = normal_vectors(words, mean, deviation, self._spec.oov_seed)
        if part.oov == SUBWORD:
            own = of_sources(shard.found, part.sources)
            places, vectors = subword_rows(own, missing + shard.first_row, part.dim)
            chosen.vectors[missing[places]] = vectors
            made[missing[places]] = True


def _tokens_of(shard: _Shard, vocabulary: Iterable[Any]) -> Any:
    [whole] = vocabulary
    return whole.column("token")[shard.first_row : shard.first_row + shard.rows]


def _served(shard: _Shard, subword: int) -> ServedRows:
    duplicates: Counter[int] = Counter()
    arrived: Counter[int] = Counter()
    for chosen in shard.chosen:
        duplicates.update(chosen.duplicates)
        arrived.update(chosen.arrived)
    return ServedRows(
        shard.first_row,
        shard.rows,
        np.stack([chosen.sources for chosen in shard.chosen]).tobytes(),
        np.stack([chosen.rules for chosen in shard.chosen]).tobytes(),
        subword,
        dict(duplicates),
        dict(arrived),
    )
