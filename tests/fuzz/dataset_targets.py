"""The files of a dataset."""

from __future__ import annotations

import io
import json
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from formats.blocks import REJECTS
from formats.dataset.embedding_matrix import (
    NPY,
    PARQUET,
    SAFETENSORS,
    open_shard,
    read_shard,
    write_shard,
)
from formats.dataset.examples import pack_ids, parse_examples, serialize_examples
from formats.dataset.manifest import parse_manifest, published_files
from formats.dataset.paths import safe_path
from formats.dataset.rejects import read_rejects, write_rejects
from formats.dataset.rules import vocabulary_problems
from formats.dataset.tfrecord import GZIP, NONE, RecordWriter, read_records
from formats.dataset.vocabulary import (
    CONCAT_TABLE,
    VOCABULARY_TABLE,
    read_vocabulary_table,
    read_vocabulary_text,
    write_vocabulary_table,
    write_vocabulary_text,
)
from tests.fuzz.mutations import mutate_in_place, mutate_json, mutate_safetensors
from tests.fuzz.repairs import repair_npy, repair_tfrecord, repair_tfrecord_gzip
from tests.fuzz.target import NAME, Choices, Target, open_bytes

_TOKENS = pa.array(["[PAD]", "[UNK]", "the", ",", "café", "\x85", "w"])
_MAX_LENGTH = 5


def read_vocabulary(data: bytes, choices: Choices) -> None:
    tokens = read_vocabulary_text(data, NAME)
    tokens.validate(full=True)
    assert write_vocabulary_text(tokens).rstrip(b"\n") == data.rstrip(b"\n")


def read_table(data: bytes, choices: Choices) -> None:
    table = read_vocabulary_table(open_bytes(data), NAME)
    assert table.schema in (VOCABULARY_TABLE, CONCAT_TABLE)
    table.validate(full=True)
    list(vocabulary_problems(table, {"min_count": choices.bits}, sources=2))


def read_matrix_shard(format: str, data: bytes, choices: Choices) -> None:
    """Reads a shard in blocks and whole, which must give the same rows."""
    whole = read_shard(open_bytes(data), format, NAME)
    shard = open_shard(open_bytes(data), format, NAME)
    assert whole.shape == (shard.rows, shard.dim)
    row = 0
    for block in shard.blocks:
        rows = len(block.vectors)
        assert block.vectors.tobytes() == whole[row : row + rows].tobytes()
        if block.tokens is not None:
            block.tokens.validate(full=True)
            assert len(block.tokens) == len(block.ids) == rows
        row += rows
    assert row == shard.rows


def read_manifest(data: bytes, choices: Choices) -> None:
    for file in published_files(parse_manifest(data, NAME)):
        safe_path(file.path)


def read_example_records(compression: str, data: bytes, choices: Choices) -> None:
    records = list(read_records(open_bytes(data), compression, NAME))
    parsed = parse_examples(records, _MAX_LENGTH, labelled=bool(choices.bits & 1), name=NAME)
    assert parsed.token_ids.shape == (len(records), _MAX_LENGTH)
    assert len(parsed.lengths) == len(records)


def read_one_example(data: bytes, choices: Choices) -> None:
    parse_examples([data], _MAX_LENGTH, labelled=bool(choices.bits & 1), name=NAME)


def read_reject_file(data: bytes, choices: Choices) -> None:
    for reject in read_rejects(open_bytes(data), NAME):
        assert isinstance(reject.offset, int)


def _vocabulary_files() -> list[bytes]:
    return [write_vocabulary_text(_TOKENS), "[PAD]\n[UNK]\né 😀\n\u2028".encode()]


def _table_files() -> list[bytes]:
    table = pa.table(
        [
            _TOKENS,
            pa.array([0, 0, 9, 5, 3, 3, 1]),
            pa.array([None, None, "a", "b", "a", None, None]),
            pa.array([None, None, "exact", "lower", "exact", None, None]),
            pa.array([False, False, True, True, True, False, False]),
        ],
        schema=VOCABULARY_TABLE,
    )
    written = io.BytesIO()
    write_vocabulary_table(written, table)
    plain = io.BytesIO()
    pq.write_table(table, plain, compression="none", use_dictionary=False)
    bare = io.BytesIO()
    pq.write_table(table, bare, compression="none", store_schema=False, data_page_version="2.0")
    rules = [[None, None], [None, None], ["exact", None], ["lower", "lower"], [None, "exact"]]
    each = pa.array([*rules, [None, None], [None, None]], pa.list_(pa.string()))
    side_by_side = io.BytesIO()
    write_vocabulary_table(side_by_side, table.append_column("rules", each))
    return [file.getvalue() for file in (written, plain, bare, side_by_side)]


