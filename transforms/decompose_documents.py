"""DecomposeDocuments: LSA word vectors from ranges of a corpus.

Each range is decomposed by itself, and the factors of neighbouring ranges are merged in pairs,
those of neighbouring pairs again, and so on. Which are merged depends on their places in the
input alone, never on what is done first, so that any number of workers gets the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam import coders
from apache_beam.pvalue import AsSingleton

from formats import lsa
from formats.blocks import SPLITS
from formats.corpus.ranges import CorpusRange
from formats.corpus.read import read_range
from formats.tokenized import tokenize_block
from formats.tokenizers import make_tokenizer
from transforms.progress import StageProgress
from transforms.storage import open_file

# The terms in the order of their vectors, and the weight of each.
TERMS = pa.schema(
    [
        pa.field("token", pa.string(), nullable=False),
        pa.field("idf", pa.float64(), nullable=False),
    ]
)


class PartialFactors(NamedTuple):
    """The factors of the ranges from ``place << level`` up to ``place + 1 << level``.

    Attributes:
        level: how often factors were merged, or would have been with a neighbour there.
        place: its number among those of the same level.
        rank: columns of the factors.
        data: float64 [terms, rank] in C order.
    """

    level: int
    place: int
    rank: int
    data: bytes


coders.registry.register_coder(PartialFactors, coders.RowCoder)


def pack_factors(level: int, place: int, factors: lsa.Factors) -> PartialFactors:
    """Makes factors ready to travel."""
    return PartialFactors(level, place, factors.shape[1], factors.tobytes())


def unpack_factors(partial: PartialFactors, terms: int) -> lsa.Factors:
    """Gives back the factors, float64 [terms, rank]."""
    return np.frombuffer(partial.data, np.float64).reshape(terms, partial.rank)


class DecomposeDocuments(beam.PTransform[Any, Any]):
    """Decomposes the tf-idf matrix of a corpus, whose rows are the documents.

    Applied to a pipeline; gives a PCollection with one block, whose columns are ``token`` and
    ``vector``, a list of ``dim`` float.

    Args:
        ranges: the ranges of the corpus, in the order of the input.
        terms: block of ``TERMS``.
        tokenizer: as ``Tokenize`` takes it.
        fractions: as ``Tokenize`` takes them.
        splits: names of the splits whose rows are decomposed.
        dim: dimensions of a vector.
        seed: of the random projections.
    """

    def __init__(
        self,
        ranges: Sequence[CorpusRange],
        terms: Any,
        tokenizer: str,
        fractions: Mapping[str, float],
        splits: Collection[str],
        dim: int,
        seed: int,
    ) -> None:
        super().__init__()
        rank = lsa.part_rank(dim)
        self._ranges = list(enumerate(ranges))
        self._terms = terms
        self._dim = dim
        self._decompose = _DecomposeRange(tokenizer, fractions, splits, rank, seed)
        self._merge = MergeFactors(len(ranges), terms.num_rows, rank)

    def expand(self, pipeline: Any) -> Any:
        terms = pipeline | "Terms" >> beam.Create([self._terms]).with_output_types(pa.RecordBatch)
        return (
            pipeline
            | "Ranges" >> beam.Create(self._ranges)
            | "DecomposeRanges" >> beam.ParDo(self._decompose, AsSingleton(terms))
            | "MergeFactors" >> beam.CombineGlobally(self._merge).without_defaults()
            | "TermVectors"
            >> beam.Map(_term_vectors, AsSingleton(terms), self._dim).with_output_types(
                pa.RecordBatch
            )
        )


@beam.typehints.with_output_types(PartialFactors)
class _DecomposeRange(beam.DoFn):
    def __init__(
        self,
        tokenizer: str,
        fractions: Mapping[str, float],
        splits: Collection[str],
        rank: int,
        seed: int,
    ) -> None:
        self._tokenizer = tokenizer
        self._fractions = dict(fractions)
        self._splits = [SPLITS.index(split) for split in splits]
        self._rank = rank
        self._seed = seed
        self._progress = StageProgress("DecomposeDocuments")

    def setup(self) -> None:
        self._tokenize = make_tokenizer(self._tokenizer)

    def process(self, numbered: tuple[int, CorpusRange], terms: Any) -> Iterator[PartialFactors]:
        number, work = numbered
        token, idf = terms.column("token"), terms.column("idf").to_numpy()
        wanted = pa.array(self._splits, pa.int8())
        factors = lsa.no_factors(terms.num_rows)
        with self._progress.piece() as piece:
            for block in read_range(work, open_file):
                tokens = tokenize_block(block.rows, self._tokenize, self._fractions)
                own = tokens.column("tokens").filter(pc.is_in(tokens.column("split"), wanted))
                part = lsa.decompose(lsa.weigh(own, token, idf), self._rank, self._seed)
                factors = lsa.merge(factors, part, self._rank)
                piece.add(read=block.bytes_read, records=len(own))
        yield pack_factors(0, number, factors)


@beam.typehints.with_input_types(PartialFactors)
@beam.typehints.with_output_types(PartialFactors)
class MergeFactors(beam.CombineFn):
    """Merges the factors of all ranges, in an order that their numbers fix.

    Args:
        ranges: how many there are; factors of each must come, once.
        terms: rows of the factors.
        rank: the most columns that are kept.
    """

    def __init__(self, ranges: int, terms: int, rank: int) -> None:
        self._ranges = ranges
        self._terms = terms
        self._rank = rank
        self._top = (ranges - 1).bit_length()

    def create_accumulator(self) -> list[PartialFactors]:
        return []

    def add_input(
        self, waiting: list[PartialFactors], partial: PartialFactors
    ) -> list[PartialFactors]:
        return self.merge_accumulators([waiting, [partial]])

    def merge_accumulators(
        self, accumulators: Iterable[list[PartialFactors]]
    ) -> list[PartialFactors]:
        waiting: dict[tuple[int, int], PartialFactors] = {}
        for partial in chain.from_iterable(accumulators):
            settled = self._merge_upwards(partial, waiting)
            waiting[settled.level, settled.place] = settled
        return list(waiting.values())

    def extract_output(self, waiting: list[PartialFactors]) -> PartialFactors:
        [whole] = waiting
        return whole

    def get_accumulator_coder(self) -> Any:
        return coders.ListCoder(coders.registry.get_coder(PartialFactors))

    def _merge_upwards(
        self, partial: PartialFactors, waiting: dict[tuple[int, int], PartialFactors]
    ) -> PartialFactors:
        """Merges factors with their neighbours as long as those are there."""
        while partial.level < self._top:
            level, place = partial.level, partial.place
            if (place ^ 1) << level < self._ranges:
                neighbour = waiting.pop((level, place ^ 1), None)
                if neighbour is None:
                    return partial
                pair = sorted([partial, neighbour], key=lambda part: part.place)
                first, second = (unpack_factors(part, self._terms) for part in pair)
                merged = lsa.merge(first, second, self._rank)
                partial = pack_factors(level + 1, place >> 1, merged)
            else:
                partial = partial._replace(level=level + 1, place=place >> 1)
        return partial


def _term_vectors(whole: PartialFactors, terms: Any, dim: int) -> Any:
    vectors = lsa.term_vectors(unpack_factors(whole, terms.num_rows), dim)
    flat = pa.array(vectors.reshape(-1))
    columns = [terms.column("token"), pa.FixedSizeListArray.from_arrays(flat, dim)]
    return pa.record_batch(columns, ["token", "vector"])
