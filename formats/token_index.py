"""The places of a vocabulary's tokens, found for many tokens at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from formats.token_hashes import hash_array

_LEAST_BITS, _MOST_BITS = 8, 26
# What is worked out at once, so that the making of an index takes little more than itself.
_SOME = 1 << 20


class TokenIndex:
    """A hash table of tokens, in arrays: some 20 bytes for each besides the tokens themselves.

    Arrow's ``index_in`` makes its table anew at each call; this one is made once.

    Args:
        tokens: ``pa.StringArray``, no token twice.

    Attributes:
        tokens: the same.
    """

    def __init__(self, tokens: Any) -> None:
        self.tokens = tokens
        hashes = hash_array(tokens)
        order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[order]
        self._places = order.astype(np.int32)
        bits = min(max(len(tokens).bit_length(), _LEAST_BITS), _MOST_BITS)
        self._shift = np.uint64(64 - bits)
        # Where the hashes start that have some first bits.
        self._starts = np.full((1 << bits) + 1, len(tokens), np.int32)
        for some in range(0, 1 << bits, _SOME):
            firsts = np.arange(some, min(some + _SOME, 1 << bits), dtype=np.uint64) << self._shift
            self._starts[some : some + len(firsts)] = np.searchsorted(self._hashes, firsts)

    def find(self, tokens: Any) -> npt.NDArray[np.int32]:
        """The place of each of some tokens; -1 for one that is not there.

        Args:
            tokens: ``pa.StringArray`` [n].

        Returns:
            int32 [n].
        """
        hashes = hash_array(tokens)
        first_bits = (hashes >> self._shift).astype(np.int64)
        at, stop = self._starts[first_bits], self._starts[first_bits + 1]
        found = np.full(len(tokens), -1, np.int32)
        left = np.flatnonzero(at < stop)
        while len(left):
            alike = left[self._hashes[at[left]] == hashes[left]]
            places = self._places[at[alike]]
            same = pc.equal(tokens.take(pa.array(alike)), self.tokens.take(pa.array(places)))
            same = same.to_numpy(zero_copy_only=False)
            found[alike[same]] = places[same]
            at[left] += 1
            left = left[(found[left] < 0) & (at[left] < stop[left])]
        return found
