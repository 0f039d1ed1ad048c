"""SumSubwords: from fastText models to the vectors of the vocabulary's tokens.

A word's vector is the mean of rows that lie all over a model's input matrix, so the matrix is read
in ranges, and what each worker adds up goes to wherever the words' sums come together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.pvalue import AsIter, AsSingleton, TaggedOutput
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from formats.containers import open_container
from formats.vectors.lookup import Lookup
from formats.vectors.model_words import (
    WordPlan,
    dictionary_rows,
    plan_words,
    wanted_words,
    word_vectors,
)
from formats.vectors.records import RangeReport
from formats.vectors.source import VectorRange, VectorSource, cut_ranges, read_model
from formats.vectors.subwords import Sums, add_rows, new_sums
from transforms.progress import StageProgress
from transforms.shared_lookup import SharedLookup
from transforms.storage import open_file

_REPORTS = "reports"
_BLOCK_BYTES = 4 << 20


class SubwordVectors(NamedTuple):
    """Outputs of ``SumSubwords``.

    Attributes:
        vectors: PCollection of joined blocks (``formats.vectors.joined``).
        reports: PCollection of a ``RangeReport`` for each model.
    """

    vectors: Any
    reports: Any


class SumSubwords(beam.PTransform[Any, Any]):
    """Reads fastText models in parallel and gives the vectors of the vocabulary's tokens.

    Takes a PCollection with one block, the vocabulary, and gives ``SubwordVectors``. One worker
    reads a model's dictionary. Then each worker adds the rows of its ranges of the input matrix
    to a sum for each word, and the sums of all workers are added, which gives the same bytes in
    any order (``formats.vectors.subwords``). A worker's memory is 8 * dim bytes for each word.

    Args:
        sources: all vector files of the job; those that are no models are left alone.
        range_bytes: bytes of a range.
        lookup: the forms of the vocabulary.
        subword: ordinals of the models that make vectors for tokens that they don't know.
        unicode_errors: what is done with words that are not UTF-8.

    Raises:
        DataError: in the worker, for a model that is damaged.
    """

    def __init__(
        self,
        sources: Sequence[VectorSource],
        range_bytes: int,
        lookup: SharedLookup,
        subword: Collection[int],
        unicode_errors: str,
    ) -> None:
        super().__init__()
        self._models = [source for source in sources if source.model is not None]
        self._ranges = [work for model in self._models for work in cut_ranges(model, range_bytes)]
        self._dictionary = _ReadDictionary(self._models, lookup, subword, unicode_errors)
        self._plans = _Plans(self._models, lookup, subword)

    def expand(self, vocabulary: Any) -> SubwordVectors:
        read = (
            vocabulary.pipeline
            | "Models" >> beam.Create(range(len(self._models)))
            | "ReadDictionaries"
            >> beam.ParDo(self._dictionary, AsSingleton(vocabulary)).with_outputs(
                _REPORTS, main="found"
            )
        )
        side_inputs = AsSingleton(vocabulary), AsIter(read.found)
        vectors = (
            vocabulary.pipeline
            | "Ranges" >> beam.Create(self._ranges)
            | "AddRows" >> beam.ParDo(_AddRows(self._plans), *side_inputs)
            | "ByWords" >> beam.GroupByKey()
            | "MakeVectors" >> beam.ParDo(_MakeVectors(self._plans), *side_inputs)
        )
        return SubwordVectors(vectors, read[_REPORTS])


@beam.typehints.with_output_types(tuple[int, pa.RecordBatch], reports=RangeReport)
class _ReadDictionary(beam.DoFn):
    def __init__(
        self,
        models: Sequence[VectorSource],
        lookup: SharedLookup,
        subword: Collection[int],
        unicode_errors: str,
    ) -> None:
        self._models = models
        self._lookup = lookup
        self._subword = subword
        self._unicode_errors = unicode_errors
        self._progress = StageProgress("JoinVectors")

    def process(self, number: int, vocabulary: Any) -> Iterator[Any]:
        source = self._models[number]
        subword = source.ordinal in self._subword
        wanted = wanted_words(self._lookup.of(vocabulary), vocabulary, subword)
        with self._progress.piece() as piece:
            read = read_model(source, wanted, open_file, self._unicode_errors)
            piece.add(read=read.model.offset, records=read.model.head.words)
        yield source.ordinal, dictionary_rows(read.ids)
        report = RangeReport(
            source.ordinal, 0, 0, 0, 0, read.model.head.words, duplicates=read.duplicates
        )
        yield TaggedOutput(_REPORTS, report)


class _Plans:
    """What is wanted of each model."""

    def __init__(
        self, models: Sequence[VectorSource], lookup: SharedLookup, subword: Collection[int]
    ) -> None:
        self.sources = {source.ordinal: source for source in models}
        self.lookup = lookup
        self._subword = subword

    def of(self, source: int, vocabulary: Any, found: Iterable[tuple[int, Any]]) -> WordPlan:
        def make(lookup: Lookup) -> WordPlan:
            [own] = (block for ordinal, block in found if ordinal == source)
            model = self.sources[source].model
            assert model is not None
            return plan_words(source, model, own, lookup, vocabulary, source in self._subword)

        return self.lookup.plan(vocabulary, source, make)


@beam.typehints.with_output_types(tuple[tuple[int, int], bytes])
class _AddRows(beam.DoFn):
    """Adds up the rows of all ranges of a bundle, and gives the sums in blocks of words."""

    def __init__(self, plans: _Plans) -> None:
        self._plans = plans
        self._progress = StageProgress("JoinVectors")

    def start_bundle(self) -> None:
        self._sums: dict[int, Sums] = {}

    def process(self, work: VectorRange, vocabulary: Any, found: Iterable[tuple[int, Any]]) -> None:
        plan = self._plans.of(work.source, vocabulary, found)
        source = self._plans.sources[work.source]
        if work.source not in self._sums:
            self._sums[work.source] = new_sums(plan.model, plan.rows)
        sums = self._sums[work.source]
        with self._progress.piece() as piece, open_container(source.container, open_file) as stream:
            add_rows(stream, plan.model, plan.rows, work.start, work.stop, sums, name=source.name)
            piece.add(read=(work.stop - work.start) * plan.model.row_bytes)

    def finish_bundle(self) -> Iterator[Any]:
        for source, sums in sorted(self._sums.items()):
            step = _words_of_block(sums.shape[1])
            for block, first in enumerate(range(0, len(sums), step)):
                some = sums[first : first + step].tobytes()
                yield WindowedValue(
                    ((source, block), some), GlobalWindow().max_timestamp(), (GlobalWindow(),)
                )
        self._sums = {}


@beam.typehints.with_output_types(pa.RecordBatch)
class _MakeVectors(beam.DoFn):
    """Adds the sums of all workers for a block of words, and makes vectors of them."""

    def __init__(self, plans: _Plans) -> None:
        self._plans = plans

    def process(
        self,
        block_and_sums: tuple[tuple[int, int], Iterable[bytes]],
        vocabulary: Any,
        found: Iterable[tuple[int, Any]],
    ) -> Iterator[Any]:
        (source, block), parts = block_and_sums
        plan = self._plans.of(source, vocabulary, found)
        dim = plan.model.head.dim
        first = block * _words_of_block(dim)
        words = plan.part(first, first + _words_of_block(dim))
        sums = np.zeros((len(words.forms), dim), np.int64)
        for part in parts:
            sums += np.frombuffer(part, np.int64).reshape(-1, dim)
        yield from word_vectors(words, sums, self._plans.lookup.of(vocabulary))


def _words_of_block(dim: int) -> int:
    return max(_BLOCK_BYTES // (8 * dim), 1)
