"""Any table, written in any format, is read back the same from any ranges and reads."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from formats.vectors.layout import BINARY, TEXT
from formats.vectors.parse_vectors import BAD_FLOAT, NOT_FINITE, parse_vectors
from formats.vectors.records import Records
from formats.vectors.text_rows import read_rows
from formats.vectors.wanted_rows import WantedTokens, find_rows
from tests.formats.vectors.vector_files import (
    Row,
    binary_file,
    found_in,
    lookup_of,
    read_cut,
    text_file,
    vectors_by_token,
)

# What str.split and str.splitlines take for white space, and characters of two bytes and more.
CHARACTERS = "ab-\u00e9\ud55c\x0b\x1c\t\x85\xa0\u2028\u3000"
MULTIBYTE = "\u00e9\ud55c\U0001f600"


def cut_tokens() -> st.SearchStrategy[bytes]:
    """Tokens as word2vec.c leaves them: 98 bytes, even inside of a character."""
    return st.text(MULTIBYTE, min_size=60, max_size=60).map(lambda text: text.encode()[:98])


text_tokens = st.one_of(
    st.text(CHARACTERS + " ", min_size=1, max_size=8).map(str.encode),
    st.sampled_from([b" ", b"  ", b". . .", b"</s>", b"<unk>", b"\xff", b"\xa0"]),
    cut_tokens(),
)
binary_tokens = st.one_of(
    st.text(CHARACTERS, min_size=1, max_size=8).map(str.encode),
    st.sampled_from([b"</s>", b"\xff", b"\x00"]),
    cut_tokens(),
)
singles = st.floats(width=32, allow_nan=False, allow_infinity=False)
decimals = st.one_of(
    singles.map(lambda value: b"%f" % value),
    singles.map(lambda value: b"%.5g" % value),
    singles.map(lambda value: b"%e" % value),
    singles.map(lambda value: repr(value).encode()),
    st.floats(-1e38, 1e38).map(lambda value: repr(value).encode()),
    st.sampled_from([b"0", b"-0", b"-0.0", b"1E5", b".5", b"5.", b"1e-46", b"1e-320", b"7e-46"]),
)


class Reads(NamedTuple):
    cuts: list[int]
    most: int
    block_bytes: int


@st.composite
def reads(draw: st.DrawFn, size: int) -> Reads:
    cuts = draw(st.lists(st.integers(0, size), max_size=6))
    return Reads(cuts, draw(st.integers(1, 200)), draw(st.sampled_from([1, 7, 64, 1 << 20])))


@st.composite
def text_tables(draw: st.DrawFn) -> tuple[list[bytes], list[list[bytes]]]:
    dim = draw(st.integers(2, 5))
    tokens = draw(st.lists(text_tokens, min_size=1, max_size=12))
    rows = st.lists(decimals, min_size=dim, max_size=dim)
    return tokens, [draw(rows) for _ in tokens]


@settings(deadline=None)
@given(
    table=text_tables(),
    header=st.booleans(),
    row_end=st.sampled_from([b"\n", b" \n", b"\r\n", b" \r\n"]),
    last_newline=st.booleans(),
    data=st.data(),
)
def test_a_text_table_is_read_back(
    table: tuple[list[bytes], list[list[bytes]]],
    header: bool,
    row_end: bytes,
    last_newline: bool,
    data: st.DataObject,
) -> None:
    tokens, fields = table
    file = text_file(tokens, fields, header=header, row_end=row_end, last_newline=last_newline)
    how = data.draw(reads(len(file)))
    rows = read_cut(file, how.cuts, most=how.most, block_bytes=how.block_bytes)
    assert [row.token for row in rows] == tokens
    assert [row.vector.split(b" ") for row in rows] == fields
    assert all(file.startswith(row.token + b" ", row.place) for row in rows)

    vectors = vectors_by_token(file)
    for token, written in reversed(list(zip(tokens, fields, strict=True))):
        if tokens.index(token) == fields.index(written):
            expected = np.array([np.float32(field.decode()) for field in written])
            assert vectors[token].tobytes() == expected.tobytes()


@settings(deadline=None)
@given(
    tokens=st.lists(binary_tokens, min_size=1, max_size=60),
    dim=st.integers(3, 9),
    seed=st.integers(0, 2**32 - 1),
    newline=st.booleans(),
    data=st.data(),
)
def test_a_binary_table_is_read_back(
    tokens: list[bytes], dim: int, seed: int, newline: bool, data: st.DataObject
) -> None:
    matrix = np.random.default_rng(seed).normal(size=(len(tokens), dim)).astype(np.float32)
    matrix[0, 0] = 1.0  # has 0 bytes, by which a binary of a few floats is told from text
    file = binary_file(tokens, matrix, newline=newline)
    how = data.draw(reads(len(file)))
    # From the first byte on, whatever the tokens are; the middle is for the proof to judge.
    rows = read_cut(file, [], most=how.most, block_bytes=how.block_bytes)
    assert [row.token for row in rows] == tokens
    assert b"".join(row.vector for row in rows) == matrix.tobytes()
    if len(tokens) <= 16:
        assert read_cut(file, how.cuts, most=how.most, block_bytes=how.block_bytes) == rows


def found_batch(kind: str, vectors: list[bytes]) -> Any:
    token_end = [b"w%d " % index for index in range(len(vectors))]
    pieces = [token + vector for token, vector in zip(token_end, vectors, strict=True)]
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    starts = ends - np.array([len(piece) for piece in pieces], np.int64)
    tokens = [token[:-1] for token in token_end]
    token_ends = starts + np.array([len(token) for token in tokens], np.int64)
    data = b"".join(pieces)
    records = Records(data, 0, starts, token_ends, ends, len(data))
    return found_in(records, {token: row for row, token in enumerate(tokens)})


@given(st.lists(decimals, min_size=1, max_size=50))
@settings(max_examples=300, deadline=None)
@example([b"3.4028235677973366e38"])
@example([b"1.000000059604644775390625", b"1.0000000596046448"])
def test_a_float_is_the_nearest_single_of_the_nearest_double(texts: list[bytes]) -> None:
    parsed = parse_vectors(found_batch(TEXT, texts), TEXT, 1)
    with np.errstate(over="ignore"):
        expected = np.array([np.float32(text.decode()) for text in texts])
    finite = np.isfinite(expected)
    assert parsed.kept.tolist() == np.flatnonzero(finite).tolist()
    assert parsed.vectors.tobytes() == expected[finite].tobytes()


@pytest.mark.parametrize("bad", [b"nan", b"-inf", b"1e39", b"1e400", b"Infinity"])
def test_a_text_row_that_is_not_finite_is_rejected(bad: bytes) -> None:
    parsed = parse_vectors(found_batch(TEXT, [b"0.5 1", b"2 " + bad, b"3 4"]), TEXT, 2)
    assert parsed.rejected == [(1, NOT_FINITE)]
    assert parsed.kept.tolist() == [0, 2]
    assert parsed.vectors.tolist() == [[0.5, 1], [3, 4]]


@pytest.mark.parametrize("bad", [b"", b"x", b"1_0", b"0x10", b"1,5", b"\xff", b"1.2.3", b"--1"])
def test_a_text_row_that_holds_no_number_is_rejected(bad: bytes) -> None:
    parsed = parse_vectors(found_batch(TEXT, [b"0.5 1", bad + b" 2", b"3 4"]), TEXT, 2)
    assert parsed.rejected == [(1, BAD_FLOAT)]
    assert parsed.vectors.tolist() == [[0.5, 1], [3, 4]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_binary_row_that_is_not_finite_is_rejected(bad: float) -> None:
    matrix = np.array([[0.5, 1], [2, bad], [3, 4]], "<f4")
    parsed = parse_vectors(found_batch(BINARY, [row.tobytes() for row in matrix]), BINARY, 2)
    assert parsed.rejected == [(1, NOT_FINITE)]
    assert parsed.vectors.tolist() == [[0.5, 1], [3, 4]]


@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_no_rows_are_no_vectors(kind: str) -> None:
    parsed = parse_vectors(found_batch(kind, []), kind, 3)
    assert parsed.vectors.shape == (0, 3)
    assert parsed.kept.tolist() == []
    assert parsed.rejected == []


@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_a_slice_of_found_rows_is_read_as_itself(kind: str) -> None:
    matrix = np.arange(10, dtype="<f4").reshape(5, 2)
    written = [row.tobytes() if kind == BINARY else b"%f %f" % tuple(row) for row in matrix]
    parsed = parse_vectors(found_batch(kind, written).slice(1, 3), kind, 2)
    assert parsed.vectors.tolist() == matrix[1:4].tolist()


def test_rows_are_found_by_the_bytes_of_their_token() -> None:
    forms = {"na\u00efve".encode(): 0, b"a": 1, b"\xc2\x85": 2}
    records = Records(
        b"a 1\nb 2\n\xc2\x85 3\n",
        100,
        np.array([0, 4, 8]),
        np.array([1, 5, 10]),
        np.array([3, 7, 12]),
        13,
    )
    [found] = find_rows([records], WantedTokens(lookup_of(forms)), 1, 0)
    assert found.column("form").to_pylist() == [1, 2]
    assert found.column("position").to_pylist() == [100, 108]
    assert found.column("vector").to_pylist() == [b"1", b"3"]


def test_rows_of_small_blocks_are_gathered_in_order() -> None:
    file = text_file([b"w%d" % row for row in range(40)], [[b"%d" % row] for row in range(40)])
    ranges = [(start, start + 20) for start in range(0, len(file), 20)]
    blocks = [
        block
        for start, stop in ranges
        for block in read_rows(io.BytesIO(file), 1, start, stop, name="file")
    ]
    forms = {b"w%d" % row: row for row in range(0, 40, 3)}

    def read(block_bytes: int) -> list[list[bytes]]:
        found = find_rows(blocks, WantedTokens(lookup_of(forms)), 0, 0, block_bytes=block_bytes)
        return [batch.column("vector").to_pylist() for batch in found]

    written = [b"%d" % row for row in range(0, 40, 3)]
    assert read(1 << 20) == [written]
    assert len(read(4)) > 1
    assert [vector for batch in read(4) for vector in batch] == written


def test_rows_read_back_name_their_place() -> None:
    file = text_file([b"a", b"b"], [[b"1.5"], [b"2.5"]])
    assert read_cut(file, [3]) == [Row(0, b"a", b"1.5"), Row(6, b"b", b"2.5")]
