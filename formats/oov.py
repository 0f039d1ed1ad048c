"""The rows of words that have no vector: the policies of ``--oov``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

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


def oov_vectors(
    policy: str,
    tokens: Sequence[str],
    mean: npt.NDArray[np.float64],
    deviation: npt.NDArray[np.float64],
    seed: int = 0,
) -> npt.NDArray[np.float32]:
    """Rows for words without a vector, float32 [len(tokens), dim].

    Args:
        policy: ``zeros``; ``mean``, the mean of the matched rows; ``normal``, a draw from the
            normal distribution with the mean and deviation of the matched rows, which depends
            on the word and the seed alone; or ``subword``, which is zeros for the words that
            have no n-grams either.
        tokens: the words.
        mean: float64 [dim].
        deviation: float64 [dim].
        seed: of the draws.

    Raises:
        ValueError: there is no such policy.
    """
    if policy not in POLICIES:
        raise ValueError(f"expected one of {', '.join(POLICIES)}, found {policy!r}")
    rows = np.zeros((len(tokens), len(mean)), np.float32)
    if policy == MEAN:
        rows[:] = mean
    elif policy == NORMAL:
        salt = seed.to_bytes(16, "little", signed=True)
        for row, token in zip(rows, tokens, strict=True):
            key = hashlib.blake2b(token.encode(), digest_size=16, salt=salt).digest()
            draws = np.random.Generator(np.random.Philox(key=np.frombuffer(key, "<u8")))
            row[:] = mean + deviation * draws.standard_normal(len(mean))
    return rows
