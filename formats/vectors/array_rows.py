"""Rows of an array of floats in a file, whose tokens are in a vocabulary text.

The array has two dimensions and is stored row after row. How its file begins is for
``formats.vectors.npy`` and ``formats.vectors.safetensors_file`` to know.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from formats.containers import OpenFile
from formats.errors import damaged
from formats.vectors.records import ArrayRows, Indices, Singles, as_singles
from formats.vectors.vocabulary_text import Marks, mark_lines, read_tokens

ARRAY = "array"
BFLOAT16 = "bfloat16"

_READ_BYTES = 1 << 20
_REMEDY = "the file was cut off or damaged: get it again"


class StoredArray(NamedTuple):
    """Where an array lies in a file.

    Attributes:
        format: the file's format, for people.
        rows: at least 1.
        dim: dimensions of a vector, at least 1.
        dtype: NumPy's short name with the byte order, such as ``<f4``, or ``bfloat16``.
        start: the first byte of the array.
        bytes_behind: how many bytes follow it to the end of the file.
    """

    format: str
    rows: int
    dim: int
    dtype: str
    start: int
    bytes_behind: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.dim * (2 if self.dtype == BFLOAT16 else np.dtype(self.dtype).itemsize)


class ArrayLayout(NamedTuple):
    """How the rows of a vector file lie in an array and in the vocabulary text beside it.

    Attributes:
        array: where the vectors are.
        tokens_uri: the vocabulary text.
        marks: lines from which it can be read.
    """

    array: StoredArray
    tokens_uri: str
    marks: Marks

    @property
    def kind(self) -> str:
        """``array``."""
        return ARRAY

    @property
    def format(self) -> str:
        """The name for people."""
        return self.array.format

    @property
    def rows(self) -> int:
        """Rows of the array, which are the lines of the vocabulary text."""
        return self.array.rows

    @property
    def dim(self) -> int:
        """Dimensions of a vector."""
        return self.array.dim


class RowRange(NamedTuple):
    """Consecutive rows.

    Attributes:
        start: the first.
        stop: the first behind them.
        mark: the byte of the vocabulary text where the first one's token starts.
    """

    start: int
    stop: int
    mark: int


def join_tokens(array: StoredArray, tokens_uri: str, open_file: OpenFile, name: str) -> ArrayLayout:
    """Counts the tokens of an array, in one pass over its vocabulary text.

    Raises:
        DataError: there is not one token for each row.
    """
    with open_file(tokens_uri) as stream:
        marks = mark_lines(stream, array.rows, tokens_uri, name)
    return ArrayLayout(array, tokens_uri, marks)


def cut_rows(layout: ArrayLayout, range_bytes: int) -> list[RowRange]:
    """Cuts an array into ranges of about so many bytes of vectors, each from a mark on."""
    every, offsets = layout.marks
    step = max(1, range_bytes // (layout.array.row_bytes * every))
    return [
        RowRange(mark * every, min((mark + step) * every, layout.rows), offsets[mark])
        for mark in range(0, len(offsets), step)
    ]


def read_array_rows(
    stream: BinaryIO,
    layout: ArrayLayout,
    work: RowRange,
    open_file: OpenFile,
    *,
    name: str,
    block_bytes: int = 1 << 20,
) -> Iterator[ArrayRows]:
    """Reads a range of rows in blocks, in order.

    The tokens come first; the floats of a block are read only if they are asked for. A stream
    that can't seek is read through, to its last byte behind the last row.

    Args:
        stream: the array's file, at its first byte.
        layout: how the rows lie.
        work: which rows.
        open_file: opens the vocabulary text.
        name: what messages call the array's file.
        block_bytes: bytes of the vectors of a block.

    Raises:
        DataError: a file ends too early, or goes on behind its end.
    """
    array = layout.array
    rows = max(1, block_bytes // array.row_bytes)
    reader = _ArrayReader(stream, array, name)
    row = work.start
    with open_file(layout.tokens_uri) as text:
        text.seek(work.mark)
        for tokens in read_tokens(text, rows, layout.tokens_uri):
            tokens = tokens[: work.stop - row]
            yield ArrayRows(tokens, row, functools.partial(reader.read, row, len(tokens)))
            row += len(tokens)
            if row == work.stop:
                break
    if row < work.stop:
        raise damaged(
            layout.tokens_uri,
            f"line {row + 1}",
            expected=f"a token for each of the {layout.rows} rows of {name}",
            found="the end of the file",
            remedy="it changed while it was read: build again",
        )
    if row == layout.rows and not stream.seekable():
        reader.read_to_end()


class _ArrayReader:
    """Reads rows of an array, forwards only where the stream can't do more."""

    def __init__(self, stream: BinaryIO, array: StoredArray, name: str) -> None:
        self._stream = stream
        self._array = array
        self._name = name
        self._seekable = stream.seekable()
        self._place = 0

    def read(self, row: int, rows: int, chosen: Indices) -> Singles:
        """The vectors of the chosen ones of some rows."""
        row_bytes = self._array.row_bytes
        self._go_to(self._array.start + row * row_bytes)
        data = bytearray()
        while len(data) < rows * row_bytes:
            data += self._take(rows * row_bytes - len(data))
        octets = np.frombuffer(data, np.uint8).reshape(rows, row_bytes)[chosen]
        if self._array.dtype == BFLOAT16:
            # The upper half of a single.
            singles = octets.view("<u2").astype("<u4") << np.uint32(16)
            return as_singles(singles.view("<f4"))
        return as_singles(octets.view(self._array.dtype))

    def read_to_end(self) -> None:
        """Reads what is left, so that what packs the file can prove its checksum."""
        array = self._array
        end = array.start + array.rows * array.row_bytes + array.bytes_behind
        self._go_to(end)
        if more := self._stream.read(1):
            raise damaged(self._name, f"byte {end}", expected="the end of the file",
                          found=f"{more!r}", remedy=_REMEDY)  # fmt: skip

    def _go_to(self, place: int) -> None:
        if self._seekable:
            self._stream.seek(place)
            self._place = place
        while self._place < place:
            self._take(min(place - self._place, _READ_BYTES))

    def _take(self, size: int) -> bytes:
        data = self._stream.read(size)
        if not data:
            array = self._array
            row = (self._place - array.start) // array.row_bytes + 1
            raise damaged(
                self._name,
                f"row {min(max(row, 1), array.rows)}, byte {self._place}",
                expected=f"{array.rows} rows of {array.row_bytes} bytes",
                found="the end of the file",
                remedy=_REMEDY,
            )
        self._place += len(data)
        return data
