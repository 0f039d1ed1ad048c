"""TakeVectorTokens: the first tokens of the vector files, for the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import pyarrow as pa

from formats.vectors.source import VectorSource
from formats.vectors.tokens import first_tokens
from formats.vectors.unicode_errors import SKIP
from transforms.storage import open_file


class TakeVectorTokens(beam.PTransform[Any, Any]):
    """Reads the first tokens of vector files, in order, by one worker.

    Applied to a pipeline; gives a PCollection with one block, whose ``token`` column holds the
    tokens.

    Args:
        sources: the vector files, in their order.
        number: how many distinct tokens are taken; a later file is read only when the earlier
            ones hold fewer.
        unicode_errors: what is done with tokens that are not UTF-8
            (``formats.vectors.unicode_errors``).
    """

    def __init__(
        self, sources: Sequence[VectorSource], number: int, unicode_errors: str = SKIP
    ) -> None:
        super().__init__()
        self._sources = list(sources)
        self._number = number
        self._unicode_errors = unicode_errors

    def expand(self, pipeline: Any) -> Any:
        return (
            pipeline
            | "Once" >> beam.Impulse()
            | "FirstTokens"
            >> beam.Map(_take, self._number, self._sources, self._unicode_errors).with_output_types(
                pa.RecordBatch
            )
        )


def _take(_: bytes, number: int, sources: Sequence[VectorSource], unicode_errors: str) -> Any:
    tokens = first_tokens(sources, number, open_file, unicode_errors=unicode_errors)
    return pa.record_batch([pa.array(tokens, pa.string())], ["token"])
