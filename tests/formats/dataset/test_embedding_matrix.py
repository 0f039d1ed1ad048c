from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from formats.dataset import embedding_matrix
from formats.dataset.embedding_matrix import (
    NPY,
    PARQUET,
    SAFETENSORS,
    default_shards,
    open_shard,
    read_shard,
    shard_bounds,
    write_shard,
)
from formats.errors import DataError

MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3) / 7
TOKENS = pa.array(["[PAD]", "[UNK]", "the", "영화"])


def shard_bytes(
    format: str, vectors: Any = MATRIX, first_row: int = 0, tokens: Any = None
) -> bytes:
    file = io.BytesIO()
    tokens = pa.array([f"w{row}" for row in range(len(vectors))]) if tokens is None else tokens
    write_shard(file, format, vectors, first_row, tokens)
    return file.getvalue()


def test_npy_golden_bytes() -> None:
    vectors = np.array([[0, 0], [1, -2.5]], np.float32)
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"
    assert shard_bytes(NPY, vectors) == (
        b"\x93NUMPY\x01\x00\x76\x00"
        + header.ljust(117)
        + b"\n"
        + bytes(8)
        + b"\x00\x00\x80\x3f\x00\x00\x20\xc0"
    )


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_npy_equals_numpy_save(dtype: str) -> None:
    saved = io.BytesIO()
    np.save(saved, MATRIX.astype(dtype))
    assert shard_bytes(NPY, MATRIX.astype(dtype)) == saved.getvalue()
    assert shard_bytes(NPY, np.asfortranarray(MATRIX.astype(dtype))) == saved.getvalue()
    big_endian = MATRIX.astype(np.dtype(dtype).newbyteorder(">"))
    assert shard_bytes(NPY, big_endian) == saved.getvalue()


def test_npy_can_be_mapped(tmp_path: Path) -> None:
    path = tmp_path / "shard.npy"
    path.write_bytes(shard_bytes(NPY))
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    np.testing.assert_array_equal(mapped, MATRIX)


def test_parquet_columns() -> None:
    table = pq.read_table(io.BytesIO(shard_bytes(PARQUET, MATRIX, 8, TOKENS)))
    assert table.schema.names == ["id", "token", "vector"]
    assert table.schema.types[:2] == [pa.int32(), pa.string()]
    assert table.schema.types[2].value_type == pa.float32()
    assert table.column("id").to_pylist() == [8, 9, 10, 11]
    assert table.column("token").to_pylist() == TOKENS.to_pylist()
    assert table.column("vector").to_pylist() == MATRIX.tolist()


def test_float16_is_halffloat_in_parquet() -> None:
    table = pq.read_table(io.BytesIO(shard_bytes(PARQUET, MATRIX.astype("f2"))))
    assert table.schema.field("vector").type.value_type == pa.float16()


@pytest.mark.parametrize("format", [NPY, PARQUET, SAFETENSORS])
@given(
    vectors=arrays.arrays(
        st.sampled_from([np.float32, np.float16]),
        st.tuples(st.integers(0, 20), st.integers(1, 5)),
        elements=st.floats(width=16),
    )
)
def test_any_vectors_come_back_bit_for_bit(format: str, vectors: Any) -> None:
    back = read_shard(io.BytesIO(shard_bytes(format, vectors)), format, "shard")
    assert (back.dtype, back.shape) == (vectors.dtype, vectors.shape)
    assert back.tobytes() == vectors.tobytes()


@pytest.mark.parametrize("format", [NPY, PARQUET, SAFETENSORS])
def test_blocks_are_the_shard_in_order(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_matrix, "_BLOCK_BYTES", 3 * 4 * 3)
    vectors = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    opened = open_shard(io.BytesIO(shard_bytes(format, vectors, 5)), format, "shard")
    blocks = list(opened.blocks)
    assert (opened.rows, opened.dim, opened.dtype) == (10, 3, "float32")
    assert [len(block.vectors) for block in blocks] == [3, 3, 3, 1]
    np.testing.assert_array_equal(np.concatenate([block.vectors for block in blocks]), vectors)
    if format == PARQUET:
        assert np.concatenate([block.ids for block in blocks]).tolist() == list(range(5, 15))


