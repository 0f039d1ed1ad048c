"""LSA against gensim's tf-idf and NumPy's SVD."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from gensim.corpora import Dictionary
from gensim.matutils import corpus2dense
from gensim.models import TfidfModel

from formats import lsa

DIM = 8


def documents(number: int, seed: int = 0) -> list[list[str]]:
    """Documents of some topics each, so that the singular values fall."""
    draw = np.random.default_rng(seed)
    topics = draw.dirichlet(np.full(60, 0.1), 12)
    return [
        [f"w{word}" for word in draw.choice(60, draw.integers(0, 30), p=topics[draw.integers(12)])]
        for _ in range(number)
    ]


def weighed(rows: list[list[str]]) -> tuple[Any, list[str]]:
    terms = sorted({token for row in rows for token in row})
    in_rows = np.array([sum(term in row for row in rows) for term in terms])
    idf = lsa.inverse_document_frequency(in_rows, len(rows))
    tokens = pa.array([["before"], *rows, ["behind"]], pa.list_(pa.string()))
    return lsa.weigh(tokens.slice(1, len(rows)), pa.array(terms), idf), terms


def same_up_to_sign(vectors: Any, expected: Any, tolerance: float) -> bool:
    signs = np.sign((vectors * expected).sum(axis=0))
    return bool(np.abs(vectors * signs - expected).max() < tolerance)


def truncated_svd(matrix: Any, dim: int) -> Any:
    left, singular_values, _ = np.linalg.svd(matrix, full_matrices=False)
    return left[:, :dim] * singular_values[:dim]


def test_weights_are_those_of_gensims_tf_idf() -> None:
    rows = documents(80)
    matrix, terms = weighed(rows)
    dictionary = Dictionary([terms])
    bags = [dictionary.doc2bow(row) for row in rows]
    ids = [dictionary.token2id[term] for term in terms]
    expected = corpus2dense(TfidfModel(bags)[bags], len(terms), len(rows))[ids]
    np.testing.assert_allclose(matrix.toarray(), expected, atol=1e-6)


def test_words_without_a_weight_leave_a_document_empty() -> None:
    rows = pa.array([["a", "unknown"], ["unknown"], [], ["b"]])
    matrix = lsa.weigh(rows, pa.array(["a", "b"]), np.float64([2, 0]))
    assert matrix.toarray().tolist() == [[1, 0, 0, 0], [0, 0, 0, 0]]
    assert matrix.nnz == 1
    nothing = lsa.decompose(matrix[:, 1:], 4, 0)
    assert lsa.term_vectors(nothing, 2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("number", [3, 40, 400])
def test_factors_are_those_of_numpys_svd(number: int) -> None:
    matrix, _ = weighed(documents(number))
    factors = lsa.decompose(matrix, lsa.part_rank(DIM), 0)
    expected = truncated_svd(matrix.toarray(), DIM)
    assert same_up_to_sign(factors[:, : expected.shape[1]], expected, 1e-6)


@pytest.mark.parametrize("cuts", [[1], [150, 151], [40, 100, 200, 350]])
def test_merged_parts_give_what_the_whole_gives(cuts: list[int]) -> None:
    matrix, _ = weighed(documents(400))
    rank = lsa.part_rank(DIM)
    factors = lsa.no_factors(matrix.shape[0])
    bounds = [0, *cuts, 400]
    for first, end in zip(bounds, bounds[1:], strict=False):
        factors = lsa.merge(factors, lsa.decompose(matrix[:, first:end], rank, 0), rank)
    assert same_up_to_sign(factors[:, :DIM], truncated_svd(matrix.toarray(), DIM), 1e-6)


def test_documents_beyond_what_is_held_at_once_are_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, _ = weighed(documents(400))
    monkeypatch.setattr(lsa, "_MOST_DOCUMENTS", 150)
    factors = lsa.decompose(matrix, lsa.part_rank(DIM), 0)
    assert same_up_to_sign(factors[:, :DIM], truncated_svd(matrix.toarray(), DIM), 1e-6)


def test_the_largest_component_of_each_dimension_is_positive() -> None:
    factors = np.float64([[1, -3, 0], [-2, 2, 0.5]])
    assert lsa.term_vectors(factors, 2).tolist() == [[-1, 3], [2, -2]]
    assert lsa.term_vectors(-factors, 2).tolist() == [[-1, 3], [2, -2]]


def test_dimensions_beyond_the_rank_are_zero() -> None:
    vectors = lsa.term_vectors(np.float64([[1], [2]]), 3)
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[1, 0, 0], [2, 0, 0]]
