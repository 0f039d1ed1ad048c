"""CountTokens and BuildVocabulary alone, in pipelines of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that

from formats.blocks import SPLITS, TOKENS, VOCABULARY
from formats.errors import DataError
from pipeline.engine import error_of_worker
from transforms import build_vocabulary
from transforms.build_vocabulary import BuildVocabulary, CountTokens
from transforms.summarise_corpus import CorpusSummary


def tokens(*rows: str, split: str = "train") -> Any:
    columns = [
        [row.split() for row in rows],
        [None] * len(rows),
        [0] * len(rows),
        list(range(len(rows))),
        [SPLITS.index(split)] * len(rows),
    ]
    return pa.record_batch(columns, schema=TOKENS)


def equals(expected: list[tuple[str, int]], *, ordered: bool = True) -> Callable[[Any], None]:
    def check(blocks: list[Any]) -> None:
        [block] = blocks
        assert block.schema == VOCABULARY
        rows = list(zip(*(column.to_pylist() for column in block.columns), strict=True))
        assert (rows if ordered else sorted(rows)) == expected

    return check


def count(
    blocks: list[Any], splits: list[str], check: Callable[[Any], None], parts: int = 1
) -> None:
    pipeline = beam.Pipeline(runner=FnApiRunner())
    created = pipeline | beam.Create(blocks).with_output_types(pa.RecordBatch)
    assert_that(created | CountTokens(splits, parts), check)
    pipeline.run()


def build(check: Callable[[Any], None], **options: Any) -> None:
    """Builds a vocabulary from counts; those of its options that are tokens become blocks."""
    counts = pa.record_batch(
        [["b", "영화", "a", "[UNK]", "é", "rare", "[PAD]"], [2, 3, 2, 9, 2, 1, 1]],
        schema=VOCABULARY,
    )
    pipeline = beam.Pipeline(runner=FnApiRunner())
    for name in ("given", "vector_tokens"):
        if name in options:
            block = pa.record_batch([pa.array(options[name], pa.string())], ["token"])
            options[name] = pipeline | name >> beam.Create([block])
    if "summary" in options:
        options["summary"] = pipeline | "Summary" >> beam.Create(options["summary"])
    # In parts, as they come from large corpora.
    parts = [counts.slice(first, 3) for first in range(0, counts.num_rows, 3)]
    created = pipeline | beam.Create(parts).with_output_types(pa.RecordBatch)
    assert_that(created | BuildVocabulary(**options), check)
    pipeline.run()


def test_tokens_are_counted_over_all_blocks() -> None:
    blocks = [tokens("a b", "a"), tokens("", "영화 a"), tokens("b")]
    count(blocks, ["train"], equals([("a", 3), ("b", 2), ("영화", 1)], ordered=False))


def test_only_the_splits_that_are_named_are_counted() -> None:
    blocks = [tokens("a b"), tokens("a", split="test"), tokens("c", split="validation")]
    count(blocks, ["train", "test"], equals([("a", 2), ("b", 1)], ordered=False))


def test_a_slice_of_a_block_is_counted_as_far_as_it_goes() -> None:
    block = tokens("x", "a b", "a", "y").slice(1, 2)
    count([block], ["train"], equals([("a", 2), ("b", 1)], ordered=False))


def test_counts_that_pile_up_are_merged_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_vocabulary, "_MERGE_ROWS", 2)
    blocks = [tokens(f"a t{number}") for number in range(6)]
    expected = [("a", 6), *((f"t{number}", 1) for number in range(6))]
    count(blocks, ["train"], equals(expected, ordered=False))


def test_counts_in_parts_hold_each_token_once() -> None:
    blocks = [tokens(*(f"a t{number} t{number + 1}" for number in range(50)))] * 3

    def check(counts: list[Any]) -> None:
        assert len(counts) == 8
        rows = [tuple(row.values()) for block in counts for row in block.to_pylist()]
        inner = [(f"t{number}", 6) for number in range(1, 50)]
        assert sorted(rows) == sorted([("a", 150), ("t0", 3), ("t50", 3), *inner])

    count(blocks, ["train"], check, parts=8)


def test_no_blocks_give_no_counts() -> None:
    def check(blocks: list[Any]) -> None:
        assert blocks == []

    count([], ["train"], check)


RESERVED = [("[PAD]", 0), ("[UNK]", 0)]


def test_tokens_are_ordered_by_count_and_then_by_their_bytes() -> None:
    words = [("영화", 3), ("a", 2), ("b", 2), ("é", 2), ("rare", 1)]
    build(equals([*RESERVED, *words]))


def test_rare_tokens_stay_out_and_the_rest_is_cut() -> None:
    build(equals([*RESERVED, ("영화", 3), ("a", 2), ("b", 2), ("é", 2)]), min_count=2)
    build(equals([*RESERVED, ("영화", 3), ("a", 2)]), max_tokens=4)


def test_vector_tokens_come_behind_in_their_order() -> None:
    words = [("영화", 3), ("z", 0), ("b", 2), ("y", 0)]
    more = ["z", "영화", "b", "[PAD]", "z", "y"]
    build(equals([*RESERVED, *words]), max_tokens=3, vector_tokens=more)


def test_a_given_vocabulary_is_counted_and_kept() -> None:
    given = ["[PAD]", "[UNK]", "new", "b", "영화"]
    build(equals([*RESERVED, ("new", 0), ("b", 2), ("영화", 3)]), given=given)


def build_with_summary(tokens: dict[str, int]) -> None:
    summary = CorpusSummary([], {}, {}, tokens)
    build(lambda blocks: None, summary=[summary], splits=["train", "test"])


def test_counts_of_fewer_or_more_tokens_than_the_corpus_has_fail_the_job() -> None:
    build_with_summary({"train": 15, "test": 5, "validation": 7})
    for train in (14, 16):
        with pytest.raises((RuntimeError, DataError)) as failure:
            build_with_summary({"train": train, "test": 5, "validation": 7})
        error = error_of_worker(failure.value)
        assert isinstance(error, DataError)
        assert f"corpus: tokens to be counted: expected {train + 5}, found 20;" in str(error)


def test_an_empty_vocabulary_fails_the_job() -> None:
    with pytest.raises((RuntimeError, DataError)) as failure:
        build(lambda blocks: None, min_count=10)
    error = error_of_worker(failure.value)
    assert isinstance(error, DataError)
    assert "the vocabulary is empty" in str(error)