@pytest.mark.parametrize("format", [NPY, PARQUET, SAFETENSORS])
def test_the_same_shard_is_the_same_bytes(format: str) -> None:
    assert shard_bytes(format) == shard_bytes(format, MATRIX.copy())


def test_another_dtype_is_not_written() -> None:
    with pytest.raises(TypeError, match="float64"):
        shard_bytes(NPY, MATRIX.astype(np.float64))


def saved(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "byte 0: expected a .npy header"),
        (b"\x93NUMPY\x01\x00", "byte 0: expected a .npy header"),
        (b"<html>" * 30, "byte 0: expected a .npy header"),
        (saved(MATRIX, version=(2, 0)), "byte 0: .* version"),
        (saved(MATRIX.astype(np.float64)), r"header: expected .*, found \(4, 3\) of <f8"),
        (saved(MATRIX.astype(">f4")), "of >f4"),
        (saved(np.asfortranarray(MATRIX)), "in Fortran order"),
        (saved(MATRIX[0]), r"found \(3,\)"),
        (saved(np.array([{}]), allow_pickle=True), r"found \(1,\) of |O"),
        (saved(MATRIX)[:-1], "byte 175: expected the end at byte 176"),
        (saved(MATRIX) + b"\0", "byte 177: expected the end at byte 176"),
        (saved(MATRIX).replace(b"(4, 3)", b"(4e9)"), "header"),
    ],
)
def test_damage_of_npy_is_named(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"^shard.npy: .*{message}"):
        read_shard(io.BytesIO(data), NPY, "shard.npy")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_safetensors_shards_are_those_of_the_reference(dtype: str) -> None:
    vectors = MATRIX.astype(dtype)
    data = shard_bytes(SAFETENSORS, vectors, 8, TOKENS)
    assert data == safetensors.numpy.save({"embeddings": vectors})
    back = read_shard(io.BytesIO(data), SAFETENSORS, "shard")
    assert back.tobytes() == vectors.tobytes()


SAFETENSORS_HEADER = "header: expected one tensor, embeddings, of F32 or F16, rows and dimensions"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "byte 0: expected the length of a header"),
        (b"<html>" * 30, "byte 0: expected the length of a header"),
        (shard_bytes(SAFETENSORS)[:-1], "expected the end at byte 128, found 127 bytes"),
        (shard_bytes(SAFETENSORS) + b"\0", "expected the end at byte 128, found 129 bytes"),
        (safetensors.numpy.save({"a": MATRIX}), rf"{SAFETENSORS_HEADER}, found a F32 \[4, 3\]"),
        (safetensors.numpy.save({"embeddings": MATRIX, "a": MATRIX}), SAFETENSORS_HEADER),
        (safetensors.numpy.save({"embeddings": MATRIX[0]}), r"found embeddings F32 \[3\]"),
        (safetensors.numpy.save({"embeddings": MATRIX.astype("f8")}), "found embeddings F64"),
        (safetensors.numpy.save({}), "found none"),
    ],
)
def test_damage_of_safetensors_is_named(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"^shard: .*{message}.*; build the dataset again$"):
        read_shard(io.BytesIO(data), SAFETENSORS, "shard")


def test_damage_of_parquet_is_named() -> None:
    data = shard_bytes(PARQUET)
    for cut in range(0, len(data), 7):
        with pytest.raises(DataError, match=r"^shard.parquet: can't be read as Parquet"):
            read_shard(io.BytesIO(data[:cut]), PARQUET, "shard.parquet")
    other = io.BytesIO()
    pq.write_table(pa.table({"id": [1], "vector": [[1.0]]}), other)
    with pytest.raises(DataError, match="columns: expected id int32, token string, vector"):
        read_shard(other, PARQUET, "shard.parquet")


@given(st.integers(0, 10_000), st.integers(1, 200))
def test_bounds_cover_all_rows_evenly(rows: int, shards: int) -> None:
    bounds = shard_bounds(rows, shards)
    assert bounds.dtype == np.int64
    assert (bounds[0], bounds[-1], len(bounds)) == (0, rows, shards + 1)
    sizes = np.diff(bounds)
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize(
    ("size", "shards"), [(0, 1), (1, 1), (64 << 20, 1), ((64 << 20) + 1, 2), (1 << 30, 16)]
)
def test_one_shard_for_each_64_mib(size: int, shards: int) -> None:
    assert default_shards(size) == shards
