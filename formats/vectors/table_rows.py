"""Rows of a table in Parquet or Arrow: a column of tokens and a column of vectors.

A token is a string or bytes; a vector is a list of floats, of a fixed size or of any size that
is the same in all rows.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, BinaryIO, NamedTuple, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from formats.errors import UsageError, damaged
from formats.vectors.records import Indices, Singles, as_singles

TABLE = "table"

_REMEDY = "mend the table and write it again"


class TableLayout(NamedTuple):
    """How the rows of a vector file lie in a table.

    Attributes:
        format: the name for people.
        rows: all rows; -1 where the file does not say.
        dim: dimensions of a vector.
        pieces: rows of each row group or record batch; empty where the file does not say.
        token_column: name of the column of tokens.
        vector_column: name of the column of vectors.
    """

    format: str
    rows: int
    dim: int
    pieces: tuple[int, ...]
    token_column: str
    vector_column: str

    @property
    def kind(self) -> str:
        """``table``."""
        return TABLE


class Columns(NamedTuple):
    """The columns of a table that are read."""

    token: str
    vector: str


def bounded(stream: BinaryIO) -> Any:
    """A file as pyarrow may read it: lengths and offsets in a damaged one can be anything.

    Of what pyarrow asks for, no more is read, and no memory is taken, than the file holds; its
    ``size`` is known.
    """
    return _BoundedFile(stream)


def choose_columns(
    schema: Any, token: str | None, vector: str | None, *, name: str, spec: str
) -> Columns:
    """Chooses the columns by their types, or takes those that are named.

    Args:
        schema: ``pa.Schema`` of the table.
        token: name of the column of tokens; None for the only one that can be it.
        vector: the same for the vectors.
        name: what messages call the file.
        spec: the ``--vectors`` by which the user named the file.

    Raises:
        UsageError: several columns can be it, or the one that is named can't.
        DataError: no column can be it.
    """
    listing = ", ".join(f"{field.name} {field.type}" for field in schema) or "none"
    found = []
    for key, wanted, fits, what in (
        ("token_column", token, _is_token, "string or binary"),
        ("vector_column", vector, _is_vector, "lists of float, halffloat or double"),
    ):
        candidates = [field.name for field in schema if fits(field.type)]
        if wanted is not None and candidates.count(wanted) != 1:
            raise UsageError(
                f"--vectors {spec}: {key}={wanted} is not one column of {what}; the columns "
                f"are: {listing}"
            )
        if not candidates:
            raise damaged(name, "columns", expected=f"one of {what}", found=listing,
                          remedy="give a table of tokens and vectors")  # fmt: skip
        if wanted is None and len(candidates) > 1:
            raise UsageError(
                f"--vectors {spec}: name the column as ?{key}=NAME; the columns are: {listing}"
            )
        found.append(wanted or candidates[0])
    for column in found:
        if schema.names.count(column) > 1:
            raise damaged(name, "columns", expected=f"one called {column}", found=listing,
                          remedy=_REMEDY)  # fmt: skip
    return Columns(*found)


def dim_of(column: Any) -> int:
    """Dimensions of the vectors of a column, by its type or else by its first row.

    Args:
        column: an array of lists, of at least one row unless their size is fixed.
    """
    if pa.types.is_fixed_size_list(column.type):
        return int(column.type.list_size)
    return pc.list_value_length(column)[0].as_py() or 0


def demand_size(rows: int, dim: int, name: str) -> None:
    """Checks that a table has rows and dimensions.

    Raises:
        DataError: it has none.
    """
    if rows < 1 or dim < 1:
        raise damaged(name, "rows", expected="rows of one dimension or more",
                      found=f"{rows} rows of {dim} dimensions", remedy=_REMEDY)  # fmt: skip


def tokens_of(column: Any, first_row: int, name: str) -> list[bytes]:
    """The tokens of some rows.

    Args:
        column: an array of strings or bytes.
        first_row: number of the first of its rows, counted from 0.
        name: what messages call the file.

    Raises:
        DataError: one is null.
    """
    if column.null_count:
        row = first_row + pc.index(column.is_null(), True).as_py()
        _refuse(name, row, "a token", "null")
    tokens: list[bytes] = column.cast(pa.large_binary()).to_pylist()
    return tokens


def vectors_of(
    columns: Sequence[Any], chosen: Indices, dim: int, first_row: int, name: str
) -> Singles:
    """The vectors of some rows.

    Args:
        columns: arrays of lists, one behind the other.
        chosen: indices of the rows that are wanted.
        dim: dimensions of a vector.
        first_row: number of the first row of all, counted from 0.
        name: what messages call the file.

    Returns:
        float32 [len(chosen), dim].

    Raises:
        DataError: a row, wanted or not, is null or no list of ``dim`` floats.
    """
    vectors = []
    for column in columns:
        lengths = pc.list_value_length(column)
        # A null has no length.
        if (index := pc.index(pc.equal(lengths, dim).fill_null(False), False).as_py()) >= 0:
            found = lengths[index].as_py()
            found = "null" if found is None else f"a list of {found}"
            _refuse(name, first_row + index, f"a list of {dim} floats", found)
        flat = column.flatten()
        if flat.null_count:
            index = pc.index(flat.is_null(), True).as_py() // dim
            _refuse(name, first_row + index, f"a list of {dim} floats", "a null in it")
        vectors.append(flat.to_numpy(zero_copy_only=False).reshape(-1, dim))
        first_row += len(column)
    joined = vectors[0] if len(vectors) == 1 else np.concatenate(vectors)
    return as_singles(joined[chosen])


def cut_pieces(layout: TableLayout, range_bytes: int) -> list[tuple[int, int]]:
    """Cuts a table into ranges of pieces, (first, behind the last), of about so many bytes.

    A table whose pieces are not known is one range, (0, -1).
    """
    if not layout.pieces:
        return [(0, -1)]
    rows = max(1, range_bytes // (4 * layout.dim))
    cuts, waiting = [0], 0
    for piece, number in enumerate(layout.pieces, 1):
        waiting += number
        if waiting >= rows or piece == len(layout.pieces):
            cuts.append(piece)
            waiting = 0
    return list(zip(cuts, cuts[1:], strict=False))


class _BoundedFile(io.RawIOBase):
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = stream.seek(0, io.SEEK_END)
        self._place = stream.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.size}[whence]
        if not 0 <= base + offset <= self.size:
            raise OSError(f"byte {base + offset} in a file of {self.size} bytes")
        self._place = self._stream.seek(base + offset)
        return self._place

    def read(self, size: int = -1) -> bytes:
        left = self.size - self._place
        data = self._stream.read(min(size, left) if size >= 0 else left)
        self._place += len(data)
        return data


def _is_token(kind: Any) -> bool:
    types = pa.types
    return any(
        is_kind(kind)
        for is_kind in (
            types.is_string, types.is_large_string, types.is_string_view,
            types.is_binary, types.is_large_binary, types.is_binary_view,
        )
    )  # fmt: skip


def _is_vector(kind: Any) -> bool:
    types = pa.types
    lists = (types.is_fixed_size_list, types.is_list, types.is_large_list)
    return any(is_kind(kind) for is_kind in lists) and types.is_floating(kind.value_type)


def _refuse(name: str, row: int, expected: str, found: str) -> NoReturn:
    raise damaged(name, f"row {row + 1}", expected=expected, found=found, remedy=_REMEDY)
