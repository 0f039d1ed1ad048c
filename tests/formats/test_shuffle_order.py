"""The deterministic shuffle of the examples."""

from __future__ import annotations

import numpy as np

from formats.shuffle_order import mix, shard_of, shuffle_order


def test_numbers_are_those_of_splitmix64_and_never_change():
    # The first output of SplitMix64 seeded with 0, as its reference implementation gives it.
    assert mix(np.zeros(1, np.uint64))[0] == 0xE220A8397B1DCDAF
    order = shuffle_order(7, np.array([0, 0, 1], np.int32), np.array([0, 5, 0], np.int64))
    assert order.tolist() == [11241344834629033336, 1293217547870288028, 8075172986249684972]


def test_every_place_gets_its_own_number_spread_evenly():
    files = np.repeat(np.arange(10, dtype=np.int32), 10_000)
    offsets = np.tile(np.arange(10_000, dtype=np.int64) * 80, 10)
    order = shuffle_order(0, files, offsets)
    assert len(np.unique(order)) == len(order)
    counts = np.bincount(shard_of(order, 8))
    assert len(counts) == 8
    assert counts.min() > 0.95 * len(order) / 8
    # Neighbours in the corpus are no neighbours any more.
    assert abs(np.corrcoef(np.arange(len(order)), np.argsort(np.argsort(order)))[0, 1]) < 0.02


def test_shards_follow_each_other_in_the_order():
    order = np.sort(shuffle_order(3, np.zeros(1000, np.int32), np.arange(1000)))
    shards = shard_of(order, 7)
    assert (np.diff(shards) >= 0).all()
    assert set(shards) == set(range(7))
    assert shard_of(np.array([2**64 - 1], np.uint64), 7).tolist() == [6]
