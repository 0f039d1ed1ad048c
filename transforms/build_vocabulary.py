"""BuildVocabulary: from blocks of tokens to the vocabulary, as one block."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from formats.blocks import SPLITS, VOCABULARY
from formats.counts import (
    complete_vocabulary,
    cut_counts,
    merge_counts,
    order_counts,
    recount_vocabulary,
)
from formats.errors import DataError
from formats.token_hashes import split_by_hash
from transforms.losses import demand_all
from transforms.summarise_corpus import CorpusSummary

# A bundle's counts are merged whenever so many have piled up, so that memory follows the
# vocabulary and not the corpus.
_MERGE_ROWS = 2_000_000

_NO_TOKENS = pa.array([], pa.string())


@beam.typehints.with_output_types(tuple[int, pa.RecordBatch])
class _CountBundle(beam.DoFn):
    """Counts the tokens of all blocks of a bundle, and gives the counts by parts."""

    def __init__(self, splits: Collection[str], parts: int) -> None:
        self._splits = [SPLITS.index(split) for split in splits]
        self._parts = parts

    def start_bundle(self) -> None:
        self._counts: list[Any] = []
        self._rows = 0

    def process(self, block: pa.RecordBatch) -> None:
        tokens = block.column("tokens")
        counted = pc.is_in(block.column("split"), pa.array(self._splits, pa.int8()))
        if not pc.all(counted).as_py():
            tokens = tokens.filter(counted)
        counts = pc.value_counts(tokens.flatten())
        self._counts.append(
            pa.record_batch([counts.field("values"), counts.field("counts")], ["token", "count"])
        )
        self._rows += len(counts)
        if self._rows > _MERGE_ROWS:
            self._counts = [merge_counts(self._counts)]
            self._rows = 0

    def finish_bundle(self) -> Iterator[Any]:
        if self._counts:
            merged = merge_counts(self._counts)
            self._counts = []
            for part in split_by_hash(merged, "token", self._parts):
                yield WindowedValue(part, GlobalWindow().max_timestamp(), (GlobalWindow(),))


class CountTokens(beam.PTransform[Any, Any]):
    """Counts the tokens of some splits.

    Takes blocks of ``formats.blocks.TOKENS`` and gives blocks of ``formats.blocks.VOCABULARY``
    with each distinct token and its count, in one of them and in no order.

    Args:
        splits: names of the splits that are counted.
        parts: into how many parts the tokens are divided, by their hashes; a worker has the
            counts of one part at a time.
    """

    def __init__(self, splits: Collection[str], parts: int = 1) -> None:
        super().__init__()
        self._splits = splits
        self._parts = parts

    def expand(self, tokens: Any) -> Any:
        return (
            tokens
            | "CountBundles" >> beam.ParDo(_CountBundle(self._splits, self._parts))
            | "Gather" >> beam.GroupByKey()
            | "MergeCounts" >> beam.MapTuple(_merge_group).with_output_types(pa.RecordBatch)
        )


def _merge_group(_: int, counts: Iterable[Any]) -> Any:
    return merge_counts(list(counts))


class BuildVocabulary(beam.PTransform[Any, Any]):
    """Builds the vocabulary from counts: the most frequent tokens first, ties by their bytes.

    Takes the counts of ``CountTokens`` and gives a single block of
    ``formats.blocks.VOCABULARY``: [PAD], [UNK], the corpus' tokens, then those of the vector
    files.

    Args:
        max_tokens: vocabulary size with [PAD] and [UNK] counted, before the tokens of the
            vector files; None for no limit.
        min_count: rarer tokens stay out.
        given: a PCollection with one block, whose ``token`` column is taken as the vocabulary
            instead of building one; only the counts are filled in.
        vector_tokens: a PCollection with one block, whose ``token`` column enters the
            vocabulary behind the corpus' own tokens.
        summary: a PCollection with one ``CorpusSummary``. A corpus whose rows are bad fails for
            that first, and not for the tokens that are missed then.
        splits: those that were counted. With a summary, all of their tokens must be in the counts.

    Raises:
        DataError: in the worker, for a vocabulary without a token, or for counts of fewer or more
            tokens than there are.
    """

    def __init__(
        self,
        *,
        max_tokens: int | None = None,
        min_count: int = 1,
        given: Any = None,
        vector_tokens: Any = None,
        summary: Any = None,
        splits: Collection[str] = (),
    ) -> None:
        super().__init__()
        self._max_tokens = max_tokens
        self._min_count = min_count
        self._given = given
        self._vector_tokens = vector_tokens
        self._summary = summary
        self._splits = splits

    def expand(self, counts: Any) -> Any:
        extra = self._given if self._given is not None else self._vector_tokens
        more: Any = [] if extra is None else beam.pvalue.AsList(extra)
        # Of a given vocabulary nothing but its own tokens' counts is needed.
        max_tokens = 0 if self._given is not None else self._max_tokens
        cut = counts | "CutParts" >> beam.Map(
            _cut, self._min_count, max_tokens, more
        ).with_output_types(pa.RecordBatch)
        totals = counts | "TotalOfParts" >> beam.Map(_total).with_output_types(int)
        return (
            counts.pipeline
            | "Once" >> beam.Impulse()
            | "OrderAndCut"
            >> beam.Map(
                _finish,
                self._given is not None,
                beam.pvalue.AsList(cut),
                more,
                self._max_tokens,
                self._min_count,
                beam.pvalue.AsIter(totals),
                [] if self._summary is None else beam.pvalue.AsIter(self._summary),
                self._splits,
            ).with_output_types(pa.RecordBatch)
        )


def _cut(counts: Any, min_count: int, max_tokens: int | None, more: list[Any]) -> Any:
    tokens = more[0].column("token") if more else _NO_TOKENS
    return cut_counts(counts, min_count, max_tokens, tokens)


def _total(counts: Any) -> int:
    return pc.sum(counts.column("count")).as_py() or 0


def _finish(
    _: bytes,
    given: bool,
    counts: list[Any],
    extra: list[Any],
    max_tokens: int | None,
    min_count: int,
    totals: Iterable[int],
    summaries: Iterable[CorpusSummary],
    splits: Collection[str],
) -> Any:
    of_parts = list(totals)
    for summary in summaries:
        expected = sum(number for split, number in summary.tokens.items() if split in splits)
        demand_all("corpus: tokens to be counted", expected, sum(of_parts))
    demand_all("corpus: parts of the counted tokens", len(of_parts), len(counts))
    merged = pa.Table.from_batches(counts, schema=VOCABULARY)
    if given:
        [listed] = extra
        return recount_vocabulary(listed.column("token"), merged)
    tokens = extra[0].column("token") if extra else _NO_TOKENS
    ordered = order_counts(merged, min_count, max_tokens)
    if not ordered.num_rows and not len(tokens):
        raise DataError(
            "the vocabulary is empty: the splits of --vocabulary_splits hold no token that comes "
            f"--min_count {min_count} times; check --corpus, --splits and --vocabulary_splits"
        )
    return complete_vocabulary(ordered, tokens, merged)
