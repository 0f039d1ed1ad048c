"""CountDocuments and DecomposeDocuments alone; what is merged when does not matter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that

from formats import lsa
from formats.blocks import SPLITS, TOKENS
from formats.corpus.plan import CorpusFile, plan_corpus
from transforms.count_documents import CountDocuments
from transforms.decompose_documents import (
    TERMS,
    DecomposeDocuments,
    MergeFactors,
    pack_factors,
    unpack_factors,
)
from transforms.storage import open_file

TERMS_NUMBER, RANK = 20, 6


def leaves(number: int) -> list[Any]:
    """Factors of some ranges; one of them has no documents."""
    parts = []
    for place in range(number):
        documents = np.random.default_rng(place).normal(size=(TERMS_NUMBER, 0 if place == 2 else 3))
        factors = lsa.merge(documents, np.zeros((TERMS_NUMBER, 1)), RANK)
        parts.append(pack_factors(0, place, factors))
    return parts


def merged(partials: list[Any], order: list[int], bundles: int) -> bytes:
    combine = MergeFactors(len(partials), TERMS_NUMBER, RANK)
    accumulators = []
    for bundle in range(bundles):
        accumulator = combine.create_accumulator()
        for place in order[bundle::bundles]:
            accumulator = combine.add_input(accumulator, partials[place])
        accumulators.append(accumulator)
    return combine.extract_output(combine.merge_accumulators(accumulators)).data


@pytest.mark.parametrize("number", [1, 2, 3, 5, 8, 11])
def test_factors_merge_to_the_same_bytes_in_whatever_order_they_come(number: int) -> None:
    partials = leaves(number)
    expected = merged(partials, list(range(number)), 1)
    draw = np.random.default_rng(number)
    for bundles in (1, 2, 4, 7):
        assert merged(partials, draw.permutation(number).tolist(), bundles) == expected


def test_merged_factors_are_those_of_all_documents() -> None:
    partials = leaves(2)
    combine = MergeFactors(2, TERMS_NUMBER, RANK)
    whole = combine.extract_output(combine.merge_accumulators([[part] for part in partials]))
    documents = np.hstack([unpack_factors(part, TERMS_NUMBER) for part in partials])
    factors = unpack_factors(whole, TERMS_NUMBER)
    np.testing.assert_allclose(factors @ factors.T, documents @ documents.T, atol=1e-12)


def test_documents_are_counted_once_for_a_token_that_comes_again() -> None:
    columns = [
        [["x"], ["a", "b", "a", "a"], [], ["b"], ["a", "c"], ["y"]],
        [None] * 6,
        [0] * 6,
        list(range(6)),
        [SPLITS.index(split) for split in ("train", "train", "train", "train", "test", "train")],
    ]
    block = pa.record_batch(columns, schema=TOKENS).slice(1, 4)

    def check(blocks: list[Any]) -> None:
        [counts] = blocks
        tokens, numbers = (column.to_pylist() for column in counts.columns)
        assert dict(zip(tokens, numbers, strict=True)) == {"a": 1, "b": 2}

    pipeline = beam.Pipeline(runner=FnApiRunner())
    created = pipeline | beam.Create([block, block.slice(0, 0)]).with_output_types(pa.RecordBatch)
    assert_that(created | CountDocuments(["train"]), check)
    pipeline.run()


def test_ranges_are_decomposed_and_merged(tmp_path: Path) -> None:
    texts = ["a b b c", "b c", "a d", "e", "d e e", "a c"]
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("".join(f"{text}\n" for text in texts))
    plan = plan_corpus(
        str(corpus), [CorpusFile(str(corpus), corpus.stat().st_size)], format="text",
        text_column=None, label_column="", split=0, first_file=0, range_bytes=9,
        open_file=open_file,
    )  # fmt: skip
    assert len(plan.ranges) > 2
    terms = pa.record_batch([list("abcde"), [1.0, 1.0, 2.0, 0.5, 3.0]], schema=TERMS)
    rows = pa.array([text.split() for text in texts])
    matrix = lsa.weigh(rows, terms.column("token"), terms.column("idf").to_numpy()).toarray()

    def check(blocks: list[Any]) -> None:
        [block] = blocks
        assert block.column("token").to_pylist() == list("abcde")
        vectors = np.array(block.column("vector").to_pylist())
        np.testing.assert_allclose(vectors @ vectors.T, matrix @ matrix.T, atol=1e-5)

    pipeline = beam.Pipeline(runner=FnApiRunner())
    found = pipeline | DecomposeDocuments(
        plan.ranges, terms, "basic", {"train": 1}, ["train"], 5, 0
    )
    assert_that(found, check)
    pipeline.run()
