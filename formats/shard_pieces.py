"""Cuts blocks by shards into pieces that are worth being sent, however many shards there are.

A block of some MiB has a few rows for each of thousands of shards, and a piece of a few rows costs
as much as one of hundreds. So blocks are kept, each sorted by the shards of its rows, until there
are enough of them, and then the rows of a shard are put together.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[np.int64]


class ShardPieces:
    """Keeps blocks of rows, and gives them back by shards.

    Attributes:
        size: bytes that are kept.
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.size = 0
        self._blocks: list[Any] = []
        # For each stretch of rows of one shard in a block: shard, block, first row, row behind.
        self._stretches: list[Numbers] = []

    def add(self, block: Any, shards: Numbers) -> None:
        """Keeps a block.

        Args:
            block: a record batch.
            shards: int64 [rows], the shard of each row.
        """
        if not block.num_rows:
            return
        places = np.argsort(shards, kind="stable")
        ordered = shards[places]
        first = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
        number = np.full(len(first), len(self._blocks))
        stop = np.append(first[1:], len(ordered))
        self._stretches.append(np.column_stack([ordered[first], number, first, stop]))
        self._blocks.append(block.take(pa.array(places)))
        self.size += block.nbytes

    def take(self) -> Iterator[tuple[int, Any]]:
        """Gives all that is kept, and keeps it no longer.

        Yields:
            (shard, record batch) for each shard that has rows, ascending; its rows are in the
            order in which they were added.
        """
        blocks, stretches = self._blocks, self._stretches
        self._forget()
        if not blocks:
            return
        table = np.concatenate(stretches)
        table = table[np.argsort(table[:, 0], kind="stable")]
        bounds = np.flatnonzero(np.diff(table[:, 0], prepend=-1, append=-1)).tolist()
        for begin, end in pairwise(bounds):
            parts = [
                blocks[block].slice(first, stop - first)
                for block, first, stop in table[begin:end, 1:].tolist()
            ]
            piece = parts[0] if len(parts) == 1 else pa.concat_batches(parts)
            yield int(table[begin, 0]), piece
