"""Blocks are cut by shards into pieces whose number does not grow with the blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from formats.shard_pieces import ShardPieces

SHARDS = 50


def block_of(rows: range) -> Any:
    numbers = [*rows]
    texts = [f"row {number}" for number in numbers]
    labels = [number if number % 3 else None for number in numbers]
    return pa.record_batch([pa.array(texts), pa.array(labels, pa.int64())], ["text", "label"])


def shards_of(rows: range) -> Any:
    return np.array([row * 7 % SHARDS for row in rows])


def cut(blocks: list[range]) -> dict[int, Any]:
    pieces = ShardPieces()
    for rows in blocks:
        pieces.add(block_of(rows), shards_of(rows))
    found = list(pieces.take())
    assert [shard for shard, _ in found] == sorted({shard for shard, _ in found})
    return dict(found)


@pytest.mark.parametrize("rows", [1, 7, 100, 1000])
def test_each_shard_with_rows_gets_one_piece_whatever_the_blocks(rows: int) -> None:
    known = {
        shard: [row for row in range(1000) if row * 7 % SHARDS == shard] for shard in range(SHARDS)
    }
    found = cut([range(first, min(first + rows, 1000)) for first in range(0, 1000, rows)])
    assert {shard: piece.column("text").to_pylist() for shard, piece in found.items()} == {
        shard: [f"row {row}" for row in rows] for shard, rows in known.items()
    }
    labels = found[14].column("label").to_pylist()
    assert labels == [row if row % 3 else None for row in known[14]]


def test_shards_without_rows_get_no_piece() -> None:
    assert [*cut([range(1, 3), range(51, 52)])] == [7, 14]
    assert [*cut([range(0), range(3, 4)])] == [21]
    assert cut([]) == {}
    assert cut([range(0)]) == {}


def test_rows_of_a_part_of_a_block_are_those_of_the_part() -> None:
    pieces = ShardPieces()
    pieces.add(block_of(range(10)).slice(4, 3), np.array([1, 0, 1]))
    found = {shard: piece.column("text").to_pylist() for shard, piece in pieces.take()}
    assert found == {0: ["row 5"], 1: ["row 4", "row 6"]}


def test_what_was_taken_is_kept_no_longer() -> None:
    pieces = ShardPieces()
    assert pieces.size == 0
    first, second = block_of(range(10)), block_of(range(10, 14))
    pieces.add(first, shards_of(range(10)))
    assert pieces.size == first.nbytes
    taken = pieces.take()
    assert sum(piece.num_rows for _, piece in taken) == 10
    assert pieces.size == 0
    pieces.add(second, shards_of(range(10, 14)))
    assert sum(piece.num_rows for _, piece in pieces.take()) == 4
