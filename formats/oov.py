"""The rows of words that have no vector: the policies of ``--oov``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

# Zeros; a draw of ``normal_vectors`` with the mean and deviation of the matched rows; their mean;
# or what a fastText model makes of a word's n-grams, and zeros where it makes nothing.
ZEROS, NORMAL, MEAN, SUBWORD = "zeros", "normal", "mean", "subword"
POLICIES = (ZEROS, NORMAL, MEAN, SUBWORD)


class Moments(NamedTuple):
    """Sums over matched rows, from which their mean and deviation come.

    Attributes:
        first_row: first matrix row of the part that was summed, which fixes the order of sums.
        rows: matched rows.
        total: float64 [dim], sum of the rows.
        squares: float64 [dim], sum of their squares.
    """

    first_row: int
    rows: int
    total: list[float]
    squares: list[float]


def sum_moments(vectors: npt.NDArray[np.float32], first_row: int) -> Moments:
    """Sums matched rows, float32 [rows, dim], in their order."""
    wide = vectors.astype(np.float64)
    total, squares = wide.sum(axis=0), np.square(wide).sum(axis=0)
    return Moments(first_row, len(wide), total.tolist(), squares.tolist())


def mean_and_deviation(
    moments: Iterable[Moments], dim: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation of each dimension, float64 [dim]; zeros if nothing matched.

    The parts are added in the order of their rows, since floating-point sums depend on it.
    """
    rows = 0
    total, squares = np.zeros(dim), np.zeros(dim)
    for part in sorted(moments):
        rows += part.rows
        total += part.total
        squares += part.squares
    if not rows:
        return total, squares
    mean = total / rows
    return mean, np.sqrt(np.maximum(squares / rows - np.square(mean), 0.0))


def normal_vectors(
    tokens: Sequence[str],
    mean: npt.NDArray[np.float64],
    deviation: npt.NDArray[np.float64],
    seed: int = 0,
) -> npt.NDArray[np.float32]:
    """Rows for words without a vector, drawn from a normal distribution.

    The draws of a word depend on the word and the seed alone.

    Args:
        tokens: the words.
        mean: float64 [dim], as a rule that of the matched rows.
        deviation: float64 [dim], the same.
        seed: of the draws.

    Returns:
        float32 [len(tokens), dim].
    """
    rows = np.empty((len(tokens), len(mean)), np.float32)
    salt = seed.to_bytes(16, "little", signed=True)
    for row, token in zip(rows, tokens, strict=True):
        key = hashlib.blake2b(token.encode(), digest_size=16, salt=salt).digest()
        draws = np.random.Generator(np.random.Philox(key=np.frombuffer(key, "<u8")))
        row[:] = mean + deviation * draws.standard_normal(len(mean))
    return rows
