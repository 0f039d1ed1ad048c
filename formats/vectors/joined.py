"""Vectors that belong to rows of the embedding matrix, and the choice between several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from formats.vectors.lookup import Lookup

Indices = npt.NDArray[np.int64]

# In the place of a rule: the vector was made of the token's n-grams, and serves it only where no
# source has one.
SUBWORD = -1


def joined_schema(dim: int) -> Any:
    """Schema of a block of vectors for rows of the matrix; ``vector`` is float32 [dim].

    ``rule``, ``part`` and ``parts`` say by which form of its token a row gets the vector, as
    ``formats.vectors.forms.Form`` does.
    """
    return pa.schema(
        [
            pa.field("row", pa.int32(), nullable=False),
            pa.field("source", pa.int32(), nullable=False),
            pa.field("attempt", pa.int8(), nullable=False),
            pa.field("rule", pa.int8(), nullable=False),
            pa.field("part", pa.int8(), nullable=False),
            pa.field("parts", pa.int8(), nullable=False),
            pa.field("position", pa.int64(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dim), nullable=False),
        ]
    )


def joined_block(
    found: Any, kept: npt.NDArray[np.int64], vectors: npt.NDArray[np.float32], lookup: Lookup
) -> Any:
    """Gives the vectors that were read to the rows of the matrix that they serve.

    Args:
        found: a batch of ``formats.vectors.wanted_rows.FOUND``.
        kept: int64 [n], indices of the found rows that were read.
        vectors: float32 [n, dim].
        lookup: which rows each form serves.
    """
    forms = found.column("form").to_numpy()[kept]
    serves = lookup.starts[forms + 1] - lookup.starts[forms]
    # Entries of the lookup: for each vector those from its form's first on.
    first = np.repeat(lookup.starts[forms] - (np.cumsum(serves) - serves), serves)
    entries = first + np.arange(len(first))
    vector = np.repeat(np.arange(len(kept)), serves)
    rows = pa.array(kept[vector])
    if len(vector) != len(kept) or (serves != 1).any():
        vectors = vectors[vector]
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    columns = [
        pa.array(lookup.rows[entries]),
        *(found.column(name).take(rows) for name in ("source", "attempt")),
        *(pa.array(column[entries]) for column in (lookup.rules, lookup.part, lookup.parts)),
        found.column("position").take(rows),
        pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    ]
    return pa.record_batch(columns, schema=joined_schema(vectors.shape[1]))


def subword_block(
    source: int, tokens: npt.NDArray[np.int32], vectors: npt.NDArray[np.float32]
) -> Any:
    """Gives vectors that were made of n-grams to the rows of the matrix that they may serve.

    Args:
        source: ordinal of the model.
        tokens: int32 [n], rows of the matrix.
        vectors: float32 [n, dim].
    """
    n = len(tokens)
    columns = [
        pa.array(tokens),
        pa.array(np.full(n, source, np.int32)),
        *(pa.array(np.full(n, value, np.int8)) for value in (0, SUBWORD, 0, 1)),
        pa.array(np.full(n, -1, np.int64)),
        pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1]),
    ]
    return pa.record_batch(columns, schema=joined_schema(vectors.shape[1]))


def split_block(block: Any, bounds: npt.NDArray[np.int64]) -> list[tuple[int, Any]]:
    """Splits a block by the matrix shards that its rows belong to.

    Args:
        block: a joined block.
        bounds: first row of each shard, and behind them the number of rows.

    Returns:
        (shard, block) for each shard that has rows in the block.
    """
    shards = np.searchsorted(bounds, block.column("row").to_numpy(), side="right") - 1
    if (shards == shards[:1]).all():
        return [(shard, block) for shard in shards[:1].tolist()]
    return [
        (shard, block.filter(pa.array(shards == shard))) for shard in np.unique(shards).tolist()
    ]


def of_sources(joined: Sequence[Any], sources: Collection[int]) -> list[Any]:
    """Those of some joined blocks, each of which is of one source, that are of some sources."""
    return [
        block for block in joined if block.num_rows and block.column("source")[0].as_py() in sources
    ]


class ShardRows(NamedTuple):
    """The matched rows of one shard of the matrix.

    Attributes:
        vectors: float32 [rows, dim]; zero where nothing matched.
        sources: int32 [rows], the source that serves each row; -1 where nothing matched.
        rules: int8 [rows], place of the rule by which it does; -1 where nothing matched.
        duplicates: by source, how many of its rows repeat a token that it had before.
        arrived: by source, how many vectors there were to choose from, but for those that were
            made of n-grams.
    """

    vectors: npt.NDArray[np.float32]
    sources: npt.NDArray[np.int32]
    rules: npt.NDArray[np.int8]
    duplicates: dict[int, int]
    arrived: dict[int, int]


def choose_rows(
    joined: Sequence[Any], first_row: int, rows: int, dim: int, attempts: Mapping[int, int]
) -> ShardRows:
    """Chooses the vector of each row: from the earliest source, there by the earliest rule.

    Of a token that comes twice in a file, the first counts. A form of several parts counts if
    all of them have a vector, and gives their mean.

    Args:
        joined: joined blocks of the shard's rows, in any order.
        first_row: the shard's first row in the matrix.
        rows: rows of the shard.
        dim: dimensions of a vector.
        attempts: for each source, which reading of it counts.
    """
    shard = ShardRows(
        np.zeros((rows, dim), np.float32),
        np.full(rows, -1, np.int32),
        np.full(rows, -1, np.int8),
        {},
        {},
    )
    table = pa.Table.from_batches(joined, schema=joined_schema(dim))
    if not table.num_rows:
        return shard
    row, source, attempt, rule, part, parts, position = (
        table.column(name).to_numpy() for name in table.column_names[:-1]
    )
    wanted = np.array([attempts[number] for number in range(len(attempts))], np.int8)
    valid = np.flatnonzero((attempt == wanted[source]) & (rule != SUBWORD))
    arrived = dict(enumerate(np.bincount(source[valid]).tolist()))
    order = valid[np.lexsort([key[valid] for key in (position, part, rule, source, row)])]
    same_part = _equals_before(order, row, source, rule, part)
    duplicates = dict(Counter(source[order[same_part]].tolist()))
    # Forms of which each part is there, and of these the first of each row.
    order = order[~same_part]
    form = np.cumsum(~_equals_before(order, row, source, rule)) - 1
    complete = np.bincount(form)[form] == parts[order]
    order, form = order[complete], form[complete]
    earliest = ~_equals_before(order, row)
    order = order[np.isin(form, form[earliest])]
    places = row[order] - first_row
    shard.sources[places] = source[order]
    shard.rules[places] = rule[order]
    whole = parts[order] == 1
    _copy_vectors(table.column("vector"), order[whole], shard.vectors, places[whole])
    _average_parts(table.column("vector"), order[~whole], shard.vectors, places[~whole])
    return shard._replace(duplicates=duplicates, arrived=arrived)


def subword_rows(
    joined: Sequence[Any], rows: Indices, dim: int
) -> tuple[Indices, npt.NDArray[np.float32]]:
    """The vectors that were made of n-grams for some rows of the matrix.

    Args:
        joined: joined blocks, in any order, of one source that makes such vectors.
        rows: int64, rows of the matrix, ascending.
        dim: dimensions of a vector.

    Returns:
        int64 [n], places in ``rows`` of those that have such a vector, and float32 [n, dim].
    """
    places: list[Indices] = [np.empty(0, np.int64)]
    vectors: list[npt.NDArray[np.float32]] = [np.empty((0, dim), np.float32)]
    for block in joined:
        made = block.filter(pc.equal(block.column("rule"), SUBWORD))
        row = made.column("row").to_numpy()
        wanted = np.isin(row, rows)
        places.append(np.searchsorted(rows, row[wanted]))
        vectors.append(made.column("vector").flatten().to_numpy().reshape(-1, dim)[wanted])
    return np.concatenate(places), np.concatenate(vectors)


def _copy_vectors(
    column: Any, chosen: Indices, vectors: npt.NDArray[np.float32], places: Indices
) -> None:
    """Copies chosen vectors to their places, block by block: they are what takes the memory."""
    order = np.argsort(chosen, kind="stable")
    chosen, places = chosen[order], places[order]
    ends = np.cumsum([len(block) for block in column.chunks])
    stops = np.searchsorted(chosen, ends).tolist()
    for block, end, start, stop in zip(
        column.chunks, ends.tolist(), [0, *stops], stops, strict=False
    ):
        rows_of_block = block.flatten().to_numpy().reshape(len(block), -1)
        vectors[places[start:stop]] = rows_of_block[chosen[start:stop] - (end - len(block))]


def _average_parts(
    column: Any, chosen: Indices, vectors: npt.NDArray[np.float32], places: Indices
) -> None:
    """Puts the mean of vectors that stand together for one place there; double precision."""
    if not len(chosen):
        return
    parts = np.empty((len(chosen), vectors.shape[1]), np.float32)
    _copy_vectors(column, chosen, parts, np.arange(len(chosen)))
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    number = np.diff(starts, append=len(places))
    sums = np.add.reduceat(parts.astype(np.float64), starts, axis=0)
    vectors[places[starts]] = sums / number[:, None]


def _equals_before(order: Indices, *columns: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """For each item of an order, whether it is like the one before it in all columns."""
    equal = np.zeros(len(order), bool)
    equal[1:] = True
    for column in columns:
        values = column[order]
        equal[1:] &= values[1:] == values[:-1]
    return equal
