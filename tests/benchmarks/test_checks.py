from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.checks import (
    Encoded,
    MismatchError,
    check_arrays,
    check_examples,
    check_files,
    check_matrix,
    check_records,
)
from formats.dataset.examples import pack_ids, serialize_examples
from formats.dataset.tfrecord import NONE, RecordWriter
from tests.trainer.published import matrix, publish

LENGTH = 4


def encoded(folder: Path, tokens: list[str | None], rows: list[list[int]]) -> Encoded:
    folder.mkdir()
    file = io.BytesIO()
    ids = np.array(rows)
    with RecordWriter(file, NONE) as writer:
        lengths = np.count_nonzero(ids, axis=1)
        lists = pa.array([row[:length].tolist() for row, length in zip(ids, lengths, strict=True)])
        fill = ids.shape[1] - lengths
        writer.write(serialize_examples(pack_ids(lists), fill, lengths, None))
    path = folder / "train.tfrecord"
    path.write_bytes(file.getvalue())
    return Encoded(tokens, 0, [path], NONE, LENGTH)


ROWS = [[2, 3, 1, 0], [2, 2, 4, 3], [2, 0, 0, 0], [3, 3, 0, 0]]


def test_the_published_matrix_may_differ_in_the_rows_of_pad_and_unk_alone(tmp_path: Path) -> None:
    dataset, peer = publish(tmp_path / "dataset"), tmp_path / "peer.npy"
    rows = matrix()
    rows[:2] = 7
    np.save(peer, rows)
    check_matrix(dataset, peer)
    rows[20, 3] += 1
    np.save(peer, rows)
    with pytest.raises(MismatchError, match="1 rows of the matrix differ, the first is 20"):
        check_matrix(dataset, peer)
    np.save(peer, rows[:-1])
    with pytest.raises(MismatchError, match="shape"):
        check_matrix(dataset, peer)


def test_arrays_must_be_equal_but_for_pad_and_unk(tmp_path: Path) -> None:
    ours, peer = tmp_path / "ours.npy", tmp_path / "peer.npy"
    rows = matrix()
    np.save(ours, rows)
    rows[0] = 7
    np.save(peer, rows)
    check_arrays(ours, peer)
    rows[2] = 7
    np.save(peer, rows)
    with pytest.raises(MismatchError, match="the first is 2"):
        check_arrays(ours, peer)


def test_the_same_texts_may_have_other_ids_and_another_order(tmp_path: Path) -> None:
    ours = encoded(tmp_path / "ours", [None, None, "a", "b", "c"], ROWS)
    # As tensorflow-transform has them: the unknown last.
    renamed = np.array([0, 4, 1, 2, 3])[np.array(ROWS[::-1])].tolist()
    check_examples(ours, encoded(tmp_path / "peer", [None, "a", "b", "c", None], renamed))


def test_of_tokens_as_rare_as_each_other_a_peer_may_choose_others(tmp_path: Path) -> None:
    ours = encoded(tmp_path / "ours", [None, None, "a", "b", "c"], ROWS)
    chosen = [[2, 3, 4, 0], [2, 2, 1, 3], *ROWS[2:]]
    check_examples(ours, encoded(tmp_path / "peer", [None, None, "a", "b", "d"], chosen))


@pytest.mark.parametrize(
    ("tokens", "rows", "message"),
    [
        ("abc", ROWS[1:], "number of examples"),
        ("ab", [[2, 3, 1, 0], [2, 2, 1, 3], *ROWS[2:]], "size of the vocabulary"),
        ("adc", ROWS, "a frequent token is in one vocabulary only"),
        ("abc", [[3, 2, 1, 0], *ROWS[1:]], "hold other tokens"),
        ("abc", [[2, 3, 0, 0], *ROWS[1:]], "hold other tokens"),
        ("abc", [ROWS[1], *ROWS[1:]], "hold other tokens"),
    ],
)
def test_other_texts_are_a_mismatch(tokens, rows, message: str, tmp_path: Path) -> None:
    ours = encoded(tmp_path / "ours", [None, None, "a", "b", "c"], ROWS)
    peer = encoded(tmp_path / "peer", [None, None, *tokens], rows)
    with pytest.raises(MismatchError, match=message):
        check_examples(ours, peer)


def test_records_and_small_files_must_be_the_same(tmp_path: Path) -> None:
    ours, same, other, short = (
        encoded(tmp_path / name, [], rows).shards[0]
        for name, rows in [
            ("ours", ROWS), ("same", ROWS), ("other", [*ROWS[:3], [3, 3, 3, 0]]),
            ("short", ROWS[:3]),
        ]
    )  # fmt: skip
    check_records(ours, same, LENGTH)
    check_files(ours, same)
    for different in (other, short):
        with pytest.raises(MismatchError):
            check_records(ours, different, LENGTH)
        with pytest.raises(MismatchError):
            check_files(ours, different)
