"""A first look at many tokens at once: which of them can be among those that are wanted.

Of the rows of a large vector file few are wanted. A dict tells for sure, but has to be asked for
each token by itself; a table of bits lets NumPy pass over most tokens of a block together. It is
a Bloom filter with one hash (Bloom, "Space/time trade-offs in hash coding with allowable errors",
1970), which is small enough to be sent to workers that have no room for the tokens themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from formats.token_hashes import Hashes, Indices, hash_tokens

# Of tokens that are not wanted about one in so many is let through, until the table has its
# largest size, 32 MiB.
_BITS_PER_TOKEN = 32
_LEAST_SIZE, _MOST_SIZE = 10, 28


class TokenSieve(NamedTuple):
    """Lets all wanted tokens through, and few others.

    Attributes:
        bits: uint8, a bit for each value of the hashes' first bits.
        size: how many bits of a hash count.
    """

    bits: npt.NDArray[np.uint8]
    size: int

    def lets_through(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Whether a token with a hash of ``formats.token_hashes`` can be wanted; bool [n]."""
        places = hashes >> np.uint64(64 - self.size)
        octets = self.bits[places >> np.uint64(3)]
        return np.asarray((octets >> (places & np.uint64(7)).astype(np.uint8)) & 1, bool)

    def candidates(self, data: bytes | bytearray, starts: Indices, ends: Indices) -> Indices:
        """Which of some tokens can be wanted.

        Args:
            data: bytes that hold the tokens.
            starts: int64 [n], where each starts.
            ends: int64 [n], where each ends.

        Returns:
            int64, ascending indices: those of all that are wanted, and of few others.
        """
        return np.flatnonzero(self.lets_through(hash_tokens(data, starts, ends)))


def make_sieve(hashes: Iterable[Hashes], tokens: int) -> TokenSieve:
    """Makes a sieve of tokens, from their hashes.

    Args:
        hashes: of the wanted tokens, in any number of arrays.
        tokens: about how many they are.
    """
    wanted = max(tokens, 1) * _BITS_PER_TOKEN
    size = min(max(wanted.bit_length(), _LEAST_SIZE), _MOST_SIZE)
    bits = np.zeros(1 << (size - 3), np.uint8)
    for some in hashes:
        places = some >> np.uint64(64 - size)
        octets = np.left_shift(np.uint8(1), (places & np.uint64(7)).astype(np.uint8))
        np.bitwise_or.at(bits, places >> np.uint64(3), octets)
    return TokenSieve(bits, size)
