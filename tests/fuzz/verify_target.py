"""``embprep verify`` on a dataset of which one file is any bytes: all it does is to tell."""

from __future__ import annotations

import functools
import hashlib
import io
from random import Random
from typing import BinaryIO
from unittest import mock

import numpy as np
import pyarrow as pa

from formats.dataset.coverage import measure_coverage
from formats.dataset.embedding_matrix import MATRIX_FORMATS, NPY, PARQUET, SAFETENSORS, write_shard
from formats.dataset.examples import example_features, pack_ids, serialize_examples
from formats.dataset.manifest import (
    Embeddings,
    EmbeddingShard,
    Examples,
    ExampleShard,
    Inputs,
    Manifest,
    Rejects,
    SplitInfo,
    VectorsInput,
    VocabularyInfo,
)
from formats.dataset.tfrecord import NONE, RecordWriter
from formats.dataset.vocabulary import (
    VOCABULARY_TABLE,
    write_vocabulary_table,
    write_vocabulary_text,
)
from formats.errors import DataError
from formats.safetensors import is_safetensors
from pipeline.verify import verify_dataset
from tests.fuzz.mutations import mutate_bytes, mutate_in_place, mutate_json, mutate_safetensors
from tests.fuzz.target import NAME, Choices, Target, open_bytes

_TOKENS = pa.array(["[PAD]", "[UNK]", "the", ",", "w"])
_MAX_LENGTH = 3
_VOCABULARY, _TABLE, _SHARD, _EXAMPLES, _REJECTS = (
    "runs/a/vocabulary.txt",
    "runs/a/vocabulary.parquet",
    "runs/a/embeddings",
    "runs/a/train",
    "runs/a/rejects",
)
_MANIFEST, _KEPT = "manifest.json", "runs/a/manifest.json"


def verify(data: bytes, choices: Choices) -> None:
    """Verifies a dataset, one file of which is these bytes."""
    format, path = _place(data)
    files = dict(_dataset(format))
    files[path] = data
    if path == _MANIFEST:
        files[_KEPT] = data

    def open_file(uri: str) -> BinaryIO:
        path = uri.removeprefix("dataset/")
        if path not in files:
            raise FileNotFoundError(path)
        return open_bytes(files[path])

    with mock.patch("pipeline.verify.open_file", open_file):
        problems = verify_dataset("dataset")
    assert not any("\n" in problem for problem in problems)
    if problems:
        raise DataError(f"{NAME}: {problems}")


def _place(data: bytes) -> tuple[str, str]:
    """Which file of which dataset some bytes look most like."""
    if data.startswith(b"PAR1"):
        return (PARQUET, _SHARD) if b"vector" in data else (NPY, _TABLE)
    if data.startswith(b"{"):
        formats = [format for format in MATRIX_FORMATS if f'"{format}"'.encode() in data]
        return (formats or [NPY])[0], _REJECTS if b"excerpt" in data else _MANIFEST
    if is_safetensors(data):
        return SAFETENSORS, _SHARD
    for magic, path in ((b"\x93NUMPY", _SHARD), (b"[PAD]", _VOCABULARY)):
        if data.startswith(magic):
            return NPY, path
    return NPY, _EXAMPLES


@functools.cache
def _dataset(format: str) -> dict[str, bytes]:
    matrix = np.array([[0, 0], [0, 0], [1, 2], [0, 0], [3, 4]], np.float32)
    columns = [[0, 0, 2, 1, 1], [None, None, "v", None, "v"], [None, None, "exact", None, "exact"]]
    table = pa.table([_TOKENS, *columns, [False, False, True, False, True]], VOCABULARY_TABLE)
    files = {name: io.BytesIO() for name in (_VOCABULARY, _TABLE, _SHARD, _EXAMPLES, _REJECTS)}
    files[_VOCABULARY].write(write_vocabulary_text(_TOKENS))
    write_vocabulary_table(files[_TABLE], table)
    write_shard(files[_SHARD], format, matrix, 0, _TOKENS)
    with RecordWriter(files[_EXAMPLES], NONE) as writer:
        ids = pack_ids(pa.array([[2, 3], [4, 1, 2]]))
        fill, lengths, labels = np.array([1, 0]), np.array([2, 3]), np.array([0, 1])
        writer.write(serialize_examples(ids, fill, lengths, labels))
    files[_REJECTS].write(b'{"file": "c", "offset": 3, "reason": "no text", "excerpt": ""}\n')
    dataset = {name: file.getvalue() for name, file in files.items()}
    dataset[_MANIFEST] = dataset[_KEPT] = _manifest(dataset, table, format).to_json()
    return dataset


def _manifest(dataset: dict[str, bytes], table: pa.Table, format: str) -> Manifest:
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in dataset.items()}
    size = len(_TOKENS)
    shard = EmbeddingShard(_SHARD, 0, size, len(dataset[_SHARD]), hashes[_SHARD])
    examples = ExampleShard(_EXAMPLES, 2, len(dataset[_EXAMPLES]), hashes[_EXAMPLES])
    return Manifest(
        run_id="a",
        created="2026-01-01T00:00:00Z",
        config={"min_count": 1, "padding": "post", "vocabulary": None},
        versions={},
        inputs=Inputs([], [VectorsInput("v", 1, "f", "GloVe text", 2, 2, 2, 0)]),
        vocabulary=VocabularyInfo(
            _VOCABULARY, size, hashes[_VOCABULARY], 0, 1, _TABLE, hashes[_TABLE]
        ),
        embeddings=Embeddings(size, 2, "float32", format, "zeros", [shard]),
        examples=Examples(
            NONE,
            _MAX_LENGTH,
            example_features(_MAX_LENGTH, labelled=True),
            {"train": SplitInfo(2, [examples])},
        ),
        labels=["x", "y"],
        coverage=measure_coverage(table, ["v"], ["exact"]),
        rejects=Rejects({"no text": 1}, {}, _REJECTS, hashes[_REJECTS]),
    )


def _seeds() -> list[bytes]:
    files = [_dataset(format)[path] for format in MATRIX_FORMATS for path in _dataset(format)]
    return list(dict.fromkeys(files))


def _mutate(data: bytes, random: Random) -> bytes:
    if data.startswith(b"{"):
        return mutate_json(data, random)
    if is_safetensors(data):
        return mutate_safetensors(data, random)
    return (mutate_in_place if data.startswith(b"PAR1") else mutate_bytes)(data, random)


VERIFY_TARGETS = {"verify": Target(verify, _seeds, mutate=_mutate)}
