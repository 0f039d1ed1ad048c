r"""word2vec binary: ``ROWS DIM\n``, then records of a token, one space and ``dim`` floats.

The floats are little-endian IEEE 754 single precision. word2vec.c (tmikolov/word2vec) writes
0x0A behind each record, gensim writes nothing there; both are read. Tokens may be UTF-8 that
was cut in the middle of a character, and never hold a space.

A record's length depends on its token, so a reader that starts in the middle must find its
place. It can't tell the start of a token from the float bytes before it, but it can tell the
space that ends a token, because what follows has a fixed length. So a record belongs to the
byte range that holds the space ending the record before it, and the first record to the range
that holds the header's newline. Jumping from a wrong space by the length of a vector lands at
the same place in the next vector, where the next space is nearly always the true one; ranges
are proved afterwards by ``formats.vectors.proof``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from formats.errors import DataError, damaged
from formats.vectors.layout import Layout
from formats.vectors.records import Indices, Records
from formats.vectors.window import Window

_EARLY_RECORDS = 16
_MAX_TOKEN_BYTES = 1 << 16
_USUAL_TOKEN_BYTES = 1 << 8
# A longer token is read, but not searched for: each space of a damaged file may be asked for one.
_MAX_FOUND_TOKEN_BYTES = 1 << 10
# C0 and DEL; U+0080 to U+009F are left alone, because real tokens hold U+0085.
_CONTROL_BYTES = re.compile(rb"[\x00-\x1f\x7f]")
_FLOAT_BYTES = 4
_NEWLINE = 0x0A
_MOST_RECORDS = 1 << 16


class Places(NamedTuple):
    """Where the records of a range start, and where those behind it do."""

    first: int
    next: int


class LostPlaceError(Exception):
    """No record was found from which to read a range; the file must be read in order."""


def read_records(
    stream: BinaryIO,
    layout: Layout,
    start: int,
    stop: int | None,
    *,
    name: str,
    size: int | None = None,
    block_bytes: int = 2 << 20,
) -> Generator[Records, None, Places]:
    """Reads the records that belong to a byte range, in blocks.

    Args:
        stream: a seekable file when ``start`` is not 0, else any binary stream.
        layout: the file's layout.
        start: first byte of the range.
        stop: first byte behind the range; None for all the rest of the stream.
        name: what messages call the file.
        size: bytes of the file, where ``start`` is not 0.
        block_bytes: bytes read at a time.

    Yields:
        Blocks of whole records, in file order.

    Returns:
        Where the range's first record starts, and the first record behind it.

    Raises:
        DataError: the file ends inside a record, or a token has no end.
        LostPlaceError: no record could be found from the middle.
    """
    header_newline = layout.header_bytes - 1
    if stop is not None and stop <= header_newline:
        return Places(layout.header_bytes, layout.header_bytes)
    with contextlib.closing(Window(stream)) as window:
        walk = _Walk(window, _FLOAT_BYTES * layout.dim, name, block_bytes)
        return (yield from _walk_range(walk, layout, start, stop, size))


def _walk_range(
    walk: _Walk, layout: Layout, start: int, stop: int | None, size: int | None
) -> Generator[Records, None, Places]:
    early = start - _EARLY_RECORDS * _mean_record_bytes(layout, size)
    if early <= layout.header_bytes:
        walk.skip_header(layout.header_bytes)
    else:
        walk.seek(early)
        walk.find_record()
    if start >= layout.header_bytes:
        for _ in walk.until(start):
            pass
    first = walk.place
    if stop is None or walk.space < stop:
        yield from walk.until(stop)
    return Places(first, walk.place)


def _mean_record_bytes(layout: Layout, size: int | None) -> int:
    if size is None or layout.rows < 1:
        return _FLOAT_BYTES * layout.dim + 10
    return (size - layout.header_bytes) // layout.rows + 1


class _Walk:
    """Hops over a stream from record to record.

    ``place`` is where the next token starts and ``space`` the byte that made it a record of its
    range: the space ending the record before it, or the header's newline.
    """

    def __init__(self, window: Window, vector_bytes: int, name: str, block_bytes: int) -> None:
        self._window = window
        self._vector_bytes = vector_bytes
        self._name = name
        self._block_bytes = block_bytes
        self._ended = False
        self._records_before: int | None = None
        # Whether a newline is expected behind a record, and for how many that is tried at a time.
        self._newline = False
        self._most = _MOST_RECORDS
        self.place = 0
        self.space = -1

    def skip_header(self, header_bytes: int) -> None:
        self._read()
        self._records_before = 0
        self.place = header_bytes
        self.space = header_bytes - 1

    def seek(self, place: int) -> None:
        self._window.seek(place)
        self.place = place

    def find_record(self) -> None:
        """Moves to the first place from which two records with proper tokens follow."""
        window = self._window
        searched = 4 * _EARLY_RECORDS * (self._vector_bytes + 64)
        while window.size < searched and not self._ended:
            self._read()
        space = window.find(b" ")
        while space >= 0:
            second = self._proper_record(self._behind(space))
            if second is not None and self._proper_record(self._behind(second)) is not None:
                self.space = window.offset + space
                self.place = window.offset + self._behind(space)
                return
            space = window.find(b" ", space + 1)
        raise LostPlaceError(f"no record found behind byte {window.offset}")

    def until(self, stop: int | None) -> Generator[Records, None, None]:
        """Yields records until the one at ``place`` belongs to what is behind ``stop``."""
        while stop is None or self.space < stop:
            records = self._hop(stop)
            if records.rows:
                yield records
            elif self._ended:
                self._check_end()
                self.space = self.place
                return
            else:
                self._read(stop)

    def _hop(self, stop: int | None) -> Records:
        """The whole records at hand that belong before ``stop``; moves behind them."""
        window = self._window
        limit = window.size if stop is None else stop - window.offset
        token_ends = self._find_token_ends(limit)
        ends = token_ends + 1 + self._vector_bytes
        starts = np.empty_like(ends)
        starts[:1] = self.place - window.offset
        starts[1:] = ends[:-1] + self._newlines_at(ends[:-1])
        if self._records_before is not None:
            self._records_before += len(token_ends)
        if len(token_ends):
            self.space = window.offset + int(token_ends[-1])
            self.place = window.offset + self._behind(int(token_ends[-1]))
        stop = int(ends[-1]) if len(ends) else 0
        return Records(window.data, window.offset, starts, token_ends, ends, stop)

    def _find_token_ends(self, limit: int) -> Indices:
        """Where the tokens of the whole records from ``place`` on end.

        Args:
            limit: the first byte that makes the record behind it one of the next range.
        """
        window = self._window
        place = self.place - window.offset
        # All records of a file have a newline behind them, or none has.
        step = 1 + self._vector_bytes + self._newline
        last = self._last_end() - self._vector_bytes - 1
        # A record belongs before the limit if the space that ends the one before it does.
        bound = min(last + 1, limit + step, place + self._most * step)
        found: list[int] = []
        if self.space - window.offset < limit:
            index, add = window.data.index, found.append
            # This loop is most of the work of passing over records.
            with contextlib.suppress(ValueError):
                while place < bound:
                    place = index(b" ", place)
                    add(place)
                    place += step
        if found and found[-1] > last:
            del found[-1]
        token_ends = np.array(found, np.int64)
        newlines = self._newlines_at(token_ends + 1 + self._vector_bytes)
        astray = np.flatnonzero(newlines != self._newline)
        if not len(astray):
            self._most = min(2 * self._most, _MOST_RECORDS)
            return token_ends
        # What was found behind the first of those is no record.
        self._newline = not self._newline
        self._most = 1
        return token_ends[: astray[0] + 1]

    def _newlines_at(self, places: Indices) -> npt.NDArray[np.bool_]:
        octets = self._window.octets
        inside = places < len(octets)
        return np.asarray((octets[places * inside] == _NEWLINE) & inside)

    def _last_end(self) -> int:
        """The last byte at which a whole record can end; the one behind it tells of a newline."""
        return self._window.size - (not self._ended)

    def _read(self, stop: int | None = None) -> None:
        """Drops what was hopped over and reads another block."""
        window = self._window
        window.drop(min(max(self.place - window.offset, 0), window.size))
        if window.size > self._vector_bytes + _MAX_TOKEN_BYTES and window.find(b" ") < 0:
            raise self._damage("a space at the end of a token", f"none in {window.size} bytes")
        size = self._block_bytes
        if stop is not None:
            # Behind the range, only the record that goes over its end is still to be read.
            left = stop - window.offset - window.size
            size = min(size, max(left, 0) + self._vector_bytes + _USUAL_TOKEN_BYTES)
        self._ended = not window.read(size)

    def _check_end(self) -> None:
        left = self._window.offset + self._window.size - self.place
        if left > 0:
            raise self._damage(
                f"a token, a space and {self._vector_bytes} bytes of floats",
                f"the end of the file after {left} bytes",
            )

    def _behind(self, space: int) -> int:
        end = space + 1 + self._vector_bytes
        return end + (end < self._window.size and self._window.data[end] == _NEWLINE)

    def _proper_record(self, place: int) -> int | None:
        """The space ending the token at a place, if that is a token and its vector follows."""
        space = self._window.data.find(b" ", place, place + _MAX_FOUND_TOKEN_BYTES)
        if space <= place or space + 1 + self._vector_bytes > self._last_end():
            return None
        token = self._window.data[place:space]
        try:
            token.decode()
        except UnicodeDecodeError:
            return None
        return None if _CONTROL_BYTES.search(token) else space

    def _damage(self, expected: str, found: str) -> DataError:
        known = self._records_before is not None
        record = f"record {(self._records_before or 0) + 1}, " if known else ""
        return damaged(
            self._name,
            f"{record}byte {self.place}",
            expected=expected,
            found=found,
            remedy="the file was cut off or damaged: get it again",
        )
