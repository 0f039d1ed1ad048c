"""How the vocabulary is joined, and its counts divided, by how large it may become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.config import BuildConfig
from pipeline.vocabulary_size import choose_join, parts_of_counts

_TERABYTE = 10**12


def _chosen(corpus_bytes: int, **flags: Any) -> str:
    return choose_join(BuildConfig(["corpus"], ["vectors"], "output", **flags), corpus_bytes)


@pytest.mark.parametrize(
    ("corpus_bytes", "flags", "join"),
    [
        (10**9, {}, "broadcast"),
        (_TERABYTE, {}, "shuffle"),
        (_TERABYTE, {"max_tokens": 100_000}, "broadcast"),
        (_TERABYTE, {"max_tokens": 20_000_000}, "shuffle"),
        (1_000, {"vector_tokens": 10_000_000}, "shuffle"),
        (_TERABYTE, {"join": "broadcast"}, "broadcast"),
        (1_000, {"join": "shuffle"}, "shuffle"),
    ],
)
def test_join_follows_the_size_unless_it_is_named(corpus_bytes, flags, join):
    assert _chosen(corpus_bytes, **flags) == join


def test_a_given_vocabulary_is_as_large_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.txt"
    path.write_text("[PAD]\n[UNK]\nword\n")
    assert _chosen(_TERABYTE, vocabulary=str(path)) == "broadcast"


def test_counts_are_divided_when_the_corpus_is_large_but_not_without_end():
    assert [parts_of_counts(size) for size in (0, 1 << 20, 1 << 28, 1 << 50)] == [1, 1, 16, 128]
