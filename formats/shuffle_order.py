"""The order of the examples: a shuffle that is the same whoever reads the corpus.

Each example gets a 64-bit number from the seed and from its place in the corpus, which no cut
of the input changes. Sorting by that number shuffles, and its range, cut into equal parts,
gives the shards. The mixing function is SplitMix64 (Steele, Lea and Flood, 2014, "Fast
splittable pseudorandom number generators").
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_GAMMA = np.uint64(0x9E3779B97F4A7C15)

Numbers = npt.NDArray[np.uint64]


def shuffle_order(
    seed: int, files: npt.NDArray[np.int32], offsets: npt.NDArray[np.int64]
) -> Numbers:
    """Numbers to sort examples by, uint64 [n], from their places in the corpus.

    Args:
        seed: the seed of the shuffle.
        files: int32 [n], ordinal of each example's file.
        offsets: int64 [n], place of each example in its file.
    """
    mixed = mix(np.full(len(files), seed & 0xFFFFFFFFFFFFFFFF, np.uint64))
    mixed = mix(mixed ^ files.astype(np.uint64))
    return mix(mixed ^ offsets.astype(np.uint64))


def shard_of(order: Numbers, shards: int | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The shard of each example: equal parts of the range of the numbers, in their order.

    Args:
        order: uint64 [n], the numbers.
        shards: how many shards there are; or int64 [n], how many there are for each example.
    """
    # The top half of the number is enough to tell, and leaves room to multiply.
    top = (order >> np.uint64(32)).astype(np.int64)
    return np.asarray((top * shards) >> 32, np.int64)


def mix(numbers: Numbers) -> Numbers:
    """SplitMix64's output for each number as the state before it: spreads them over 64 bits."""
    with np.errstate(over="ignore"):
        numbers = numbers + _GAMMA
        numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(numbers ^ (numbers >> np.uint64(31)), np.uint64)
