"""SummariseCorpus alone, in a pipeline of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from formats.blocks import REJECTS, SPLITS, TOKENS
from formats.errors import DataError
from pipeline.engine import error_of_worker
from transforms.summarise_corpus import CorpusSummary, SummariseCorpus


def rows(*labels_and_splits: tuple[str | None, str]) -> Any:
    labels, splits = zip(*labels_and_splits, strict=True)
    columns = [
        [["a"]] * len(labels),
        list(labels),
        [0] * len(labels),
        list(range(len(labels))),
        [SPLITS.index(split) for split in splits],
    ]
    return pa.record_batch(columns, schema=TOKENS)


def rejects(*places: tuple[str, int, str]) -> Any:
    return pa.record_batch(
        [list(column) for column in zip(*places, strict=True)] + [["…"] * len(places)],
        schema=REJECTS,
    )


def summarise(
    good: Sequence[Any], bad: Sequence[Any], fraction: float, expected: CorpusSummary | None
) -> None:
    pipeline = beam.Pipeline(runner=FnApiRunner())
    tokens = pipeline | "Good" >> beam.Create(good).with_output_types(pa.RecordBatch)
    rejected = pipeline | "Bad" >> beam.Create(bad).with_output_types(pa.RecordBatch)
    summary = (tokens, rejected) | SummariseCorpus(fraction)
    assert_that(summary, equal_to([expected]))
    pipeline.run()


def failure_of(good: Sequence[Any], bad: Sequence[Any], fraction: float) -> str:
    with pytest.raises((RuntimeError, DataError)) as failure:
        summarise(good, bad, fraction, None)
    error = error_of_worker(failure.value)
    assert isinstance(error, DataError)
    return str(error)


def test_labels_are_sorted_and_rows_counted_by_split_over_all_blocks() -> None:
    blocks = [
        rows(("pos", "train"), ("Neg", "test")),
        rows(("영", "train"), ("é", "train"), ("pos", "test")),
    ]
    expected = CorpusSummary(
        ["Neg", "pos", "é", "영"],
        {"test": 2, "train": 3},
        {},
        {"train": 3, "validation": 0, "test": 2},
    )
    summarise(blocks, [], 0.0, expected)


def test_a_corpus_without_labels_has_none() -> None:
    summarise(
        [rows((None, "train"))],
        [],
        0.0,
        CorpusSummary([], {"train": 1}, {}, {"train": 1, "validation": 0, "test": 0}),
    )


def test_rejects_are_counted_by_reason() -> None:
    bad = [
        rejects(("f", 1, "no text"), ("f", 9, "bad UTF-8")),
        rejects(("g", 1, "no text")),
    ]
    expected = CorpusSummary(
        ["x"],
        {"train": 3},
        {"bad UTF-8": 1, "no text": 2},
        {"train": 3, "validation": 0, "test": 0},
    )
    summarise([rows(*[("x", "train")] * 3)], bad, 0.5, expected)


def test_more_bad_rows_than_may_be_fail_the_job_and_the_first_is_named() -> None:
    bad = [rejects(("g", 1, "no text")), rejects(("f", 90, "no label"), ("f", 70, "no text"))]
    message = failure_of([rows(*[("x", "train")] * 3)], bad, 0.49)
    assert "3 of 6 rows are bad (no label: 1, no text: 2)" in message
    assert "the first is in f at byte 70 (no text)" in message
    assert "--max_reject_fraction" in message


def test_a_corpus_without_a_good_row_fails_the_job_whatever_may_be() -> None:
    assert "1 of 1 rows are bad" in failure_of([], [rejects(("f", 0, "no text"))], 1.0)
    assert "no rows" in failure_of([], [], 1.0)
