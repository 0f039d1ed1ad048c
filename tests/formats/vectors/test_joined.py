"""The choice between several vectors for one row."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa

from formats.vectors.joined import choose_rows, joined_block, joined_schema, split_block
from formats.vectors.lookup import make_lookup
from formats.vectors.wanted_rows import FOUND


def _block(*hits: tuple[int, ...]) -> pa.RecordBatch:
    """Hits as (row, source, attempt, position, value), exact or with (rule, part, parts)."""
    rows = [
        (row, source, attempt, *(form or (0, 0, 1)), position, [value, -value])
        for row, source, attempt, position, value, *form in hits
    ]
    columns = zip(zip(*rows, strict=True), joined_schema(2), strict=True)
    arrays = [pa.array(column, field.type) for column, field in columns]
    return pa.record_batch(arrays, schema=joined_schema(2))


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


def test_earlier_source_goes_before_earlier_rule_and_that_before_place_in_the_file():
    hits = [
        (0, 0, 0, 9, 1.0, 2, 0, 1),
        (0, 0, 0, 1, 2.0, 3, 0, 1),
        (0, 1, 0, 0, 3.0, 0, 0, 1),
        (1, 1, 0, 5, 4.0, 1, 0, 1),
        (1, 1, 0, 2, 5.0, 1, 0, 1),
    ]
    for order in itertools.permutations(hits):
        chosen = choose_rows([_block(*order)], 0, 2, 2, {0: 0, 1: 0})
        assert chosen.vectors[:, 0].tolist() == [1.0, 5.0]
        assert chosen.sources.tolist() == [0, 1]
        assert chosen.rules.tolist() == [2, 1]


def test_form_of_parts_is_their_mean_and_needs_all_of_them():
    hits = [
        (0, 0, 0, 1, 1.0, 1, 0, 2),
        (0, 0, 0, 8, 2.0, 1, 1, 2),
        (0, 0, 0, 9, 50.0, 1, 1, 2),
        (1, 0, 0, 1, 1.0, 1, 0, 3),
        (1, 0, 0, 8, 2.0, 1, 2, 3),
        (2, 0, 0, 1, 1.0, 1, 0, 2),
        (2, 1, 0, 1, 7.0, 2, 0, 1),
    ]
    for order in itertools.islice(itertools.permutations(hits), 0, 5040, 97):
        chosen = choose_rows([_block(*order[:2]), _block(*order[2:])], 0, 3, 2, {0: 0, 1: 0})
        assert chosen.vectors.tolist() == [[1.5, -1.5], [0.0, 0.0], [7.0, -7.0]]
        assert chosen.sources.tolist() == [0, -1, 1]
        assert chosen.rules.tolist() == [1, -1, 2]


def test_vectors_go_to_all_rows_that_their_form_serves():
    lookup = make_lookup(pa.array(["[PAD]", "[UNK]", "The", "the"]), ["exact", "lower"], ["<unk>"])
    forms = [lookup.forms[form] for form in (b"the", b"<unk>")]
    columns = [forms, [0, 0], [0, 0], [70, 90], [b"", b""]]
    arrays = [pa.array(c, field.type) for c, field in zip(columns, FOUND, strict=True)]
    found = pa.record_batch(arrays, schema=FOUND)
    vectors = np.array([[1, 2], [3, 4]], np.float32)
    block = joined_block(found, np.arange(2), vectors, lookup)
    rows = sorted(
        (row["row"], row["rule"], row["position"], row["vector"]) for row in block.to_pylist()
    )
    assert rows == [(1, 0, 90, [3.0, 4.0]), (2, 1, 70, [1.0, 2.0]), (3, 0, 70, [1.0, 2.0])]
    assert joined_block(found, np.array([1]), vectors[1:], lookup).num_rows == 1


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
