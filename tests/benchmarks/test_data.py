from __future__ import annotations

import gzip
from pathlib import Path
from typing import BinaryIO

import pytest

from benchmarks import data
from formats.dataset.vocabulary import read_vocabulary_text
from formats.vectors.records import RangeReport
from formats.vectors.source import cut_ranges, open_source, read_range

MAKERS = {
    "glove": lambda folder: data.glove_text(folder, 300, 7),
    "word2vec": lambda folder: data.word2vec_binary(folder, 300, 7),
    "packed": lambda folder: data.packed(data.word2vec_binary(folder, 300, 7)),
    "corpus": lambda folder: data.corpus_text(folder, 50),
    "labelled": lambda folder: data.labelled_corpus(folder, 50),
    "vocabulary": lambda folder: data.vocabulary(folder, 100, 300),
    "first words": lambda folder: data.vocabulary_of_first(folder, 100),
    "lines": lambda folder: data.lines_of(folder, data.vocabulary_of_first(folder, 100), 20),
}


def open_bytes(uri: str) -> BinaryIO:
    return open(uri, "rb")


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_same_is_made_each_time_and_kept(make, tmp_path: Path) -> None:
    first, second = make(tmp_path / "first"), make(tmp_path / "second")
    assert first.read_bytes() == second.read_bytes()
    made = first.stat().st_mtime_ns
    assert make(tmp_path / "first").stat().st_mtime_ns == made


@pytest.mark.parametrize("name", ["glove", "word2vec", "packed"])
def test_vector_files_are_read_as_so_many_rows_of_the_words_in_order(
    name: str, tmp_path: Path
) -> None:
    path = MAKERS[name](tmp_path)
    source = open_source(0, str(path), path.stat().st_size, open_bytes)
    assert source.layout.dim == 7
    [work] = cut_ranges(source, 1 << 30)
    tokens = [
        token.decode()
        for block in read_range(source, work, open_bytes)
        if not isinstance(block, RangeReport)
        for token in block.tokens
    ]
    assert tokens == [data.word(rank) for rank in range(300)]


def test_words_differ_and_some_are_beyond_ascii() -> None:
    words = [data.word(rank) for rank in range(20_000)]
    assert len(set(words)) == len(words)
    assert not all(map(str.isascii, words))


def test_the_packed_file_is_the_plain_one(tmp_path: Path) -> None:
    plain = data.word2vec_binary(tmp_path, 300, 7)
    assert gzip.decompress(data.packed(plain).read_bytes()) == plain.read_bytes()


def test_a_corpus_has_so_many_lines_of_5_to_40_words(tmp_path: Path) -> None:
    lines = data.corpus_text(tmp_path, 50).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 50
    assert all(5 <= len(line.split()) <= 40 for line in lines)
    labelled = data.labelled_corpus(tmp_path, 50).read_text(encoding="utf-8").splitlines()
    assert [line.partition(" ")[2] for line in labelled] == lines
    assert {line.partition(" ")[0] for line in labelled} == {"__label__0", "__label__1"}


def test_one_in_ten_tokens_of_a_vocabulary_has_no_vector(tmp_path: Path) -> None:
    path = data.vocabulary(tmp_path, 102, 300)
    tokens = read_vocabulary_text(path.read_bytes(), path.name).to_pylist()
    words = {data.word(rank) for rank in range(300)}
    assert len(tokens) == 102
    assert sum(token in words for token in tokens) == 90


def test_the_lines_of_a_vocabulary_hold_each_of_its_tokens_once(tmp_path: Path) -> None:
    vocabulary = data.vocabulary_of_first(tmp_path, 101)
    lines = data.lines_of(tmp_path, vocabulary, 20).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 20
    assert sorted(" ".join(lines).split()) == sorted(data.word(rank) for rank in range(101))
