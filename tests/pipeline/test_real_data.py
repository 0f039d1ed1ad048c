"""Real corpora with real vector files, against gensim, TensorFlow, Keras and plain Python."""

from __future__ import annotations

import functools
import gzip
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from pipeline.verify import verify_dataset
from tests.pipeline.built import (
    Dataset,
    basic_tokens,
    build_dataset,
    hashed_split,
    ordered_vocabulary,
)

FRACTIONS = {"train": 0.8, "validation": 0.1, "test": 0.1}

VECTORS = [
    "cooking.fasttext.50d.vec",
    "glove.6B.100d.sample.txt.gz",
    "glove.840B.300d.sample.zip",
    "imdb-cased.word2vec.50d.bin.gz",
    "imdb.glove.100d.txt.gz",
    "imdb.word2vec.100d.bin.gz",
    "nsmc.word2vec.100d.bin",
    "text8.word2vec.10d.bin",
]

CORPORA: dict[str, dict[str, Any]] = {
    "rt-polarity.tsv": {},
    "ag-news.tsv": {"text_column": "0", "label_column": "1"},
    "nsmc-200k.tsv.gz": {"text_column": "document"},
}

# Of the large corpus only what the others do not show; all pairs were built once by hand.
PAIRS = [
    (corpus, vectors)
    for corpus in CORPORA
    for vectors in VECTORS
    if corpus != "nsmc-200k.tsv.gz" or vectors == "nsmc.word2vec.100d.bin"
]


class Reference(NamedTuple):
    """What a corpus must become, by plain Python."""

    vocabulary: dict[str, int]
    labels: list[str]
    examples: dict[str, Counter[tuple[tuple[int, ...], int, int]]]


def _rows(path: Path) -> list[tuple[str, str]]:
    """(text, label) of each row."""
    data = path.read_bytes()
    if path.suffix == ".cor":
        return [
            (text.decode(), label.decode().removeprefix("__label__"))
            for label, _, text in (line.partition(b" ") for line in data.split(b"\n"))
            if text and text == text.decode(errors="ignore").encode()
        ]
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    rows: list[Any] = [line.split("\t") for line in data.decode().split("\n") if line]
    if path.name == "ag-news.tsv":
        return rows
    header, *rows = rows
    text = header.index("document" if "document" in header else "text")
    label = header.index("label")
    return [(row[text], row[label]) for row in rows]


@functools.cache
def _reference(path: Path) -> Reference:
    from keras.utils import pad_sequences

    rows = [(basic_tokens(text), label, text) for text, label in _rows(path) if text.strip()]
    splits = [hashed_split(text, FRACTIONS) for _, _, text in rows]
    vocabulary = ordered_vocabulary(
        tokens for (tokens, _, _), split in zip(rows, splits, strict=True) if split == "train"
    )
    ids = {token: number for number, token in enumerate(vocabulary, 2)}
    labels = sorted({label for _, label, _ in rows})
    examples: dict[str, Any] = {}
    for split in FRACTIONS:
        own = [row for row, its_split in zip(rows, splits, strict=True) if its_split == split]
        encoded = [[ids.get(token, 1) for token in tokens] for tokens, _, _ in own]
        padded = pad_sequences(encoded, maxlen=100, padding="post", truncating="post")
        examples[split] = Counter(
            (row.tobytes(), min(len(tokens), 100), labels.index(label))
            for row, tokens, (_, label, _) in zip(padded.astype("<i8"), encoded, own, strict=True)
        )
    return Reference(vocabulary, labels, examples)


