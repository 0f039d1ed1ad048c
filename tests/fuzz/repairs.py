"""Makes the checksums and lengths of a changed file fit, so that readers go on behind them."""

from __future__ import annotations

import struct
import zlib

import google_crc32c

_MOST_BYTES = 1 << 24
_GZIP_HEADER_BYTES = 10
_NPY_HEADER_START = 10
_MOST_RECORDS = 1000


def repair_gzip(data: bytes) -> bytes:
    """The CRC-32 and the size behind a member without optional fields in its header."""
    body, packed_bytes = _inflate(data[_GZIP_HEADER_BYTES:])
    end = _GZIP_HEADER_BYTES + packed_bytes
    trailer = struct.pack("<2L", zlib.crc32(body), len(body) & 0xFFFFFFFF)
    return data[:end] + trailer + data[end + len(trailer) :]


def repair_zip(data: bytes) -> bytes:
    """The CRC-32 and the sizes of the first member, in its local and its central header."""
    local, central = data.find(b"PK\x03\x04"), data.find(b"PK\x01\x02")
    if not 0 <= local < local + 30 <= central <= len(data) - 46:
        return data
    name_bytes, extra_bytes = struct.unpack_from("<2H", data, local + 26)
    packed = data[local + 30 + name_bytes + extra_bytes : central]
    (method,) = struct.unpack_from("<H", data, central + 10)
    body, packed_bytes = _inflate(packed) if method == 8 else (packed, len(packed))
    sizes = struct.pack("<3L", zlib.crc32(body), packed_bytes, len(body))
    fixed = bytearray(data)
    fixed[local + 14 : local + 26] = sizes
    fixed[central + 16 : central + 28] = sizes
    return bytes(fixed)


def repair_tfrecord(data: bytes) -> bytes:
    """Both CRCs of every record, as far as the lengths lead."""
    fixed = bytearray(data)
    place = 0
    for _ in range(_MOST_RECORDS):
        if place + 12 > len(data):
            break
        (length,) = struct.unpack_from("<Q", data, place)
        struct.pack_into("<L", fixed, place + 8, _masked(data[place : place + 8]))
        place += 12 + length
        if place + 4 > len(data):
            break
        struct.pack_into("<L", fixed, place, _masked(data[place - length : place]))
        place += 4
    return bytes(fixed)


def repair_tfrecord_gzip(data: bytes) -> bytes:
    """Takes the bytes for records, which are made sound and packed."""
    packed = zlib.compressobj(1, wbits=31)
    return packed.compress(repair_tfrecord(data)) + packed.flush()


def repair_npy(data: bytes) -> bytes:
    """The length of the header, which ends with the first newline."""
    newline = data.find(b"\n", _NPY_HEADER_START)
    header_bytes = newline + 1 - _NPY_HEADER_START
    if not 0 < header_bytes < 1 << 16:
        return data
    return data[:8] + struct.pack("<H", header_bytes) + data[_NPY_HEADER_START:]


def _inflate(packed: bytes) -> tuple[bytes, int]:
    """What can be decompressed, and how many bytes of it that takes."""
    inflate = zlib.decompressobj(-15)
    try:
        body = inflate.decompress(packed, _MOST_BYTES)
    except zlib.error:
        return b"", len(packed)
    return body, len(packed) - len(inflate.unused_data)


def _masked(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
