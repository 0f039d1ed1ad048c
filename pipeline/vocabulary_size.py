"""What is chosen by how large the vocabulary may become, before the corpus is read."""

from __future__ import annotations

from pipeline.config import BuildConfig
from transforms.find_vectors import AUTO, BROADCAST, SHUFFLE
from transforms.storage import read_file

# With so many a worker that has the whole vocabulary takes 0.9 GB, with ten million 2.9 GB; what
# --fallback looks up comes on top. It is faster than the other way by a fourth.
_MOST_BROADCAST_TOKENS = 2_000_000

_BYTES_OF_COUNTS = 16 << 20
_MOST_PARTS = 128

# Heaps' law, tokens = K * words ** BETA, with parameters at the upper end of those found for
# natural language (Manning, Raghavan and Schuetze, "Introduction to Information Retrieval", 5.1.1).
_HEAPS_K, _HEAPS_BETA = 44, 0.55
_BYTES_OF_WORD = 5


def choose_join(config: BuildConfig, corpus_bytes: int) -> str:
    """The way to join that the flags ask for, or the one that fits the vocabulary's size."""
    if config.join != AUTO:
        return config.join
    tokens = _expected_tokens(config, corpus_bytes)
    return SHUFFLE if tokens > _MOST_BROADCAST_TOKENS else BROADCAST


def _expected_tokens(config: BuildConfig, corpus_bytes: int) -> int:
    if config.vocabulary is not None:
        return read_file(config.vocabulary).count(b"\n")
    expected = round(_HEAPS_K * (corpus_bytes / _BYTES_OF_WORD) ** _HEAPS_BETA)
    if config.max_tokens is not None:
        expected = min(expected, config.max_tokens)
    return expected + config.vector_tokens


def parts_of_counts(corpus_bytes: int) -> int:
    """Into how many parts the counted tokens of a corpus are divided."""
    return min(max(corpus_bytes // _BYTES_OF_COUNTS, 1), _MOST_PARTS)
