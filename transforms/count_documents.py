"""CountDocuments: in how many rows each token comes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from formats.blocks import TOKENS
from transforms.build_vocabulary import CountTokens


class CountDocuments(beam.PTransform[Any, Any]):
    """Counts the rows of some splits that each token comes in, however often.

    Takes blocks of ``formats.blocks.TOKENS`` and gives what ``CountTokens`` does.

    Args:
        splits: names of the splits that are counted.
    """

    def __init__(self, splits: Collection[str]) -> None:
        super().__init__()
        self._splits = splits

    def expand(self, tokens: Any) -> Any:
        return (
            tokens
            | "OncePerRow" >> beam.Map(_once_per_row).with_output_types(pa.RecordBatch)
            | "CountTokens" >> CountTokens(self._splits)
        )


def _once_per_row(block: Any) -> Any:
    tokens = block.column("tokens")
    flat = tokens.flatten().dictionary_encode()
    distinct = max(len(flat.dictionary), 1)
    rows = np.repeat(np.arange(len(tokens)), pc.list_value_length(tokens).to_numpy())
    cells = np.unique(rows * distinct + flat.indices.to_numpy())
    rows, places = np.divmod(cells, distinct)
    offsets = np.searchsorted(rows, np.arange(len(tokens) + 1)).astype(np.int32)
    once = pa.ListArray.from_arrays(offsets, flat.dictionary.take(pa.array(places)))
    others = [block.column(field.name) for field in TOKENS if field.name != "tokens"]
    return pa.record_batch([once, *others], schema=TOKENS)
