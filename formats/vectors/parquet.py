"""Apache Parquet: a table of tokens and vectors, read by row groups.

https://parquet.apache.org/docs/file-format/, by pyarrow. Of a row group whose tokens are not
wanted, the vectors are not read.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow.parquet as pq

from formats.arrow_errors import ARROW_ERRORS
from formats.errors import DataError, damaged
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

MAGIC = b"PAR1"

FORMAT = "Parquet"
_BUFFER_BYTES = 1 << 20
_LARGE_BYTES = 64 << 20
# Tokens that come again and again take next to nothing in a file, and all their bytes in a batch.
_MAX_BLOCK_ROWS = 1 << 14


def find_table(
    stream: BinaryIO, token: str | None, vector: str | None, *, name: str, spec: str
) -> TableLayout:
    """Finds out what a Parquet file holds.

    Args:
        stream: the file, seekable.
        token: name of the column of tokens; None for the only one that can be it.
        vector: the same for the vectors.
        name: what messages call the file.
        spec: the ``--vectors`` by which the user named the file.

    Raises:
        UsageError: several columns can be it, or the one that is named can't.
        DataError: the file is damaged, or no table of tokens and vectors.
    """
    try:
        file = _open(stream)
        columns = choose_columns(file.schema_arrow, token, vector, name=name, spec=spec)
        metadata = file.metadata
        pieces = tuple(metadata.row_group(g).num_rows for g in range(metadata.num_row_groups))
        filled = next((group for group, rows in enumerate(pieces) if rows), None)
        first = None if filled is None else next(_batches(file, filled, columns.vector, 1), None)
        dim = 0 if first is None else dim_of(first)
        demand_size(sum(pieces), dim, name)
    except ARROW_ERRORS as error:
        raise _damaged(name, error) from error
    return TableLayout(FORMAT, sum(pieces), dim, pieces, *columns)


def read_table(
    stream: BinaryIO,
    layout: TableLayout,
    start: int,
    stop: int,
    *,
    name: str,
    block_bytes: int = 1 << 20,
) -> Iterator[ArrayRows]:
    """Reads a range of row groups in blocks, in order.

    Args:
        stream: the file, seekable.
        layout: how its rows lie.
        start: the first row group.
        stop: the first behind them.
        name: what messages call the file.
        block_bytes: bytes of the vectors of a block, as singles.

    Raises:
        DataError: the file is damaged.
    """
    rows = min(max(1, block_bytes // (4 * layout.dim)), _MAX_BLOCK_ROWS)
    first_row = sum(layout.pieces[:start])
    try:
        file = _open(stream)
        for group in range(start, stop):
            vectors = _GroupVectors(file, group, first_row, rows, layout, name)
            for column in _batches(file, group, layout.token_column, rows):
                tokens = tokens_of(column, first_row, name)
                yield ArrayRows(
                    tokens, first_row, functools.partial(vectors.read, first_row, len(tokens))
                )
                first_row += len(tokens)
    except ARROW_ERRORS as error:
        raise _damaged(name, error) from error


class _GroupVectors:
    """The vectors of a row group, from its first row on up to the last that is asked for."""

    def __init__(
        self, file: Any, group: int, first_row: int, rows: int, layout: TableLayout, name: str
    ) -> None:
        self._blocks = _batches(file, group, layout.vector_column, rows)
        self._dim = layout.dim
        self._name = name
        self._block: Any = []
        self._first = first_row

    def read(self, row: int, rows: int, chosen: Indices) -> Singles:
        """The vectors of the chosen ones of some rows."""
        parts: list[Any] = []
        first_row, stop = row, row + rows
        try:
            while row < stop:
                while row >= self._first + len(self._block):
                    self._first += len(self._block)
                    self._block = next(self._blocks)
                part = self._block.slice(row - self._first, stop - row)
                parts.append(part)
                row += len(part)
        except StopIteration:
            raise damaged(
                self._name,
                f"row {row + 1}",
                expected="a vector for each token",
                found="none",
                remedy="the file is damaged: get it again",
            ) from None
        except ARROW_ERRORS as error:
            raise _damaged(self._name, error) from error
        return vectors_of(parts, chosen, self._dim, first_row, self._name)


def _open(stream: BinaryIO) -> Any:
    file = bounded(stream)
    # pyarrow reads a column of a row group at once, however large, unless it is told how much. But
    # then it takes the memory that the header of a page says, up to 2 GiB, before it looks.
    large = file.size > _LARGE_BYTES
    return pq.ParquetFile(file, buffer_size=_BUFFER_BYTES if large else 0, pre_buffer=False)


def _batches(file: Any, group: int, column: str, rows: int) -> Iterator[Any]:
    # Nothing of the column is read before the first batch is asked for.
    for batch in file.iter_batches(rows, row_groups=[group], columns=[column], use_threads=False):
        yield batch.column(column)


def _damaged(name: str, error: Exception) -> DataError:
    return DataError(
        f"{name}: can't be read as Parquet: {error}; the file is damaged, or its lists are not of "
        "one length: get it again or mend the table"
    )
