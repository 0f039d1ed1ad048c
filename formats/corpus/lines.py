"""Lines of byte ranges, as blocks of whole lines and as Arrow arrays.

A line ends at 0x0A only; one 0x0D before it is dropped. A line belongs to the range that holds
the 0x0A before it, and the line at byte 0 to the first range, so that every line belongs to
one range, wherever a file is cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from formats.containers import GZIP, PLAIN, Container, OpenFile, open_container
from formats.corpus.ranges import CorpusRange
from formats.errors import DataError, damaged

# A row is held in memory whole, and Arrow's offsets are of 32 bits.
MAX_ROW_BYTES = 64 << 20
# A row costs some hundred bytes of its own, which counts where nearly all of them are blank.
MAX_BLOCK_ROWS = 1 << 17

BOM = b"\xef\xbb\xbf"
_GZIP_MAGIC = b"\x1f\x8b"
_NEWLINE, _RETURN = 0x0A, 0x0D
_READ_ON_BYTES = 64 << 10

Indices = npt.NDArray[np.int64]


class Lines(NamedTuple):
    """Whole lines of a file.

    Attributes:
        data: their bytes, line ends included.
        offset: byte offset of ``data`` in the decompressed file.
        starts: int64 [lines], where each line starts in ``data``.
        ends: int64 [lines], where each ends, without its line end.
    """

    data: bytes
    offset: int
    starts: Indices
    ends: Indices

    def raw(self, line: int) -> bytes:
        """The bytes of one line."""
        return self.data[self.starts[line] : self.ends[line]]


def open_corpus_file(uri: str, open_file: OpenFile) -> BinaryIO:
    """Opens a corpus file for reading from its first byte; gzip, by its magic, is unpacked.

    Reading raises ``DataError`` where compressed data is cut or damaged.
    """
    with open_file(uri) as stream:
        packed = is_gzip(stream.read(len(_GZIP_MAGIC)))
    return open_container(Container(uri, GZIP if packed else PLAIN, ""), open_file)


def is_gzip(head: bytes) -> bool:
    """Whether a file that starts with these bytes is gzip; text in UTF-8 never is."""
    return head.startswith(_GZIP_MAGIC)


def read_lines(work: CorpusRange, open_file: OpenFile, block_bytes: int) -> Iterator[Lines]:
    """Reads the lines of a range in blocks, without a byte order mark and without the header.

    Raises:
        DataError: a line that is longer than ``MAX_ROW_BYTES``.
    """
    uri = work.uris[0]
    stream = open_file(uri) if work.stop >= 0 else open_corpus_file(uri, open_file)
    with stream:
        skip_header = work.header and work.start == 0
        for offset, data in line_blocks(stream, uri, work.start, work.stop, block_bytes):
            skipped = _end_of_line(data) if skip_header else 0
            skip_header = False
            if skipped < len(data):
                yield from _cut_lines(_find_lines(data[skipped:], offset + skipped))


def line_blocks(
    stream: BinaryIO, uri: str, start: int, stop: int, block_bytes: int
) -> Iterator[tuple[int, bytes]]:
    """Yields the lines of a range as (byte offset, bytes), without a byte order mark."""
    position = _first_line(stream, start, stop, block_bytes) if start else 0
    if position < 0:
        return
    parts: list[bytes] = []
    offset = position
    at_end = False
    while not at_end:
        left = stop - position if stop >= 0 else block_bytes
        data = stream.read(min(block_bytes, left) if left > 0 else _READ_ON_BYTES)
        position += len(data)
        if 0 <= stop < position:
            # The last line of the range is the one that holds or follows its last byte.
            newline = data.find(b"\n", max(len(data) - (position - stop), 0))
        else:
            newline = -1
        at_end = not data or newline >= 0
        cut = newline if newline >= 0 else data.rfind(b"\n")
        if cut < 0 and data:
            parts.append(data)
            _demand_bounded(parts, uri, offset)
            continue
        parts.append(data[: cut + 1])
        whole = b"".join(parts)
        parts = [] if at_end else [data[cut + 1 :]]
        skipped = len(BOM) if offset == 0 and whole.startswith(BOM) else 0
        if len(whole) > skipped:
            yield offset + skipped, whole[skipped:]
        offset += len(whole)


def segments(data: bytes, starts: Indices, ends: Indices) -> Any:
    """Slices of a buffer as a ``pa.BinaryArray``: ``data[starts[i]:ends[i]]``, in rising order.

    Arrow wants neighbours to touch, so the gaps between the slices become values as well; taking
    every other value drops them.
    """
    if not len(starts):
        return pa.array([], pa.binary())
    offsets = np.column_stack([starts, ends]).ravel().astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    touching = pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)
    return touching.take(pa.array(np.arange(0, len(touching), 2, dtype=np.int32)))


def _first_line(stream: BinaryIO, start: int, stop: int, block_bytes: int) -> int:
    """Goes behind the first newline of a range; gives its position, or -1 if there is none."""
    stream.seek(start)
    position = start
    while position < stop:
        data = stream.read(min(stop - position, block_bytes, _READ_ON_BYTES))
        newline = data.find(b"\n")
        if newline >= 0:
            stream.seek(position + newline + 1)
            return position + newline + 1
        if not data:
            break
        position += len(data)
    return -1


def _find_lines(data: bytes, offset: int) -> Lines:
    array = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(array == _NEWLINE)
    starts = np.concatenate([[0], ends + 1])
    if starts[-1] == len(data):
        starts = starts[:-1]
    else:
        ends = np.append(ends, len(data))
    returns = (ends > starts) & (array[ends - 1] == _RETURN)
    return Lines(data, offset, starts, ends - returns)


def _cut_lines(lines: Lines) -> Iterator[Lines]:
    count = len(lines.starts)
    if count <= MAX_BLOCK_ROWS:
        yield lines
        return
    for first in range(0, count, MAX_BLOCK_ROWS):
        last = first + MAX_BLOCK_ROWS
        start = int(lines.starts[first])
        end = int(lines.starts[last]) if last < count else len(lines.data)
        yield Lines(
            lines.data[start:end],
            lines.offset + start,
            lines.starts[first:last] - start,
            lines.ends[first:last] - start,
        )


def _end_of_line(data: bytes) -> int:
    return data.find(b"\n") + 1 or len(data)


def _demand_bounded(parts: list[bytes], uri: str, offset: int) -> None:
    if sum(map(len, parts)) > MAX_ROW_BYTES:
        raise row_too_long(uri, offset)


def row_too_long(uri: str, offset: int) -> DataError:
    """The error for a row that is too long to be one."""
    return damaged(
        uri,
        f"byte {offset}",
        expected=f"the end of the row within {MAX_ROW_BYTES >> 20} MiB",
        found="none",
        remedy="check that the file is what --corpus_format says",
    )
