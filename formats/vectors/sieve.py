"""A first look at many tokens at once: which of them can be among those that are wanted.

Of the rows of a large vector file few are wanted. A dict tells for sure, but has to be asked for
each token by itself; a table of hashes lets NumPy pass over most tokens of a block together, as a
Bloom filter with one hash does (Bloom, "Space/time trade-offs in hash coding with allowable
errors", 1970).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from formats.vectors.records import Indices

# Of tokens that are not wanted about one in so many is let through, until the table has its
# largest size, 16 MiB.
_PLACES_PER_TOKEN = 32
_LEAST_BITS, _MOST_BITS = 10, 24

_WORD = 8
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(_WORD + 1)], np.uint64)
# Odd numbers whose bits are spread: multiples of 2**64 / golden ratio and the primes of xxHash.
_HEAD, _TAIL, _LENGTH, _MIX = (
    np.uint64(factor)
    for factor in (
        0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x9E3779B185EBCA87,
    )
)  # fmt: skip


class TokenSieve:
    """Lets all wanted tokens through, and few others.

    Args:
        wanted: the wanted tokens.
    """

    def __init__(self, wanted: Collection[bytes]) -> None:
        places = max(len(wanted), 1) * _PLACES_PER_TOKEN
        self._shift = np.uint64(64 - min(max(places.bit_length(), _LEAST_BITS), _MOST_BITS))
        self._table = np.zeros(1 << (64 - int(self._shift)), bool)
        lengths = np.fromiter(map(len, wanted), np.int64, len(wanted))
        ends = np.cumsum(lengths)
        data = b"".join([*wanted, bytes(_WORD)])
        self._table[self._places(data, ends - lengths, ends)] = True

    def candidates(self, data: bytes | bytearray, starts: Indices, ends: Indices) -> Indices:
        """Which of some tokens can be wanted.

        Args:
            data: bytes that hold the tokens.
            starts: int64 [n], where each starts.
            ends: int64 [n], where each ends.

        Returns:
            int64, ascending indices: those of all that are wanted, and of few others.
        """
        if len(data) < _WORD:
            return np.arange(len(starts))
        return np.flatnonzero(self._table[self._places(data, starts, ends)])

    def _places(
        self, data: bytes | bytearray, starts: Indices, ends: Indices
    ) -> npt.NDArray[np.uint64]:
        """Places in the table, by the lengths of tokens and their first and last eight bytes."""
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
        hashes ^= hashes >> np.uint64(32)
        return np.asarray(hashes * _MIX >> self._shift)
