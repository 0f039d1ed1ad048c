"""Publishes small datasets, with the functions that the job itself writes them with."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pyarrow as pa

from formats.dataset import manifest as m
from formats.dataset.embedding_matrix import shard_bounds, write_shard
from formats.dataset.examples import pack_ids, serialize_examples
from formats.dataset.tfrecord import RecordWriter
from formats.dataset.vocabulary import (
    OOV_ID,
    PAD_ID,
    PAD_TOKEN,
    UNK_TOKEN,
    write_vocabulary_text,
)

ROWS, DIM, MATRIX_SHARDS = 41, 8, 3
RUN = "runs/r1"
SPLITS = {"train": 240, "validation": 60, "test": 60}


def matrix(dtype: str = "float32") -> np.ndarray:
    """The published matrix [ROWS, DIM]; the row of [PAD] is zero."""
    vectors = np.random.default_rng(1).normal(size=(ROWS, DIM)).astype(dtype)
    vectors[PAD_ID] = 0
    return vectors


def corpus(
    examples: int, classes: int, max_length: int, padding: str, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Token ids, lengths and labels. A word tells its text's label; some texts are empty."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=examples)
    lengths = rng.integers(1, max_length + 1, size=examples)
    lengths[::30] = 0
    words = rng.integers((ROWS - 2) // classes, size=(examples, max_length))
    ids = 2 + labels[:, None] + classes * words
    positions = np.arange(max_length)
    ids[positions >= lengths[:, None]] = PAD_ID
    return ids if padding == "post" else ids[:, ::-1], lengths, labels


def publish(
    folder: Path,
    *,
    classes: int = 2,
    splits: dict[str, int] | None = None,
    max_length: int = 6,
    padding: str = "post",
    dtype: str = "float32",
    matrix_format: str = "npy",
    compression: str = "gzip",
    labelled: bool = True,
) -> Path:
    """Publishes a dataset in ``folder``; returns the folder."""

    def put(path: str, data: bytes) -> tuple[int, str]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        return len(data), hashlib.sha256(data).hexdigest()

    tokens = pa.array([PAD_TOKEN, UNK_TOKEN, *(f"w{row}" for row in range(2, ROWS))])
    vocabulary = put(f"{RUN}/vocabulary.txt", write_vocabulary_text(tokens))

    matrix_shards = []
    bounds = shard_bounds(ROWS, MATRIX_SHARDS).tolist()
    for shard, (first, end) in enumerate(zip(bounds, bounds[1:], strict=False)):
        file = io.BytesIO()
        write_shard(file, matrix_format, matrix(dtype)[first:end], first, tokens[first:end])
        path = f"{RUN}/embeddings-{shard:05}-of-{MATRIX_SHARDS:05}.{matrix_format}"
        matrix_shards.append(
            m.EmbeddingShard(path, first, end - first, *put(path, file.getvalue()))
        )

    suffix = ".gz" if compression == "gzip" else ""
    published = {}
    for number, (split, examples) in enumerate((SPLITS if splits is None else splits).items()):
        ids, lengths, labels = corpus(examples, classes, max_length, padding, number)
        records = serialize_examples(
            pack_ids(pa.array([*ids], pa.list_(pa.int64()))),
            np.zeros_like(lengths),
            lengths,
            labels if labelled else None,
        )
        shards = []
        for shard in range(2):
            file = io.BytesIO()
            with RecordWriter(file, compression) as writer:
                writer.write(records[shard::2])
            path = f"{RUN}/{split}-{shard:05}-of-00002.tfrecord{suffix}"
            shards.append(m.ExampleShard(path, len(records[shard::2]), *put(path, file.getvalue())))
        published[split] = m.SplitInfo(examples, shards)

    manifest = m.Manifest(
        format_version=m.FORMAT_VERSION,
        run_id="r1",
        created="2024-01-01T00:00:00Z",
        config={},
        versions={},
        inputs=m.Inputs([], []),
        vocabulary=m.VocabularyInfo(
            path=f"{RUN}/vocabulary.txt",
            size=ROWS,
            sha256=vocabulary[1],
            pad_id=PAD_ID,
            oov_id=OOV_ID,
            parquet_path=f"{RUN}/vocabulary.parquet",
            parquet_sha256="0" * 64,
        ),
        embeddings=m.Embeddings(ROWS, DIM, dtype, matrix_format, "zeros", matrix_shards),
        examples=m.Examples(
            compression=compression,
            max_length=max_length,
            features={
                "token_ids": m.Feature("int64", [max_length]),
                "length": m.Feature("int64", []),
                **({"label": m.Feature("int64", [])} if labelled else {}),
            },
            splits=published,
        ),
        labels=[f"class{label}" for label in range(classes)] if labelled else [],
        coverage=m.Coverage(ROWS - 2, ROWS - 2, 1.0, 1.0, {}, {"exact": ROWS - 2}, []),
        rejects=m.Rejects({}, {}, f"{RUN}/rejects-00000-of-00001.jsonl", "0" * 64),
        warnings=[],
    )
    put("manifest.json", manifest.to_json())
    return folder


def arguments(data: Path | str, output: Path, **flags: object) -> list[str]:
    """The command line, of one epoch unless ``flags`` say otherwise."""
    given = {"data": data, "output": output, "epochs": 1, **flags}
    return [text for name, value in given.items() for text in (f"--{name}", str(value))]
