r"""Rows of text vector files: GloVe, word2vec text, fastText ``.vec``.

A row is a token, a space and ``dim`` floats in decimal, with single spaces between, ended by
0x0A. fastText leaves a space at the end of a row, and Windows tools a 0x0D; both are dropped.
A token is bytes and may hold spaces: the last ``dim`` fields are the vector. word2vec and
fastText put a header, ``ROWS DIM``, before the rows; GloVe does not, unless asked to.

Written by ``glove.c`` (stanfordnlp/GloVe, ``save_params``), ``word2vec.c`` (tmikolov/word2vec,
``-binary 0``) and fastText (``FastText::saveVectors``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from formats.errors import DataError, damaged
from formats.vectors.layout import is_float
from formats.vectors.records import Records
from formats.vectors.window import Window

_SPACE, _NEWLINE, _RETURN = 0x20, 0x0A, 0x0D
_MAX_ROW_BYTES = 64 << 20
_LEAST_BYTES = 1 << 16

Places = npt.NDArray[np.int64]


def read_rows(
    stream: BinaryIO,
    dim: int,
    start: int,
    stop: int | None,
    *,
    name: str,
    header_bytes: int = 0,
    block_bytes: int = 2 << 20,
) -> Iterator[Records]:
    """Reads the rows that belong to a byte range, in blocks.

    A row belongs to the range that holds the newline before it, and the first row to the range
    that holds the header's newline or, without a header, byte 0.

    Args:
        stream: a seekable file when ``start`` is not 0, else any binary stream.
        dim: dimensions of a vector.
        start: first byte of the range.
        stop: first byte behind the range; None for all the rest of the stream.
        name: what messages call the file.
        header_bytes: length of the header line, 0 without one.
        block_bytes: bytes read at a time.

    Yields:
        Blocks of whole rows, in file order. The last block of the file ends without a newline
        when the file does.

    Raises:
        DataError: a row of the wrong width.
    """
    with contextlib.closing(Window(stream)) as window:
        for size in _whole_lines(window, stream, start, stop, header_bytes, block_bytes, name):
            yield _split_rows(window, size, dim, name)


def row_number(stream: BinaryIO, offset: int, header_bytes: int) -> int:
    """Number of the row that starts at a byte offset, counted from 1 and without the header.

    Reads the stream from its first byte, so it is for messages only.
    """
    newlines = 0
    left = offset
    while left > 0 and (data := stream.read(min(left, 1 << 20))):
        newlines += data.count(b"\n")
        left -= len(data)
    return newlines + (0 if header_bytes else 1)


class RowError(DataError):
    """A damaged row, at a byte offset; its number in the file is not known where it is met."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def _whole_lines(
    window: Window,
    stream: BinaryIO,
    start: int,
    stop: int | None,
    header_bytes: int,
    block_bytes: int,
    name: str,
) -> Iterator[int]:
    """Moves a window on, and yields how many of its bytes, from the first on, are whole lines."""
    # The byte that gives the first row to its range: the header's newline, else byte 0.
    first_byte = max(header_bytes - 1, 0)
    if start <= first_byte:
        if stop is not None and stop <= first_byte:
            return
        _skip(stream, header_bytes)
        window.offset = header_bytes
    else:
        window.seek(start)
        while (newline := window.find(b"\n")) < 0:
            window.drop(window.size)
            if not window.read(min(block_bytes, _LEAST_BYTES)):
                return
        window.drop(newline + 1)
    ended = False
    # Behind the range, only the row that goes over its end is still to be read.
    while not ended and (stop is None or window.offset <= stop):
        left = None if stop is None else max(stop - window.offset, 0)
        size, ended = _read_lines(
            window, block_bytes if left is None else min(block_bytes, left + 1), name
        )
        if left is not None and (last := window.data.find(b"\n", left, size)) >= 0:
            size, ended = last + 1, True
        if size:
            yield size
        window.drop(size)


