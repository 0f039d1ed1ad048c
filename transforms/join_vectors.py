"""JoinVectors: from ranges of vector files to the vectors of the vocabulary's tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import AsIter, AsSingleton, TaggedOutput

from formats.blocks import REJECTS as REJECT_SCHEMA
from formats.errors import DataError
from formats.vectors.containers import PLAIN
from formats.vectors.forms import EXACT
from formats.vectors.hits import find_rows, parse_vectors
from formats.vectors.joined import joined_block
from formats.vectors.layout import BINARY
from formats.vectors.proof import judge
from formats.vectors.records import RangeReport, RowBlock
from formats.vectors.source import (
    VectorRange,
    VectorSource,
    bytes_of,
    cut_ranges,
    read_range,
    whole_range,
)
from formats.vectors.unicode_errors import SKIP
from transforms.progress import StageProgress
from transforms.shared_lookup import SharedLookup
from transforms.storage import open_file
from transforms.sum_subwords import SumSubwords

_PACKED, _REPORTS, _REJECTS = "packed", "reports", "rejects"


class JoinedSource(NamedTuple):
    """What the reading of one vector file came to.

    Attributes:
        ordinal: its place among the vector files of the job.
        attempt: 0 if its ranges were read in parallel, 1 if it had to be read in order.
        rows: rows of the file.
        warnings: irregularities that were read around.
        problem: why the ranges did not add up, if it must still be read in order, else empty.
        rejects: rows that were wanted but are no vectors, by reason.
        duplicates: wanted tokens that came again, if that was found while reading.
    """

    ordinal: int
    attempt: int
    rows: int
    warnings: list[str]
    problem: str
    rejects: dict[str, int]
    duplicates: int = 0


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


@beam.typehints.with_output_types(pa.RecordBatch, packed=pa.RecordBatch, reports=RangeReport)
class _ScanRange(beam.DoFn):
    """Finds the rows of the vocabulary's tokens in a range, and reads no float of them."""

    def __init__(
        self, sources: Sequence[VectorSource], lookup: SharedLookup, unicode_errors: str
    ) -> None:
        self._sources = sources
        self._lookup = lookup
        self._unicode_errors = unicode_errors
        self._progress = StageProgress("JoinVectors")

    def process(self, work: VectorRange, vocabulary: Any) -> Iterator[Any]:
        lookup = self._lookup.of(vocabulary)
        source = self._sources[work.source]
        reports: list[RangeReport] = []
        for block in find_rows(
            self._read(source, work, reports),
            lookup.forms,
            lookup.sieve,
            work.source,
            work.attempt,
            unicode_errors=self._unicode_errors,
            name=source.name,
        ):
            yield block if source.container.kind == PLAIN else TaggedOutput(_PACKED, block)
        for report in reports:
            yield TaggedOutput(_REPORTS, report)

    def _read(
        self, source: VectorSource, work: VectorRange, reports: list[RangeReport]
    ) -> Iterator[RowBlock]:
        for block in read_range(source, work, open_file):
            if isinstance(block, RangeReport):
                reports.append(block)
            else:
                self._progress.add(read=bytes_of(source, block), records=block.rows)
                yield block


@beam.typehints.with_output_types(pa.RecordBatch, rejects=tuple[int, int, pa.RecordBatch])
class _ParseVectors(beam.DoFn):
    """Reads the floats of the rows that were found, and gives them to the matrix' rows."""

    def __init__(self, sources: Sequence[VectorSource], lookup: SharedLookup) -> None:
        self._sources = sources
        self._lookup = lookup

    def process(self, found: pa.RecordBatch, vocabulary: Any) -> Iterator[Any]:
        source = self._sources[found.column("source")[0].as_py()]
        parsed = parse_vectors(found, source.layout.kind, source.layout.dim)
        yield joined_block(found, parsed.kept, parsed.vectors, self._lookup.of(vocabulary))
        if parsed.rejected:
            rows, reasons = zip(*parsed.rejected, strict=True)
            rejected = found.take(pa.array(rows))
            excerpts = [repr(vector[:60]) for vector in rejected.column("vector").to_pylist()]
            columns = [[source.name] * len(rows), rejected.column("position"), reasons, excerpts]
            batch = pa.record_batch([pa.array(column) for column in columns], REJECT_SCHEMA.names)
            attempt = found.column("attempt")[0].as_py()
            yield TaggedOutput(_REJECTS, (source.ordinal, attempt, batch.cast(REJECT_SCHEMA)))


