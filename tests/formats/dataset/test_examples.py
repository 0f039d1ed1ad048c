from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.dataset.examples import (
    example_features,
    pad_sequences,
    parse_examples,
    serialize_examples,
)
from formats.dataset.manifest import Feature
from formats.errors import DataError

IDS = np.array([[2, 300, 0], [127, 128, 16384]], np.int32)
LENGTHS = np.array([2, 3])
LABELS = np.array([1, 0])

# {"label": [1], "length": [2], "token_ids": [2, 300, 0]}, taken apart by hand.
GOLDEN = bytes.fromhex(
    "0a38"
    + ("0a0e" + "0a05" + b"label".hex() + "1205" + "1a03" + "0a01" + "01")
    + ("0a0f" + "0a06" + b"length".hex() + "1205" + "1a03" + "0a01" + "02")
    + ("0a15" + "0a09" + b"token_ids".hex() + "1208" + "1a06" + "0a04" + "02ac0200")
)


def test_golden_bytes() -> None:
    assert serialize_examples(IDS[:1], LENGTHS[:1], LABELS[:1]) == [GOLDEN]


@st.composite
def blocks(draw: Any) -> tuple[Any, Any, Any]:
    rows, max_length = draw(st.integers(0, 5)), draw(st.integers(1, 6))
    number = st.one_of(st.integers(0, 300), st.integers(0, 2**31 - 1))
    ids = draw(st.lists(number, min_size=rows * max_length, max_size=rows * max_length))
    singles = st.lists(number, min_size=rows, max_size=rows)
    labels = draw(st.none() | singles)
    return (
        np.array(ids, np.int32).reshape(rows, max_length),
        np.array(draw(singles), np.int64),
        None if labels is None else np.array(labels, np.int64),
    )


@given(blocks())
def test_any_examples_come_back(block: Any) -> None:
    ids, lengths, labels = block
    records = serialize_examples(ids, lengths, labels)
    parsed = parse_examples(records, ids.shape[1], labelled=labels is not None, name="x")
    np.testing.assert_array_equal(parsed.token_ids, ids)
    np.testing.assert_array_equal(parsed.lengths, lengths)
    if labels is None:
        assert parsed.labels is None
    else:
        np.testing.assert_array_equal(parsed.labels, labels)


@settings(deadline=None)
@given(block=blocks())
def test_equals_the_deterministic_bytes_of_tensorflow(block: Any) -> None:
    tf = pytest.importorskip("tensorflow")
    ids, lengths, labels = block

    def feature(values: list[int]) -> Any:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    expected = []
    for row in range(len(ids)):
        features = {"token_ids": feature(ids[row]), "length": feature([lengths[row]])}
        if labels is not None:
            features["label"] = feature([labels[row]])
        example = tf.train.Example(features=tf.train.Features(feature=features))
        expected.append(example.SerializeToString(deterministic=True))
    assert serialize_examples(ids, lengths, labels) == expected


def test_tensorflow_parses_the_examples() -> None:
    tf = pytest.importorskip("tensorflow")
    features = {
        name: tf.io.FixedLenFeature(feature.shape, feature.dtype)
        for name, feature in example_features(3, labelled=True).items()
    }
    for row, record in enumerate(serialize_examples(IDS, LENGTHS, LABELS)):
        parsed = tf.io.parse_single_example(record, features)
        assert parsed["token_ids"].numpy().tolist() == IDS[row].tolist()
        assert parsed["length"].numpy() == LENGTHS[row]
        assert parsed["label"].numpy() == LABELS[row]


def test_a_block_is_the_same_bytes_however_it_is_cut() -> None:
    rng = np.random.default_rng(0)
    ids, lengths = rng.integers(0, 1 << 20, (3000, 50)), rng.integers(0, 50, 3000)
    whole = serialize_examples(ids, lengths, None)
    cuts = [slice(start, start + 7) for start in range(0, 3000, 7)]
    parts = [serialize_examples(ids[cut], lengths[cut], None) for cut in cuts]
    assert whole == [record for part in parts for record in part]


@pytest.mark.parametrize("column", [0, 1, 2])
@pytest.mark.parametrize("wrong", [-1, np.nan, 1 << 32])
def test_what_is_no_id_is_not_written(column: int, wrong: float) -> None:
    block: list[Any] = [IDS, LENGTHS, LABELS]
    block[column] = np.full(block[column].shape, wrong)
    with pytest.raises(ValueError, match=("token_ids", "length", "label")[column]):
        serialize_examples(*block)


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
        (serialize_examples(IDS, LENGTHS, None), 3, True, r"found int64 length \[1\], token_ids"),
        (serialize_examples(IDS, LENGTHS, LABELS), 3, False, r"record 10: .*found int64 label"),
        (serialize_examples(IDS, LENGTHS, LABELS), 4, True, r"found .*token_ids \[3\]"),
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


def lists(rows: list[list[int]]) -> Any:
    return pa.array(rows, pa.list_(pa.int32()))


ROWS = st.lists(st.lists(st.integers(1, 2**31 - 1), max_size=9), max_size=6)
SIDE = st.sampled_from(["pre", "post"])


@settings(deadline=None)
@given(
    rows=ROWS, max_length=st.integers(1, 8), padding=SIDE, truncating=SIDE, cut=st.integers(0, 6)
)
def test_padding_equals_keras(
    rows: list[list[int]], max_length: int, padding: str, truncating: str, cut: int
) -> None:
    keras = pytest.importorskip("keras")
    ids, lengths = pad_sequences(lists(rows)[cut:], max_length, padding, truncating)
    assert (ids.dtype, ids.shape) == (np.int32, (len(rows[cut:]), max_length))
    assert lengths.tolist() == [min(len(row), max_length) for row in rows[cut:]]
    if rows[cut:]:
        expected = keras.utils.pad_sequences(
            rows[cut:], max_length, padding=padding, truncating=truncating
        )
        np.testing.assert_array_equal(ids, expected)


def test_padding_golden() -> None:
    rows = lists([[1, 2, 3, 4], [5], []])
    assert pad_sequences(rows, 3)[0].tolist() == [[1, 2, 3], [5, 0, 0], [0, 0, 0]]
    assert pad_sequences(rows, 3, "pre", "pre")[0].tolist() == [[2, 3, 4], [0, 0, 5], [0, 0, 0]]
    assert pad_sequences(rows, 3)[1].tolist() == [3, 1, 0]
