"""A small published dataset whose parts can be replaced before it is written.

Hashes, sizes and the kept manifest always fit what is written, so that a part that is wrong is
the one thing wrong.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from formats.blocks import REJECTS
from formats.dataset import manifest as m
from formats.dataset import paths
from formats.dataset.coverage import measure_coverage
from formats.dataset.embedding_matrix import shard_bounds, write_shard
from formats.dataset.examples import PRE, example_features, pack_ids, serialize_examples
from formats.dataset.rejects import write_rejects
from formats.dataset.tfrecord import RecordWriter
from formats.dataset.vocabulary import (
    VOCABULARY_TABLE,
    write_vocabulary_table,
    write_vocabulary_text,
)

RUN = "r1"
MAX_LENGTH = 4
DIM = 3
SHARDS = 2


def _table() -> Any:
    return pa.table(
        {
            "token": ["[PAD]", "[UNK]", "the", "film", "영화", "a\x85b", "rare"],
            "count": [0, 0, 9, 5, 5, 2, 2],
            "source": [None, None, "glove.txt", None, "ko.bin", "glove.txt", None],
            "rule": [None, None, "exact", None, "exact", "exact", None],
            "matched": [False, False, True, False, True, True, False],
        },
        schema=VOCABULARY_TABLE,
    )


def _vectors() -> Any:
    vectors = np.arange(1, 7 * DIM + 1, dtype=np.float32).reshape(7, DIM) / 8
    vectors[[0, 1, 3, 6]] = 0
    return vectors


def _config() -> dict[str, Any]:
    return {"vocabulary": None, "vector_tokens": 0, "min_count": 2, "max_tokens": None}


@dataclasses.dataclass
class Parts:
    """What goes into the dataset."""

    table: Any = dataclasses.field(default_factory=_table)
    tokens: Any = None
    vectors: Any = dataclasses.field(default_factory=_vectors)
    examples: list[list[int]] = dataclasses.field(
        default_factory=lambda: [[2, 3], [], [4, 5, 6, 1, 2], [2], [6, 6, 6]]
    )
    labels: list[int] | None = dataclasses.field(default_factory=lambda: [0, 1, 1, 0, 1])
    names: list[str] = dataclasses.field(default_factory=lambda: ["neg", "pos"])
    config: dict[str, Any] = dataclasses.field(default_factory=_config)
    padding: str = "post"
    format: str = "npy"
    dtype: str = "float32"
    compression: str = "gzip"
    oov: str = "zeros"
    # Changes what is to be written, or the bytes of a file; rows are [n, MAX_LENGTH].
    change_rows: Callable[[Any, Any], None] = lambda rows, lengths: None
    change_bytes: Callable[[str, bytes], bytes] = lambda path, data: data
    change_manifest: Callable[[dict[str, Any]], Any] = lambda values: None


def publish(folder: Path, parts: Parts | None = None) -> Path:
    """Writes the dataset into ``folder`` and returns the folder."""
    parts = parts or Parts()

    def put(path: str, data: bytes) -> tuple[int, str]:
        data = parts.change_bytes(path, data)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        return len(data), hashlib.sha256(data).hexdigest()

    coverage = measure_coverage(parts.table, ["glove.txt", "ko.bin"], ["exact"])
    manifest = m.Manifest(
        run_id=RUN,
        created="2024-01-01T00:00:00Z",
        config={"padding": parts.padding, **parts.config},
        versions={},
        inputs=m.Inputs(
            [m.CorpusInput("c.tsv", 1, "x", None, "tsv", 1)],
            [
                m.VectorsInput(uri, 1, "x", "GloVe text", 9, DIM, coverage.by_source[uri], 0)
                for uri in ("glove.txt", "ko.bin")
            ],
        ),
        vocabulary=_put_vocabulary(parts, put),
        embeddings=_put_matrix(parts, put),
        examples=_put_examples(parts, put),
        labels=parts.names if parts.labels is not None else [],
        coverage=coverage,
        rejects=_put_rejects(put),
    )
    values = dataclasses.asdict(manifest)
    parts.change_manifest(values)
    data = m.Manifest(**values).to_json()
    for path in (paths.run_manifest_path(RUN), paths.MANIFEST_PATH):
        put(path, data)
    return folder


Put = Callable[[str, bytes], tuple[int, str]]


def _put_vocabulary(parts: Parts, put: Put) -> m.VocabularyInfo:
    tokens = (
        parts.table.column("token").combine_chunks()
        if parts.tokens is None
        else pa.array(parts.tokens)
    )
    table = io.BytesIO()
    write_vocabulary_table(table, parts.table)
    text_path, table_path = paths.vocabulary_text_path(RUN), paths.vocabulary_table_path(RUN)
    _, text_hash = put(text_path, write_vocabulary_text(tokens))
    _, table_hash = put(table_path, table.getvalue())
    return m.VocabularyInfo(text_path, len(tokens), text_hash, 0, 1, table_path, table_hash)


def _put_matrix(parts: Parts, put: Put) -> m.Embeddings:
    vectors = parts.vectors.astype(parts.dtype)
    bounds = shard_bounds(len(vectors), SHARDS).tolist()
    shards = []
    for shard, (first, end) in enumerate(zip(bounds, bounds[1:], strict=False)):
        file = io.BytesIO()
        tokens = parts.table.column("token")[first:end].combine_chunks()
        write_shard(file, parts.format, vectors[first:end], first, tokens)
        path = paths.embedding_shard_path(RUN, shard, SHARDS, parts.format)
        shards.append(m.EmbeddingShard(path, first, end - first, *put(path, file.getvalue())))
    return m.Embeddings(len(vectors), DIM, parts.dtype, parts.format, parts.oov, shards)


def _put_examples(parts: Parts, put: Put) -> m.Examples:
    splits = {}
    kept = [ids[:MAX_LENGTH] for ids in parts.examples]
    lengths = np.array([len(ids) for ids in kept])
    rows = np.zeros((len(lengths), MAX_LENGTH), np.int32)
    for row, ids in zip(rows, kept, strict=True):
        row[MAX_LENGTH - len(ids) if parts.padding == PRE else 0 :][: len(ids)] = ids
    parts.change_rows(rows, lengths)
    labels = None if parts.labels is None else np.array(parts.labels)
    packed = pack_ids(pa.array([*rows]))
    records = serialize_examples(packed, np.zeros_like(lengths), lengths, labels)
    for split, own in {"train": records, "test": records[:1], "validation": records[:0]}.items():
        shards = []
        for shard in range(SHARDS):
            file = io.BytesIO()
            with RecordWriter(file, parts.compression) as writer:
                writer.write(own[shard::SHARDS])
            path = paths.example_shard_path(RUN, split, shard, SHARDS, parts.compression)
            count = len(own[shard::SHARDS])
            shards.append(m.ExampleShard(path, count, *put(path, file.getvalue())))
        splits[split] = m.SplitInfo(len(own), shards)
    features = example_features(MAX_LENGTH, labelled=labels is not None)
    return m.Examples(parts.compression, MAX_LENGTH, features, splits)


def _put_rejects(put: Put) -> m.Rejects:
    columns = [["c.tsv", "c.tsv", "glove.txt"], [5, 90, 4], ["no text", "no label", "not finite"]]
    batch = pa.record_batch([pa.array(column) for column in [*columns, ["", "x", "nan"]]], REJECTS)
    path = paths.rejects_path(RUN)
    _, digest = put(path, write_rejects(batch.cast(REJECTS)))
    return m.Rejects({"no text": 1, "no label": 1}, {"not finite": 1}, path, digest)
