"""Rows of a vector file whose token is wanted, before their floats are read.

Finding a row and reading its floats are two steps, so that no float is read that nobody asked
for, and so that the reading can go to other workers than the one that finds it: a file that must
be decompressed is gone through by one, and a vocabulary that is too large for a worker is
looked up by many, each of which has a part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from formats.vectors.lookup import Lookup
from formats.vectors.records import Records, RowBlock
from formats.vectors.sieve import TokenSieve
from formats.vectors.unicode_errors import SKIP, readable_tokens

# `vector` is as it is written in the file: the fields of a text row, or the bytes of the floats.
_PLACE = [
    pa.field("source", pa.int32(), nullable=False),
    pa.field("attempt", pa.int8(), nullable=False),
    pa.field("position", pa.int64(), nullable=False),
    pa.field("vector", pa.binary(), nullable=False),
]

# Rows that are wanted. `form` is the number of what was looked up (``formats.vectors.lookup``).
FOUND = pa.schema([pa.field("form", pa.int32(), nullable=False), *_PLACE])

# Rows that may be wanted, with their tokens.
CANDIDATES = pa.schema([pa.field("token", pa.binary(), nullable=False), *_PLACE])


class Selection(Protocol):
    """Which rows are taken, and what is kept in the place of their tokens."""

    schema: Any

    def select(self, block: RowBlock) -> tuple[Sequence[int], list[Any]]:
        """The indices of the rows that are taken, ascending, and the first column for them."""


class WantedTokens:
    """Takes the rows whose token is looked up, as ``FOUND``.

    Args:
        lookup: of all of the vocabulary.
        unicode_errors: what is done with tokens that are not UTF-8
            (``formats.vectors.unicode_errors``).
        name: what messages call the file.
    """

    schema = FOUND

    def __init__(self, lookup: Lookup, unicode_errors: str = SKIP, name: str = "") -> None:
        self._forms = lookup.forms
        self._likely = LikelyTokens(lookup.sieve, unicode_errors, name)

    def select(self, block: RowBlock) -> tuple[Sequence[int], list[Any]]:
        """The rows whose token is wanted, and the numbers of the tokens."""
        rows, tokens = self._likely.select(block)
        numbers = list(map(self._forms.get, tokens))
        wanted = [row for row, number in zip(rows, numbers, strict=True) if number is not None]
        return wanted, [number for number in numbers if number is not None]


class LikelyTokens:
    """Takes the rows whose token a sieve lets through, as ``CANDIDATES``.

    Args:
        sieve: of what is looked up.
        unicode_errors: as for ``WantedTokens``.
        name: the same.
    """

    schema = CANDIDATES

    def __init__(self, sieve: TokenSieve, unicode_errors: str = SKIP, name: str = "") -> None:
        self._sieve = sieve
        self._unicode_errors = unicode_errors
        self._name = name

    def select(self, block: RowBlock) -> tuple[Sequence[int], list[Any]]:
        """The rows that pass, and their tokens."""
        if self._unicode_errors == SKIP and isinstance(block, Records):
            rows = self._sieve.candidates(block.data, block.starts, block.token_ends).tolist()
            return rows, block.tokens_of(rows)
        tokens = readable_tokens(block.tokens, self._unicode_errors, self._name, block.place)
        lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
        ends = np.cumsum(lengths)
        rows = self._sieve.candidates(b"".join(tokens), ends - lengths, ends).tolist()
        return rows, [tokens[row] for row in rows]


def find_rows(
    blocks: Iterable[RowBlock],
    selection: Selection,
    source: int,
    attempt: int,
    *,
    block_bytes: int = 4 << 20,
) -> Iterator[Any]:
    """Picks rows, as batches of the selection's schema in file order.

    Args:
        blocks: rows of a file.
        selection: which of them.
        source: ordinal of the file.
        attempt: which reading of the file this is.
        block_bytes: at least so many bytes of vectors are in a batch, but for the last.

    Raises:
        DataError: a token that is not UTF-8, if that is an error.
    """
    keys: list[Any] = []
    positions: list[int] = []
    vectors: list[bytes] = []
    size = 0
    for block in blocks:
        rows, keys_of_block = selection.select(block)
        keys += keys_of_block
        positions += block.positions(rows)
        written = block.written(rows)
        vectors += written
        size += sum(map(len, written))
        if size >= block_bytes:
            yield _batch(selection.schema, keys, source, attempt, positions, vectors)
            keys, positions, vectors, size = [], [], [], 0
    if keys:
        yield _batch(selection.schema, keys, source, attempt, positions, vectors)


def _batch(
    schema: Any,
    keys: list[Any],
    source: int,
    attempt: int,
    positions: list[int],
    vectors: list[bytes],
) -> Any:
    columns = [
        pa.array(keys, schema.field(0).type),
        pa.array(np.full(len(keys), source, np.int32)),
        pa.array(np.full(len(keys), attempt, np.int8)),
        pa.array(positions, pa.int64()),
        pa.array(vectors, pa.binary()),
    ]
    return pa.record_batch(columns, schema=schema)


def match_candidates(candidates: Any, lookup: Lookup) -> Any:
    """Those of a batch of ``CANDIDATES`` that are wanted, as a batch of ``FOUND``."""
    tokens = candidates.column("token").to_pylist()
    numbers = pa.array(map(lookup.forms.get, tokens), pa.int32(), size=len(tokens))
    wanted = candidates.filter(numbers.is_valid())
    columns = [numbers.drop_null(), *wanted.columns[1:]]
    return pa.record_batch(columns, schema=FOUND)
