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

import re
from collections.abc import Generator
from typing import BinaryIO, NamedTuple

from formats.errors import DataError, damaged
from formats.vectors.layout import Layout
from formats.vectors.records import Records

_EARLY_RECORDS = 16
_MAX_TOKEN_BYTES = 1 << 16
# A longer token is read, but not searched for: each space of a damaged file may be asked for one.
_MAX_FOUND_TOKEN_BYTES = 1 << 10
# C0 and DEL; U+0080 to U+009F are left alone, because real tokens hold U+0085.
_CONTROL_BYTES = re.compile(rb"[\x00-\x1f\x7f]")
_FLOAT_BYTES = 4


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
    block_bytes: int = 1 << 20,
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
    walk = _Walk(stream, _FLOAT_BYTES * layout.dim, name, block_bytes)
    early = start - _EARLY_RECORDS * _mean_record_bytes(layout, size)
    if early <= layout.header_bytes:
        walk.skip_header(layout.header_bytes)
    else:
        walk.seek(early)
        walk.find_record()
    if start > header_newline:
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

    def __init__(self, stream: BinaryIO, vector_bytes: int, name: str, block_bytes: int) -> None:
        self._stream = stream
        self._vector_bytes = vector_bytes
        self._name = name
        self._block_bytes = block_bytes
        self._data = b""
        self._base = 0
        self._ended = False
        self._records_before: int | None = None
        self.place = 0
        self.space = -1

    def skip_header(self, header_bytes: int) -> None:
        self._read()
        self._records_before = 0
        self.place = header_bytes
        self.space = header_bytes - 1

    def seek(self, place: int) -> None:
        self._stream.seek(place)
        self._base = self.place = place

    def find_record(self) -> None:
        """Moves to the first place from which two records with proper tokens follow."""
        window = 4 * _EARLY_RECORDS * (self._vector_bytes + 64)
        while len(self._data) < window and not self._ended:
            self._read()
        space = self._data.find(b" ")
        while space >= 0:
            second = self._proper_record(self._behind(space))
            if second is not None and self._proper_record(self._behind(second)) is not None:
                self.space = self._base + space
                self.place = self._base + self._behind(space)
                return
            space = self._data.find(b" ", space + 1)
        raise LostPlaceError(f"no record found behind byte {self._base}")

    def until(self, stop: int | None) -> Generator[Records, None, None]:
        """Yields records until the one at ``place`` belongs to what is behind ``stop``."""
        while stop is None or self.space < stop:
            records = self._hop(stop)
            if records.tokens:
                yield records
            elif self._ended:
                self._check_end()
                self.space = self.place
                return
            else:
                self._read()

    def _hop(self, stop: int | None) -> Records:
        data, vector_bytes = self._data, self._vector_bytes
        find = data.find
        tokens: list[bytes] = []
        starts: list[int] = []
        ends: list[int] = []
        # The byte behind a vector tells whether a newline is to be skipped.
        last_end = len(data) - 1
        limit = len(data) if stop is None else stop - self._base
        place, space = self.place - self._base, self.space - self._base
        while space < limit:
            token_end = find(b" ", place)
            end = token_end + 1 + vector_bytes
            if token_end < 0 or end > last_end:
                break
            tokens.append(data[place:token_end])
            starts.append(place)
            ends.append(end)
            space = token_end
            place = end + 1 if data[end] == 0x0A else end
        self.place, self.space = self._base + place, self._base + space
        if self._records_before is not None:
            self._records_before += len(tokens)
        return Records(data, self._base, tokens, starts, ends)

    def _read(self) -> None:
        """Drops what was hopped over and reads another block; a 0 byte marks the end."""
        kept = self._data[max(self.place - self._base, 0) :]
        self._base += len(self._data) - len(kept)
        if len(kept) > self._vector_bytes + _MAX_TOKEN_BYTES and b" " not in kept:
            raise self._damage("a space at the end of a token", f"none in {len(kept)} bytes")
        more = self._stream.read(self._block_bytes)
        self._ended = not more
        self._data = kept + (more or b"\0")

    def _check_end(self) -> None:
        left = self._base + len(self._data) - 1 - self.place
        if left > 0:
            raise self._damage(
                f"a token, a space and {self._vector_bytes} bytes of floats",
                f"the end of the file after {left} bytes",
            )

    def _behind(self, space: int) -> int:
        end = space + 1 + self._vector_bytes
        return end + 1 if self._data[end : end + 1] == b"\n" else end

    def _proper_record(self, place: int) -> int | None:
        """The space ending the token at a place, if that is a token and its vector follows."""
        space = self._data.find(b" ", place, place + _MAX_FOUND_TOKEN_BYTES)
        if space <= place or space + self._vector_bytes >= len(self._data):
            return None
        token = self._data[place:space]
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
