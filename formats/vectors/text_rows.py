r"""Rows of text vector files: GloVe, word2vec text, fastText ``.vec``.

A row is a token, a space and ``dim`` floats in decimal, with single spaces between, ended by
0x0A. fastText leaves a space at the end of a row, and Windows tools a 0x0D; both are dropped.
A token is bytes and may hold spaces: the last ``dim`` fields are the vector. word2vec and
fastText put a header, ``ROWS DIM``, before the rows; GloVe does not, unless asked to.

Written by ``glove.c`` (stanfordnlp/GloVe, ``save_params``), ``word2vec.c`` (tmikolov/word2vec,
``-binary 0``) and fastText (``FastText::saveVectors``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from formats.errors import DataError, damaged
from formats.vectors.layout import is_float
from formats.vectors.records import Records

_SPACE, _NEWLINE, _RETURN = 0x20, 0x0A, 0x0D
_MAX_ROW_BYTES = 64 << 20

Places = npt.NDArray[np.int64]


def read_rows(
    stream: BinaryIO,
    dim: int,
    start: int,
    stop: int | None,
    *,
    name: str,
    header_bytes: int = 0,
    block_bytes: int = 1 << 20,
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
    for offset, data in _whole_lines(stream, start, stop, header_bytes, block_bytes, name):
        yield _split_rows(data, offset, dim, name)


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
    stream: BinaryIO,
    start: int,
    stop: int | None,
    header_bytes: int,
    block_bytes: int,
    name: str,
) -> Iterator[tuple[int, bytes]]:
    # The byte that gives the first row to its range: the header's newline, else byte 0.
    first_byte = max(header_bytes - 1, 0)
    if start <= first_byte:
        if stop is not None and stop <= first_byte:
            return
        _skip(stream, header_bytes)
        offset, rest = header_bytes, b""
    else:
        stream.seek(start)
        offset, rest = start, b""
        while (newline := rest.find(b"\n")) < 0:
            offset += len(rest)
            rest = stream.read(min(block_bytes, 1 << 16))
            if not rest:
                return
        offset += newline + 1
        rest = rest[newline + 1 :]
    if stop is not None and offset > stop:
        return
    # Behind the range, only the row that goes over its end is still to be read.
    while True:
        wanted = block_bytes if stop is None else min(block_bytes, max(stop - offset, 0) + 1)
        data, rest, ended = _cut_after_newline(stream, rest, max(wanted, len(rest)), name, offset)
        if stop is not None and (end := data.find(b"\n", max(stop - offset, 0))) >= 0:
            data, ended = data[: end + 1], True
        if data:
            yield offset, data
        offset += len(data)
        if ended or (stop is not None and offset > stop):
            return


def _cut_after_newline(
    stream: BinaryIO, rest: bytes, wanted: int, name: str, offset: int
) -> tuple[bytes, bytes, bool]:
    """Reads on until there is a whole row; gives whole rows, what is left, and if it was all."""
    pieces = [rest]
    size = len(rest)
    while True:
        more = stream.read(max(wanted - size, 1 << 16))
        if not more:
            return b"".join(pieces), b"", True
        newline = more.rfind(b"\n")
        if newline >= 0:
            pieces.append(more[: newline + 1])
            return b"".join(pieces), more[newline + 1 :], False
        pieces.append(more)
        size += len(more)
        if size > _MAX_ROW_BYTES:
            raise damaged(
                name,
                f"byte {offset}",
                expected="a newline at the end of a row",
                found=f"none in {size} bytes",
                remedy="the file is damaged or no text vector file",
            )


def _skip(stream: BinaryIO, size: int) -> None:
    while size > 0 and (data := stream.read(size)):
        size -= len(data)


def _split_rows(data: bytes, offset: int, dim: int, name: str) -> Records:
    octets = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(octets == _NEWLINE)
    if not data.endswith(b"\n"):
        newlines = np.append(newlines, len(data))
    starts = np.empty_like(newlines)
    starts[0] = 0
    starts[1:] = newlines[:-1] + 1
    ends = _drop_line_ends(octets, starts, newlines)
    spaces = _count_in_rows(octets == _SPACE, starts, ends)
    # First of all, since a row without a space has no end of its token to be looked for.
    odd = {
        row: _token_with_spaces(data[starts[row] : ends[row]], dim, offset + int(starts[row]), name)
        for row in np.flatnonzero(spaces != dim).tolist()
    }
    find = data.find
    tokens = [data[start : find(b" ", start)] for start in starts.tolist()]
    for row, token in odd.items():
        tokens[row] = token
    return Records(data, offset, tokens, starts.tolist(), ends.tolist())


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


def _token_with_spaces(row: bytes, dim: int, offset: int, name: str) -> bytes:
    """The token of a row that has not just one space more than a vector has."""
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
    return row.rsplit(b" ", dim)[0]


def _shorten(row: bytes) -> str:
    return repr(row if len(row) <= 60 else row[:40] + b" ... " + row[-15:])
