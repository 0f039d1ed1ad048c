"""WriteRejects: the rows that could not be used, and why, as JSON lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import AsIter

from formats.blocks import REJECTS
from formats.dataset.paths import rejects_path
from formats.dataset.rejects import write_rejects
from transforms.storage import create_file, join


class RejectsFile(NamedTuple):
    """The file that lists rejected rows."""

    path: str
    sha256: str


class WriteRejects(beam.PTransform[Any, Any]):
    """Writes rejected rows, sorted by file and offset, into one file.

    Takes a PCollection of blocks of ``formats.blocks.REJECTS`` and gives one ``RejectsFile``.

    Args:
        output: URI of the dataset.
        run_id: the run under which the file is written.
    """

    def __init__(self, output: str, run_id: str) -> None:
        super().__init__()
        self._output = output
        self._run_id = run_id

    def expand(self, rejects: Any) -> Any:
        return (
            rejects.pipeline
            | "Once" >> beam.Impulse()
            | "WriteFile" >> beam.Map(_write, AsIter(rejects), self._output, self._run_id)
        )


def _write(_: bytes, rejects: Iterable[Any], output: str, run_id: str) -> RejectsFile:
    path = rejects_path(run_id)
    with create_file(join(output, path)) as file:
        file.write(write_rejects(pa.Table.from_batches(rejects, schema=REJECTS)))
    return RejectsFile(path, file.sha256)
