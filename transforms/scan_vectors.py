"""ScanVectors: from ranges of vector files to the rows whose tokens are, or may be, wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import TaggedOutput

from formats.blocks import REJECTS as REJECT_SCHEMA
from formats.containers import PLAIN
from formats.vectors.joined import joined_block
from formats.vectors.lookup import Lookup
from formats.vectors.parse_vectors import parse_vectors
from formats.vectors.records import RangeReport, RowBlock
from formats.vectors.source import VectorRange, VectorSource, bytes_of, read_range
from formats.vectors.wanted_rows import Selection, find_rows
from transforms.progress import PieceProgress, StageProgress
from transforms.prove_vectors import JoinCounts
from transforms.storage import open_file

_PACKED, _REPORTS = "packed", "reports"
REJECTS, COUNTS = "rejects", "counts"

Select = Callable[[VectorSource, Any], Selection]
"""Makes the selection of a file's rows, of a side input."""


class ScannedVectors(NamedTuple):
    """Outputs of ``ScanVectors``.

    Attributes:
        rows: PCollection of blocks of the selection's schema, from plain files.
        packed_rows: the same from files that are read whole by one worker.
        reports: PCollection of ``RangeReport``.
    """

    rows: Any
    packed_rows: Any
    reports: Any


class ScanVectors(beam.PTransform[Any, Any]):
    """Finds rows in ranges of vector files, and reads no float of them.

    Takes a PCollection of ``VectorRange`` and gives ``ScannedVectors``.

    Args:
        sources: the vector files.
        select: which rows are taken.
        side_input: what ``select`` needs of the vocabulary, as a side input.
    """

    def __init__(self, sources: Sequence[VectorSource], select: Select, side_input: Any) -> None:
        super().__init__()
        self._sources = sources
        self._select = select
        self._side_input = side_input

    def expand(self, work: Any) -> ScannedVectors:
        scan = _ScanRange(self._sources, self._select)
        scanned = work | "ScanRanges" >> beam.ParDo(scan, self._side_input).with_outputs(
            _PACKED, _REPORTS, main="rows"
        )
        return ScannedVectors(scanned.rows, scanned[_PACKED], scanned[_REPORTS])


@beam.typehints.with_output_types(pa.RecordBatch, packed=pa.RecordBatch, reports=RangeReport)
class _ScanRange(beam.DoFn):
    def __init__(self, sources: Sequence[VectorSource], select: Select) -> None:
        self._sources = sources
        self._select = select
        self._progress = StageProgress("JoinVectors")

    def process(self, work: VectorRange, wanted: Any) -> Iterator[Any]:
        source = self._sources[work.source]
        selection = self._select(source, wanted)
        reports: list[RangeReport] = []
        found = 0
        with self._progress.piece() as piece:
            blocks = _read(source, work, reports, piece)
            for rows in find_rows(blocks, selection, work.source, work.attempt):
                found += rows.num_rows
                yield rows if source.container.kind == PLAIN else TaggedOutput(_PACKED, rows)
        [report] = reports
        yield TaggedOutput(_REPORTS, report._replace(found=found))


def _read(
    source: VectorSource, work: VectorRange, reports: list[RangeReport], piece: PieceProgress
) -> Iterator[RowBlock]:
    for block in read_range(source, work, open_file):
        if isinstance(block, RangeReport):
            reports.append(block)
        else:
            piece.add(read=bytes_of(source, block), records=block.rows)
            yield block


def join_found(
    found: Any, received: int, lookup: Lookup, sources: Sequence[VectorSource]
) -> Iterator[Any]:
    """Reads the floats of found rows, and gives them to the rows of the matrix.

    Args:
        found: a batch of ``formats.vectors.wanted_rows.FOUND``, with one row or more.
        received: how many rows came, those among them that are not wanted too.
        lookup: what the rows were found by.
        sources: the vector files.

    Yields:
        A joined block (``formats.vectors.joined``); tagged ``COUNTS``, its ``JoinCounts``; and,
        tagged ``REJECTS``, the rows that are no vectors: (ordinal of the file, attempt, block of
        ``formats.blocks.REJECTS``).
    """
    source = sources[found.column("source")[0].as_py()]
    attempt = found.column("attempt")[0].as_py()
    parsed = parse_vectors(found, source.layout.kind, source.layout.dim)
    block = joined_block(found, parsed.kept, parsed.vectors, lookup)
    yield block
    counts = JoinCounts(source.ordinal, attempt, received, block.num_rows)
    if parsed.rejected:
        rows, reasons = zip(*parsed.rejected, strict=True)
        rejected = found.take(pa.array(rows))
        excerpts = [repr(vector[:60]) for vector in rejected.column("vector").to_pylist()]
        columns = [[source.name] * len(rows), rejected.column("position"), reasons, excerpts]
        batch = pa.record_batch([pa.array(column) for column in columns], REJECT_SCHEMA.names)
        yield TaggedOutput(REJECTS, (source.ordinal, attempt, batch.cast(REJECT_SCHEMA)))
        counts = counts.with_rejects(batch)
    yield TaggedOutput(COUNTS, counts)
