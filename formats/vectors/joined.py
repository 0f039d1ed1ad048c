"""Vectors that belong to rows of the embedding matrix, and the choice between several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def joined_schema(dim: int) -> Any:
    """Schema of a block of vectors for rows of the matrix; ``vector`` is float32 [dim]."""
    return pa.schema(
        [
            pa.field("row", pa.int32(), nullable=False),
            pa.field("source", pa.int32(), nullable=False),
            pa.field("attempt", pa.int8(), nullable=False),
            pa.field("position", pa.int64(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dim), nullable=False),
        ]
    )


def joined_block(found: Any, kept: npt.NDArray[np.int64], vectors: npt.NDArray[np.float32]) -> Any:
    """Puts the vectors that were read from the kept rows of a found batch into a block."""
    dim = vectors.shape[1]
    names = ("row", "source", "attempt", "position")
    columns = [found.column(name).take(pa.array(kept)) for name in names]
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    columns.append(pa.FixedSizeListArray.from_arrays(flat, dim))
    return pa.record_batch(columns, schema=joined_schema(dim))


def split_block(block: Any, bounds: npt.NDArray[np.int64]) -> list[tuple[int, Any]]:
    """Splits a block by the matrix shards that its rows belong to.

    Args:
        block: a joined block.
        bounds: first row of each shard, and behind them the number of rows.

    Returns:
        (shard, block) for each shard that has rows in the block.
    """
    shards = np.searchsorted(bounds, block.column("row").to_numpy(), side="right") - 1
    return [
        (shard, block.filter(pa.array(shards == shard))) for shard in np.unique(shards).tolist()
    ]


class ShardRows(NamedTuple):
    """The matched rows of one shard of the matrix.

    Attributes:
        vectors: float32 [rows, dim]; zero where nothing matched.
        sources: int32 [rows], the source that serves each row; -1 where nothing matched.
        duplicates: by source, how many of its rows repeat a token that it had before.
    """

    vectors: npt.NDArray[np.float32]
    sources: npt.NDArray[np.int32]
    duplicates: dict[int, int]


def choose_rows(
    joined: Sequence[Any], first_row: int, rows: int, dim: int, attempts: Mapping[int, int]
) -> ShardRows:
    """Chooses the vector of each row: from the earliest source, there the first in the file.

    Args:
        joined: joined blocks of the shard's rows, in any order.
        first_row: the shard's first row in the matrix.
        rows: rows of the shard.
        dim: dimensions of a vector.
        attempts: for each source, which reading of it counts.
    """
    vectors = np.zeros((rows, dim), np.float32)
    sources = np.full(rows, -1, np.int32)
    table = pa.Table.from_batches(joined, schema=joined_schema(dim))
    row, source, attempt, position = (
        table.column(name).to_numpy() for name in ("row", "source", "attempt", "position")
    )
    wanted = np.array([attempts[number] for number in range(len(attempts))], np.int8)
    valid = np.flatnonzero(attempt == wanted[source])
    order = valid[np.lexsort((position[valid], source[valid], row[valid]))]
    row, source = row[order], source[order]
    new_row = np.ones(len(order), bool)
    new_row[1:] = row[1:] != row[:-1]
    repeated = ~new_row
    repeated[1:] &= source[1:] == source[:-1]
    chosen = order[new_row]
    places = row[new_row] - first_row
    sources[places] = source[new_row]
    # Block by block, since the vectors of a shard are what takes the memory.
    first = 0
    for block in table.column("vector").chunks:
        own = (chosen >= first) & (chosen < first + len(block))
        rows_of_block = block.flatten().to_numpy().reshape(-1, dim)
        vectors[places[own]] = rows_of_block[chosen[own] - first]
        first += len(block)
    return ShardRows(vectors, sources, dict(Counter(source[repeated].tolist())))
