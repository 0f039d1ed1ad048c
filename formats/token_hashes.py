"""Hashes of many tokens at once, the same wherever and whenever they are computed.

They are taken of a token's length, its last eight bytes and its first 256, eight at a time, which
for nearly all tokens are no more than two steps of NumPy. Tokens that differ elsewhere share a
hash: it tells tokens apart quickly, and never says that two are the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Indices = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

_WORD = 8
_MOST_HEAD_BYTES = 256
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(_WORD + 1)], np.uint64)
# Odd numbers whose bits are spread: multiples of 2**64 / golden ratio and the primes of xxHash.
_HEAD, _TAIL, _LENGTH, _MIX = (
    np.uint64(factor)
    for factor in (
        0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x9E3779B185EBCA87,
    )
)  # fmt: skip


def hash_tokens(data: bytes | bytearray, starts: Indices, ends: Indices) -> Hashes:
    """Hashes of tokens that lie in some bytes; the higher bits are the better spread ones.

    Args:
        data: bytes that hold the tokens.
        starts: int64 [n], where each starts.
        ends: int64 [n], where each ends.

    Returns:
        uint64 [n].
    """
    if len(data) < _WORD:
        data = bytes(data) + bytes(_WORD)
    last = len(data) - _WORD
    # Eight bytes from each byte on, as one number.
    words = np.ndarray((last + 1,), "<u8", data, strides=(1,))
    lengths = ends - starts
    firsts = np.minimum(starts, last)
    heads = words[firsts] >> ((starts - firsts) << 3).astype(np.uint64)
    heads &= _MASKS[np.minimum(lengths, _WORD)]
    tails = words[np.maximum(ends - _WORD, 0)]
    # Before the end of a shorter token are bytes of what comes before it.
    tails[lengths < _WORD] = 0
    hashes = heads * _HEAD ^ tails * _TAIL ^ lengths.astype(np.uint64) * _LENGTH
    longer = np.flatnonzero(lengths > 2 * _WORD)
    for passed in range(_WORD, _MOST_HEAD_BYTES, _WORD):
        longer = longer[lengths[longer] > passed + _WORD]
        if not len(longer):
            break
        hashes[longer] = _mixed(hashes[longer]) ^ words[starts[longer] + passed] * _HEAD
    return _mixed(hashes)


def _mixed(hashes: Hashes) -> Hashes:
    return np.asarray((hashes ^ hashes >> np.uint64(32)) * _MIX)


def hash_array(tokens: Any) -> Hashes:
    """Hashes of the tokens of an array of strings, or of binaries, of Arrow."""
    _, offsets, data = tokens.buffers()
    bounds = np.frombuffer(offsets, np.int32, len(tokens) + 1, 4 * tokens.offset).astype(np.int64)
    return hash_tokens(data or b"", bounds[:-1], bounds[1:])


def split_by_hash(batch: Any, column: str, parts: int) -> list[tuple[int, Any]]:
    """Splits a batch by the hashes of its tokens; all rows of a token are in one part.

    Args:
        batch: rows, in any order, which each part keeps.
        column: where the tokens are.
        parts: how many parts there may be.

    Returns:
        (part, batch) for each part that has rows, ascending.
    """
    part_of = part_numbers(hash_array(batch.column(column)), parts)
    ordered = batch.take(pa.array(np.argsort(part_of, kind="stable")))
    bounds = np.concatenate([[0], np.cumsum(np.bincount(part_of, minlength=parts))]).tolist()
    return [
        (part, ordered.slice(first, stop - first))
        for part, (first, stop) in enumerate(zip(bounds[:-1], bounds[1:], strict=True))
        if stop > first
    ]


def part_numbers(hashes: Hashes, parts: int) -> npt.NDArray[np.int64]:
    """The part, of so many, that each hash belongs to."""
    return np.asarray((hashes >> np.uint64(32)) % np.uint64(parts)).astype(np.int64)
