"""The floats of rows that were found in a vector file."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from formats.vectors.layout import TEXT, drop_line_end

NOT_FINITE = "not finite"
BAD_FLOAT = "bad float"


class ParsedVectors(NamedTuple):
    """Vectors read from found rows, and the rows that had none.

    Attributes:
        kept: indices of the rows that were read, ascending.
        vectors: float32 [len(kept), dim].
        rejected: (index, reason) of each row that is not a vector of finite floats.
    """

    kept: npt.NDArray[np.int64]
    vectors: npt.NDArray[np.float32]
    rejected: list[tuple[int, str]]


def parse_vectors(found: Any, kind: str, dim: int) -> ParsedVectors:
    """Reads the floats of found rows.

    Text is read as ``np.float32`` reads it: to the nearest double, then to the nearest single.

    Args:
        found: a batch of ``formats.vectors.wanted_rows.FOUND``.
        kind: ``text``; all others hold the bytes of little-endian singles.
        dim: dimensions of a vector.
    """
    column = found.column("vector")
    if kind != TEXT:
        return _keep_finite(_floats_of_binary(column, dim), {})
    fields = b" ".join(column.to_pylist())
    try:
        return _keep_finite(_floats_of_text(fields, len(column), dim), {})
    except (pa.ArrowInvalid, ValueError):
        # Some row holds what is no number: read them one by one to find which.
        return _parse_one_by_one(column.to_pylist(), dim)


def _floats_of_binary(column: Any, dim: int) -> npt.NDArray[np.float32]:
    values = column.buffers()[2]
    start = column.offset * 4 * dim
    data = np.frombuffer(values or b"", np.uint8)[start : start + len(column) * 4 * dim]
    return data.view("<f4").astype(np.float32, copy=False).reshape(len(column), dim)


def _floats_of_text(fields: bytes, rows: int, dim: int) -> npt.NDArray[np.float32]:
    if not rows:
        return np.empty((0, dim), np.float32)
    spaces = np.flatnonzero(np.frombuffer(fields, np.uint8) == 0x20)
    # Each space is a string of its own, without a value, between two that are numbers: so the
    # numbers need not be copied next to each other.
    offsets = np.empty(2 * len(spaces) + 2, np.int32)
    offsets[0] = 0
    offsets[1:-1:2] = spaces
    offsets[2::2] = spaces + 1
    offsets[-1] = len(fields)
    strings = len(offsets) - 1
    numbers = np.full(strings // 8 + 1, 0b01010101, np.uint8)
    buffers = [pa.py_buffer(numbers), pa.py_buffer(offsets), pa.py_buffer(fields)]
    array = pa.Array.from_buffers(pa.string(), strings, buffers, null_count=len(spaces))
    doubles = np.frombuffer(array.cast(pa.float64()).buffers()[1], np.float64, strings)
    with np.errstate(over="ignore"):
        return doubles[::2].astype(np.float32).reshape(rows, dim)


def _parse_one_by_one(rows: list[bytes], dim: int) -> ParsedVectors:
    vectors = np.zeros((len(rows), dim), np.float32)
    bad: dict[int, str] = {}
    for index, row in enumerate(rows):
        try:
            vectors[index] = _floats_of_text(drop_line_end(row), 1, dim)[0]
        except (pa.ArrowInvalid, ValueError):
            bad[index] = BAD_FLOAT
    return _keep_finite(vectors, bad)


def _keep_finite(vectors: npt.NDArray[np.float32], bad: dict[int, str]) -> ParsedVectors:
    finite = np.isfinite(vectors).all(axis=1)
    for index in np.flatnonzero(~finite).tolist():
        bad.setdefault(index, NOT_FINITE)
    if not bad:
        return ParsedVectors(np.arange(len(vectors)), vectors, [])
    kept = np.setdiff1d(np.arange(len(vectors)), np.fromiter(bad, np.int64, len(bad)))
    return ParsedVectors(kept, vectors[kept], sorted(bad.items()))
