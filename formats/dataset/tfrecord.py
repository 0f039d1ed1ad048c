"""TFRecord files, plain or packed with gzip.

A record is its length (64 bits, little-endian), the masked CRC-32C of those eight bytes, the
data, and the masked CRC-32C of the data
(https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details).
"""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Any, BinaryIO, cast

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from isal import igzip, isal_zlib

from formats.errors import DataError, damaged

GZIP, NONE = "gzip", "none"

# zlib and not ISA-L, whose output depends on the CPU. Level 6 takes three times as long as this
# one, for files that are 7 % smaller.
_GZIP_LEVEL = 1
# isal's annotations take the class of its error for an instance. It raises OverflowError for a
# header that is longer than its buffer.
_UNPACK_ERRORS = (EOFError, OSError, OverflowError, cast(type[Exception], isal_zlib.error))
_HEAD = struct.Struct("<QI")
_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
_CRC_MASK = 0xA282EAD8
_READ_BYTES = 1 << 20
# An example is far smaller; a forged length must not fill the memory.
_MAX_RECORD_BYTES = 1 << 28


class RecordWriter:
    """Appends records to a file; the same records give the same bytes.

    A context manager: leaving it ends the gzip stream, and leaves the file itself open.

    Args:
        file: writable binary file.
        compression: ``gzip`` or ``none``.
    """

    def __init__(self, file: BinaryIO, compression: str) -> None:
        self._gzip: gzip.GzipFile | None = None
        if compression == GZIP:
            self._gzip = gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0)
        self._file = self._gzip or file

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._gzip:
            self._gzip.close()

    def write(self, records: Any) -> None:
        """Appends records, ``pa.BinaryArray`` without nulls; together less than 2 GiB."""
        frames = pc.binary_join_element_wise(_heads(records), records, _masked_crcs(records), b"")
        _, ends, data = frames.buffers()
        if len(frames):
            self._file.write(memoryview(data)[: np.frombuffer(ends, np.int32)[len(frames)]])


def _heads(records: Any) -> Any:
    """Length and CRC of each record; those of each distinct length are made once."""
    lengths = pc.binary_length(records).dictionary_encode()
    heads = []
    for length in lengths.dictionary.to_pylist():
        packed = _LENGTH.pack(length)
        heads.append(packed + _CRC.pack(_masked_crc(packed)))
    return pa.array(heads, pa.binary()).take(lengths.indices)


def _masked_crcs(records: Any) -> Any:
    """The CRC that follows each record."""
    each = records.to_numpy(zero_copy_only=False)
    crcs = np.fromiter(map(google_crc32c.value, each), np.uint32, len(each))
    masked = (crcs >> 15 | crcs << 17) + np.uint32(_CRC_MASK)
    buffers = [None, pa.py_buffer(masked.astype("<u4"))]
    return pa.Array.from_buffers(pa.binary(_CRC.size), len(masked), buffers).cast(pa.binary())


def read_records(file: BinaryIO, compression: str, name: str) -> Iterator[bytes]:
    """Yields the records of a file, in memory bounded by the largest.

    Args:
        file: binary file.
        compression: ``gzip`` or ``none``.
        name: what messages call the file.

    Raises:
        DataError: the file is cut or a checksum does not fit; names the record and the byte,
            counted in the decompressed file.
    """
    unpacked = igzip.GzipFile(fileobj=file) if compression == GZIP else file
    stream = io.BufferedReader(cast(io.RawIOBase, unpacked), _READ_BYTES)
    try:
        yield from _read_frames(cast(BinaryIO, stream), name)
    finally:
        # Else it would close the file with itself; who stopped midway may have closed it already.
        if not stream.closed:
            stream.detach()


def _read_frames(stream: BinaryIO, name: str) -> Iterator[bytes]:
    number = offset = 0

    def read(size: int) -> bytes:
        try:
            return stream.read(size)
        except _UNPACK_ERRORS as error:
            raise wrong("more compressed data", str(error) or type(error).__name__) from error

    def wrong(expected: str, found: str) -> DataError:
        place = f"record {number}, byte {offset}"
        return damaged(name, place, expected=expected, found=found, remedy="build the file again")

    while head := read(_HEAD.size):
        if len(head) < _HEAD.size:
            raise wrong(f"{_HEAD.size} bytes of length and CRC", f"the end after {len(head)}")
        length, length_crc = _HEAD.unpack(head)
        if length_crc != _masked_crc(head[:8]):
            raise wrong("the CRC of the length", "another")
        if length > _MAX_RECORD_BYTES:
            raise wrong(f"at most {_MAX_RECORD_BYTES} bytes", f"a length of {length}")
        frame = read(length + _CRC.size)
        if len(frame) < length + _CRC.size:
            raise wrong(f"{length} bytes and their CRC", f"the end after {len(frame)}")
        record = frame[:length]
        if _CRC.unpack_from(frame, length)[0] != _masked_crc(record):
            raise wrong("the CRC of the data", "another")
        yield record
        number += 1
        offset += len(head) + len(frame)


def _masked_crc(data: bytes) -> int:
    """CRC-32C, rotated and shifted, so that data which holds its own CRC has a sound one."""
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _CRC_MASK) & 0xFFFFFFFF
