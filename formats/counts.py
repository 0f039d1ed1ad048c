"""Token counts as Arrow blocks: merging them, and ordering them into a vocabulary.

Counts have the schema ``formats.blocks.VOCABULARY``. Merging gives them in any order; the
vocabulary's order, by falling count and then by the UTF-8 bytes of the token, makes it the
same whoever counted what.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from formats.blocks import VOCABULARY
from formats.dataset.vocabulary import OOV_ID, PAD_TOKEN, UNK_TOKEN

_RESERVED = pa.array([PAD_TOKEN, UNK_TOKEN])
_ZEROS = pa.array([0] * len(_RESERVED), pa.int64())


def merge_counts(counts: Sequence[Any]) -> Any:
    """Adds up counts: one batch with each token once, in any order."""
    table = pa.Table.from_batches([_with_schema(batch) for batch in counts], schema=VOCABULARY)
    merged = table.group_by("token", use_threads=False).aggregate([("count", "sum")])
    return _batch(merged.column("token"), merged.column("count_sum"))


def order_counts(counts: Any, min_count: int, max_tokens: int | None) -> Any:
    """Orders merged counts into a vocabulary, without [PAD] and [UNK], and cuts it.

    Args:
        counts: merged counts, a batch or a table.
        min_count: rarer tokens stay out.
        max_tokens: size of the vocabulary with [PAD] and [UNK] counted; None for no limit.
    """
    kept = pc.and_(
        pc.greater_equal(counts.column("count"), min_count),
        pc.invert(pc.is_in(counts.column("token"), _RESERVED)),
    )
    if not pc.all(kept).as_py():
        counts = counts.filter(kept)
    order = pc.sort_indices(counts, sort_keys=[("count", "descending"), ("token", "ascending")])
    if max_tokens is not None:
        order = order[: max(max_tokens - len(_RESERVED), 0)]
    return _with_schema(counts.take(order))


def cut_counts(counts: Any, min_count: int, max_tokens: int | None, more_tokens: Any) -> Any:
    """Those of merged counts that the vocabulary may need, in any order.

    The counts may be only a part of all, that of some tokens: what all of them are ordered and
    cut to is the same with each part cut before.

    Args:
        counts: merged counts.
        min_count: rarer tokens stay out.
        max_tokens: size of the vocabulary with [PAD] and [UNK] counted; None for no limit.
        more_tokens: ``pa.StringArray``; their counts are kept too.
    """
    kept = order_counts(counts, min_count, max_tokens)
    if not len(more_tokens):
        return kept
    asked = pc.index_in(more_tokens, value_set=counts.column("token")).drop_null().unique()
    more = counts.take(asked)
    others = pc.invert(pc.is_in(more.column("token"), value_set=kept.column("token")))
    return pa.concat_batches([kept, more.filter(others)])


def complete_vocabulary(ordered: Any, more_tokens: Any, counts: Any) -> Any:
    """Puts [PAD] and [UNK] before a vocabulary and further tokens behind it.

    Args:
        ordered: a batch of tokens and counts in order.
        more_tokens: ``pa.StringArray``; those not yet in the vocabulary come behind it, each
            once, in this order.
        counts: merged counts, a batch or a table, to tell how often those were counted.
    """
    tokens = pa.concat_arrays([_RESERVED, ordered.column("token")])
    numbers = pa.concat_arrays([_ZEROS, ordered.column("count")])
    if len(more_tokens):
        more = more_tokens.filter(pc.invert(pc.is_in(more_tokens, tokens))).unique()
        tokens = pa.concat_arrays([tokens, more])
        numbers = pa.concat_arrays([numbers, _counts_of(more, counts)])
    return _batch(tokens, numbers)


def recount_vocabulary(tokens: Any, counts: Any) -> Any:
    """A given vocabulary, [PAD] and [UNK] included, with how often its tokens were counted.

    Args:
        tokens: ``pa.StringArray``.
        counts: merged counts, a batch or a table.
    """
    return _batch(tokens, pa.concat_arrays([_ZEROS, _counts_of(tokens[OOV_ID + 1 :], counts)]))


def _counts_of(tokens: Any, counts: Any) -> Any:
    """How often each of some tokens was counted."""
    counted, numbers = (_whole(counts.column(name)) for name in ("token", "count"))
    return numbers.take(pc.index_in(tokens, value_set=counted)).fill_null(0)


def _with_schema(batch: Any) -> Any:
    return _batch(batch.column("token"), batch.column("count"))


def _batch(tokens: Any, counts: Any) -> Any:
    columns = [_whole(tokens), _whole(counts)]
    return pa.record_batch(columns, schema=VOCABULARY)


def _whole(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
