from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.dataset.examples import (
    POST,
    example_features,
    pack_ids,
    parse_examples,
    serialize_examples,
)
from formats.dataset.manifest import Feature
from formats.errors import DataError

IDS = pa.array([[2, 300], [127, 128, 16384]], pa.list_(pa.int32()))
MAX_LENGTH = 3
PADDED = [[2, 300, 0], [127, 128, 16384]]
SIDE = st.sampled_from(["pre", "post"])
LENGTHS = np.array([2, 3])
LABELS = np.array([1, 0])

# {"label": [1], "length": [2], "token_ids": [2, 300, 0]}, taken apart by hand.
GOLDEN = bytes.fromhex(
    "0a38"
    + ("0a0e" + "0a05" + b"label".hex() + "1205" + "1a03" + "0a01" + "01")
    + ("0a0f" + "0a06" + b"length".hex() + "1205" + "1a03" + "0a01" + "02")
    + ("0a15" + "0a09" + b"token_ids".hex() + "1208" + "1a06" + "0a04" + "02ac0200")
)


class Block(NamedTuple):
    """A block of examples; the first ``cut`` rows are not of it."""

    ids: list[list[int]]
    lengths: list[int]
    labels: list[int] | None
    max_length: int
    padding: str
    cut: int

    def padded(self) -> list[list[int]]:
        return [padded(row, self.max_length, self.padding) for row in self.ids[self.cut :]]

    def serialized(self) -> list[bytes]:
        def column(numbers: list[int]) -> Any:
            return np.array(numbers[self.cut :], np.int64)

        ids = pa.array(self.ids, pa.list_(pa.int64()))[self.cut :]
        labels = None if self.labels is None else column(self.labels)
        packed = pack_ids(ids)
        packed.validate(full=True)
        fill = self.max_length - pc.list_value_length(ids).to_numpy()
        records = serialize_examples(packed, fill, column(self.lengths), labels, self.padding)
        records.validate(full=True)
        return list(records.to_pylist())


def padded(row: list[int], max_length: int, padding: str) -> list[int]:
    fill = [0] * (max_length - len(row))
    return row + fill if padding == POST else fill + row


def serialized(ids: Any, lengths: Any, labels: Any) -> list[bytes]:
    fill = MAX_LENGTH - pc.list_value_length(ids).to_numpy()
    return list(serialize_examples(pack_ids(ids), fill, lengths, labels).to_pylist())


def test_golden_bytes() -> None:
    assert serialized(IDS[:1], LENGTHS[:1], LABELS[:1]) == [GOLDEN]


@st.composite
def blocks(draw: Any) -> Block:
    rows, max_length = draw(st.integers(0, 5)), draw(st.integers(1, 6) | st.just(200))
    largest = draw(st.sampled_from([0, 300, 2**21, 2**22, 2**32 - 1]))
    number = st.one_of(st.integers(0, min(largest, 300)), st.integers(0, largest))
    row = st.lists(number, max_size=max_length)
    singles = st.lists(number, min_size=rows, max_size=rows)
    return Block(
        draw(st.lists(row, min_size=rows, max_size=rows)),
        draw(singles),
        draw(st.none() | singles),
        max_length,
        draw(SIDE),
        draw(st.integers(0, rows)),
    )


@settings(deadline=None)
@given(blocks())
def test_any_examples_come_back(block: Block) -> None:
    labels, lengths = block.labels, block.lengths[block.cut :]
    parsed = parse_examples(
        block.serialized(), block.max_length, labelled=labels is not None, name="x"
    )
    assert parsed.token_ids.tolist() == block.padded()
    np.testing.assert_array_equal(parsed.lengths, lengths)
    if labels is None:
        assert parsed.labels is None
    else:
        np.testing.assert_array_equal(parsed.labels, labels[block.cut :])


@settings(deadline=None)
@given(block=blocks())
def test_equals_the_deterministic_bytes_of_tensorflow(block: Block) -> None:
    tf = pytest.importorskip("tensorflow")
    lengths, labels = block.lengths, block.labels

    def feature(values: list[int]) -> Any:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    expected = []
    for row, ids in enumerate(block.padded(), block.cut):
        features = {"token_ids": feature(ids), "length": feature([lengths[row]])}
        if labels is not None:
            features["label"] = feature([labels[row]])
        example = tf.train.Example(features=tf.train.Features(feature=features))
        expected.append(example.SerializeToString(deterministic=True))
    assert block.serialized() == expected


