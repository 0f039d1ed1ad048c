"""Vectors in Parquet and Arrow, as pyarrow writes them, and tables that can't be read."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from formats.errors import DataError, EmbprepError, UsageError
from formats.vectors import arrow, parquet
from formats.vectors.records import ArrayRows
from formats.vectors.table_rows import TableLayout, cut_pieces
from tests.formats.vectors.table_files import (
    Back,
    SeeksAndCounts,
    any_tokens,
    arrow_bytes,
    parquet_bytes,
    read_back,
    table,
    utf8_tokens,
)

MATRIX = np.random.default_rng(6).normal(size=(40, 6)).astype(np.float32)
TOKENS = [f"w{row}" for row in range(40)]
ROWS = table(TOKENS, MATRIX)
PARQUET, ARROW, STREAM = "Parquet", "Arrow IPC file", "Arrow IPC stream"
FORMATS = [PARQUET, ARROW, STREAM]


def written(format: str, rows: Any, piece: int | None = None) -> bytes:
    if format == PARQUET:
        return parquet_bytes(rows, row_group_size=piece)
    return arrow_bytes(rows, piece, in_file=format == ARROW)


def find(data: bytes, token: str | None = None, vector: str | None = None) -> TableLayout:
    reader = parquet if data.startswith(b"PAR1") else arrow
    return reader.find_table(io.BytesIO(data), token, vector, name="t", spec="t?x")


def read(
    stream: io.BytesIO, layout: TableLayout, range_bytes: int = 1 << 30, block_bytes: int = 1 << 20
) -> Iterator[ArrayRows]:
    for start, stop in cut_pieces(layout, range_bytes):
        stream.seek(0)
        if layout.format == PARQUET:
            yield from parquet.read_table(
                stream, layout, start, stop, name="t", block_bytes=block_bytes
            )
        else:
            yield from arrow.read_table(stream, layout, start, stop, name="t")


def singles(values: Any) -> bytes:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(values).astype(np.float32).tobytes()


def encoded(tokens: list[Any]) -> list[bytes]:
    return [token.encode() if isinstance(token, str) else token for token in tokens]


types = st.sampled_from([pa.string(), pa.large_string(), pa.string_view(), pa.binary(),
                         pa.large_binary(), pa.binary_view()])  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
@settings(deadline=None)
@given(
    values=arrays.arrays(
        st.sampled_from([np.float16, np.float32, np.float64]),
        st.tuples(st.integers(1, 30), st.integers(1, 5)),
    ),
    shape=st.sampled_from([{}, {"fixed": False}, {"fixed": False, "large": True}]),
    token_type=types,
    piece=st.integers(1, 12),
    range_bytes=st.integers(1, 300),
    block_bytes=st.integers(1, 200),
    data=st.data(),
)
def test_any_table_is_read_back(
    format: str, values: Any, shape: Any, token_type: Any, piece: int, range_bytes: int,
    block_bytes: int, data: Any,
) -> None:  # fmt: skip
    rows = len(values)
    some = any_tokens if "binary" in str(token_type) else utf8_tokens
    tokens = data.draw(st.lists(some, min_size=rows, max_size=rows))
    whole = written(format, table(tokens, values, token_type=token_type, **shape), piece)
    layout = find(whole)
    assert layout[:3] == (format, -1 if format == STREAM else rows, values.shape[1])
    back = read_back(read(io.BytesIO(whole), layout, range_bytes, block_bytes))
    assert back == Back(encoded(tokens), list(range(rows)), singles(values))
    wanted = encoded(data.draw(st.lists(st.sampled_from(tokens), max_size=4)))
    found = read_back(read(io.BytesIO(whole), layout, range_bytes, block_bytes), wanted)
    chosen = [row for row, token in enumerate(encoded(tokens)) if token in wanted]
    assert (found.positions, found.vectors) == (chosen, singles(values[chosen]))


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip"])
@pytest.mark.parametrize("options", [{}, {"use_dictionary": False, "data_page_size": 64}])
def test_parquet_in_any_encoding_is_read(compression: str, options: dict[str, Any]) -> None:
    whole = parquet_bytes(ROWS, compression=compression, row_group_size=13, **options)
    back = read_back(read(io.BytesIO(whole), find(whole), 1, 50))
    assert (back.tokens, back.vectors) == (encoded(TOKENS), MATRIX.tobytes())


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
@pytest.mark.parametrize("in_file", [True, False])
def test_compressed_batches_are_read(compression: str, in_file: bool) -> None:
    whole = arrow_bytes(ROWS, 7, in_file=in_file, compression=compression)
    assert read_back(read(io.BytesIO(whole), find(whole))).vectors == MATRIX.tobytes()


def test_empty_batches_are_passed_over() -> None:
    batches = [ROWS[:0], ROWS[:5], ROWS[:0], ROWS[5:], ROWS[:0]]
    for in_file in (True, False):
        file = io.BytesIO()
        make = pa.ipc.new_file if in_file else pa.ipc.new_stream
        with make(file, ROWS.schema) as writer:
            for batch in batches:
                writer.write_batch(pa.record_batch(batch.to_batches()[0].columns, ROWS.schema)
                                   if batch.num_rows else pa.RecordBatch.from_pylist(
                                       [], ROWS.schema))  # fmt: skip
        back = read_back(read(io.BytesIO(file.getvalue()), find(file.getvalue()), 1))
        assert (back.tokens, back.vectors) == (encoded(TOKENS), MATRIX.tobytes())


LARGE = np.random.default_rng(7).normal(size=(4000, 100)).astype(np.float32)


@pytest.mark.parametrize("format", [PARQUET, ARROW])
def test_floats_of_pieces_that_nobody_asked_for_are_not_read(format: str) -> None:
    whole = written(format, table([f"w{row}" for row in range(4000)], LARGE), 400)
    layout = find(whole)
    counts = []
    for wanted in ([], [b"w3"], [b"w3", b"w2000"]):
        stream = SeeksAndCounts(whole)
        back = read_back(read(stream, layout), wanted)
        assert back.vectors == b"".join(LARGE[int(token[1:])].tobytes() for token in wanted)
        counts.append(stream.bytes_read)
    assert counts[0] < 200_000
    # A row group or a batch has 160,000 bytes of floats; pyarrow reads a buffer at a time.
    for more, pieces in zip(counts[1:], (1, 2), strict=True):
        assert pieces * 160_000 <= more - counts[0] < pieces * 250_000


def test_a_large_row_group_is_not_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_BUFFER_BYTES", 10_000)
    monkeypatch.setattr(parquet, "_LARGE_BYTES", 1_000_000)
    whole = written(PARQUET, table([f"w{row}" for row in range(4000)], LARGE))
    stream = SeeksAndCounts(whole)
    layout = parquet.find_table(stream, None, None, name="t", spec="t")
    back = read_back(read(stream, layout, block_bytes=10_000))
    assert back.vectors == LARGE.tobytes()
    # Dictionaries and pages are read whole.
    assert stream.largest_read < len(whole) / 2
    assert layout.pieces == (4000,)


def test_ranges_are_whole_pieces_of_about_so_many_bytes() -> None:
    layout = TableLayout(PARQUET, 16, 5, (3, 0, 4, 2, 6, 1), "t", "v")
    assert cut_pieces(layout, 1) == [(0, 1), (1, 3), (3, 4), (4, 5), (5, 6)]
    assert cut_pieces(layout, 20 * 7) == [(0, 3), (3, 5), (5, 6)]
    assert cut_pieces(layout, 1 << 30) == [(0, 6)]
    assert cut_pieces(layout._replace(pieces=()), 1) == [(0, -1)]


def columns(**changes: Any) -> Any:
    made = {name: ROWS.column(name) for name in ROWS.column_names}
    return pa.table({**made, **changes})


NUMBERS = pa.array(range(40))


@pytest.mark.parametrize("format", FORMATS)
def test_columns_are_chosen_by_their_types_or_names(format: str) -> None:
    odd = columns(rank=NUMBERS, score=pa.array(MATRIX[:, 0]), ids=pa.array([[1]] * 40))
    assert find(written(format, odd))[4:] == ("word", "embedding")
    two = columns(**{"other.word": ROWS.column("word"), "other.embedding": ROWS["embedding"]})
    whole = written(format, two)
    layout = find(whole, "other.word", "other.embedding")
    assert layout[4:] == ("other.word", "other.embedding")
    assert read_back(read(io.BytesIO(whole), layout)).vectors == MATRIX.tobytes()
    with pytest.raises(UsageError, match=r"--vectors t\?x: name the column as \?token_column=NAME"):
        find(whole)
    with pytest.raises(UsageError, match=r"\?vector_column=NAME; the columns are: word string, em"):
        find(whole, "word")
    with pytest.raises(UsageError, match="token_column=embedding is not one column of string or"):
        find(whole, "embedding", "embedding")
    with pytest.raises(UsageError, match="vector_column=none is not one column of lists of float"):
        find(whole, "word", "none")


def lists(*rows: Any, fixed: bool) -> Any:
    kind = pa.list_(pa.float32(), 2) if fixed else pa.list_(pa.float32())
    return pa.array(rows, kind)


def words(*tokens: Any) -> Any:
    return pa.array(tokens, pa.string())


def pair(tokens: Any, vectors: Any) -> Any:
    return pa.table({"word": tokens, "embedding": vectors})


ABC = words("a", "b", "c")
WRONG = {
    "no tokens": (pa.table({"n": [1], "v": [[1.0]]}), "columns: expected one of string or binary"),
    "no vectors": (pa.table({"t": ["a"], "v": [[1]]}), "columns: expected one of lists of float"),
    "no columns": (pa.table({}), "columns: expected one of string or binary, found none"),
    "no rows": (pair(words(), lists(fixed=True)), "rows: expected rows of one dimension or more"),
    "no dimensions": (pair(ABC, lists([], [], [], fixed=False)), "found 3 rows of 0 dimensions"),
    "a null token": (
        pair(words("a", "b", None), lists([1, 2], [3, 4], [5, 6], fixed=True)),
        "row 3: expected a token, found null",
    ),
    "a null vector": (
        pair(ABC, lists([1, 2], None, [5, 6], fixed=False)),
        "row 2: expected a list of 2 floats, found null",
    ),
    "a null vector of a fixed size": (
        pair(ABC, lists([1, 2], None, [5, 6], fixed=True)),
        "(row 2: expected a list of 2 floats, found null|Expected all lists to be of size=2)",
    ),
    "a null in a vector": (
        pair(ABC, lists([1, 2], [3, None], [5, 6], fixed=False)),
        "row 2: expected a list of 2 floats, found a null in it",
    ),
    "a null in a vector of a fixed size": (
        pair(ABC, lists([1, 2], [3, 4], [None, 6], fixed=True)),
        "row 3: expected a list of 2 floats, found a null in it",
    ),
    "lists of other lengths": (
        pair(ABC, lists([1, 2], [3], [5, 6], fixed=False)),
        "row 2: expected a list of 2 floats, found a list of 1",
    ),
    "lists whose lengths add up": (
        pair(ABC, lists([1, 2], [3], [4, 5, 6], fixed=False)),
        "row 2: expected a list of 2 floats, found a list of 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("rows", "says"), WRONG.values(), ids=WRONG)
def test_a_table_that_cannot_be_read_is_named(format: str, rows: Any, says: str) -> None:
    whole = written(format, rows)
    with pytest.raises(DataError, match=rf"^t: .*{says}"):
        read_back(read(io.BytesIO(whole), find(whole)))


@pytest.mark.parametrize("format", FORMATS)
def test_two_columns_of_one_name_are_refused(format: str) -> None:
    twice = pa.Table.from_arrays(
        [ROWS["word"], ROWS["word"], ROWS["embedding"]], names=["w", "w", "v"]
    )
    with pytest.raises(EmbprepError, match=r"name the column|can't be read"):
        find(written(format, twice))
    with pytest.raises(EmbprepError, match=r"token_column=w is not one column|can't be read"):
        find(written(format, twice), "w")


def outcome(data: bytes) -> str | Back:
    try:
        return read_back(read(io.BytesIO(data), find(data)))
    except EmbprepError as error:
        message = str(error)
    # A schema that was damaged can have two columns of one kind.
    assert message.startswith(("t: ", "--vectors t?x: name the column"))
    return message


@pytest.mark.parametrize("format", FORMATS)
def test_a_table_cut_anywhere_is_damage(format: str) -> None:
    whole = written(format, ROWS, 7)
    for size in range(8, len(whole) - (8 if format == STREAM else 0), 11):
        found = outcome(whole[:size])
        if format == STREAM and isinstance(found, Back):
            # A stream that ends behind a batch can't be told from a whole one.
            assert found.vectors == MATRIX.tobytes()[: len(found.vectors)]
            assert len(found.tokens) % 7 == 0
        else:
            assert isinstance(found, str)


@pytest.mark.parametrize("format", FORMATS)
@settings(deadline=None, max_examples=300)
@given(st.data())
def test_any_changed_byte_is_read_or_refused(format: str, data: st.DataObject) -> None:
    whole = bytearray(written(format, ROWS, 20))
    for place in data.draw(st.lists(st.integers(8, len(whole) - 1), min_size=1, max_size=3)):
        whole[place] = data.draw(st.integers(0, 255))
    outcome(bytes(whole))


def test_offsets_that_lead_out_of_the_data_are_damage() -> None:
    broken = pa.StringArray.from_buffers(
        3, pa.py_buffer(np.array([0, 1, 1_000_000, 3], np.int32)), pa.py_buffer(b"abc")
    )
    rows = pa.table({"word": broken, "embedding": lists([1, 2], [3, 4], [5, 6], fixed=True)})
    for in_file in (True, False):
        try:
            whole = arrow_bytes(rows, in_file=in_file)
        except pa.ArrowException:
            pytest.skip("pyarrow does not write it")
        assert isinstance(outcome(whole), str)
