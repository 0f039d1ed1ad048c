"""How blocks travel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from transforms.blocks import RecordBatchCoder


def numbers(rows: int) -> Any:
    return pa.record_batch([pa.array(np.arange(rows))], ["number"])


def vectors(rows: int) -> Any:
    flat = pa.array(np.arange(10 * rows, dtype=np.float32))
    return pa.record_batch([pa.FixedSizeListArray.from_arrays(flat, 10)], ["vector"])


@pytest.mark.parametrize("block", [numbers(0), numbers(5), numbers(100_000), vectors(3)])
def test_a_block_comes_as_it_was_sent(block: Any) -> None:
    coder = RecordBatchCoder()
    assert coder.decode(coder.encode(block)).equals(block)


def test_of_a_part_of_a_block_only_the_part_travels() -> None:
    coder = RecordBatchCoder()
    part = numbers(100_000).slice(50_000, 20)
    encoded = coder.encode(part)
    assert coder.decode(encoded).equals(part)
    assert len(encoded) < 1000


def test_blocks_are_compressed_unless_they_are_small_or_vectors() -> None:
    coder = RecordBatchCoder()
    large, small, floats = numbers(100_000), numbers(1000), vectors(10_000)
    assert len(coder.encode(large)) < large.nbytes / 4
    assert len(coder.encode(small)) > small.nbytes
    assert len(coder.encode(floats)) > floats.nbytes
