"""The vocabulary's order, its cuts, and what is put before and behind it."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from formats.blocks import VOCABULARY
from formats.counts import complete_vocabulary, merge_counts, order_counts, recount_vocabulary


def _counts(counts: dict[str, int]) -> pa.RecordBatch:
    return pa.record_batch([list(counts), list(counts.values())], schema=VOCABULARY)


def _pairs(batch: pa.RecordBatch) -> list[tuple[str, int]]:
    return list(zip(*(batch.column(name).to_pylist() for name in ("token", "count")), strict=True))


_TOKEN = st.text(min_size=1, max_size=4).filter(lambda token: "\n" not in token)


@given(st.lists(st.dictionaries(_TOKEN, st.integers(1, 9), max_size=8), min_size=1, max_size=4))
def test_order_is_falling_count_then_utf8_bytes_however_the_counts_were_split(parts):
    total = Counter()
    for part in parts:
        total.update(part)
    expected = sorted(total.items(), key=lambda pair: (-pair[1], pair[0].encode()))
    merged = merge_counts([_counts(part) for part in parts])
    assert _pairs(order_counts(merged, 1, None)) == expected
    backwards = merge_counts([_counts(part) for part in reversed(parts)])
    assert order_counts(backwards, 1, None).equals(order_counts(merged, 1, None))


def test_max_tokens_counts_the_reserved_tokens_and_min_count_drops_rarer_ones():
    counts = _counts({"c": 3, "a": 5, "b": 3, "d": 1})
    assert _pairs(order_counts(counts, 2, None)) == [("a", 5), ("b", 3), ("c", 3)]
    assert _pairs(order_counts(counts, 1, 4)) == [("a", 5), ("b", 3)]


def test_reserved_names_in_the_corpus_do_not_enter_twice():
    ordered = order_counts(_counts({"[PAD]": 9, "[UNK]": 8, "a": 1}), 1, None)
    assert _pairs(ordered) == [("a", 1)]


def test_further_tokens_come_behind_each_once_with_their_true_counts():
    counts = _counts({"a": 5, "rare": 1})
    ordered = order_counts(counts, 2, None)
    more = pa.array(["new", "a", "rare", "new", "[UNK]"])
    assert _pairs(complete_vocabulary(ordered, more, counts)) == [
        ("[PAD]", 0), ("[UNK]", 0), ("a", 5), ("new", 0), ("rare", 1),
    ]  # fmt: skip


def test_given_vocabulary_keeps_its_ids_and_gets_counts():
    tokens = pa.array(["[PAD]", "[UNK]", "z", "a"])
    assert _pairs(recount_vocabulary(tokens, _counts({"a": 2, "b": 7}))) == [
        ("[PAD]", 0), ("[UNK]", 0), ("z", 0), ("a", 2),
    ]  # fmt: skip
