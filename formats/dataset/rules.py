"""The rules of a dataset that blocks of it can show: its vocabulary, its matrix, its examples."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from formats.dataset.embedding_matrix import ShardBlock
from formats.dataset.examples import POST, PRE, ParsedExamples
from formats.dataset.manifest import Manifest
from formats.dataset.vocabulary import OOV_ID, PAD_ID
from formats.oov import ZEROS

WRONG_RULES = "the column rules does not have an item for each vector file"


def vocabulary_problems(table: Any, config: dict[str, Any], sources: int) -> Iterator[str]:
    """Yields what is wrong with the table of vocabulary.parquet.

    Args:
        table: as ``read_vocabulary_table`` gives it.
        config: of the manifest; says how the vocabulary was chosen.
        sources: number of vector files.
    """
    if "rules" in table.column_names:
        items = pc.list_value_length(table.column("rules"))
        if items.null_count or pc.any(pc.not_equal(items, sources)).as_py():
            yield WRONG_RULES
            return
    counts = table.column("count").to_numpy()
    matched = table.column("matched").to_numpy()
    if (counts < 0).any():
        yield f"id {int((counts < 0).argmax())}: a negative count"
    if counts[: OOV_ID + 1].any() or matched[: OOV_ID + 1].any():
        yield "[PAD] or [UNK] has a count or a vector"
    for column in ("source", "rule"):
        given = pc.is_valid(table.column(column)).to_numpy()
        if (given != matched).any():
            row = int((given != matched).argmax())
            yield f"id {row}: {column} and matched contradict each other"
    if config.get("vocabulary") is None:
        yield from _order_problems(table.slice(OOV_ID + 1), config)


class ZeroColumns(NamedTuple):
    """Columns ``[first, last)`` of the matrix, and bool [rows], the rows that are zero there."""

    first: int
    last: int
    rows: npt.NDArray[np.bool_]


def expected_zeros(table: Any, manifest: Manifest) -> list[ZeroColumns]:
    """Where the matrix must be zero, because words without a vector have zeros there.

    Args:
        table: as ``read_vocabulary_table`` gives it.
        manifest: of the dataset.
    """
    dim, policies = manifest.embeddings.dim, manifest.embeddings.oov.split(",")
    if "rules" not in table.column_names:
        matched = table.column("matched").to_numpy()
        parts = [(dim, matched)]
    else:
        widths = [source.dim for source in manifest.inputs.vectors]
        lists = table.column("rules").combine_chunks()
        served = lists.flatten().is_valid().to_numpy(zero_copy_only=False)
        parts = list(zip(widths, served.reshape(-1, len(widths)).T, strict=True))
    zeros, first = [], 0
    for (width, served_rows), policy in zip(parts, policies, strict=False):
        missing = ~served_rows
        # The files may have a vector for unknown words, of which the table does not tell.
        missing[OOV_ID] &= manifest.vocabulary.unk_token is None
        if policy == ZEROS:
            zeros.append(ZeroColumns(first, first + width, missing))
        first += width
    return zeros


def matrix_problems(block: ShardBlock, row: int, tokens: Any) -> Iterator[str]:
    """Yields what is wrong with consecutive rows of the embedding matrix.

    Args:
        block: the rows.
        row: the matrix row of the first of them.
        tokens: the vocabulary in the order of the ids; None to leave tokens unchecked.
    """
    rows = len(block.vectors)
    if row == PAD_ID and block.vectors[:1].any():
        yield "row 0, of [PAD], is not zero"
    infinite = ~np.isfinite(block.vectors).all(axis=1)
    if infinite.any():
        yield f"row {row + int(infinite.argmax())}: a number is not finite"
    if block.ids is not None and (block.ids != np.arange(row, row + rows)).any():
        yield f"rows from {row} on: the column id does not count on"
    if block.tokens is None or tokens is None:
        return
    if not block.tokens.equals(tokens[row : row + rows]):
        yield f"rows from {row} on: the column token is not the vocabulary"


def broken_example_rules(
    block: ParsedExamples, manifest: Manifest
) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    """For each rule of an example, what breaking it is called, and bool [n], who breaks it."""
    ids, lengths = block.token_ids, block.lengths
    size, max_length = manifest.vocabulary.size, manifest.examples.max_length
    columns = np.arange(max_length)
    if manifest.config.get("padding", POST) == PRE:
        filled = columns >= max_length - lengths[:, None]
    else:
        filled = columns < lengths[:, None]
    rules = [
        (
            f"a token id out of range, 0 to {size - 1}",
            ((ids < 0) | (ids >= size)).any(axis=1),
        ),
        (
            f"a length out of range, 0 to {max_length}",
            (lengths < 0) | (lengths > max_length),
        ),
        (
            "padding that does not fit the length",
            ((ids != PAD_ID) != filled).any(axis=1),
        ),
    ]
    if block.labels is not None:
        classes = len(manifest.labels)
        wrong = (block.labels < 0) | (block.labels >= classes)
        rules.append((f"a label out of range, 0 to {classes - 1}", wrong))
    return rules


def _order_problems(words: Any, config: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the order and the choice of a vocabulary that was built."""
    counts, tokens = words.column("count").to_numpy(), words.column("token")
    # Those of the vector files come last, in another order.
    appended = _integer(config, "vector_tokens", 0)
    smaller = pc.less(tokens[:-1], tokens[1:]).to_numpy() if len(words) else np.ones(0, bool)
    in_order = (counts[:-1] > counts[1:]) | ((counts[:-1] == counts[1:]) & smaller)
    counted = max(len(counts) - appended, 0)
    wrong = np.flatnonzero(~in_order[: max(counted - 1, 0)])
    if len(wrong):
        yield (
            f"id {wrong[0] + OOV_ID + 2}: expected order by falling count, then by the bytes of "
            f"the token, found {tokens[wrong[0] + 1].as_py()!r} behind "
            f"{tokens[wrong[0]].as_py()!r}"
        )
    rare = np.flatnonzero(counts[:counted] < _integer(config, "min_count", 1))
    if len(rare):
        yield f"id {rare[0] + OOV_ID + 1}: counted {counts[rare[0]]} times, less than min_count"
    most = _integer(config, "max_tokens", sys.maxsize)
    if len(counts) + OOV_ID + 1 > most + appended:
        yield f"vocabulary size {len(counts) + OOV_ID + 1} is more than max_tokens, {most}, allows"


def _integer(config: dict[str, Any], key: str, default: int) -> int:
    value = config.get(key)
    return value if isinstance(value, int) else default
