"""Latent semantic analysis: word vectors from a truncated SVD of a tf-idf matrix.

A = U S V^T is the term-document matrix [terms, documents]; the vectors of the terms are the rows
of U S. A column of A is a document: how often each term comes in it, times log2(documents /
documents with the term), scaled to length 1 (gensim's ``TfidfModel`` as it is by default).

Since the left factors of [A B] are those of [U_A S_A, U_B S_B], documents can be decomposed in
parts, and the parts' factors merged, each cut to a rank that is larger than what is wanted in the
end. gensim's ``LsiModel`` works so; its ``Projection.merge`` isn't used because it drops a
thousandth of the energy at each step, whatever the rank.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

Factors = npt.NDArray[np.float64]
"""U S of some documents: [terms, rank], columns orthogonal, the longest first."""

# What is kept of the parts beyond the dimensions that are wanted, so that a direction which is
# weak in each of them and strong in all is not lost; and what the random sample has beyond that.
_EXTRA_RANK = 100
_EXTRA_SAMPLES = 100
_POWER_ITERATIONS = 4
# Bounds the memory, which is this times the samples times 8 bytes.
_MOST_DOCUMENTS = 20_000


def part_rank(dim: int) -> int:
    """The rank that the factors of a part keep, so that ``dim`` of all are good."""
    return dim + _EXTRA_RANK


def inverse_document_frequency(
    documents_with_term: npt.NDArray[np.int64], documents: int
) -> npt.NDArray[np.float64]:
    """log2(documents / documents with the term), float64 [terms]."""
    return np.log2(documents / documents_with_term)


def weigh(tokens: Any, terms: Any, idf: npt.NDArray[np.float64]) -> Any:
    """The tf-idf matrix of some documents.

    Args:
        tokens: ``pa.ListArray`` of strings, a document each.
        terms: ``pa.StringArray`` [terms].
        idf: float64 [terms].

    Returns:
        ``scipy.sparse.csc_matrix`` of float64 [terms, documents], without stored zeros.
    """
    from scipy.sparse import csc_matrix  # type: ignore[import-untyped]

    flat = tokens.flatten().dictionary_encode()
    distinct = pc.index_in(flat.dictionary, value_set=terms).fill_null(-1).to_numpy()
    term = distinct[flat.indices.to_numpy()].astype(np.int64)
    lengths = pc.list_value_length(tokens).to_numpy()
    document = np.repeat(np.arange(len(tokens)), lengths)
    cells, counts = np.unique(
        (document * len(terms) + term)[term >= 0], return_counts=True
    )  # fmt: skip
    document, term = np.divmod(cells, max(len(terms), 1))
    weights = counts * idf[term]
    some = weights > 0
    document, term, weights = document[some], term[some], weights[some]
    lengths_squared = np.bincount(document, weights**2, minlength=len(tokens))
    weights /= np.sqrt(lengths_squared[document])
    bounds = np.searchsorted(document, np.arange(len(tokens) + 1))
    return csc_matrix((weights, term, bounds), shape=(len(terms), len(tokens)))


def no_factors(terms: int) -> Factors:
    """The factors of no documents."""
    return np.zeros((terms, 0))


def decompose(documents: Any, rank: int, seed: int) -> Factors:
    """The factors of some documents, by a random projection (Halko and others 2009).

    They are exact as long as there are not more documents than ``rank``; the singular values of
    larger parts come out some thousandths too small at most.

    Args:
        documents: as ``weigh`` gives it.
        rank: the most columns that are kept.
        seed: of the random projection.
    """
    from gensim.models.lsimodel import stochastic_svd

    terms, number = documents.shape
    factors = no_factors(terms)
    for first in range(0, number, _MOST_DOCUMENTS):
        part = documents[:, first : first + _MOST_DOCUMENTS]
        if not part.nnz:
            continue
        left, singular_values = stochastic_svd(
            part, rank, terms, chunksize=sys.maxsize, extra_dims=_EXTRA_SAMPLES,
            power_iters=_POWER_ITERATIONS, random_seed=seed,
        )  # fmt: skip
        factors = merge(factors, left * singular_values, rank)
    return factors


def merge(first: Factors, second: Factors, rank: int) -> Factors:
    """The factors of all documents of two parts."""
    if not first.shape[1] or not second.shape[1]:
        return first if first.shape[1] else second
    basis, small = np.linalg.qr(np.hstack([first, second]))
    left, singular_values, _ = np.linalg.svd(small)
    merged: Factors = (basis @ left[:, :rank]) * singular_values[:rank]
    return merged


def term_vectors(factors: Factors, dim: int) -> npt.NDArray[np.float32]:
    """The vectors of the terms, float32 [terms, dim]; dimensions beyond the rank are 0.

    An SVD leaves the sign of each dimension open. Here the component with the largest absolute
    value is positive.
    """
    vectors = np.zeros((len(factors), dim), np.float32)
    kept = factors[:, :dim]
    if kept.size:
        largest = kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])]
        vectors[:, : kept.shape[1]] = kept * np.where(largest < 0, -1.0, 1.0)
    return vectors