@functools.cache
def _gensim_vectors(path: Path, folder: Path) -> Mapping[str, Any]:
    """The vectors by token, as gensim reads the file."""
    from gensim.models import KeyedVectors

    name = path.name
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            [member] = archive.namelist()
            path = Path(archive.extract(member, folder))
    loaded = KeyedVectors.load_word2vec_format(
        str(path),
        binary=".bin" in name,
        no_header="glove" in name,
        # What is no UTF-8 is no word of a corpus; it must not come to look like one.
        unicode_errors="replace",
    )
    return {
        token: vector
        for token, vector in zip(loaded.index_to_key, loaded.vectors, strict=True)
        if "\ufffd" not in token
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("members")


@pytest.fixture(scope="module")
def checked_examples() -> set[str]:
    """Hashes of example files that were found right, as they depend on the corpus alone."""
    return set()


@pytest.mark.parametrize(("corpus", "vectors"), PAIRS)
def test_a_real_corpus_builds_with_a_real_vector_file(
    corpus: str,
    vectors: str,
    shared_data: Path,
    tmp_path: Path,
    folder: Path,
    checked_examples: set[str],
) -> None:
    corpus_path, vectors_path = shared_data / "corpora" / corpus, shared_data / "vectors" / vectors
    dataset = build_dataset(tmp_path, corpus_path, vectors_path, **CORPORA[corpus])
    reference = _reference(corpus_path)
    assert_vocabulary_is_right(dataset, reference)
    assert_vectors_are_gensims(dataset, _gensim_vectors(vectors_path, folder))
    assert_examples_are_right(dataset, reference, checked_examples)
    assert verify_dataset(str(tmp_path)) == []


@pytest.mark.parametrize("vectors", ["pang_lee_polarity_fasttext.vec", "test_glove.txt"])
def test_the_corpus_of_gensims_wheel_builds_with_its_vectors(
    vectors: str,
    gensim_data: Callable[[str], Path],
    tmp_path: Path,
    folder: Path,
    checked_examples: set[str],
) -> None:
    corpus_path = gensim_data("pang_lee_polarity.cor")
    dataset = build_dataset(
        tmp_path, corpus_path, gensim_data(vectors), max_reject_fraction=(0.05, 0.0)
    )
    # Windows-1252 letters in six reviews.
    assert dataset.manifest.rejects.corpus == {"bad UTF-8": 6}
    reference = _reference(corpus_path)
    assert_vocabulary_is_right(dataset, reference)
    assert_vectors_are_gensims(dataset, _gensim_vectors(gensim_data(vectors), folder))
    assert_examples_are_right(dataset, reference, checked_examples)
    assert verify_dataset(str(tmp_path)) == []


def assert_vocabulary_is_right(dataset: Dataset, reference: Reference) -> None:
    tokens = dataset.tokens
    assert tokens[:2] == ["[PAD]", "[UNK]"]
    assert tokens[2:] == list(reference.vocabulary)
    assert dataset.counts == {"[PAD]": 0, "[UNK]": 0, **reference.vocabulary}
    assert dataset.manifest.labels == reference.labels


def assert_vectors_are_gensims(dataset: Dataset, theirs: Mapping[str, Any]) -> None:
    tokens, matrix, manifest = dataset.tokens, dataset.matrix, dataset.manifest
    dim = len(next(iter(theirs.values())))
    assert (matrix.shape, matrix.dtype) == ((len(tokens), dim), np.dtype("<f4"))
    expected = np.zeros_like(matrix)
    words = [(row, token) for row, token in enumerate(tokens) if row >= 2 and token in theirs]
    for row, token in words:
        expected[row] = theirs[token]
    # The row of [UNK] is the file's own, where it has one.
    unk_tokens = [token for token in ("<unk>", "unk", "UNK") if token in theirs]
    assert manifest.vocabulary.unk_token == (unk_tokens[0] if unk_tokens else None)
    if unk_tokens:
        expected[1] = theirs[unk_tokens[0]]
    assert matrix.tobytes() == expected.tobytes()

    assert [row for row, entry in enumerate(dataset.table) if entry["matched"]] == [
        row for row, _ in words
    ]
    counts, found = dataset.counts, {token for _, token in words}
    coverage = manifest.coverage
    assert (coverage.vocabulary, coverage.matched) == (len(tokens) - 2, len(found))
    assert coverage.type_coverage == len(found) / (len(tokens) - 2)
    assert coverage.token_coverage == sum(counts[token] for token in found) / sum(counts.values())
    assert list(coverage.by_source.values()) == [len(found)]
    assert coverage.by_rule == {"exact": len(found)}
    missing = [token for token in tokens[2:] if token not in found]
    assert [tuple(entry) for entry in coverage.top_oov] == [
        (token, counts[token]) for token in missing[:20]
    ]


def assert_examples_are_right(dataset: Dataset, reference: Reference, checked: set[str]) -> None:
    splits = dataset.manifest.examples.splits
    assert {name: split.examples for name, split in splits.items()} == {
        name: examples.total() for name, examples in reference.examples.items()
    }
    for name, split in splits.items():
        hashes = {shard.sha256 for shard in split.shards}
        if hashes <= checked:
            continue
        paths = [str(dataset.output / shard.path) for shard in split.shards]
        assert _examples_by_tensorflow(paths) == reference.examples[name]
        checked |= hashes


def _examples_by_tensorflow(paths: list[str]) -> Counter[Any]:
    tf = pytest.importorskip("tensorflow")
    features = {
        "token_ids": tf.io.FixedLenFeature([100], tf.int64),
        "length": tf.io.FixedLenFeature([], tf.int64),
        "label": tf.io.FixedLenFeature([], tf.int64),
    }
    found: Counter[Any] = Counter()
    for batch in tf.data.TFRecordDataset(paths, compression_type="GZIP").batch(4096):
        parsed = tf.io.parse_example(batch, features)
        rows = (parsed[name].numpy() for name in features)
        found.update(
            (ids.tobytes(), length, label) for ids, length, label in zip(*rows, strict=True)
        )
    return found
