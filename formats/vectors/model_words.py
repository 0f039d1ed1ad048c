"""The words of a vocabulary that a fastText model gives vectors to, and the rows these serve.

Two kinds of words get one: those that the model's dictionary has, in whatever form they are
looked up, and, for ``--oov subword``, the tokens that it doesn't have, which are made of their
n-grams alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from formats.dataset.vocabulary import OOV_ID
from formats.vectors.fasttext_bin import FastTextModel
from formats.vectors.joined import joined_block, subword_block
from formats.vectors.lookup import Lookup
from formats.vectors.subwords import RowPlan, Sums, mean_vectors, plan_rows
from formats.vectors.wanted_rows import FOUND

# Words of a dictionary that were wanted, and their own rows of the input matrix.
DICTIONARY_ROWS = pa.schema(
    [
        pa.field("word", pa.binary(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
    ]
)


class WordPlan(NamedTuple):
    """The words that get a vector from a model.

    Attributes:
        source: ordinal of the model among the vector files.
        model: the model.
        rows: the rows of the input matrix that their vectors need.
        forms: int32 [words], the number under which each is looked up; -1 for a word that the
            dictionary doesn't have.
        own_rows: int64 [words], its row in the dictionary; -1 where it has none.
        tokens: int32 [words], the row of the embedding matrix that subwords may fill; -1 where
            they don't.
    """

    source: int
    model: FastTextModel
    rows: RowPlan
    forms: npt.NDArray[np.int32]
    own_rows: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.int32]

    def part(self, first: int, last: int) -> WordPlan:
        """The plan of the words ``[first, last)``, without the rows that they need."""
        words = slice(first, last)
        nothing = self.rows.rows[:0], self.rows.words[:0]
        return self._replace(
            rows=RowPlan(*nothing, self.rows.counts[words]),
            forms=self.forms[words],
            own_rows=self.own_rows[words],
            tokens=self.tokens[words],
        )


def wanted_words(lookup: Lookup, vocabulary: Any, subword: bool) -> set[bytes]:
    """The words to look for in a dictionary.

    Args:
        lookup: the forms of the vocabulary.
        vocabulary: a block of ``formats.blocks.VOCABULARY``.
        subword: whether tokens that the dictionary doesn't have get a vector too.
    """
    wanted = set(lookup.forms)
    if subword:
        wanted.update(_words(vocabulary))
    return wanted


def dictionary_rows(ids: dict[bytes, int]) -> Any:
    """A block of ``DICTIONARY_ROWS``."""
    columns = [pa.array(list(ids), pa.binary()), pa.array(list(ids.values()), pa.int64())]
    return pa.record_batch(columns, schema=DICTIONARY_ROWS)


def plan_words(
    source: int,
    model: FastTextModel,
    found: Any,
    lookup: Lookup,
    vocabulary: Any,
    subword: bool,
) -> WordPlan:
    """Works out which words get a vector from a model; in an order that the arguments fix.

    Args:
        source: ordinal of the model among the vector files.
        model: the model.
        found: its block of ``DICTIONARY_ROWS``.
        lookup: the forms of the vocabulary.
        vocabulary: a block of ``formats.blocks.VOCABULARY``.
        subword: whether tokens that the dictionary doesn't have get a vector too.
    """
    ids = dict(zip(found.column("word").to_pylist(), found.column("row").to_pylist(), strict=True))
    words = dict.fromkeys(word for word in lookup.forms if word in ids)
    tokens: dict[bytes, int] = {}
    if subword:
        tokens = {
            word: row
            for row, word in enumerate(_words(vocabulary), OOV_ID + 1)
            if word not in words or not _serves(lookup, word, row)
        }
        words.update(dict.fromkeys(tokens))
    return WordPlan(
        source,
        model,
        plan_rows(model.head, list(words), ids),
        _numbers(lookup.forms.get(word, -1) if word in ids else -1 for word in words),
        np.fromiter((ids.get(word, -1) for word in words), np.int64, len(words)),
        _numbers(tokens.get(word, -1) for word in words),
    )


def word_vectors(plan: WordPlan, sums: Sums, lookup: Lookup) -> Iterator[Any]:
    """The vectors of the words of a plan, as joined blocks.

    Args:
        plan: the words, all of it or a part.
        sums: the sums over all rows that they need.
        lookup: the forms of the vocabulary.
    """
    vectors = mean_vectors(plan.rows.counts, sums)
    known = np.flatnonzero(plan.forms >= 0)
    if len(known):
        found = pa.record_batch(
            [
                pa.array(plan.forms[known]),
                pa.array(np.full(len(known), plan.source, np.int32)),
                pa.array(np.zeros(len(known), np.int8)),
                pa.array(plan.own_rows[known]),
                pa.array([b""] * len(known), pa.binary()),
            ],
            schema=FOUND,
        )
        yield joined_block(found, np.arange(len(known)), vectors[known], lookup)
    made = np.flatnonzero((plan.tokens >= 0) & (plan.rows.counts > 0))
    if len(made):
        yield subword_block(plan.source, plan.tokens[made], vectors[made])


def _serves(lookup: Lookup, form: bytes, row: int) -> bool:
    number = lookup.forms[form]
    return row in lookup.rows[lookup.starts[number] : lookup.starts[number + 1]]


def _words(vocabulary: Any) -> Iterator[bytes]:
    return (token.encode() for token in vocabulary.column("token")[OOV_ID + 1 :].to_pylist())


def _numbers(values: Iterator[int]) -> npt.NDArray[np.int32]:
    return np.array(list(values), np.int32)
