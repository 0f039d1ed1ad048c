"""Tokenize: from blocks of text rows to blocks of tokens, each row in its split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import apache_beam as beam
import pyarrow as pa

from formats.tokenized import tokenize_block
from formats.tokenizers import make_tokenizer


@beam.typehints.with_output_types(pa.RecordBatch)
class _TokenizeBlock(beam.DoFn):
    def __init__(self, tokenizer: str, fractions: Mapping[str, float]) -> None:
        self._spec = tokenizer
        self._fractions = dict(fractions)

    def setup(self) -> None:
        self._tokenize = make_tokenizer(self._spec)

    def process(self, rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        yield tokenize_block(rows, self._tokenize, self._fractions)


class Tokenize(beam.PTransform[Any, Any]):
    """Turns blocks of ``formats.blocks.TEXT`` into blocks of ``formats.blocks.TOKENS``.

    Rows of a corpus that was given without a split are put into one by a hash of their
    normalised text, so that duplicates never straddle splits.

    Args:
        tokenizer: ``basic``, ``whitespace``, ``regex:PATTERN`` or ``module:function``.
        fractions: the share of each split, as ``formats.splits.parse_splits`` gives it.

    Raises:
        UsageError: the tokenizer can't be made.
    """

    def __init__(self, tokenizer: str, fractions: Mapping[str, float]) -> None:
        super().__init__()
        make_tokenizer(tokenizer)
        self._tokenizer = tokenizer
        self._fractions = fractions

    def expand(self, rows: Any) -> Any:
        return rows | "TokenizeBlocks" >> beam.ParDo(
            _TokenizeBlock(self._tokenizer, self._fractions)
        )
