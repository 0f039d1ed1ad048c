"""Takes the stream of a fastText model apart; its layout is in ``formats.vectors.fasttext_bin``."""

from __future__ import annotations

import io
import struct
from collections.abc import Generator
from typing import BinaryIO

from formats.errors import DataError, damaged

# int64 count and int8 type stand behind the 0x00 that ends a word.
_ENTRY_TAIL = 10
_BLOCK_BYTES = 1 << 20
_MAX_WORD_BYTES = 1 << 20
_REMEDY = "the file was cut off or damaged: get it again"


class ModelReader:
    """Takes a stream apart from front to back; memory grows with what is there only."""

    def __init__(self, stream: BinaryIO, name: str, base: int = 0) -> None:
        self._stream = stream
        self.name = name
        self._data = b""
        self._at = 0
        self._base = base

    @property
    def place(self) -> int:
        """The byte of the file that comes next."""
        return self._base + self._at

    def peek(self, size: int) -> bytes:
        """The next bytes, left where they are; fewer only at the end of the file."""
        while len(self._data) - self._at < size and self._read():
            pass
        return self._data[self._at : self._at + size]

    def unpack(self, form: struct.Struct, what: str) -> tuple[int, ...]:
        """Takes the fields of a struct, called ``what`` if they are not there."""
        data = self.peek(form.size)
        if len(data) < form.size:
            raise self.damage(what, f"the end of the file after {len(data)} bytes")
        self._at += form.size
        return form.unpack(data)

    def flag(self, what: str) -> int:
        """Takes a byte that is 0 or 1."""
        (value,) = self.unpack(struct.Struct("B"), what)
        self.demand(value <= 1, what, value)
        return value

    def skip(self, size: int, what: str) -> None:
        """Passes over bytes, called ``what`` if they are not there."""
        while size:
            step = min(size, len(self._data) - self._at)
            self._at += step
            size -= step
            if size and not self._read():
                raise self.damage(what, f"the end of the file, {size} bytes early")

    def skip_to_end(self) -> int:
        """The number of bytes left."""
        if self._stream.seekable():
            end = self._stream.seek(0, io.SEEK_END)
            return end - self.place
        left = len(self._data) - self._at
        while more := self._stream.read(_BLOCK_BYTES):
            left += len(more)
        return left

    def words(self, count: int, kind: int) -> Generator[list[bytes], None, None]:
        """Yields the words of the next entries, which are all of one type."""
        done = 0
        while done < count:
            start = self.place
            words, kinds = self._hop(count - done)
            if kinds.count(kind) < len(kinds):
                wrong = next(index for index, each in enumerate(kinds) if each != kind)
                start += sum(len(word) + _ENTRY_TAIL for word in words[:wrong])
                found = f"{words[wrong][:40]!r} of type {kinds[wrong]}"
                raise self._entry_damage(done + wrong, start, f"an entry of type {kind}", found)
            done += len(words)
            if words:
                yield words
            elif len(self._data) - self._at > _MAX_WORD_BYTES + _ENTRY_TAIL:
                found = f"{_MAX_WORD_BYTES} bytes without an end"
                raise self._entry_damage(done, self.place, "a word", found)
            elif not self._read():
                expected = f"{count} entries of type {kind}"
                found = f"the end of the file after {done}"
                raise self._entry_damage(done, self.place, expected, found)

    def _hop(self, most: int) -> tuple[list[bytes], bytes]:
        data, place = self._data, self._at
        find = data.find
        last_end = len(data) - _ENTRY_TAIL
        words: list[bytes] = []
        kinds = bytearray()
        while len(words) < most:
            end = find(b"\0", place)
            if end < 0 or end > last_end:
                break
            words.append(data[place:end])
            kinds.append(data[end + _ENTRY_TAIL - 1])
            place = end + _ENTRY_TAIL
        self._at = place
        return words, bytes(kinds)

    def demand(self, holds: bool, expected: str, found: object) -> None:
        """Raises the error for what was just read, unless it holds."""
        if not holds:
            raise self.damage(expected, str(found))

    def damage(self, expected: str, found: str) -> DataError:
        """The error for the place that was reached."""
        return damaged(
            self.name, f"byte {self.place}", expected=expected, found=found, remedy=_REMEDY
        )

    def _entry_damage(self, index: int, place: int, expected: str, found: str) -> DataError:
        where = f"dictionary entry {index + 1}, byte {place}"
        return damaged(self.name, where, expected=expected, found=found, remedy=_REMEDY)

    def _read(self) -> bool:
        more = self._stream.read(_BLOCK_BYTES)
        self._base += self._at
        self._data = self._data[self._at :] + more
        self._at = 0
        return bool(more)
