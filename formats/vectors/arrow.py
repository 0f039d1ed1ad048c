r"""Arrow IPC: files (Feather version 2) and streams of record batches.

A file is ``ARROW1\0\0``, the batches, and a footer that says where they are; a stream is the
batches alone, each behind ``\xff\xff\xff\xff`` and a length
(https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc).
Read by pyarrow, column by column: of a batch whose tokens are not wanted, the vectors are not
read. What is read is validated, since its offsets could lead anywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.ipc as ipc

from formats.arrow_errors import ARROW_ERRORS
from formats.errors import DataError
from formats.vectors.records import ArrayRows, Indices, Singles
from formats.vectors.table_rows import (
    TableLayout,
    bounded,
    choose_columns,
    demand_size,
    dim_of,
    tokens_of,
    vectors_of,
)

MAGIC = b"ARROW1\0\0"

_FILE, _STREAM = "Arrow IPC file", "Arrow IPC stream"
_CONTINUATION = b"\xff\xff\xff\xff"


def is_stream(head: bytes) -> bool:
    """Whether a file starts as a stream of record batches does."""
    length = int.from_bytes(head[4:8], "little", signed=True)
    return head.startswith(_CONTINUATION) and length > 0


def find_table(
    stream: BinaryIO, token: str | None, vector: str | None, *, name: str, spec: str
) -> TableLayout:
    """Finds out what a file or a stream holds; of a file, reads the tokens.

    Args:
        stream: the file, seekable, at its first byte.
        token: name of the column of tokens; None for the only one that can be it.
        vector: the same for the vectors.
        name: what messages call the file.
        spec: the ``--vectors`` by which the user named the file.

    Raises:
        UsageError: several columns can be it, or the one that is named can't.
        DataError: the file is damaged, or no table of tokens and vectors.
    """
    in_file = stream.read(len(MAGIC)) == MAGIC
    stream.seek(0)
    try:
        reader = _Reader(stream, in_file)
        columns = choose_columns(reader.schema, token, vector, name=name, spec=spec)
        if in_file:
            pieces = tuple(
                len(reader.column(batch, columns.token)) for batch in range(reader.batches)
            )
            filled = next((batch for batch, rows in enumerate(pieces) if rows), None)
            dim = 0 if filled is None else dim_of(reader.column(filled, columns.vector))
            demand_size(sum(pieces), dim, name)
            return TableLayout(_FILE, sum(pieces), dim, pieces, *columns)
        first = next((batch for batch in reader.stream if batch.num_rows), None)
        dim = 0 if first is None else dim_of(_valid(first.column(columns.vector)))
    except ARROW_ERRORS as error:
        raise _damaged(name, error) from error
    demand_size(0 if first is None else first.num_rows, dim, name)
    return TableLayout(_STREAM, -1, dim, (), *columns)


def read_table(
    stream: BinaryIO, layout: TableLayout, start: int, stop: int, *, name: str
) -> Iterator[ArrayRows]:
    """Reads a range of record batches, in order; each is a block.

    Args:
        stream: the file, seekable.
        layout: how its rows lie.
        start: the first record batch.
        stop: the first behind them; not used for a stream, which is read whole.
        name: what messages call the file.

    Raises:
        DataError: the file is damaged.
    """
    first_row = sum(layout.pieces[:start])
    try:
        for token_column, vector_column in _columns(stream, layout, start, stop):
            tokens = tokens_of(token_column, first_row, name)
            read = functools.partial(_read, vector_column, layout.dim, first_row, name)
            yield ArrayRows(tokens, first_row, read)
            first_row += len(tokens)
    except ARROW_ERRORS as error:
        raise _damaged(name, error) from error


def _columns(stream: BinaryIO, layout: TableLayout, start: int, stop: int) -> Iterator[Any]:
    """The column of tokens of each batch, and what gives that of the vectors."""
    token, vector = layout.token_column, layout.vector_column
    reader = _Reader(stream, layout.format == _FILE)
    if layout.format == _FILE:
        for batch in range(start, stop):
            yield reader.column(batch, token), functools.partial(reader.column, batch, vector)
        return
    for batch in reader.stream:
        yield _valid(batch.column(token)), functools.partial(_valid, batch.column(vector))


def _read(column: Any, dim: int, first_row: int, name: str, chosen: Indices) -> Singles:
    try:
        return vectors_of([column()], chosen, dim, first_row, name)
    except ARROW_ERRORS as error:
        raise _damaged(name, error) from error


class _Reader:
    """The columns of the record batches of a file, or the record batches of a stream."""

    def __init__(self, stream: BinaryIO, in_file: bool) -> None:
        self._file = pa.PythonFile(bounded(stream), mode="r")
        self._readers: dict[str, Any] = {}
        if in_file:
            first = ipc.open_file(self._file)
            self.schema = first.schema
            self.batches: int = first.num_record_batches
        else:
            self.stream = ipc.open_stream(self._file)
            self.schema = self.stream.schema

    def column(self, batch: int, name: str) -> Any:
        """Reads a column of a batch, and nothing else of it."""
        if name not in self._readers:
            only = ipc.IpcReadOptions(
                included_fields=[self.schema.names.index(name)], use_threads=False
            )
            self._readers[name] = ipc.open_file(self._file, options=only)
        return _valid(self._readers[name].get_batch(batch).column(name))


def _valid(column: Any) -> Any:
    """A column whose offsets stay within its data; strings as bytes, of any encoding."""
    if pa.types.is_string(column.type):
        column = column.cast(pa.binary())
    elif pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())
    column.validate(full=True)
    return column


def _damaged(name: str, error: Exception) -> DataError:
    return DataError(
        f"{name}: can't be read as Arrow IPC: {error}; the file was cut off or damaged: get it "
        "again"
    )
