"""However a file is cut into ranges, every row is read once, and in order."""

from __future__ import annotations

import gzip
import itertools
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from apache_beam.io.source_test_utils import assert_sources_equal_reference_source

from tests.formats.vectors.vector_files import (
    VectorFileSource,
    binary_file,
    read_cut,
    read_range,
    text_file,
)

TOKENS = [b"</s>", b"a", "na\u00efve".encode(), b"\xc2\x85", b"\xed\x95", b"end"]
TEXT_TOKENS = [*TOKENS, b"a b", b" "]
MATRIX = np.random.default_rng(1).normal(size=(8, 2)).astype(np.float32)
FIELDS = [[b"%f" % value for value in row] for row in MATRIX]

SMALL_FILES = {
    "GloVe": text_file(TEXT_TOKENS, FIELDS),
    "GloVe without the last newline": text_file(TEXT_TOKENS, FIELDS, last_newline=False),
    "word2vec text": text_file(TEXT_TOKENS, FIELDS, header=True),
    "word2vec text from Windows": text_file(TEXT_TOKENS, FIELDS, header=True, row_end=b"\r\n"),
    "fastText": text_file(TEXT_TOKENS, FIELDS, header=True, row_end=b" \n"),
    "word2vec binary by word2vec.c": binary_file(TOKENS, MATRIX[:6], newline=True),
    "word2vec binary by gensim": binary_file(TOKENS, MATRIX[:6], newline=False),
}


@pytest.mark.parametrize("most", [1 << 30, 5])
@pytest.mark.parametrize("data", SMALL_FILES.values(), ids=SMALL_FILES)
def test_two_ranges_cut_anywhere_are_the_whole(data: bytes, most: int) -> None:
    source = VectorFileSource(data, most)
    whole = (VectorFileSource(data), 0, len(data))
    for cut in range(len(data) + 1):
        assert_sources_equal_reference_source(whole, [(source, 0, cut), (source, cut, len(data))])


@pytest.mark.parametrize("data", SMALL_FILES.values(), ids=SMALL_FILES)
def test_short_ranges_anywhere_leave_the_whole_in_order(data: bytes) -> None:
    whole = read_range(data, 0, None)
    assert len(whole) in (6, 8)
    for start in range(len(data) + 1):
        for stop in range(start, min(start + 25, len(data)) + 1):
            assert read_cut(data, [start, stop]) == whole


@pytest.mark.parametrize("data", SMALL_FILES.values(), ids=SMALL_FILES)
def test_ranges_of_one_byte_are_the_whole(data: bytes) -> None:
    assert read_cut(data, range(len(data)), most=3) == read_range(data, 0, None)


@pytest.fixture(
    scope="module",
    params=[
        "euclidean_vectors.bin",
        "crime-and-punishment.vec",
        "lee_fasttext.vec",
        "test_glove.txt",
        "word2vec_pre_kv_c",
    ],
)
def real_file(request: pytest.FixtureRequest, gensim_data: Callable[[str], Path]) -> bytes:
    return gensim_data(request.param).read_bytes()


@pytest.mark.parametrize("seed", range(8))
def test_random_ranges_and_reads_of_real_files_are_the_whole(real_file: bytes, seed: int) -> None:
    chance = random.Random(seed)
    longest = chance.choice([300, 3_000, 30_000])
    cuts = list(
        itertools.takewhile(
            lambda cut: cut < len(real_file),
            itertools.accumulate(chance.randint(1, longest) for _ in range(len(real_file))),
        )
    )[:400]
    most, block_bytes = chance.choice([64, 1000, 1 << 30]), chance.choice([1, 100, 8 << 20])
    assert read_cut(real_file, cuts, most=most, block_bytes=block_bytes) == read_range(
        real_file, 0, None
    )


def test_cuts_around_every_row_of_a_large_text_file(shared_data: Path) -> None:
    packed = shared_data / "vectors" / "imdb.glove.100d.txt.gz"
    with gzip.open(packed) as stream:
        data = stream.read(2_000_000)
    data = data[: data.rfind(b"\n") + 1]
    whole = read_range(data, 0, None)
    cuts = [row.place + shift for row in whole[1:] for shift in (-1, 0, 1)]
    assert read_cut(data, cuts) == whole
