"""JoinVectors: from ranges of vector files to the vectors of the vocabulary's tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import AsIter, AsSingleton

from formats.vectors.forms import EXACT
from formats.vectors.source import VectorSource, cut_ranges
from formats.vectors.unicode_errors import SKIP
from transforms.find_vectors import (
    BROADCAST,
    SHUFFLE,
    BroadcastLookup,
    Finder,
    ShuffleLookup,
    flatten,
)
from transforms.prove_vectors import (
    judge_sources,
    ranges_to_read_again,
    that_count,
    with_counts,
)
from transforms.shared_lookup import SharedLookup
from transforms.sum_subwords import SumSubwords


class JoinedVectors(NamedTuple):
    """Outputs of ``JoinVectors``.

    Attributes:
        vectors: PCollection of joined blocks (``formats.vectors.joined``).
        sources: PCollection with one element, a list of a ``JoinedSource`` for each file.
        rejects: PCollection of blocks of ``formats.blocks.REJECTS``.
    """

    vectors: Any
    sources: Any
    rejects: Any


class JoinVectors(beam.PTransform[Any, Any]):
    """Reads vector files in parallel and keeps the vectors of the vocabulary's tokens.

    Takes a PCollection with one block, the vocabulary, and gives ``JoinedVectors``. A plain file
    is read in byte ranges. A packed one is decompressed by one worker, and the rows that were
    found in it go to all workers for the reading of their floats. A word2vec binary whose
    ranges do not add up is read once more, in order. A fastText model is read by ``SumSubwords``.
    The rows of the vocabulary's tokens are found in one of the ways of
    ``transforms.find_vectors``, which give the same.

    Args:
        sources: the vector files; an earlier one wins.
        range_bytes: bytes of a range of a plain file.
        max_reject_fraction: the largest share of a file's rows that may be wanted but be no
            vector of finite floats.
        rules: the forms under which a token is looked up (``formats.vectors.forms``), in order.
        unk_tokens: what a file may call its vector for unknown words, in order.
        subword: ordinals of the fastText models that make vectors of n-grams for tokens that
            they don't know.
        unicode_errors: what is done with tokens of the files that are not UTF-8
            (``formats.vectors.unicode_errors``).
        model_range_bytes: bytes of a range of a fastText model; as of other files if None. The
            sums that a worker keeps, and passes on, are as large as all vectors of the
            vocabulary, whatever it read: few large ranges take less memory.
        join: ``broadcast`` or ``shuffle`` (``transforms.find_vectors``). fastText models are
            always looked up by workers that have the whole vocabulary.

    Raises:
        DataError: in the worker, for a file that is damaged, or has more such rows, or a token
            that is not UTF-8 if that is an error.
    """

    def __init__(
        self,
        sources: Sequence[VectorSource],
        range_bytes: int,
        max_reject_fraction: float = 0.0,
        rules: Sequence[str] = (EXACT,),
        unk_tokens: Sequence[str] = (),
        subword: Collection[int] = (),
        unicode_errors: str = SKIP,
        model_range_bytes: int | None = None,
        join: str = BROADCAST,
    ) -> None:
        super().__init__()
        self._sources = list(sources)
        self._range_bytes = range_bytes
        self._model_range_bytes = model_range_bytes or range_bytes
        self._max_reject_fraction = max_reject_fraction
        self._looked_up = list(rules), list(unk_tokens)
        self._lookup = SharedLookup(*self._looked_up)
        self._subword = subword
        self._unicode_errors = unicode_errors
        self._join = join

    def expand(self, vocabulary: Any) -> JoinedVectors:
        sources, finder = self._sources, self._finder(vocabulary)
        ranges = [
            work
            for source in sources
            if source.model is None
            for work in cut_ranges(source, self._range_bytes)
        ]
        scanned = [finder.scan("Scan", vocabulary.pipeline | "Ranges" >> beam.Create(ranges))]
        made, model_reports = self._sum_subwords(vocabulary)
        reports = flatten("AllReports", scanned[0].reports, *model_reports)
        judged = self._judge(vocabulary.pipeline, reports, "Prove")
        if any(source.can_lose_its_place for source in sources):
            again = judged | "ReadAgain" >> beam.FlatMap(ranges_to_read_again, sources)
            scanned.append(finder.scan("ScanInOrder", again))
            reports = scanned[1].reports
            judged = self._judge(vocabulary.pipeline, reports, "ProveInOrder", judged)
        found = finder.find(scanned)
        # Not of the rejects themselves: Beam's local engine now and then shows a side input empty
        # that is read as a main input too, by a stage that waits for this one.
        checked = judged | "CheckCounts" >> beam.Map(
            with_counts, AsIter(found.counts), sources, self._max_reject_fraction
        )
        rejects = found.rejects | "ThatCount" >> beam.FlatMap(
            that_count, AsSingleton(checked)
        ).with_output_types(pa.RecordBatch)
        vectors = flatten("AllVectors", found.vectors, *made)
        return JoinedVectors(vectors, checked, rejects)

    def _finder(self, vocabulary: Any) -> Finder:
        sources, unicode_errors = self._sources, self._unicode_errors
        if self._join == SHUFFLE:
            return ShuffleLookup(vocabulary, sources, *self._looked_up, unicode_errors)
        return BroadcastLookup(vocabulary, sources, self._lookup, unicode_errors)

    def _sum_subwords(self, vocabulary: Any) -> tuple[list[Any], list[Any]]:
        if all(source.model is None for source in self._sources):
            return [], []
        made = vocabulary | SumSubwords(
            self._sources,
            self._model_range_bytes,
            self._lookup,
            self._subword,
            self._unicode_errors,
        )
        return [made.vectors], [made.reports]

    def _judge(self, pipeline: Any, reports: Any, label: str, earlier: Any = None) -> Any:
        return (
            pipeline
            | f"Once{label}" >> beam.Impulse()
            | label
            >> beam.Map(
                judge_sources,
                AsIter(reports),
                self._sources,
                None if earlier is None else AsSingleton(earlier),
            )
        )
