"""ReadCorpus: from ranges of corpus files to blocks of text rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import TaggedOutput

from formats.corpus.ranges import CorpusRange
from formats.corpus.read import read_range
from transforms.progress import StageProgress
from transforms.storage import open_file

REJECTS = "rejects"


@beam.typehints.with_output_types(pa.RecordBatch, rejects=pa.RecordBatch)
class _ReadRange(beam.DoFn):
    def __init__(self, stage: str) -> None:
        self._progress = StageProgress(stage)

    def process(self, work: CorpusRange) -> Iterator[Any]:
        with self._progress.piece() as piece:
            for block in read_range(work, open_file):
                rows, rejects = block.rows.num_rows, block.rejects.num_rows
                piece.add(read=block.bytes_read, records=rows, rejects=rejects)
                if rows:
                    yield block.rows
                if rejects:
                    yield TaggedOutput(REJECTS, block.rejects)


class ReadCorpus(beam.PTransform[Any, Any]):
    """Reads ranges of corpus files in parallel.

    Takes a PCollection of ``CorpusRange`` and gives a tuple of two PCollections: blocks of
    ``formats.blocks.TEXT``, and blocks of ``formats.blocks.REJECTS`` for rows that can't be
    used. Raises ``DataError`` in the worker for a file that can't be read on.

    Args:
        stage: the name under which the progress is counted.
    """

    def __init__(self, stage: str = "ReadCorpus") -> None:
        super().__init__()
        self._stage = stage

    def expand(self, ranges: Any) -> Any:
        read = ranges | "ReadRanges" >> beam.ParDo(_ReadRange(self._stage)).with_outputs(
            REJECTS, main="rows"
        )
        return read.rows, read[REJECTS]
