"""Blocks of tokens from blocks of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from formats.blocks import TOKENS, UNASSIGNED_SPLIT
from formats.splits import assign_splits_by_tokens
from formats.tokenizers import Tokenizer, tokenize_basic


def tokenize_block(rows: Any, tokenizer: Tokenizer, fractions: Mapping[str, float]) -> Any:
    """Turns a block of ``formats.blocks.TEXT`` into one of ``formats.blocks.TOKENS``.

    Args:
        rows: texts and labels.
        tokenizer: what cuts texts into tokens.
        fractions: the share of each split, for rows that have none yet.
    """
    texts = rows.column("text")
    tokens = tokenizer(texts)
    splits = rows.column("split").to_numpy()
    unassigned = splits == UNASSIGNED_SPLIT
    if unassigned.any():
        # The hash of the text is over its basic tokens, whatever the tokenizer.
        basic = tokens if tokenizer is tokenize_basic else tokenize_basic(texts)
        splits = np.where(unassigned, assign_splits_by_tokens(basic, fractions), splits)
    columns = [tokens, *(rows.column(name) for name in ("label", "file", "offset"))]
    return pa.record_batch([*columns, pa.array(splits, pa.int8())], schema=TOKENS)
