"""Rows of words without a vector."""

from __future__ import annotations

import numpy as np
import pytest

from formats.oov import mean_and_deviation, normal_vectors, sum_moments

MATCHED = np.random.default_rng(5).normal(2.0, 3.0, (500, 4)).astype(np.float32)


def test_mean_and_deviation_are_those_of_the_matched_rows_in_any_order_of_the_parts():
    parts = [sum_moments(MATCHED[:120], 0), sum_moments(MATCHED[120:], 120)]
    mean, deviation = mean_and_deviation(parts, 4)
    np.testing.assert_allclose(mean, MATCHED.mean(axis=0, dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(deviation, MATCHED.std(axis=0, dtype=np.float64), rtol=1e-9)
    again = mean_and_deviation(parts[::-1], 4)
    assert (again[0] == mean).all()
    assert (again[1] == deviation).all()


def test_without_matched_rows_all_is_zero():
    mean, deviation = mean_and_deviation([], 3)
    assert not mean.any()
    assert not normal_vectors(["a"], mean, deviation).any()


def test_normal_draws_depend_on_the_word_alone_and_follow_the_matched_rows():
    mean, deviation = mean_and_deviation([sum_moments(MATCHED, 0)], 4)
    words = [f"word{number}" for number in range(2000)] + ["단어"]
    rows = normal_vectors(words, mean, deviation)
    assert (normal_vectors(words[::-1], mean, deviation) == rows[::-1]).all()
    assert len(np.unique(rows, axis=0)) == len(words)
    np.testing.assert_allclose(rows.mean(axis=0), mean, atol=0.3)
    np.testing.assert_allclose(rows.std(axis=0), deviation, rtol=0.1)


@pytest.mark.parametrize("dim", [1, 300])
def test_rows_are_single_precision_of_the_asked_for_width(dim):
    rows = normal_vectors(["x"], np.zeros(dim), np.ones(dim))
    assert rows.shape == (1, dim)
    assert rows.dtype == np.float32