class JoinVectors(beam.PTransform[Any, Any]):
    """Reads vector files in parallel and keeps the vectors of the vocabulary's tokens.

    Takes a PCollection with one block, the vocabulary, and gives ``JoinedVectors``. A plain file
    is read in byte ranges. A packed one is decompressed by one worker, and the rows that were
    found in it go to all workers for the reading of their floats. A word2vec binary whose
    ranges do not add up is read once more, in order. A fastText model is read by ``SumSubwords``.

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
    ) -> None:
        super().__init__()
        self._sources = list(sources)
        self._range_bytes = range_bytes
        self._model_range_bytes = model_range_bytes or range_bytes
        self._max_reject_fraction = max_reject_fraction
        self._lookup = SharedLookup(rules, unk_tokens)
        self._subword = subword
        self._unicode_errors = unicode_errors

    def expand(self, vocabulary: Any) -> JoinedVectors:
        sources = self._sources
        ranges = [
            work
            for source in sources
            if source.model is None
            for work in cut_ranges(source, self._range_bytes)
        ]
        work = vocabulary.pipeline | "Ranges" >> beam.Create(ranges)
        found, reports = self._scan(work, vocabulary, "")
        made, model_reports = self._sum_subwords(vocabulary)
        reports = _flatten("AllReports", reports, *model_reports)
        judged = self._judge(vocabulary.pipeline, reports, "Prove")
        if any(map(_can_lose_its_place, sources)):
            again = judged | "ReadAgain" >> beam.FlatMap(_ranges_to_read_again, sources)
            found_again, reports = self._scan(again, vocabulary, "InOrder")
            found += found_again
            judged = self._judge(vocabulary.pipeline, reports, "ProveInOrder", judged)
        parsed = _flatten("FlattenFound", *found) | "ParseVectors" >> beam.ParDo(
            _ParseVectors(sources, self._lookup), AsSingleton(vocabulary)
        ).with_outputs(_REJECTS, main="vectors")
        # Counted apart: Beam's local engine now and then shows a side input empty that is read as
        # a main input too, by a stage that waits for this one.
        counts = parsed[_REJECTS] | "CountRejects" >> beam.Map(_count_rejects)
        checked = judged | "CheckRejects" >> beam.Map(
            _with_rejects, AsIter(counts), sources, self._max_reject_fraction
        )
        rejects = parsed[_REJECTS] | "ThatCount" >> beam.FlatMap(
            _that_count, AsSingleton(checked)
        ).with_output_types(pa.RecordBatch)
        vectors = _flatten("AllVectors", parsed.vectors, *made)
        return JoinedVectors(vectors, checked, rejects)

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

    def _scan(self, work: Any, vocabulary: Any, label: str) -> tuple[list[Any], Any]:
        scanned = work | f"ScanRanges{label}" >> beam.ParDo(
            _ScanRange(self._sources, self._lookup, self._unicode_errors), AsSingleton(vocabulary)
        ).with_outputs(_PACKED, _REPORTS, main="found")
        found = [scanned.found]
        if not label and any(map(_is_scanned_whole, self._sources)):
            found.append(scanned[_PACKED] | "SpreadFound" >> beam.Reshuffle())
        return found, scanned[_REPORTS]

    def _judge(self, pipeline: Any, reports: Any, label: str, earlier: Any = None) -> Any:
        return (
            pipeline
            | f"Once{label}" >> beam.Impulse()
            | label
            >> beam.Map(
                _judge_sources,
                AsIter(reports),
                self._sources,
                None if earlier is None else AsSingleton(earlier),
            )
        )


def _flatten(label: str, *parts: Any) -> Any:
    """All of some PCollections; engines would write a single one down before they go on."""
    return parts[0] if len(parts) == 1 else parts | label >> beam.Flatten()


def _is_scanned_whole(source: VectorSource) -> bool:
    return source.model is None and source.container.kind != PLAIN


def _can_lose_its_place(source: VectorSource) -> bool:
    return source.layout.kind == BINARY and source.container.kind == PLAIN


def _judge_sources(
    _: bytes,
    reports: Iterable[RangeReport],
    sources: Sequence[VectorSource],
    earlier: list[JoinedSource] | None,
) -> list[JoinedSource]:
    reports = list(reports)
    judged = []
    for source in sources:
        if earlier and not earlier[source.ordinal].problem:
            judged.append(earlier[source.ordinal])
            continue
        own = [report for report in reports if report.source == source.ordinal]
        in_order = earlier is not None or source.container.kind != PLAIN
        verdict = judge(own, source.layout, None if in_order else source.size, source.name)
        if verdict.problem and (in_order or not _can_lose_its_place(source)):
            raise verdict.problem
        problem = str(verdict.problem or "")
        attempt = own[0].attempt
        warnings = list(verdict.warnings)
        if earlier:
            warnings.append(
                f"{source.name}: its ranges did not add up ({earlier[source.ordinal].problem}), "
                "so it was read in order by one worker"
            )
        duplicates = sum(report.duplicates for report in own)
        judged.append(
            JoinedSource(source.ordinal, attempt, verdict.rows, warnings, problem, {}, duplicates)
        )
    return judged


def _ranges_to_read_again(
    judged: list[JoinedSource], sources: Sequence[VectorSource]
) -> list[VectorRange]:
    return [whole_range(sources[source.ordinal]) for source in judged if source.problem]


class _RejectCounts(NamedTuple):
    """Rejects of one block.

    Attributes:
        source: ordinal of the file.
        attempt: which reading of it.
        reasons: how many rows by reason.
        first: offset, reason and excerpt of the first of them.
    """

    source: int
    attempt: int
    reasons: dict[str, int]
    first: tuple[int, str, str]


def _count_rejects(rejected: tuple[int, int, Any]) -> _RejectCounts:
    source, attempt, batch = rejected
    rows = [(row["offset"], row["reason"], row["excerpt"]) for row in batch.to_pylist()]
    reasons = Counter(reason for _, reason, _ in rows)
    return _RejectCounts(source, attempt, dict(reasons), min(rows))


def _that_count(rejected: tuple[int, int, Any], joined: list[JoinedSource]) -> Iterator[Any]:
    source, attempt, block = rejected
    if joined[source].attempt == attempt:
        yield block


def _with_rejects(
    judged: list[JoinedSource],
    rejects: Iterable[_RejectCounts],
    sources: Sequence[VectorSource],
    max_reject_fraction: float,
) -> list[JoinedSource]:
    counts: list[Counter[str]] = [Counter() for _ in sources]
    first: dict[int, tuple[int, str, str]] = {}
    for block in rejects:
        if block.attempt == judged[block.source].attempt:
            counts[block.source].update(block.reasons)
            first[block.source] = min(first.get(block.source, block.first), block.first)
    for joined, reasons in zip(judged, counts, strict=True):
        if reasons.total() > max_reject_fraction * joined.rows:
            source = sources[joined.ordinal]
            offset, reason, excerpt = first[joined.ordinal]
            raise DataError(
                f"{source.name}: {source.place(offset)}: expected finite floats, found "
                f"{excerpt} ({reason}); {reasons.total()} rows are bad, and at most a share of "
                f"{max_reject_fraction} may be: mend them or raise the second number of "
                "--max_reject_fraction"
            )
    return [
        joined._replace(rejects=dict(sorted(reasons.items())))
        for joined, reasons in zip(judged, counts, strict=True)
    ]
