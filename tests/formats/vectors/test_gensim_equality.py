"""Every vector of a real file, bit for bit as gensim reads it."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import KeyedVectors

from formats.vectors.layout import BINARY, HEAD_BYTES, find_layout
from tests.formats.vectors.vector_files import vectors_by_token


def assert_equal_to_gensim(path: Path, data: bytes) -> None:
    layout = find_layout(data[:HEAD_BYTES], path.name)
    theirs = KeyedVectors.load_word2vec_format(
        str(path),
        binary=layout.kind == BINARY,
        no_header=layout.header_bytes == 0,
        unicode_errors="ignore",
    )
    ours: dict[str, Any] = {}
    # gensim has no name for a token that is not UTF-8: the first of those left alike wins.
    for token, vector in vectors_by_token(data, layout).items():
        ours.setdefault(token.decode(errors="ignore"), vector)
    assert list(ours) == theirs.index_to_key
    matrix = np.stack(list(ours.values()))
    assert matrix.dtype == np.float32
    assert matrix.view(np.uint32).tobytes() == theirs.vectors.view(np.uint32).tobytes()


@pytest.mark.parametrize(
    "name",
    [
        "crime-and-punishment.vec",
        "euclidean_vectors.bin",
        "high_precision.kv.bin",
        "high_precision.kv.txt",
        "lee_fasttext.vec",
        "pang_lee_polarity_fasttext.vec",
        "poincare_vectors.bin",
        "test_glove.txt",
        "toy-model.vec",
        "word2vec_pre_kv_c",
    ],
)
def test_a_file_of_gensim_is_read_as_gensim_does(
    name: str, gensim_data: Callable[[str], Path]
) -> None:
    path = gensim_data(name)
    assert_equal_to_gensim(path, path.read_bytes())


@pytest.mark.parametrize(
    "name",
    [
        "cooking.fasttext.50d.vec",
        "glove.6B.100d.sample.txt.gz",
        "imdb-cased.word2vec.50d.bin.gz",
        "imdb.glove.100d.txt.gz",
        "imdb.word2vec.100d.bin.gz",
        "nsmc.word2vec.100d.bin",
        "text8.word2vec.10d.bin",
    ],
)
def test_a_real_file_is_read_as_gensim_does(name: str, shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "vectors" / name
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    assert_equal_to_gensim(path, data)


def test_the_840b_sample_is_read_as_gensim_does(shared_data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared_data / "vectors" / "glove.840B.300d.sample.zip") as archive:
        path = Path(archive.extract("glove.840B.300d.txt", tmp_path))
    assert_equal_to_gensim(path, path.read_bytes())
