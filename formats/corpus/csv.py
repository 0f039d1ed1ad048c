"""Comma-separated values with quoting (RFC 4180): ``""`` inside of quotes, newlines too.

Since a quote may open anywhere, such a file can only be read from its start. It is parsed by
the standard library as Latin-1, in which every byte is one character: so the place of a row is
known in bytes, and bytes that are not UTF-8 spoil their own row only.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa

from formats.containers import OpenFile
from formats.corpus.lines import (
    MAX_BLOCK_ROWS,
    MAX_ROW_BYTES,
    line_blocks,
    open_corpus_file,
    row_too_long,
)
from formats.corpus.ranges import CorpusRange
from formats.corpus.rows import (
    BAD_QUOTING,
    BAD_UTF8,
    GOOD,
    WRONG_COLUMN_COUNT,
    Candidates,
    files_of,
)
from formats.errors import damaged

_ENCODING = "latin-1"

# The parser ends rows at 0x0D too, and writers leave it unquoted where rows end at 0x0A. So it
# does not get to see one inside of a row, but a character that Latin-1 does not have.
_RETURN_INSIDE = "\u0100"


class Row(NamedTuple):
    """One row: where it starts, its bytes as Latin-1, its fields; None where quotes are wrong."""

    offset: int
    raw: str
    fields: list[str] | None


def read(work: CorpusRange, open_file: OpenFile, block_bytes: int) -> Iterator[Candidates]:
    """Reads a whole file.

    Raises:
        DataError: a quote that is not closed before the file ends.
    """
    uri = work.uris[0]
    with open_corpus_file(uri, open_file) as stream:
        rows = read_rows(stream, uri, block_bytes)
        if work.header:
            next(rows, None)
        block: list[Row] = []
        size = 0
        for row in rows:
            block.append(row)
            size += len(row.raw)
            if size >= block_bytes or len(block) >= MAX_BLOCK_ROWS:
                yield _candidates(work, block, size)
                block, size = [], 0
        if block:
            yield _candidates(work, block, size)


def read_rows(stream: BinaryIO, uri: str, block_bytes: int) -> Iterator[Row]:
    """Reads rows, the header too, as Latin-1.

    Where quotes are wrong, the row ends with its first line: a quote too many, which seems to
    hold all lines up to the next one, costs no other row.

    Raises:
        DataError: a quote that is not closed before the file ends.
    """
    # The library's own limit, 128 KiB, is less than a long document has.
    csv.field_size_limit(MAX_ROW_BYTES)
    lines = _RecordedLines(stream, uri, block_bytes)
    reader = csv.reader(lines, strict=True)
    while True:
        fields: list[str] | None = None
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if lines.at_end:
                raise damaged(
                    uri,
                    f"byte {lines.row_offset}",
                    expected="a quote that closes before the file ends",
                    found="none in the row that starts there",
                    remedy="mend the row, or read the file as tsv or text if it has no quoting",
                ) from error
            if lines.row_bytes > MAX_ROW_BYTES:
                raise row_too_long(uri, lines.row_offset) from error
            lines.give_back_all_but_one()
        yield Row(lines.row_offset, lines.take_row(), fields)


def to_bytes(field: str) -> bytes:
    """The bytes of a field as they stand in the file."""
    return field.replace(_RETURN_INSIDE, "\r").encode(_ENCODING)


class _RecordedLines:
    """Lines for the parser, which keeps those that it has asked for since the last row."""

    def __init__(self, stream: BinaryIO, uri: str, block_bytes: int) -> None:
        self._blocks = line_blocks(stream, uri, 0, -1, block_bytes)
        self._lines: Iterator[str] = iter(())
        self._taken: list[str] = []
        self._given_back: list[str] = []
        self._next_offset = 0
        self.row_offset = 0
        self.at_end = False

    def __iter__(self) -> _RecordedLines:
        return self

    def __next__(self) -> str:
        if self._given_back:
            line = self._given_back.pop()
        else:
            line = next(self._lines, None) or self._first_of_next_block()
        if not self._taken:
            self.row_offset = self._next_offset
        self._next_offset += len(line)
        self._taken.append(line)
        return _without_returns_inside(line) if "\r" in line else line

    @property
    def row_bytes(self) -> int:
        return self._next_offset - self.row_offset

    def take_row(self) -> str:
        row = "".join(self._taken)
        self._taken.clear()
        return row

    def give_back_all_but_one(self) -> None:
        self._given_back += self._taken[:0:-1]
        del self._taken[1:]
        self._next_offset = self.row_offset + len(self._taken[0])

    def _first_of_next_block(self) -> str:
        offset, data = next(self._blocks, (0, b""))
        if not data:
            self.at_end = True
            raise StopIteration
        self._next_offset = offset
        self._lines = io.StringIO(data.decode(_ENCODING), newline="\n")
        return next(self._lines)


def _without_returns_inside(line: str) -> str:
    inside = line.removesuffix("\n").removesuffix("\r")
    return inside.replace("\r", _RETURN_INSIDE) + line[len(inside) :]


def _candidates(work: CorpusRange, rows: list[Row], size: int) -> Candidates:
    reasons = [_reason(row, work.columns) for row in rows]

    def column(index: int) -> Any:
        values = [
            to_bytes(row.fields[index]) if row.fields and not reason else None
            for row, reason in zip(rows, reasons, strict=True)
        ]
        return pa.array(values, pa.binary())

    return Candidates(
        texts=column(work.text_index),
        labels=column(work.label_index) if work.label_column else None,
        files=files_of(work, len(rows)),
        offsets=np.array([row.offset for row in rows], np.int64),
        reasons=np.array(reasons, np.int8),
        raw=lambda row: to_bytes(rows[row].raw.rstrip("\r\n")),
        bytes_read=size,
    )


def _reason(row: Row, columns: int) -> int:
    if row.fields is None:
        # Python 3.10 refuses NUL here already.
        return BAD_UTF8 if "\0" in row.raw else BAD_QUOTING
    # A blank line has no field at all, which in a file of one column means an empty one.
    return GOOD if len(row.fields or [""]) == columns else WRONG_COLUMN_COUNT
