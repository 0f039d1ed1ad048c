"""The piece of a stream that is in memory, moved on from its first byte to its last.

Fresh memory costs more than reading a file into it: the system clears each page when it is first
touched. So two buffers are used in turn, and a thread's next window takes over those of its last.
"""

from __future__ import annotations

import sys
import threading
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

# References to a buffer that nobody else holds: the attribute, and the argument of the question.
_OWN_REFERENCES = 2

_of_thread = threading.local()


class Window:
    """Some bytes of a stream; what comes behind is read when asked for.

    Who holds ``data`` when the window is moved on keeps it as it is: other memory is used then.

    Args:
        stream: where the window starts.
        offset: the stream's place, in bytes from its start.

    Attributes:
        data: the bytes, from ``data[0]`` to ``data[size]``; those behind are of no meaning.
        size: how many there are.
        offset: place of ``data[0]`` in the stream.
    """

    def __init__(self, stream: BinaryIO, offset: int = 0) -> None:
        self._stream = stream
        self.data, self._spare = _of_thread.__dict__.pop("buffers", (bytearray(), bytearray()))
        self.size = 0
        self.offset = offset
        self._take_spare_if_held()

    def close(self) -> None:
        """Leaves the memory to the next window."""
        _of_thread.buffers = self.data, self._spare

    @property
    def octets(self) -> npt.NDArray[np.uint8]:
        """The bytes as an array, uint8 [size], without a copy."""
        return np.frombuffer(self.data, np.uint8, self.size)

    def seek(self, offset: int) -> None:
        """Empties the window and moves it, and the stream, to a place in the stream."""
        self._stream.seek(offset)
        self.drop(self.size)
        self.offset = offset

    def read(self, size: int) -> int:
        """Reads at most so many bytes more, and gives how many came: 0 only at the end."""
        if len(self.data) < self.size + size:
            # With room for what is left of the next block.
            larger = bytearray(self.size + size + size // 8)
            larger[: self.size] = memoryview(self.data)[: self.size]
            self.data = larger
        with memoryview(self.data) as view:
            free = view[self.size : self.size + size]
            more: int = self._stream.readinto(free)  # type: ignore[attr-defined]
        self.size += more
        return more

    def drop(self, size: int) -> None:
        """Drops bytes from the front."""
        left = bytes(memoryview(self.data)[size : self.size])
        self._take_spare_if_held()
        if len(self.data) < len(left):
            self.data = bytearray(len(left))
        self.data[: len(left)] = left
        self.size = len(left)
        self.offset += size

    def _take_spare_if_held(self) -> None:
        if sys.getrefcount(self.data) > _OWN_REFERENCES:
            if sys.getrefcount(self._spare) > _OWN_REFERENCES:
                self._spare = bytearray()
            self.data, self._spare = self._spare, self.data

    def find(self, byte: bytes, start: int = 0) -> int:
        """Where a byte first comes, from a place in ``data`` on; -1 if it does not."""
        place: int = self.data.find(byte, start, self.size)
        return place