def _read_lines(window: Window, wanted: int, name: str) -> tuple[int, bool]:
    """Reads on until there is a whole line; gives the bytes of all lines, and if it was all."""
    searched = window.size
    while True:
        if not window.read(max(wanted - window.size, _LEAST_BYTES)):
            return window.size, True
        newline = window.data.rfind(b"\n", searched, window.size)
        if newline >= 0:
            return newline + 1, False
        searched = window.size
        if window.size > _MAX_ROW_BYTES:
            raise damaged(
                name,
                f"byte {window.offset}",
                expected="a newline at the end of a row",
                found=f"none in {window.size} bytes",
                remedy="the file is damaged or no text vector file",
            )


def _skip(stream: BinaryIO, size: int) -> None:
    while size > 0 and (data := stream.read(size)):
        size -= len(data)


def _split_rows(window: Window, size: int, dim: int, name: str) -> Records:
    data, offset, octets = window.data, window.offset, window.octets[:size]
    newlines = np.flatnonzero(octets == _NEWLINE)
    if octets[-1] != _NEWLINE:
        newlines = np.append(newlines, size)
    starts = np.empty_like(newlines)
    starts[0] = 0
    starts[1:] = newlines[:-1] + 1
    ends = _drop_line_ends(octets, starts, newlines)
    spaces = _count_in_rows(octets == _SPACE, starts, ends)
    # First of all, since a row without a space has no end of its token to be looked for.
    odd = {
        row: start + _token_bytes(bytes(data[start:end]), dim, offset + start, name)
        for row, start, end in _rows_where(spaces != dim, starts, ends)
    }
    find = data.find
    token_ends = np.array([find(b" ", start) for start in starts.tolist()], np.int64)
    for row, token_end in odd.items():
        token_ends[row] = token_end
    return Records(data, offset, starts, token_ends, ends, size)


def _rows_where(
    mask: npt.NDArray[np.bool_], starts: Places, ends: Places
) -> Iterator[tuple[int, int, int]]:
    rows = np.flatnonzero(mask)
    return zip(rows.tolist(), starts[rows].tolist(), ends[rows].tolist(), strict=True)


def _drop_line_ends(octets: npt.NDArray[np.uint8], starts: Places, ends: Places) -> Places:
    for dropped in (_RETURN, _SPACE):
        last = octets[np.maximum(ends - 1, 0)]
        ends = ends - ((last == dropped) & (ends > starts))
    return ends


def _count_in_rows(mask: npt.NDArray[np.bool_], starts: Places, ends: Places) -> Places:
    """How often the mask holds within each row, by ranks over its bits.

    Counting bits of whole words costs a fraction of ``np.add.reduceat`` over single bytes.
    """
    bits = np.packbits(mask, bitorder="little")
    words = np.zeros(len(mask) // 64 + 1, np.uint64)
    words.view(np.uint8)[: len(bits)] = bits
    ranks = np.zeros(len(words) + 1, np.int64)
    np.cumsum(np.bitwise_count(words), out=ranks[1:])

    def rank(places: Places) -> Places:
        word, bit = places >> 6, (places & 63).astype(np.uint64)
        below = (np.uint64(1) << bit) - np.uint64(1)
        return np.asarray(ranks[word] + np.bitwise_count(words[word] & below), np.int64)

    return rank(ends) - rank(starts)


def _token_bytes(row: bytes, dim: int, offset: int, name: str) -> int:
    """Bytes of the token of a row that has more or fewer spaces than a vector has floats."""
    fields = row.split(b" ")
    extra = fields[1 : len(fields) - dim]
    # A row that has one value too many, or goes on in the next because its newline is lost,
    # shows the decimals of a vector in its token.
    decimals = list(filter(None, extra))[: max(dim - 1, 1)]
    too_wide = decimals and all(b"." in field and is_float(field) for field in decimals)
    if len(fields) <= dim or too_wide:
        raise RowError(
            str(
                damaged(
                    name,
                    f"byte {offset}",
                    expected=f"a token and {dim} floats",
                    found=f"{len(fields) - 1} floats: {_shorten(row)}",
                    remedy="the row was cut or damaged: get the file again, or take the row out",
                )
            ),
            offset,
        )
    return len(row.rsplit(b" ", dim)[0])


def _shorten(row: bytes) -> str:
    return repr(row if len(row) <= 60 else row[:40] + b" ... " + row[-15:])
