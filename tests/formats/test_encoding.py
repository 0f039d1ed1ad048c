"""Token ids of examples."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.blocks import TOKENS
from formats.encoding import encode_block, encode_tokens, truncate
from formats.token_index import TokenIndex

VOCABULARY = TokenIndex(pa.array(["[PAD]", "[UNK]", "b", "a", "\u00a0"]))
IDS = {"b": 2, "a": 3, "\u00a0": 4}

_ROWS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "[PAD]", "[UNK]", "\u00a0"])))


@given(st.sampled_from([1, 50]), _ROWS, st.integers(0, 3))
def test_tokens_outside_the_vocabulary_and_reserved_names_get_the_oov_id(repeats, rows, skipped):
    rows = rows * repeats
    tokens = pa.array(rows, pa.list_(pa.string()))[skipped:]
    expected = [[IDS.get(token, 1) for token in row] for row in rows[skipped:]]
    assert encode_tokens(tokens, VOCABULARY).to_pylist() == expected


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=8), max_size=6),
    st.integers(1, 5),
    st.integers(0, 2),
)
def test_truncating_keeps_the_asked_for_end(rows, max_length, skipped):
    ids = pa.array(rows, pa.list_(pa.int32()))[skipped:]
    kept = rows[skipped:]
    assert truncate(ids, max_length, "post").to_pylist() == [row[:max_length] for row in kept]
    assert truncate(ids, max_length, "pre").to_pylist() == [row[-max_length:] for row in kept]


def _block(labels: list[str | None]) -> pa.RecordBatch:
    rows = len(labels)
    columns = [
        pa.array([["a"]] * rows, pa.list_(pa.string())),
        pa.array(labels, pa.string()),
        pa.array(np.arange(rows), pa.int32()),
        pa.array(np.arange(rows) * 10, pa.int64()),
        pa.array([0] * rows, pa.int8()),
    ]
    return pa.record_batch(columns, schema=TOKENS)


def test_ids_are_cut_and_packed():
    block = _block(["x"] * 3).set_column(
        0, TOKENS.field("tokens"), pa.array([["a", "b", "c"], [], ["b"]])
    )
    encoded = encode_block(block, VOCABULARY, ["x"], max_length=2, truncating="pre", shuffle_seed=0)
    assert encoded.column("token_ids").to_pylist() == [b"\x02\x01", b"", b"\x02"]
    assert encoded.column("length").to_pylist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("labels", "names", "expected"),
    [(["neg", "pos", "neg"], ["neg", "pos"], [0, 1, 0]), ([None, None], [], [None, None])],
)
def test_labels_become_their_places_in_the_sorted_names(labels, names, expected):
    block = encode_block(
        _block(labels), VOCABULARY, names, max_length=4, truncating="post", shuffle_seed=0
    )
    assert block.column("label").to_pylist() == expected


def test_order_depends_on_the_place_in_the_corpus_and_the_seed_alone():
    def order(block: pa.RecordBatch, seed: int) -> list[int]:
        encoded = encode_block(
            block, VOCABULARY, ["x"], max_length=4, truncating="post", shuffle_seed=seed
        )
        return encoded.column("order").to_pylist()

    block = _block(["x"] * 50)
    assert order(block, 0) == order(block.slice(0, 20), 0) + order(block.slice(20), 0)
    assert order(block, 0) != order(block, 1)
