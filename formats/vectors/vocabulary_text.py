"""The words of an array that holds none: a text of one token a line, line i for row i.

A line is bytes and ends only at 0x0A; a 0x0D before it is dropped. The last line may lack its
end. So a token can hold anything but 0x0A and a 0x0D at its end, and can be empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from formats.errors import DataError, damaged

_READ_BYTES = 1 << 20
_MAX_LINE_BYTES = 1 << 20
# A range can start at one of so many places at most, spread evenly.
_MARKS = 4096
_STRANGERS = (
    (b"\x1f\x8b", "a gzip file", "unpack it first"),
    (b"\xef\xbb\xbf", "a byte order mark", "save the file as UTF-8 without BOM"),
    (b"\xff\xfe", "text in UTF-16", "save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16", "save it as UTF-8"),
)


class Marks(NamedTuple):
    """Places of lines in a vocabulary text, from which it can be read.

    Attributes:
        every: a mark is set at each line whose number, counted from 0, is a multiple of this.
        offsets: the byte where each such line starts.
    """

    every: int
    offsets: tuple[int, ...]


def mark_lines(stream: BinaryIO, rows: int, name: str, array: str) -> Marks:
    """Counts the lines of a vocabulary text and notes where some start; reads it once.

    Args:
        stream: the text, at its first byte.
        rows: rows of the array that it belongs to, at least 1.
        name: what messages call the text.
        array: what messages call the array.

    Raises:
        DataError: the text has not one line for each row, or is none.
    """
    every = -(-rows // _MARKS)
    offsets = [0]
    lines = place = 0
    data = last = b""
    while data := stream.read(_READ_BYTES):
        if not place:
            _refuse_strangers(data, name)
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 0x0A)
        offsets.extend((ends[-(lines + 1) % every :: every] + (place + 1)).tolist())
        lines += len(ends)
        place += len(data)
        last = data[-1:]
    if last not in (b"", b"\n"):
        lines += 1
    if lines != rows:
        raise damaged(
            name,
            f"line {min(lines, rows) + 1}",
            expected=f"{rows} lines, a token for each row of {array}",
            found=f"{lines}",
            remedy="give the text that belongs to the array, as ?tokens=PATH behind its name",
        )
    return Marks(every, tuple(offsets[: -(-rows // every)]))


def read_tokens(stream: BinaryIO, rows: int, name: str) -> Iterator[list[bytes]]:
    """Reads the tokens of a vocabulary text, in blocks of so many rows; the last may have fewer.

    Args:
        stream: the text, at the start of a line.
        rows: tokens of a block.
        name: what messages call the text.

    Raises:
        DataError: a line without an end.
    """
    rest = b""
    tokens: list[bytes] = []
    while data := stream.read(_READ_BYTES):
        *lines, rest = (rest + data).split(b"\n")
        if len(rest) > _MAX_LINE_BYTES:
            raise damaged(
                name,
                f"the line behind {rest[:40]!r}",
                expected="a token and 0x0A",
                found=f"{len(rest)} bytes without an end",
                remedy="give a text of one token a line",
            )
        tokens += lines
        whole = len(tokens) - len(tokens) % rows
        yield from _cut(tokens[:whole], rows)
        tokens = tokens[whole:]
    if rest:
        tokens.append(rest)
    yield from _cut(tokens, rows)


def _cut(tokens: list[bytes], rows: int) -> Iterator[list[bytes]]:
    for start in range(0, len(tokens), rows):
        yield [token.removesuffix(b"\r") for token in tokens[start : start + rows]]


def _refuse_strangers(head: bytes, name: str) -> None:
    for magic, what, remedy in _STRANGERS:
        if head.startswith(magic):
            raise DataError(f"{name}: byte 0: expected one token a line, found {what}; {remedy}")
