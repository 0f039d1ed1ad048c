"""Vectors that a build makes from its own corpus first."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from formats.errors import DataError, UsageError
from pipeline.train_vectors import train_vectors
from pipeline.vectors_flags import parse_vectors_flags
from pipeline.verify import verify_dataset
from tests.pipeline.built import Dataset, build_dataset

WORDS = [f"w{number}" for number in range(40)]


@pytest.fixture
def corpus(tmp_path: Path) -> list[str]:
    """Sentences to train on, and one to test with, which has a word of its own."""
    draw = random.Random(0)
    train, test = tmp_path / "train.txt", tmp_path / "test.txt"
    train.write_text("".join(f"{' '.join(draw.choices(WORDS, k=12))}\n" for _ in range(200)))
    test.write_text("w1 unseen w2\n" * 9)
    return [f"train={train}", f"test={test}"]


def build(output: Path, corpus: list[str], vectors: str, *beam: str, **flags: Any) -> Dataset:
    dataset = build_dataset(output, corpus, vectors, beam, **flags)
    assert verify_dataset(str(output)) == []
    return dataset


def test_rows_are_those_that_the_command_gives(corpus: list[str], tmp_path: Path) -> None:
    dataset = build(tmp_path / "out", corpus, "train:lsa?dim=7&min_count=2")
    path = tmp_path / "own.bin"
    arguments = [f"--corpus={corpus[0]}", "--method=lsa", "--dim=7", "--min_count=2"]
    train_vectors(parse_vectors_flags([*arguments, f"--output={path}"])[0], PipelineOptions([]))
    apart = build(tmp_path / "apart", corpus, str(path))
    assert dataset.matrix.tolist() == apart.matrix.tolist()
    assert dataset.tokens == apart.tokens
    assert dataset.manifest.coverage.matched == len(WORDS)
    [source] = dataset.manifest.inputs.vectors
    assert (source.uri, source.rows, source.dim) == ("train:lsa?dim=7&min_count=2", len(WORDS), 7)


def test_no_word_of_the_test_split_is_trained_on(corpus: list[str], tmp_path: Path) -> None:
    flags = {"vocabulary_splits": ["train", "test"]}
    vectors = "train:word2vec?dim=5&min_count=1&epochs=1"
    dataset = build(tmp_path / "both", corpus, vectors, **flags)
    assert any(dataset.row("unseen"))
    dataset = build(tmp_path / "train", corpus, vectors, vector_tokens=100)
    assert "unseen" not in dataset.tokens
    assert dataset.manifest.coverage.matched == len(WORDS)


@pytest.mark.parametrize("vectors", ["train:lsa?dim=6", "train:word2vec?dim=6&seed=3"])
def test_two_builds_give_the_same_bytes(vectors: str, corpus: list[str], tmp_path: Path) -> None:
    one = build(tmp_path / "one", corpus, vectors)
    assert build(tmp_path / "two", corpus, vectors, "--direct_num_workers=2").files() == one.files()


def test_a_fasttext_model_makes_words_that_the_corpus_lacks(
    corpus: list[str], tmp_path: Path
) -> None:
    vectors = "train:fasttext?dim=4&bucket=50"
    both = {"vocabulary_splits": ["train"], "oov": ["subword"]}
    given = tmp_path / "vocabulary.txt"
    given.write_text("[PAD]\n[UNK]\nw1\nw1111\n")
    dataset = build(tmp_path / "model", corpus, vectors, vocabulary=str(given), **both)
    plain = build(tmp_path / "plain", corpus, vectors, vocabulary=str(given))
    assert any(dataset.row("w1111"))
    assert not any(plain.row("w1111"))
    assert np.abs(np.subtract(dataset.row("w1"), plain.row("w1"))).max() < 1e-6


def test_it_stands_beside_other_files(corpus: list[str], tmp_path: Path) -> None:
    glove = tmp_path / "glove.txt"
    glove.write_text("w1 1 2\nw2 3 4\n")
    dataset = build_dataset(
        tmp_path / "out", corpus, [glove, "train:lsa?dim=3"], combine="concat", oov=["mean"]
    )
    assert dataset.matrix.shape[1] == 5
    assert dataset.row("w1")[:2] == [1, 2]
    assert dataset.manifest.coverage.by_source == {"glove.txt": 2, "train:lsa?dim=3": len(WORDS)}


@pytest.mark.parametrize("vectors", ["train:lsa?dim=3", "train:fasttext?dim=3&bucket=9"])
def test_nothing_of_the_training_stays(vectors: str, corpus: list[str], tmp_path: Path) -> None:
    dataset = build(tmp_path / "out", corpus, vectors)
    assert not [name for name in dataset.files() if name.startswith("trained")]
    with pytest.raises(UsageError, match="dimensions"):
        build_dataset(tmp_path / "bad", corpus, [vectors, "train:lsa?dim=4"])
    assert not list((tmp_path / "bad" / "runs").iterdir())


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ("train:lsi", "'lsi' is none of lsa, word2vec, fasttext"),
        ("train:lsa?corpus=x", "'corpus' is none of dim, min_count"),
        ("train:lsa?window=2", "--window means nothing to --method lsa"),
        ("train:lsa?dim=none", "'none' is no whole number"),
    ],
)
def test_what_cant_be_trained_is_refused_before_output_is_touched(
    vectors: str, message: str, corpus: list[str], tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as refused:
        build_dataset(tmp_path / "out", corpus, vectors)
    assert str(refused.value).startswith(f"--vectors {vectors}: ")
    assert message in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_corpus_whose_words_are_all_rare_fails_and_says_what_to_check(
    corpus: list[str], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="no token gets a vector: .*--min_count 5000 times"):
        build_dataset(tmp_path / "out", corpus, "train:word2vec?min_count=5000")
    assert not list((tmp_path / "out" / "runs").iterdir())
