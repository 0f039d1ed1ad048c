"""Files as they are passed around: plain, gzip, or a member of a zip archive.

gzip is RFC 1952. A zip archive's directory is read by the standard library's ``zipfile``
(PKWARE APPNOTE 6.3); its members, stored (method 0) or deflated (method 8), are decompressed
by ISA-L through ``isal``, about twice as fast as zlib.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from typing import BinaryIO, NamedTuple, cast

from isal import igzip, isal_zlib

from formats.errors import damaged

OpenFile = Callable[[str], BinaryIO]

PLAIN, GZIP, ZIP = "plain", "gzip", "zip"

_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_LOCAL_HEADER = struct.Struct("<26xHH")
_READ_BYTES = 1 << 20
# isal's annotations take the class of its error for an instance. It raises OverflowError for a
# header that is longer than its buffer.
_UNPACK_ERRORS = (EOFError, OSError, OverflowError, cast(type[Exception], isal_zlib.error))
_DAMAGED_REMEDY = "download or copy the file again"


class Container(NamedTuple):
    """Where the bytes of a file are.

    Attributes:
        uri: path or URI of the file on disk.
        kind: ``plain``, ``gzip`` or ``zip``.
        member: name inside the zip archive, else empty.
    """

    uri: str
    kind: str
    member: str

    @property
    def name(self) -> str:
        """What messages call it: the URI, with ``#MEMBER`` for a member of an archive."""
        return f"{self.uri}#{self.member}" if self.member else self.uri


def packed_as(first_bytes: bytes) -> str:
    """The kind of container that a file is, by its first 4 bytes."""
    if first_bytes in _ZIP_MAGICS:
        return ZIP
    return GZIP if first_bytes.startswith(_GZIP_MAGIC) else PLAIN


def open_container(container: Container, open_file: OpenFile) -> BinaryIO:
    """Opens the decompressed bytes for one read from the first byte to the last.

    Reading raises ``DataError`` at a place where the compressed data is cut or damaged.
    """
    raw = open_file(container.uri)
    if container.kind == PLAIN:
        return raw
    try:
        if container.kind == GZIP:
            unpacking = cast(BinaryIO, igzip.GzipFile(fileobj=raw))
        else:
            unpacking = _open_zip_member(raw, container)
    except BaseException:
        raw.close()
        raise
    unpacked = _Unpacked(unpacking, raw, container.name)
    return cast(BinaryIO, io.BufferedReader(unpacked, _READ_BYTES))


class _Unpacked(io.RawIOBase):
    """A decompressing stream whose failures name the file and the place."""

    def __init__(self, unpacking: BinaryIO, raw: BinaryIO, name: str) -> None:
        self._unpacking = unpacking
        self._raw = raw
        self._name = name
        self._done = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer)).cast("B")
        try:
            data = self._unpacking.read(len(view))
        except _UNPACK_ERRORS as error:
            raise damaged(
                self._name,
                f"decompressed byte {self._done}",
                expected="more compressed data",
                found=str(error) or type(error).__name__,
                remedy=_DAMAGED_REMEDY,
            ) from error
        view[: len(data)] = data
        self._done += len(data)
        return len(data)

    def close(self) -> None:
        self._unpacking.close()
        self._raw.close()
        super().close()


class _InflatedMember(io.RawIOBase):
    """The bytes of one zip member, checked against its size and CRC-32 at the end."""

    def __init__(self, raw: BinaryIO, entry: zipfile.ZipInfo) -> None:
        self._raw = raw
        self._packed_left = entry.compress_size
        self._entry = entry
        self._inflate = (
            isal_zlib.decompressobj(-15) if entry.compress_type == zipfile.ZIP_DEFLATED else None
        )
        self._size = 0
        self._crc = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = b""
        while not data and not self._finished():
            data = self._next(size)
        self._size += len(data)
        self._crc = isal_zlib.crc32(data, self._crc)
        if not data and (self._size, self._crc) != (self._entry.file_size, self._entry.CRC):
            raise EOFError(
                f"{self._size} bytes with CRC-32 {self._crc:08x} where the archive's directory "
                f"says {self._entry.file_size} bytes with {self._entry.CRC:08x}"
            )
        return data

    def _finished(self) -> bool:
        if self._inflate is None:
            return self._packed_left == 0
        return bool(self._inflate.eof)

    def _next(self, size: int) -> bytes:
        if self._inflate is None:
            return self._packed(size)
        packed = self._inflate.unconsumed_tail or self._packed(_READ_BYTES)
        # Output can still wait inside when all input has gone in.
        data = bytes(self._inflate.decompress(packed, max_length=size))
        if not packed and not data and not self._inflate.eof:
            raise EOFError("the end of the file inside the compressed data")
        return data

    def _packed(self, size: int) -> bytes:
        data = self._raw.read(min(size, self._packed_left))
        if not data and self._packed_left:
            raise EOFError(f"the end of the file with {self._packed_left} bytes missing")
        self._packed_left -= len(data)
        return data


def _open_zip_member(raw: BinaryIO, container: Container) -> BinaryIO:
    with zipfile.ZipFile(raw) as archive:
        entry = archive.getinfo(container.member)
    # The local header repeats the name and has an extra field of its own length, so only it
    # tells where the data begins.
    inside = 0 <= entry.header_offset < raw.seek(0, io.SEEK_END)
    raw.seek(entry.header_offset if inside else 0)
    header = raw.read(_LOCAL_HEADER.size) if inside else b""
    if len(header) < _LOCAL_HEADER.size or not header.startswith(_ZIP_MAGICS[0]):
        raise damaged(
            container.name,
            f"byte {entry.header_offset}",
            expected="a zip local file header",
            found=repr(header[:4]),
            remedy=_DAMAGED_REMEDY,
        )
    name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
    raw.seek(name_bytes + extra_bytes, io.SEEK_CUR)
    return cast(BinaryIO, _InflatedMember(raw, entry))
