"""Token ids of the examples, from tokens and a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from formats.blocks import EXAMPLES
from formats.dataset.examples import POST, pack_ids
from formats.dataset.vocabulary import OOV_ID
from formats.shuffle_order import shuffle_order
from formats.token_index import TokenIndex

# Arrow makes a table of the vocabulary for each block. That pays as long as the block has several
# times as many tokens as the vocabulary has words.
_TOKENS_BY_WORD = 4


def encode_tokens(tokens: Any, vocabulary: TokenIndex) -> Any:
    """Ids of tokens; those that are not in the vocabulary, [PAD] and [UNK] get the OOV id.

    Args:
        tokens: ``pa.ListArray`` of strings.
        vocabulary: the whole vocabulary in the order of the ids.

    Returns:
        ``pa.ListArray`` of int32, of the same shape.
    """
    flat = tokens.flatten()
    if len(vocabulary.tokens) < len(flat) // _TOKENS_BY_WORD:
        ids = np.asarray(pc.index_in(flat, value_set=vocabulary.tokens).fill_null(OOV_ID))
    else:
        encoded = flat.dictionary_encode()
        ids = vocabulary.find(encoded.dictionary)[encoded.indices.to_numpy()]
    ids = np.maximum(ids, OOV_ID)
    return pa.ListArray.from_arrays(_offsets(tokens), pa.array(ids, pa.int32()))


def truncate(ids: Any, max_length: int, truncating: str) -> Any:
    """Keeps the first (``post``) or the last (``pre``) ``max_length`` items of each list."""
    offsets = _offsets(ids)
    lengths = np.diff(offsets)
    if not len(lengths) or lengths.max() <= max_length:
        return ids
    kept = np.minimum(lengths, max_length)
    starts = offsets[:-1] if truncating == POST else offsets[1:] - kept
    new_offsets = np.zeros(len(kept) + 1, np.int32)
    np.cumsum(kept, out=new_offsets[1:])
    places = np.arange(new_offsets[-1]) + np.repeat(starts - new_offsets[:-1], kept)
    return pa.ListArray.from_arrays(new_offsets, ids.flatten().take(pa.array(places)))


def encode_block(
    block: Any,
    vocabulary: TokenIndex,
    labels: Sequence[str],
    *,
    max_length: int,
    truncating: str,
    shuffle_seed: int | None,
) -> Any:
    """Turns a block of ``formats.blocks.TOKENS`` into one of ``formats.blocks.EXAMPLES``.

    Args:
        block: tokens and labels.
        vocabulary: the whole vocabulary in the order of the ids.
        labels: the class names; their places are the label ids.
        max_length: the most ids that an example keeps.
        truncating: ``post`` or ``pre``, the end at which longer ones are cut.
        shuffle_seed: seed of the global shuffle; None leaves the order of the input.
    """
    ids = truncate(encode_tokens(block.column("tokens"), vocabulary), max_length, truncating)
    label_ids = pc.index_in(block.column("label"), value_set=pa.array(labels, pa.string()))
    files, offsets = block.column("file"), block.column("offset")
    if shuffle_seed is None:
        order = np.zeros(block.num_rows, np.uint64)
    else:
        order = shuffle_order(shuffle_seed, files.to_numpy(), offsets.to_numpy())
    columns = [
        pack_ids(ids).cast(pa.large_binary()),
        pc.list_value_length(ids),
        label_ids.cast(pa.int64()),
        pa.array(order),
        files,
        offsets,
        block.column("split"),
    ]
    return pa.record_batch(columns, schema=EXAMPLES)


def _offsets(lists: Any) -> Any:
    """Offsets of lists into their flattened items, from 0 even in a slice; int32 [n + 1]."""
    offsets = lists.offsets.to_numpy()
    return offsets - offsets[0]
