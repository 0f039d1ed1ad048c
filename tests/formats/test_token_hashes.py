"""Hashes of tokens are the same wherever the tokens lie, and part any tokens evenly."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from formats.token_hashes import hash_array, hash_tokens, part_numbers, split_by_hash


@given(st.lists(st.binary(max_size=24)), st.binary(max_size=9), st.integers(0, 3))
@example([b"a"], b"", 0)
@example([b""], b"12345678", 1)
def test_the_hash_of_a_token_does_not_depend_on_what_is_around_it(tokens, gap, passed):
    alone = [int(hash_array(pa.array([token], pa.binary()))[0]) for token in tokens]
    together = hash_array(pa.array([gap] * passed + tokens, pa.binary()).slice(passed))
    starts, ends, data = [], [], b""
    for token in tokens:
        starts.append(len(data))
        data += token
        ends.append(len(data))
        data += gap
    laid_out = hash_tokens(data, np.array(starts, np.int64), np.array(ends, np.int64))
    assert together.tolist() == laid_out.tolist() == alone


def test_hashes_stay_the_same_from_version_to_version():
    # Workers of one job may run on machines of different kinds.
    hashes = hash_array(pa.array(["", "the", "exactly8", "longer than sixteen bytes", "단어"]))
    assert [f"{number:016x}" for number in hashes.tolist()] == HASHES


HASHES = [
    "0000000000000000",
    "b7d3302d307a240b",
    "dc73496fe2a3c390",
    "9af90e0067c797f7",
    "9475d21d810b1ec0",
]


@given(st.lists(st.text(max_size=12)), st.integers(1, 9))
def test_parts_hold_all_rows_and_each_token_in_one_of_them(tokens, parts):
    batch = pa.record_batch([pa.array(tokens, pa.string()), np.arange(len(tokens))], ["t", "n"])
    split = split_by_hash(batch, "t", parts)
    assert [part for part, _ in split] == sorted({part for part, _ in split})
    rows = [row for _, rows in split for row in rows.to_pylist()]
    assert sorted((row["n"], row["t"]) for row in rows) == list(enumerate(tokens))
    for _, some in split:
        others = {row["t"] for row in rows if row not in some.to_pylist()}
        assert not others & set(some.column("t").to_pylist())


@pytest.mark.parametrize("parts", [3, 16, 128])
def test_parts_are_of_about_one_size(parts):
    words = pa.array([f"word{number}" for number in range(100_000)])
    sizes = np.bincount(part_numbers(hash_array(words), parts), minlength=parts)
    assert sizes.min() > 0.8 * sizes.mean()
    assert sizes.max() < 1.2 * sizes.mean()
