"""A file that is read by requests for ranges of its bytes, of a size that fits the reading."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import cast

# A request for less takes as long, since most of the time is the way there and back.
_LEAST_BYTES = 128 << 10
# What is read ahead at most, and kept in memory; what a reader leaves of it was fetched in vain.
_MOST_AHEAD_BYTES = 8 << 20
_MOST_BYTES = 16 << 20
# Read ahead is this part of what was read in order before.
_AHEAD = 4


class RangedFile(io.BufferedIOBase):
    """The bytes of an object in a store, from wherever they are wanted.

    A reader that asks for large pieces gets exactly those. One that asks for small pieces in order
    gets more and more read ahead, at most a quarter of what it has read and at most 8 MiB, so
    that who reads a range of a large object fetches little more than the range.

    Args:
        fetch: gives the bytes from a place in the object to another, all of them.
        size: bytes of the object.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._place = 0
        self._data = memoryview(b"")
        self._data_start = 0
        self._order_start = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The place of the next byte that is read."""
        self._demand_open()
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a place, without a request."""
        self._demand_open()
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        self._place = base + offset
        return self._place

    def read(self, size: int | None = -1, /) -> bytes:
        """Reads so many bytes, fewer only at the end."""
        left = max(self._size - self._place, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        self._demand_open()
        first = bytes(self._next(wanted))
        if len(first) == wanted:
            return first
        parts = [first]
        while (missing := wanted - sum(map(len, parts))) > 0:
            parts.append(bytes(self._next(missing)))
        return b"".join(parts)

    def read1(self, size: int = -1, /) -> bytes:
        """Reads at most so many bytes, by one request at most."""
        self._demand_open()
        left = max(self._size - self._place, 0)
        return bytes(self._next(left if size < 0 else min(size, left)))

    def readinto(self, buffer: object, /) -> int:
        """Fills a buffer, less than all of it only at the end."""
        self._demand_open()
        view = memoryview(cast(bytearray, buffer)).cast("B")
        wanted = min(len(view), max(self._size - self._place, 0))
        done = 0
        while done < wanted:
            piece = self._next(wanted - done)
            view[done : done + len(piece)] = piece
            done += len(piece)
        return done

    def close(self) -> None:
        """Lets go of what was read ahead."""
        self._data = memoryview(b"")
        super().close()

    def _next(self, wanted: int) -> memoryview:
        """Moves over some of the wanted bytes, which are not behind the end; at least one."""
        if wanted and not 0 <= self._place - self._data_start < len(self._data):
            self._load(wanted)
        start = self._place - self._data_start
        piece = self._data[start : start + wanted] if wanted else self._data[:0]
        self._place += len(piece)
        return piece

    def _load(self, wanted: int) -> None:
        if self._place != self._data_start + len(self._data):
            self._order_start = self._place
        ahead = min((self._place - self._order_start) // _AHEAD, _MOST_AHEAD_BYTES)
        size = min(max(wanted, ahead, _LEAST_BYTES), _MOST_BYTES, self._size - self._place)
        # Not before the old piece is gone, so that there is only one.
        self._data = memoryview(b"")
        self._data_start = self._place
        self._data = memoryview(self._fetch(self._place, self._place + size))

    def _demand_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")
