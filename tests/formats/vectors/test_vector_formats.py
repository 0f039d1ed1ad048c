"""The bytes of each format, and the rows that are in them."""

from __future__ import annotations

import numpy as np
import pytest

from formats.errors import DataError
from formats.vectors.layout import BINARY, HEAD_BYTES, TEXT, Layout, find_layout
from tests.formats.vectors.vector_files import Row, read_range, vectors_by_token

# 1.0, -0.5 and 0.0, 3.0 as little-endian IEEE 754 singles.
ONE_AND_MINUS_HALF = bytes.fromhex("0000803f 000000bf")
ZERO_AND_THREE = bytes.fromhex("00000000 00004040")

GLOVE = b"the 0.418 0.24968\nof 0.70853 -1.2e-05\n"
WORD2VEC_TEXT = b"2 2\n</s> 0.004003 0.004419\nthe -0.001 2\n"
FASTTEXT = b"2 2\n</s> 0.49524 0.053973 \nthe -0.052099 -1e-05 \n"
WORD2VEC_C = b"2 2\n</s> " + ONE_AND_MINUS_HALF + b"\nthe " + ZERO_AND_THREE + b"\n"
GENSIM_BINARY = b"2 2\n</s> " + ONE_AND_MINUS_HALF + b"the " + ZERO_AND_THREE

FORMATS = {
    "GloVe text": (
        GLOVE,
        Layout(TEXT, "GloVe text", 0, -1, 2),
        [Row(0, b"the", b"0.418 0.24968"), Row(18, b"of", b"0.70853 -1.2e-05")],
    ),
    "word2vec text": (
        WORD2VEC_TEXT,
        Layout(TEXT, "word2vec text", 4, 2, 2),
        [Row(4, b"</s>", b"0.004003 0.004419"), Row(27, b"the", b"-0.001 2")],
    ),
    "fastText .vec": (
        FASTTEXT,
        Layout(TEXT, "fastText .vec", 4, 2, 2),
        [Row(4, b"</s>", b"0.49524 0.053973"), Row(27, b"the", b"-0.052099 -1e-05")],
    ),
    "word2vec binary by word2vec.c": (
        WORD2VEC_C,
        Layout(BINARY, "word2vec binary", 4, 2, 2),
        [Row(4, b"</s>", ONE_AND_MINUS_HALF), Row(18, b"the", ZERO_AND_THREE)],
    ),
    "word2vec binary by gensim": (
        GENSIM_BINARY,
        Layout(BINARY, "word2vec binary", 4, 2, 2),
        [Row(4, b"</s>", ONE_AND_MINUS_HALF), Row(17, b"the", ZERO_AND_THREE)],
    ),
}


@pytest.mark.parametrize(("data", "layout", "rows"), FORMATS.values(), ids=FORMATS)
def test_the_format_is_found_from_the_bytes(data: bytes, layout: Layout, rows: list[Row]) -> None:
    assert find_layout(data, "file") == layout


@pytest.mark.parametrize(("data", "layout", "rows"), FORMATS.values(), ids=FORMATS)
def test_rows_are_where_they_were_written(data: bytes, layout: Layout, rows: list[Row]) -> None:
    assert read_range(data, 0, None) == rows


def test_floats_are_those_that_were_written() -> None:
    assert vectors_by_token(GLOVE)[b"of"].tolist() == [
        np.float32("0.70853"),
        np.float32("-1.2e-05"),
    ]
    assert vectors_by_token(WORD2VEC_C)[b"</s>"].tolist() == [1.0, -0.5]
    assert vectors_by_token(GENSIM_BINARY)[b"the"].tolist() == [0.0, 3.0]


@pytest.mark.parametrize("row_end", [b"\n", b" \n", b"\r\n", b" \r\n"])
@pytest.mark.parametrize("last_newline", [True, False])
def test_line_ends_are_no_part_of_a_vector(row_end: bytes, last_newline: bool) -> None:
    data = GLOVE.replace(b"\n", row_end)
    if not last_newline:
        data = data.removesuffix(b"\n")
    assert [row.vector for row in read_range(data, 0, None)] == [
        b"0.418 0.24968",
        b"0.70853 -1.2e-05",
    ]


def test_a_header_may_end_as_windows_ends_lines() -> None:
    layout = find_layout(WORD2VEC_TEXT.replace(b"\n", b"\r\n"), "file")
    assert layout == Layout(TEXT, "word2vec text", 5, 2, 2)


@pytest.mark.parametrize(
    "token",
    ["a b", ". . .", " ", "a ", "\x85", "\xa0", "\u2028x", "\u3000", "\x1c", "\x0b", "3", "3 7"],
)
def test_a_token_is_all_that_comes_before_the_last_dim_fields(token: str) -> None:
    data = token.encode() + b" 0.5 1e-05\nthe 1.0 2.0\nof 3.0 4.0\n"
    assert find_layout(data, "file").dim == 2
    assert read_range(data, 0, None)[0] == Row(0, token.encode(), b"0.5 1e-05")


def test_an_integer_row_behind_the_first_is_no_header() -> None:
    data = b"the 1\n5 3\nof 0.5\n"
    assert find_layout(data, "file") == Layout(TEXT, "GloVe text", 0, -1, 1)


def test_two_integers_that_do_not_fit_the_next_line_are_a_row_of_one_dimension() -> None:
    data = b"5 3\nthe 0.5\nof 0.25\n"
    assert find_layout(data, "file") == Layout(TEXT, "GloVe text", 0, -1, 1)
    assert [row.token for row in read_range(data, 0, None)] == [b"5", b"the", b"of"]


def test_control_bytes_in_a_token_do_not_make_a_text_file_binary() -> None:
    data = b"2 2\na\x01b 0.5 0.25\nthe 1.0 2.0\n"
    assert find_layout(data, "file") == Layout(TEXT, "word2vec text", 4, 2, 2)


@pytest.mark.parametrize("newline", [b"", b"\n"])
def test_a_binary_of_one_short_record_is_told_from_text(newline: bytes) -> None:
    data = b"1 1\na " + bytes.fromhex("0000803f") + newline
    assert find_layout(data, "file") == Layout(BINARY, "word2vec binary", 4, 1, 1)


@pytest.mark.parametrize("printable", [b" ", b"a", b"\xc3\xa9"])
def test_a_binary_whose_floats_are_all_printable_is_never_read_as_text(printable: bytes) -> None:
    data = b"1 3\na " + (printable * 12)[:12]
    with pytest.raises(DataError, match="row 1, byte 4: expected a token and 3 floats"):
        find_layout(data, "file")


def test_a_megabyte_without_a_newline_is_no_vector_file() -> None:
    with pytest.raises(DataError, match="file: row 1, byte 0: expected a token and its floats"):
        find_layout(b"x" * HEAD_BYTES, "file")