def _shards(format: str) -> list[bytes]:
    matrix = np.random.default_rng(0).normal(size=(len(_TOKENS), 3))
    files = []
    for dtype in (np.float32, np.float16):
        file = io.BytesIO()
        write_shard(file, format, matrix.astype(dtype), 0, _TOKENS)
        files.append(file.getvalue())
    return files


def _manifests() -> list[bytes]:
    file = {"path": "runs/a/vocabulary.txt", "bytes": 1, "sha256": "00"}
    corpus = {"uri": "c", "bytes": 1, "fingerprint": "f", "split": None, "format": "csv"}
    vectors = {"uri": "v", "bytes": 1, "fingerprint": "f", "format": "GloVe text", "rows": 2}
    manifest = {
        "format_version": 1,
        "run_id": "a",
        "created": "2026-01-01T00:00:00Z",
        "config": {"min_count": 1, "padding": "post"},
        "versions": {"embprep": "0.1.0"},
        "inputs": {
            "corpus": [{**corpus, "files": 1}],
            "vectors": [{**vectors, "dim": 3, "matched": 1, "duplicates": 0}],
        },
        "vocabulary": {
            **file,
            "size": 4,
            "pad_id": 0,
            "oov_id": 1,
            "parquet_path": "runs/a/vocabulary.parquet",
            "parquet_sha256": "00",
            "unk_token": None,
        },
        "embeddings": {
            "rows": 4,
            "dim": 3,
            "dtype": "float32",
            "format": "npy",
            "oov": "zeros",
            "shards": [{**file, "first_row": 0, "rows": 4}],
        },
        "examples": {
            "compression": "none",
            "max_length": _MAX_LENGTH,
            "features": {"length": {"dtype": "int64", "shape": []}},
            "splits": {"train": {"examples": 1, "shards": [{**file, "examples": 1}]}},
        },
        "labels": ["x"],
        "coverage": {
            "vocabulary": 2,
            "matched": 1,
            "type_coverage": 0.5,
            "token_coverage": 1,
            "by_source": {"v": 1},
            "by_rule": {"exact": 1},
            "top_oov": [["w", 1]],
        },
        "rejects": {"corpus": {"no text": 1}, "vectors": {}, "path": "runs/a/r", "sha256": "0"},
        "warnings": [],
    }
    return [json.dumps(manifest).encode()]


def _examples() -> list[bytes]:
    ids = pack_ids(pa.array([[2, 3], [1, 300, 70000, 2**31, 5]]))
    fill, lengths = np.array([3, 0]), np.array([2, 5])
    return [
        *serialize_examples(ids, fill, lengths, np.array([0, 1])).to_pylist(),
        *serialize_examples(ids, fill, lengths, None).to_pylist(),
    ]


def _records() -> list[bytes]:
    file = io.BytesIO()
    with RecordWriter(file, NONE) as writer:
        writer.write(pa.array(_examples()[:2]))
    return [file.getvalue(), b""]


def _gzip_records() -> list[bytes]:
    file = io.BytesIO()
    with RecordWriter(file, GZIP) as writer:
        writer.write(pa.array(_examples()[:2]))
    # The plain one for what the repair packs.
    return [file.getvalue(), _records()[0]]


def _rejects() -> list[bytes]:
    rows = [["a", "b"], [3, 1], ["no text", "bad JSON"], ["", "é\n{"]]
    columns = [pa.array(column, field.type) for column, field in zip(rows, REJECTS, strict=True)]
    return [write_rejects(pa.table(columns, schema=REJECTS))]


def _shard_target(format: str, **more: Any) -> Target:
    return Target(partial(read_matrix_shard, format), partial(_shards, format), **more)


DATASET_TARGETS = {
    "vocabulary_text": Target(read_vocabulary, _vocabulary_files),
    "vocabulary_table": Target(read_table, _table_files, mutate=mutate_in_place),
    "npy_shard": _shard_target(NPY, repair=repair_npy),
    "safetensors_shard": _shard_target(SAFETENSORS, mutate=mutate_safetensors),
    "parquet_shard": _shard_target(PARQUET, mutate=mutate_in_place),
    "manifest": Target(read_manifest, _manifests, mutate=mutate_json),
    "tfrecord": Target(partial(read_example_records, NONE), _records, repair=repair_tfrecord),
    "tfrecord_gzip": Target(
        partial(read_example_records, GZIP), _gzip_records, repair=repair_tfrecord_gzip
    ),
    "example": Target(read_one_example, _examples),
    "rejects": Target(read_reject_file, _rejects),
}
