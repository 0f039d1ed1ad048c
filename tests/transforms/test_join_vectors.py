"""JoinVectors alone, in a pipeline of its own."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that

from formats.blocks import VOCABULARY
from formats.errors import DataError
from formats.token_hashes import split_by_hash
from formats.vectors.source import open_source
from pipeline.engine import error_of_worker
from transforms.find_vectors import BROADCAST, SHUFFLE
from transforms.join_vectors import JoinVectors
from transforms.storage import open_file

TOKENS = ["[PAD]", "[UNK]", "the", "단어", "absent"]


def _binary(rows: list[tuple[bytes, list[float]]]) -> bytes:
    records = (token + b" " + np.array(vector, "<f4").tobytes() for token, vector in rows)
    return b"%d %d\n" % (len(rows), len(rows[0][1])) + b"".join(records)


def _join(
    path: Path,
    check: Callable[[list[tuple[int, list[float]]]], None],
    check_source: Callable[[Any], None],
    *,
    range_bytes: int = 1 << 20,
    max_reject_fraction: float = 0.0,
    join: str = BROADCAST,
) -> None:
    """Runs the join; gives the (row, vector)s and the source's report to the checks."""
    source = open_source(0, str(path), path.stat().st_size, open_file)
    vocabulary = pa.record_batch([TOKENS, [0] * len(TOKENS)], schema=VOCABULARY)

    def check_blocks(blocks: list[Any]) -> None:
        rows = [row for block in blocks for row in block.to_pylist()]
        check(sorted((row["row"], row["vector"]) for row in rows))

    def check_sources(sources: list[Any]) -> None:
        [[joined]] = sources
        check_source(joined)

    pipeline = beam.Pipeline(runner=FnApiRunner())
    block = pipeline | beam.Create([vocabulary]).with_output_types(pa.RecordBatch)
    joined = block | JoinVectors([source], range_bytes, max_reject_fraction, join=join)
    assert_that(joined.sources, check_sources, "sources")
    assert_that(joined.vectors, check_blocks, "vectors")
    pipeline.run()


def test_rows_of_the_vocabulary_are_found_and_others_left(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_bytes("the 1 2\nother 3 4\n단어 5 6e-1\n".encode())

    def check_source(joined):
        assert (joined.rows, joined.attempt, joined.problem) == (3, 0, "")

    expected = [(2, [1.0, 2.0]), (3, [5.0, float(np.float32(0.6))])]
    for range_bytes, join in ((1, BROADCAST), (5, SHUFFLE), (5, BROADCAST), (1000, SHUFFLE)):
        _join(
            path,
            lambda rows: _same(rows, expected),
            check_source,
            range_bytes=range_bytes,
            join=join,
        )


def _same(rows: list[Any], expected: list[Any]) -> None:
    assert rows == expected


@pytest.mark.parametrize("join", [BROADCAST, SHUFFLE])
def test_packed_file_gives_the_same_as_plain(tmp_path, join):
    path = tmp_path / "vectors.gz"
    path.write_bytes(gzip.compress(_binary([(b"the", [1, 2]), (b"x", [3, 4])])))
    _join(path, lambda rows: _same(rows, [(2, [1.0, 2.0])]), lambda joined: None, join=join)


@pytest.mark.parametrize("join", [BROADCAST, SHUFFLE])
def test_binary_whose_ranges_do_not_add_up_is_read_in_order_with_a_warning(tmp_path, join):
    # Vectors whose bytes spell short words lead a reader from the middle astray.
    words = np.frombuffer(b"abcdefg " * 5, "<f4").tolist()
    rows = [(b"first", [0.0] * 10), *[(b"word", words)] * 400, (b"the", words)]
    path = tmp_path / "vectors.bin"
    path.write_bytes(_binary(rows))

    def check_source(joined):
        assert (joined.rows, joined.attempt) == (402, 1)
        assert "read in order by one worker" in joined.warnings[0]

    def check(rows):
        assert (2, words) in rows

    _join(path, check, check_source, range_bytes=600, join=join)


@pytest.mark.parametrize("join", [BROADCAST, SHUFFLE])
def test_rows_that_are_no_finite_floats_fail_the_job_unless_they_may_be(tmp_path, join):
    path = tmp_path / "vectors.txt"
    path.write_bytes("the nan 2\n단어 5 6\nzzz inf inf\n".encode())
    with pytest.raises((RuntimeError, DataError)) as failure:
        _join(path, lambda rows: None, lambda joined: None, join=join)
    error = error_of_worker(failure.value)
    assert isinstance(error, DataError)
    assert f"{path}: byte 0: expected finite floats" in str(error)

    def check_source(joined):
        assert joined.rejects == {"not finite": 1}

    _join(
        path,
        lambda rows: _same(rows, [(3, [5.0, 6.0])]),
        check_source,
        max_reject_fraction=0.5,
        join=join,
    )


@pytest.mark.parametrize("cut", [2, 7, 12])
def test_file_that_ends_inside_a_record_fails_the_job_with_the_record_and_the_byte(tmp_path, cut):
    path = tmp_path / "vectors.bin"
    path.write_bytes(_binary([(b"the", [1, 2]), (b"last", [3, 4])])[:-cut])
    with pytest.raises((RuntimeError, DataError)) as failure:
        _join(path, lambda rows: None, lambda joined: None)
    message = str(error_of_worker(failure.value))
    assert str(path) in message
    assert "record 2, byte 16" in message
    assert "the end of the file" in message


def test_rows_that_get_lost_on_their_way_fail_the_job(tmp_path, monkeypatch):
    path = tmp_path / "vectors.txt"
    path.write_bytes("the 1 2\n단어 5 6\nabsent 7 8\n".encode())

    def lose_some(batch, column, parts):
        split = split_by_hash(batch, column, parts)
        return split[1:] if column == "token" else split

    monkeypatch.setattr("transforms.find_vectors.split_by_hash", lose_some)
    with pytest.raises((RuntimeError, DataError)) as failure:
        _join(path, lambda rows: None, lambda joined: None, join=SHUFFLE)
    error = error_of_worker(failure.value)
    assert isinstance(error, DataError)
    assert f"{path}: rows to be joined: expected 3, found 2; the engine lost" in str(error)
