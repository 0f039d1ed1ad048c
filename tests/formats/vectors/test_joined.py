"""The choice between several vectors for one row."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa

from formats.vectors.joined import choose_rows, joined_schema, split_block


def _block(*rows: tuple[int, int, int, int, float]) -> pa.RecordBatch:
    columns = [list(column) for column in zip(*rows, strict=True)]
    columns[4] = [[value, -value] for value in columns[4]]
    schema = joined_schema(2)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.record_batch(arrays, schema=schema)


# (row, source, attempt, position, value)
HITS = [
    (5, 0, 0, 900, 1.0),
    (5, 0, 0, 100, 2.0),
    (5, 1, 0, 1, 3.0),
    (6, 1, 0, 7, 4.0),
    (6, 1, 0, 3, 5.0),
    (8, 2, 0, 0, 6.0),
    (8, 2, 1, 50, 7.0),
]


def test_earliest_source_wins_and_there_the_first_row_whatever_the_order_of_arrival():
    for order in itertools.islice(itertools.permutations(HITS), 0, 5040, 97):
        blocks = [_block(*order[:3]), _block(*order[3:])]
        chosen = choose_rows(blocks, 4, 5, 2, {0: 0, 1: 0, 2: 1})
        assert chosen.vectors[:, 0].tolist() == [0.0, 2.0, 5.0, 0.0, 7.0]
        assert chosen.vectors[:, 1].tolist() == [0.0, -2.0, -5.0, 0.0, -7.0]
        assert chosen.sources.tolist() == [-1, 0, 1, -1, 2]
        assert chosen.duplicates == {0: 1, 1: 1}


def test_nothing_found_leaves_zero_rows():
    chosen = choose_rows([], 0, 3, 4, {0: 0})
    assert chosen.vectors.shape == (3, 4)
    assert not chosen.vectors.any()
    assert chosen.sources.tolist() == [-1, -1, -1]


def test_blocks_are_split_by_the_shards_of_their_rows():
    bounds = np.array([0, 5, 6, 9])
    parts = dict(split_block(_block(*HITS), bounds))
    assert {shard: part.column("row").to_pylist() for shard, part in parts.items()} == {
        1: [5, 5, 5],
        2: [6, 6, 8, 8],
    }
