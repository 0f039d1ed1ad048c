"""Rows of a vector file whose token is wanted, and the floats in them.

Finding a row and reading its floats are two steps, so that no float is read that nobody asked
for, and so that the reading can go to other workers than the one that decompresses a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from formats.vectors.layout import TEXT, drop_line_end
from formats.vectors.records import Records, RowBlock
from formats.vectors.sieve import TokenSieve
from formats.vectors.unicode_errors import SKIP, readable_tokens

# `form` is the number of what was looked up (``formats.vectors.forms``). `vector` is as it is
# written in the file: the fields of a text row, or the bytes of the floats.
FOUND = pa.schema(
    [
        pa.field("form", pa.int32(), nullable=False),
        pa.field("source", pa.int32(), nullable=False),
        pa.field("attempt", pa.int8(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("vector", pa.binary(), nullable=False),
    ]
)

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


def find_rows(
    blocks: Iterable[RowBlock],
    forms: Mapping[bytes, int],
    sieve: TokenSieve,
    source: int,
    attempt: int,
    *,
    unicode_errors: str = SKIP,
    name: str = "",
    block_bytes: int = 4 << 20,
) -> Iterator[Any]:
    """Picks the rows whose token is wanted, as batches of ``FOUND`` in file order.

    Args:
        blocks: rows of a file.
        forms: UTF-8 of what is looked up, and its number.
        sieve: of the same.
        source: ordinal of the file.
        attempt: which reading of the file this is.
        unicode_errors: what is done with tokens that are not UTF-8
            (``formats.vectors.unicode_errors``).
        name: what messages call the file.
        block_bytes: at least so many bytes of vectors are in a batch, but for the last.

    Raises:
        DataError: a token that is not UTF-8, if that is an error.
    """
    found: list[int] = []
    positions: list[int] = []
    vectors: list[bytes] = []
    size = 0
    for block in blocks:
        rows, tokens = _candidates(block, sieve, unicode_errors, name)
        numbers = list(map(forms.get, tokens))
        rows = [row for row, number in zip(rows, numbers, strict=True) if number is not None]
        found += (number for number in numbers if number is not None)
        positions += block.positions(rows)
        written = block.written(rows)
        vectors += written
        size += sum(map(len, written))
        if size >= block_bytes:
            yield _found(found, source, attempt, positions, vectors)
            found, positions, vectors, size = [], [], [], 0
    if found:
        yield _found(found, source, attempt, positions, vectors)


def _candidates(
    block: RowBlock, sieve: TokenSieve, unicode_errors: str, name: str
) -> tuple[Sequence[int], list[bytes]]:
    """The rows that may be wanted, and their tokens as they are looked up."""
    if unicode_errors == SKIP and isinstance(block, Records):
        rows = sieve.candidates(block.data, block.starts, block.token_ends).tolist()
        return rows, block.tokens_of(rows)
    tokens = readable_tokens(block.tokens, unicode_errors, name, block.place)
    return range(block.rows), tokens


def _found(
    found: list[int], source: int, attempt: int, positions: list[int], vectors: list[bytes]
) -> Any:
    columns = [
        pa.array(found, pa.int32()),
        pa.array(np.full(len(found), source, np.int32)),
        pa.array(np.full(len(found), attempt, np.int8)),
        pa.array(positions, pa.int64()),
        pa.array(vectors, pa.binary()),
    ]
    return pa.record_batch(columns, schema=FOUND)


def parse_vectors(found: Any, kind: str, dim: int) -> ParsedVectors:
    """Reads the floats of found rows.

    Text is read as ``np.float32`` reads it: to the nearest double, then to the nearest single.

    Args:
        found: a batch of ``FOUND``.
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
