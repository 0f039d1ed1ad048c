"""A matrix as word2vec binary, GloVe text and npz, as the formats' own programs read it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from gensim.models import KeyedVectors
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from formats.dataset.export import (
    EXPORT_FORMATS,
    GLOVE,
    NPZ,
    WORD2VEC,
    Table,
    demand_exportable,
    write_export,
)
from formats.errors import DataError

# White space that ends neither a token nor a line in these formats, though str.split thinks so.
TOKENS = [
    "[PAD]",
    "[UNK]",
    "film",
    "영화",
    "a\x85b",
    "x\u00a0y",
    "a\u2028b",
    "\u3000",
    "a\tb",
    "ü" * 98,
]


def written(format: str, tokens: list[str], vectors: Any, step: int = 3) -> bytes:
    blocks = (vectors[row : row + step] for row in range(0, len(vectors), step))
    file = io.BytesIO()
    table = Table(pa.array(tokens), vectors.shape[1], vectors.dtype.name, blocks)
    demand_exportable(table.tokens, format)
    write_export(file, format, table)
    return file.getvalue()


def by_gensim(path: Path, format: str) -> KeyedVectors:
    options: dict[str, Any] = {"binary": True} if format == WORD2VEC else {"no_header": True}
    return KeyedVectors.load_word2vec_format(str(path), **options)


def matrix(rows: int, dim: int, dtype: str = "float32") -> Any:
    bits = np.random.default_rng(0).integers(0, 2**16, (rows, dim, 2), np.uint16)
    values = bits.view("<f4")[..., 0] if dtype == "float32" else bits[..., 0].view("<f2")
    return np.where(np.isfinite(values), values, 0).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("format", [WORD2VEC, GLOVE])
def test_gensim_reads_the_same_rows_bit_for_bit(tmp_path: Path, format: str, dtype: str) -> None:
    vectors = matrix(len(TOKENS), 7, dtype)
    path = tmp_path / "vectors"
    path.write_bytes(written(format, TOKENS, vectors))
    read = by_gensim(path, format)
    assert read.index_to_key == TOKENS
    assert read.vectors.tobytes() == vectors.astype("<f4").tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_numpy_reads_the_same_arrays_without_pickle(dtype: str) -> None:
    tokens = [*TOKENS, "with space", "a\nb"]
    vectors = matrix(len(tokens), 5, dtype)
    with np.load(io.BytesIO(written(NPZ, tokens, vectors)), allow_pickle=False) as arrays:
        assert arrays["tokens"].tolist() == tokens
        assert arrays["vectors"].dtype == dtype
        assert arrays["vectors"].tobytes() == vectors.tobytes()


@settings(deadline=None, max_examples=50)
@given(arrays("<f4", (40, 3), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_text_gives_back_every_float32_whether_read_as_float_or_double(vectors: Any) -> None:
    rows = written(GLOVE, [str(row) for row in range(40)], vectors).decode().splitlines()
    fields = [row.split(" ")[1:] for row in rows]
    assert np.array(fields, "f4").tobytes() == vectors.tobytes()
    assert np.array([[*map(float, row)] for row in fields]).astype("f4").tobytes() == (
        vectors.tobytes()
    )


def test_the_bytes_of_each_format() -> None:
    vectors = np.float32([[0, 0], [0.1, -1e-7]])
    assert written(WORD2VEC, ["[PAD]", "a"], vectors) == (
        b"2 2\n[PAD] " + vectors[0].tobytes() + b"\na " + vectors[1].tobytes() + b"\n"
    )
    assert written(GLOVE, ["[PAD]", "a"], vectors) == b"[PAD] 0 0\na 0.1 -1e-7\n"


@pytest.mark.parametrize("format", EXPORT_FORMATS)
def test_the_bytes_do_not_depend_on_the_blocks(format: str) -> None:
    vectors = matrix(len(TOKENS), 3)
    assert written(format, TOKENS, vectors, 1) == written(format, TOKENS, vectors, 100)


def test_an_archive_has_no_time() -> None:
    with zipfile.ZipFile(io.BytesIO(written(NPZ, TOKENS, matrix(len(TOKENS), 3)))) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("format", [WORD2VEC, GLOVE])
@pytest.mark.parametrize("token", [". . .", "a\nb"])
def test_a_token_that_a_format_cannot_hold_is_named(format: str, token: str) -> None:
    with pytest.raises(DataError) as refusal:
        demand_exportable(pa.array(["[PAD]", "[UNK]", token]), format)
    assert repr(token).replace("\n", " ") in str(refusal.value)
    assert "(row 2)" in str(refusal.value)
    demand_exportable(pa.array([token]), NPZ)


def test_npz_refuses_what_numpy_would_cut() -> None:
    with pytest.raises(DataError, match="drops NUL"):
        demand_exportable(pa.array(["a", "b\0"]), NPZ)
