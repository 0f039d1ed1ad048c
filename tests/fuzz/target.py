"""What a fuzz target is: one reader, given any bytes as its file.

The rule that every target proves: any bytes are either read, or end in a ``DataError`` or a
``UsageError`` whose one line names the file; in memory that the size of the file explains.
"""

from __future__ import annotations

import contextlib
import errno
import io
import resource
import sys
from collections.abc import Callable, Iterator
from random import Random
from typing import BinaryIO, NamedTuple

import pyarrow as pa

from formats.errors import DataError, UsageError

NAME = "fuzzed.file"

# How much more memory than ever before one small input may take: a few blocks of the readers.
MOST_MEMORY = 384 << 20
# As on ext4, where it is the least of the file systems in use.
_LARGEST_OFFSET = 1 << 44
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1 << 10


class Choices(NamedTuple):
    """How a file is read; taken from the first bytes of an input.

    Attributes:
        part: where a file is cut, of 256.
        most: bytes that a stream gives at a time.
        repaired: whether checksums and lengths are made to fit the changed file first.
        bits: 8 bits, of which each target makes what it likes.
    """

    part: int
    most: int
    repaired: bool
    bits: int

    def range_bytes(self, size: int) -> int:
        """Bytes of a range, so that a file has at most a few dozen."""
        return max(1, size * (self.part + 1) // 256, size // 32)


class Target(NamedTuple):
    """One reader under test.

    Attributes:
        read: reads a file of these bytes to its end, and checks what it can.
        seeds: small valid files.
        repair: gives a changed file sound checksums, else nothing gets past them.
        mutate: changes a file as its format suggests; None for changes of bytes.
    """

    read: Callable[[bytes, Choices], None]
    seeds: Callable[[], list[bytes]]
    repair: Callable[[bytes], bytes] | None = None
    mutate: Callable[[bytes, Random], bytes] | None = None


CHOICE_BYTES = 4
HEADS = [
    bytes(head)
    for head in ([255, 255, 0, 0], [40, 16, 1, 3], [9, 0, 1, 7], [100, 5, 0, 8], [70, 50, 0, 1])
]


def choices_of(head: bytes) -> Choices:
    part, most, repaired, bits = head
    return Choices(part, 1 + most if most < 0x80 else 1 << 20, bool(repaired & 1), bits)


def inputs_of(target: Target) -> list[bytes]:
    """The seeds as inputs, read in one piece and in small ones, repaired and as they are."""
    return [head + seed for seed in target.seeds() for head in HEADS]


def run(target: Target, data: bytes) -> bool:
    """Reads an input, and fails unless the rule holds; whether it was read without an error."""
    choices, file = choices_of(data[:CHOICE_BYTES].ljust(CHOICE_BYTES, b"\0")), data[CHOICE_BYTES:]
    if target.repair and choices.repaired:
        file = target.repair(file)
    before = peak_memory()
    sound = True
    with _nothing_lost():
        try:
            target.read(file, choices)
        except (DataError, UsageError) as error:
            check_error(error)
            sound = False
    grown = peak_memory() - before
    assert grown < MOST_MEMORY, f"{len(file)} bytes took {grown >> 20} MiB more than any before"
    return sound


@contextlib.contextmanager
def _nothing_lost() -> Iterator[None]:
    """Fails at an error that Python can only print, as in a generator that is given up."""
    lost: list[str] = []
    hook = sys.unraisablehook
    sys.unraisablehook = lambda error: lost.append(f"{error.exc_value!r} in {error.object!r}")
    try:
        yield
    finally:
        sys.unraisablehook = hook
    assert not lost, lost


def check_error(error: DataError | UsageError) -> None:
    message = str(error)
    assert NAME in message, f"the file is not named: {message}"
    assert "\n" not in message, f"more than one line: {message!r}"
    # It is an `ArrowException` too, but means that a file asked for memory that is not there.
    assert not isinstance(error.__cause__, pa.ArrowMemoryError), message


def peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_BYTES


def open_bytes(data: bytes) -> BinaryIO:
    """A file of these bytes that fails as one on a disk does."""
    return io.BufferedReader(_RawBytes(data))


def opener(data: bytes) -> Callable[[str], BinaryIO]:
    return lambda uri: open_bytes(data)


def short_opener(data: bytes, most: int) -> Callable[[str], BinaryIO]:
    """Opens a stream that gives few bytes at a time, so that blocks end anywhere."""
    return lambda uri: _ShortReads(_RawBytes(data), most)


class _RawBytes(io.RawIOBase):
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        piece = self._data[self._place : self._place + len(buffer)]
        buffer[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: len(self._data)}[whence]
        if not 0 <= base + offset < _LARGEST_OFFSET:
            raise OSError(errno.EINVAL, "Invalid argument")
        self._place = base + offset
        return self._place


class _ShortReads(io.BufferedReader):
    def __init__(self, raw: io.RawIOBase, most: int) -> None:
        super().__init__(raw)
        self._most = most

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._most if size is None or size < 0 else min(size, self._most))


class Unseekable(io.BufferedReader):
    """A stream as a decompressor gives it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(_RawBytes(data))

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise io.UnsupportedOperation("seek")
