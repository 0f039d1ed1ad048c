from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.dataset.vocabulary import (
    OOV_ID,
    PAD_ID,
    PAD_TOKEN,
    UNK_TOKEN,
    VOCABULARY_TABLE,
    read_vocabulary_table,
    read_vocabulary_text,
    write_vocabulary_table,
    write_vocabulary_text,
)
from formats.errors import DataError

GOLDEN_TOKENS = [PAD_TOKEN, UNK_TOKEN, "the", "영화", "a\x85b", "\xa0", "a\u2028b", "x\r", "a b"]
GOLDEN = (
    b"[PAD]\n[UNK]\nthe\n\xec\x98\x81\xed\x99\x94\na\xc2\x85b\n\xc2\xa0\na\xe2\x80\xa8b\nx\r\na b\n"
)


def strings(tokens: Sequence[str]) -> Any:
    return pa.array(tokens, pa.string())


def test_golden_bytes() -> None:
    assert write_vocabulary_text(strings(GOLDEN_TOKENS)) == GOLDEN
    assert read_vocabulary_text(GOLDEN, "v").to_pylist() == GOLDEN_TOKENS


def test_pad_and_oov_ids_are_their_lines() -> None:
    tokens = read_vocabulary_text(GOLDEN, "v").to_pylist()
    assert (tokens[PAD_ID], tokens[OOV_ID]) == (PAD_TOKEN, UNK_TOKEN)


def test_the_last_newline_may_be_missing() -> None:
    assert read_vocabulary_text(GOLDEN[:-1], "v").to_pylist() == GOLDEN_TOKENS


TOKEN = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(TOKEN, unique=True))
def test_any_tokens_come_back(tokens: list[str]) -> None:
    tokens = [PAD_TOKEN, UNK_TOKEN, *(token for token in tokens if token[0] != "[")]
    assert read_vocabulary_text(write_vocabulary_text(strings(tokens)), "v").to_pylist() == tokens


@given(st.binary() | st.binary().map(lambda data: b"[PAD]\n[UNK]\n" + data))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        tokens = read_vocabulary_text(data, "v")
    except DataError:
        return
    assert write_vocabulary_text(tokens).removesuffix(b"\n") == data.removesuffix(b"\n")


@pytest.mark.parametrize("token", ["", "a\nb", "\n"])
def test_a_token_that_no_line_can_hold_is_not_written(token: str) -> None:
    with pytest.raises(DataError, match="id 2: the token"):
        write_vocabulary_text(strings([PAD_TOKEN, UNK_TOKEN, token]))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"line 1: expected \[PAD\], found ''"),
        (b"[PAD]\n", r"line 2: expected \[UNK\], found 'the end of the file'"),
        (b"the\n[UNK]\n", r"line 1: expected \[PAD\], found 'the'"),
        (b"[PAD]\r\n[UNK]\r\nthe\r\n", r"line 1: expected \[PAD\], found '\[PAD\]\\r'"),
        (b"\xef\xbb\xbf[PAD]\n[UNK]\n", r"line 1: expected \[PAD\], found '\\ufeff\[PAD\]'"),
        (b"[PAD]\n[UNK]\na\xff\n", "line 3, byte 13: expected UTF-8"),
        (b"[PAD]\n[UNK]\na\n\nb\n", "line 4: expected a token, found an empty line"),
        (b"[PAD]\n[UNK]\na\nb\na\n", "line 5: .*, found 'a' as in line 3"),
        (b"[PAD]\n[UNK]\n[PAD]\n", r"line 3: .*, found '\[PAD\]' as in line 1"),
    ],
)
def test_damage_is_named_by_its_line(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"^vocabulary.txt: {message}"):
        read_vocabulary_text(data, "vocabulary.txt")


def small_table() -> Any:
    return pa.table(
        {
            "token": [PAD_TOKEN, UNK_TOKEN, "the", "영화"],
            "count": [0, 0, 7, 3],
            "source": [None, None, "glove.txt", None],
            "rule": [None, None, "exact", None],
            "matched": [False, False, True, False],
        },
        schema=VOCABULARY_TABLE,
    )


def written(table: Any) -> bytes:
    file = io.BytesIO()
    write_vocabulary_table(file, table)
    return file.getvalue()


def test_the_table_comes_back() -> None:
    table = small_table()
    assert read_vocabulary_table(io.BytesIO(written(table)), "v") == table


def test_the_table_is_the_same_bytes_however_its_memory_is_cut() -> None:
    table = small_table()
    in_parts = pa.concat_tables([table.slice(0, 1), table.slice(1, 2), table.slice(3)])
    assert written(table) == written(in_parts) == written(table.combine_chunks().to_batches()[0])


def parquet_bytes(table: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "can't be read as Parquet"),
        (b"PAR1" * 10, "can't be read as Parquet"),
        (parquet_bytes(small_table().drop_columns("rule")), "columns: expected token string"),
        (
            parquet_bytes(small_table().set_column(1, "count", pa.array([0.0, 0, 7, 3]))),
            "columns: .* found token string, count double",
        ),
        (
            parquet_bytes(small_table().set_column(1, "count", pa.array([0, None, 7, 3]))),
            "column count: expected a value in every row",
        ),
    ],
)
def test_another_table_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"^vocabulary.parquet: {message}"):
        read_vocabulary_table(io.BytesIO(data), "vocabulary.parquet")