def test_tensorflow_parses_the_examples() -> None:
    tf = pytest.importorskip("tensorflow")
    features = {
        name: tf.io.FixedLenFeature(feature.shape, feature.dtype)
        for name, feature in example_features(3, labelled=True).items()
    }
    for row, record in enumerate(serialized(IDS, LENGTHS, LABELS)):
        parsed = tf.io.parse_single_example(record, features)
        assert parsed["token_ids"].numpy().tolist() == PADDED[row]
        assert parsed["length"].numpy() == LENGTHS[row]
        assert parsed["label"].numpy() == LABELS[row]


def test_a_block_is_the_same_bytes_however_it_is_cut() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 50, 3000)
    ids = pa.array([rng.integers(0, 1 << 20, length) for length in lengths])
    packed = pack_ids(ids)
    whole = serialize_examples(packed, 50 - lengths, lengths, None)
    cuts = [slice(start, start + 7) for start in range(0, 3000, 7)]
    assert packed.equals(pa.concat_arrays([pack_ids(ids[cut]) for cut in cuts]))
    parts = [serialize_examples(packed[cut], 50 - lengths[cut], lengths[cut], None) for cut in cuts]
    assert whole.equals(pa.concat_arrays(parts))


@pytest.mark.parametrize("column", [0, 1, 2])
@pytest.mark.parametrize("wrong", [-1, np.nan, 1 << 32])
def test_what_is_no_id_is_not_written(column: int, wrong: float) -> None:
    block: list[Any] = [IDS, LENGTHS, LABELS]
    block[column] = pa.array([[wrong]] * 2) if column == 0 else np.full(2, wrong)
    with pytest.raises(ValueError, match=("token_ids", "length", "label")[column]):
        serialized(*block)


def test_lists_that_are_longer_than_an_example_are_not_written() -> None:
    with pytest.raises(ValueError, match="fill: expected numbers from 0"):
        serialize_examples(pack_ids(IDS), 2 - LENGTHS, LENGTHS, LABELS)


def test_features_of_the_manifest() -> None:
    assert example_features(7, labelled=True) == {
        "token_ids": Feature("int64", [7]),
        "length": Feature("int64", []),
        "label": Feature("int64", []),
    }
    assert "label" not in example_features(7, labelled=False)


@pytest.mark.parametrize(
    ("records", "max_length", "labelled", "message"),
    [
        ([b"\xff"], 3, True, "record 10: expected a tf.train.Example"),
        ([b""], 3, True, r"record 10: expected int64 label \[1\]"),
        (serialized(IDS, LENGTHS, None), 3, True, r"found int64 length \[1\], token_ids"),
        (serialized(IDS, LENGTHS, LABELS), 3, False, r"record 10: .*found int64 label"),
        (serialized(IDS, LENGTHS, LABELS), 4, True, r"found .*token_ids \[3\]"),
        ([GOLDEN[:1] + b"\x00"], 3, True, "expected int64 label"),
    ],
)
def test_what_is_no_such_example_is_named(
    records: list[bytes], max_length: int, labelled: bool, message: str
) -> None:
    with pytest.raises(DataError, match=f"^train.tfrecord: .*{message}"):
        parse_examples(
            records, max_length, labelled=labelled, name="train.tfrecord", first_record=10
        )


@given(st.binary())
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    with pytest.raises(DataError):
        parse_examples([data], 3, labelled=True, name="x")


ROWS = st.lists(st.lists(st.integers(1, 2**31 - 1), max_size=9), max_size=6)


@settings(deadline=None)
@given(rows=ROWS, max_length=st.integers(9, 12), padding=SIDE)
def test_padding_equals_keras(rows: list[list[int]], max_length: int, padding: str) -> None:
    keras = pytest.importorskip("keras")
    block = Block(rows, [len(row) for row in rows], None, max_length, padding, 0)
    parsed = parse_examples(block.serialized(), max_length, labelled=False, name="x")
    if rows:
        expected = keras.utils.pad_sequences(rows, max_length, padding=padding)
        np.testing.assert_array_equal(parsed.token_ids, expected)
