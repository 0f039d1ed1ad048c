"""Vector files as the programs of the field write them, and their rows as they are read."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam.io import iobase, range_trackers

from formats.errors import DataError
from formats.vectors.forms import FORMS
from formats.vectors.layout import BINARY, HEAD_BYTES, Layout, find_layout
from formats.vectors.lookup import Lookup, make_lookup_of_forms
from formats.vectors.parse_vectors import parse_vectors
from formats.vectors.records import RangeReport, Records, RowBlock
from formats.vectors.text_rows import read_rows
from formats.vectors.wanted_rows import FOUND, WantedTokens, find_rows
from formats.vectors.word2vec_binary import LostPlaceError, Places, read_records


class Row(NamedTuple):
    """A row as it was found: its place in the file, its token, its vector as written."""

    place: int
    token: bytes
    vector: bytes


def text_file(
    tokens: Sequence[bytes],
    vectors: Sequence[Sequence[bytes]],
    *,
    header: bool = False,
    row_end: bytes = b"\n",
    last_newline: bool = True,
) -> bytes:
    lines = [b" ".join([token, *fields]) for token, fields in zip(tokens, vectors, strict=True)]
    if header:
        lines.insert(0, b"%d %d" % (len(tokens), len(vectors[0])))
    data = b"".join(line + row_end for line in lines)
    return data if last_newline else data[: -len(row_end)]


def binary_file(
    tokens: Sequence[bytes], vectors: npt.NDArray[np.float32], *, newline: bool
) -> bytes:
    end = b"\n" if newline else b""
    header = b"%d %d\n" % vectors.shape
    return header + b"".join(
        token + b" " + vector.astype("<f4").tobytes() + end
        for token, vector in zip(tokens, vectors, strict=True)
    )


class ShortReads(io.BytesIO):
    """A stream that gives few bytes at a time, so that rows and records end in any block."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__(data)
        self._most = most

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._most if size is None or size < 0 else min(size, self._most))

    def readinto(self, buffer: Any) -> int:
        return super().readinto(memoryview(buffer)[: self._most])


def read_blocks(
    stream: BinaryIO, layout: Layout, size: int, start: int, stop: int | None, block_bytes: int
) -> Iterator[Records]:
    if layout.kind == BINARY:
        return read_records(
            stream, layout, start, stop, name="file", size=size, block_bytes=block_bytes
        )
    return read_rows(
        stream,
        layout.dim,
        start,
        stop,
        name="file",
        header_bytes=layout.header_bytes,
        block_bytes=block_bytes,
    )


def rows_of(blocks: Iterable[Records]) -> list[Row]:
    rows: list[Row] = []
    for block in blocks:
        every = range(block.rows)
        rows += map(Row, block.positions(every), block.tokens, block.written(every))
    return rows


def read_range(
    data: bytes,
    start: int,
    stop: int | None,
    *,
    layout: Layout | None = None,
    most: int = 1 << 30,
    block_bytes: int = 8 << 20,
) -> list[Row]:
    """The rows of one range of a file that is held in memory."""
    layout = layout or find_layout(data[:HEAD_BYTES], "file")
    stream = ShortReads(data, most)
    return rows_of(read_blocks(stream, layout, len(data), start, stop, block_bytes))


def read_cut(
    data: bytes, cuts: Iterable[int], *, most: int = 1 << 30, block_bytes: int = 8 << 20
) -> list[Row]:
    """The rows of a file that is read in the ranges between some cuts."""
    layout = find_layout(data[:HEAD_BYTES], "file")
    bounds = [0, *sorted(cuts), len(data)]
    return [
        row
        for start, stop in zip(bounds, bounds[1:], strict=False)
        for row in read_range(data, start, stop, layout=layout, most=most, block_bytes=block_bytes)
    ]


def read_binary_with_reports(
    data: bytes, layout: Layout, cuts: Iterable[int], block_bytes: int = 1 << 16
) -> tuple[list[Row], list[RangeReport]]:
    """The rows of a word2vec binary read in ranges, and what proves that they are right."""
    bounds = [0, *sorted(cuts), len(data)]
    rows: list[Row] = []
    reports = []
    for start, stop in zip(bounds, bounds[1:], strict=False):
        stream = io.BytesIO(data)
        found: list[Row] = []
        places, problem = Places(0, 0), ""
        blocks = read_blocks(stream, layout, len(data), start, stop, block_bytes)
        try:
            while True:
                found += rows_of([next(blocks)])
        except StopIteration as end:
            places = end.value
        except (DataError, LostPlaceError) as error:
            problem = str(error)
        rows += found
        reports.append(
            RangeReport(0, 0, start, places.first, places.next, len(found), problem=problem)
        )
    return rows, reports


def lookup_of(tokens: Collection[bytes]) -> Lookup:
    """The lookup of tokens that stand for themselves, numbered in their order."""
    rows = np.arange(len(tokens))
    columns = [list(tokens), rows, 0 * rows, 0 * rows, 0 * rows + 1]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, FORMS, strict=True)]
    return make_lookup_of_forms([pa.record_batch(arrays, schema=FORMS)])


def found_in(block: RowBlock, forms: dict[bytes, int], **flags: str) -> Any:
    """The rows of one block that are found, as one batch."""
    batches = find_rows([block], WantedTokens(lookup_of(forms), **flags), 0, 0)
    return pa.concat_batches([pa.RecordBatch.from_pylist([], FOUND), *batches])


def vectors_by_token(data: bytes, layout: Layout | None = None) -> dict[bytes, Any]:
    """Every token's float32 vector, as hits of a vocabulary that holds all tokens."""
    layout = layout or find_layout(data[:HEAD_BYTES], "file")
    blocks = list(read_blocks(io.BytesIO(data), layout, len(data), 0, None, 1 << 20))
    tokens = list(dict.fromkeys(token for block in blocks for token in block.tokens))
    forms = {token: form for form, token in enumerate(tokens)}
    vectors: dict[bytes, Any] = {}
    for block in blocks:
        found = found_in(block, forms)
        parsed = parse_vectors(found, layout.kind, layout.dim)
        assert not parsed.rejected
        for form, vector in zip(found.column("form").to_pylist(), parsed.vectors, strict=True):
            vectors.setdefault(tokens[form], vector)
    return vectors


class VectorFileSource(iobase.BoundedSource):
    """The rows of a vector file as Beam reads a splittable file, one row an element."""

    def __init__(self, data: bytes, most: int = 1 << 30) -> None:
        self._data = data
        self._most = most

    def estimate_size(self) -> int:
        return len(self._data)

    def split(self, *_: object) -> Iterator[iobase.SourceBundle]:
        yield iobase.SourceBundle(len(self._data), self, 0, len(self._data))

    def get_range_tracker(self, start: int | None, stop: int | None) -> iobase.RangeTracker:
        return range_trackers.OffsetRangeTracker(start, stop)

    def read(self, tracker: iobase.RangeTracker) -> Iterator[Row]:
        yield from read_range(
            self._data, tracker.start_position(), tracker.stop_position(), most=self._most
        )
