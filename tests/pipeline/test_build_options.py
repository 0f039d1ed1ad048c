"""Each flag of a build has its effect."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from formats.errors import DataError
from tests.pipeline.built import Dataset
from tests.pipeline.small_corpus import Corpus, write_tsv


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def default(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return corpus.build(tmp_path_factory.mktemp("default"))


# The vocabulary


def test_the_vocabulary_is_that_of_the_training_split_by_count_and_bytes(default: Dataset) -> None:
    words = ["the", "film", "a", "fun", "bad", "dull", "twice"]
    assert default.tokens == ["[PAD]", "[UNK]", *words]
    assert [row["count"] for row in default.table] == [0, 0, 4, 3, 2, 2, 1, 1, 1]
    assert default.manifest.vocabulary.size == 9


def test_max_tokens_counts_pad_and_unk(corpus: Corpus, tmp_path: Path) -> None:
    dataset = corpus.build(tmp_path, max_tokens=5)
    assert dataset.tokens == ["[PAD]", "[UNK]", "the", "film", "a"]
    assert dataset.manifest.embeddings.rows == 5


def test_min_count_leaves_rarer_tokens_out(corpus: Corpus, tmp_path: Path) -> None:
    assert corpus.build(tmp_path, min_count=2).tokens[2:] == ["the", "film", "a", "fun"]


def test_vocabulary_splits_are_those_that_are_counted(corpus: Corpus, tmp_path: Path) -> None:
    both = corpus.build(tmp_path / "both", vocabulary_splits=["train", "test"])
    assert both.tokens[2:7] == ["film", "the", "a", "bad", "fun"]
    assert both.counts["unseen"] == 2
    test = corpus.build(tmp_path / "test", vocabulary_splits=["test"])
    assert test.tokens[2:] == ["unseen", "bad", "film"]


def test_vector_tokens_come_behind_the_corpus_and_are_not_cut(
    corpus: Corpus, tmp_path: Path
) -> None:
    dataset = corpus.build(tmp_path, max_tokens=4, vector_tokens=5)
    # Of the first five of the file, the and film are there already.
    assert dataset.tokens[2:] == ["the", "film", "service", "unseen", "bad"]
    assert [row["count"] for row in dataset.table[2:]] == [4, 3, 0, 0, 1]
    assert dataset.row("service") == [3, 4]
    assert sorted(dataset.texts("test")) == ["film unseen bad", "unseen"]


def test_a_given_vocabulary_keeps_its_ids_and_is_counted(corpus: Corpus, tmp_path: Path) -> None:
    given = tmp_path / "vocabulary.txt"
    tokens = ["[PAD]", "[UNK]", "absent", "film", "the", "영화"]
    given.write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
    dataset = corpus.build(tmp_path / "out", vocabulary=str(given))
    assert dataset.tokens == tokens
    assert [row["count"] for row in dataset.table] == [0, 0, 0, 3, 4, 0]
    assert dataset.matrix.tolist() == [[0, 0], [0, 0], [0, 0], [5, 6], [1, 2], [0, 0]]
    assert sorted(dataset.texts("test")) == ["[UNK]", "film [UNK] [UNK]"]


def test_a_published_vocabulary_given_again_gives_the_same_dataset(
    corpus: Corpus, default: Dataset, tmp_path: Path
) -> None:
    given = default.output / default.manifest.vocabulary.path
    assert corpus.build(tmp_path, vocabulary=str(given)).files() == default.files()


@pytest.mark.parametrize(
    ("tokenizer", "tokens"),
    [
        ("basic", ["the", "film", "a", "fun", "bad", "dull", "twice"]),
        (
            "whitespace",
            ["the", "a", "film", "Dull", "The", "bad", "film,", "fun", "fun!", "twice"],
        ),
        ("regex:[a-z]+", ["the", "film", "a", "fun", "bad", "he", "twice", "ull"]),
        ("tests.pipeline.test_build_options:initials", ["T", "t", "f", "a", "b", "D"]),
    ],
)
def test_the_tokenizer_cuts_texts(
    tokenizer: str, tokens: list[str], corpus: Corpus, tmp_path: Path
) -> None:
    dataset = corpus.build(tmp_path, tokenizer=tokenizer)
    assert sorted(dataset.tokens[2:]) == sorted(tokens)


def initials(text: str) -> list[str]:
    return [word[0] for word in text.split()]


def test_an_empty_vocabulary_fails_the_job(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the vocabulary is empty"):
        corpus.build(tmp_path, min_count=5)
    assert not (tmp_path / "manifest.json").exists()


# The embedding matrix


def test_the_first_of_a_token_wins_and_the_repetition_is_counted(default: Dataset) -> None:
    assert default.row("film") == [5, 6]
    [vectors] = default.manifest.inputs.vectors
    assert (vectors.rows, vectors.matched, vectors.duplicates) == (6, 3, 1)


def test_the_earlier_of_several_vector_files_wins(corpus: Corpus, tmp_path: Path) -> None:
    second = tmp_path / "second.vec"
    second.write_text("3 2\nfun 20 21 \nthe 22 23 \nabsent 0 0 \n")
    vectors = [corpus.vectors, second]
    dataset = corpus.build(tmp_path / "a", vectors=vectors)
    assert (dataset.row("the"), dataset.row("fun")) == ([1, 2], [20, 21])
    assert dataset.manifest.coverage.by_source == {"vectors.txt": 3, "second.vec": 1}
    sources = {row["token"]: row["source"] for row in dataset.table}
    assert (sources["the"], sources["fun"], sources["a"]) == ("vectors.txt", "second.vec", None)
    other = corpus.build(tmp_path / "b", vectors=vectors[::-1])
    assert (other.row("the"), other.row("film")) == ([22, 23], [5, 6])
    assert other.manifest.coverage.by_source == {"second.vec": 2, "vectors.txt": 2}


def test_vector_files_of_one_name_are_told_apart(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    other = tmp_path / "b" / "vectors.txt"
    other.write_text("fun 20 21\n")
    dataset = corpus.build(tmp_path / "out", vectors=[corpus.vectors, other])
    assert dataset.manifest.coverage.by_source == {str(corpus.vectors): 3, str(other): 1}


def test_oov_zeros_leaves_the_rows_without_a_vector_zero(default: Dataset) -> None:
    assert default.matrix.tolist() == [
        [0, 0], [0, 0], [1, 2], [5, 6], [0, 0], [0, 0], [7, 8], [0, 0], [0, 0],
    ]  # fmt: skip


def test_oov_mean_is_the_mean_of_the_matched_rows(corpus: Corpus, tmp_path: Path) -> None:
    matrix = corpus.build(tmp_path, oov=["mean"]).matrix
    mean = np.float32([13 / 3, 16 / 3]).tolist()
    assert matrix[:3].tolist() == [[0, 0], mean, [1, 2]]
    assert matrix[4].tolist() == matrix[8].tolist() == mean


def test_oov_normal_draws_a_row_for_each_word_that_no_other_word_changes(
    corpus: Corpus, tmp_path: Path
) -> None:
    dataset = corpus.build(tmp_path / "a", oov=["normal"])
    assert dataset.matrix[0].tolist() == [0, 0]
    drawn = [dataset.row(token) for token in ("[UNK]", "a", "fun", "dull", "twice")]
    assert len({tuple(row) for row in drawn}) == 5
    # One word less, with the matched rows the same.
    cut = corpus.build(tmp_path / "b", oov=["normal"], max_tokens=8, matrix_shards=2)
    assert np.allclose(cut.matrix, dataset.matrix[:8], rtol=1e-6)
    assert cut.row("film") == [5, 6]


def test_oov_normal_has_the_mean_and_deviation_of_the_matched_rows(
    corpus: Corpus, tmp_path: Path
) -> None:
    text = " ".join(f"absent{number}" for number in range(4000))
    rows = [("the film bad", "x"), (text, "x")]
    train = write_tsv(tmp_path / "rows.tsv", rows)
    dataset = corpus.build(tmp_path / "out", corpus=f"train={train}", oov=["normal"])
    drawn = dataset.matrix[[row for row, entry in enumerate(dataset.table) if entry["count"] == 1]]
    drawn = drawn[(drawn != [1, 2]).any(axis=1)]
    matched = np.array([[1, 2], [5, 6], [7, 8]])
    assert np.allclose(drawn.mean(axis=0), matched.mean(axis=0), atol=0.15)
    assert np.allclose(drawn.std(axis=0), matched.std(axis=0), atol=0.15)


@pytest.mark.parametrize("oov", ["mean", "normal"])
def test_where_nothing_matches_the_matrix_is_zero(oov: str, corpus: Corpus, tmp_path: Path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("nothing 1 2\nof 3 4\n")
    dataset = corpus.build(tmp_path / "out", vectors=vectors, oov=[oov])
    assert not dataset.matrix.any()
    assert dataset.manifest.coverage.matched == 0


def test_float16_halves_what_is_written(corpus: Corpus, default: Dataset, tmp_path: Path) -> None:
    dataset = corpus.build(tmp_path, dtype="float16", vector_tokens=4)
    assert dataset.matrix.dtype == np.dtype("<f2")
    assert dataset.row("unseen") == np.float16([0.1, -1e-3]).tolist()
    assert dataset.manifest.embeddings.dtype == "float16"


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_parquet_shards_hold_ids_tokens_and_vectors(
    dtype: str, corpus: Corpus, default: Dataset, tmp_path: Path
) -> None:
    dataset = corpus.build(tmp_path, matrix_format="parquet", matrix_shards=2, dtype=dtype)
    assert dataset.matrix.tolist() == default.matrix.tolist()
    shards = [tmp_path / shard.path for shard in dataset.manifest.embeddings.shards]
    assert [path.name for path in shards] == [
        "embeddings-00000-of-00002.parquet",
        "embeddings-00001-of-00002.parquet",
    ]
    table = pa.concat_tables(map(pq.read_table, shards))
    assert table.column("id").to_pylist() == list(range(9))
    assert table.column("token").to_pylist() == dataset.tokens


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_safetensors_shards_hold_one_tensor(
    dtype: str, corpus: Corpus, default: Dataset, tmp_path: Path
) -> None:
    dataset = corpus.build(tmp_path, matrix_format="safetensors", matrix_shards=2, dtype=dtype)
    assert dataset.matrix.dtype == dtype
    assert dataset.matrix.tolist() == default.matrix.astype(dtype).tolist()
    shards = [Path(shard.path).name for shard in dataset.manifest.embeddings.shards]
    assert shards == [
        "embeddings-00000-of-00002.safetensors",
        "embeddings-00001-of-00002.safetensors",
    ]


def test_matrix_shards_part_the_rows(corpus: Corpus, default: Dataset, tmp_path: Path) -> None:
    dataset = corpus.build(tmp_path / "a", matrix_shards=4)
    shards = dataset.manifest.embeddings.shards
    assert [(shard.first_row, shard.rows) for shard in shards] == [(0, 2), (2, 2), (4, 2), (6, 3)]
    assert dataset.matrix.tolist() == default.matrix.tolist()
    # A shard has at least one row.
    assert len(corpus.build(tmp_path / "b", matrix_shards=99).manifest.embeddings.shards) == 9


# The examples


@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("truncating", ["pre", "post"])
def test_lengths_are_those_of_keras(
    padding: str, truncating: str, corpus: Corpus, tmp_path: Path
) -> None:
    keras = pytest.importorskip("keras")
    dataset = corpus.build(tmp_path, max_length=3, padding=padding, truncating=truncating)
    ids = {token: number for number, token in enumerate(dataset.tokens)}
    texts = ["the film the fun", "a film the", "the bad film a fun", "dull twice"]
    encoded = [[ids[token] for token in text.split()] for text in texts]
    padded = keras.utils.pad_sequences(encoded, 3, padding=padding, truncating=truncating)
    found = sorted((example.token_ids, example.length) for example in dataset.examples("train"))
    lengths = [3, 3, 3, 2]
    assert found == sorted(zip(map(tuple, padded.tolist()), lengths, strict=True))


def test_example_shards_are_as_many_as_asked_for_in_each_split(
    corpus: Corpus, default: Dataset, tmp_path: Path
) -> None:
    dataset = corpus.build(tmp_path, example_shards=3)
    for split in ("train", "test"):
        assert len(dataset.shards(split)) == 3
        # The shards part one order.
        assert dataset.examples(split) == default.examples(split)


def test_no_compression_writes_plain_tfrecords(
    corpus: Corpus, default: Dataset, tmp_path: Path
) -> None:
    dataset = corpus.build(tmp_path, compression="none")
    [shard] = dataset.manifest.examples.splits["train"].shards
    assert shard.path.endswith("/train-00000-of-00001.tfrecord")
    plain = (tmp_path / shard.path).read_bytes()
    [packed] = default.manifest.examples.splits["train"].shards
    assert packed.path.endswith("/train-00000-of-00001.tfrecord.gz")
    assert gzip.decompress((default.output / packed.path).read_bytes()) == plain


NUMBERED = [(f"row{number:03d} common", "ab"[number % 2]) for number in range(200)]


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tsv(tmp_path_factory.mktemp("numbered") / "rows.tsv", NUMBERED)


def test_the_seed_shuffles_and_loses_nothing(
    corpus: Corpus, numbered: Path, tmp_path: Path
) -> None:
    texts = [text for text, _ in NUMBERED]
    orders = []
    for seed in (0, 1, -5):
        output = tmp_path / str(seed)
        dataset = corpus.build(output, corpus=f"train={numbered}", shuffle_seed=seed)
        orders.append(dataset.texts("train"))
        assert sorted(orders[-1]) == texts
        # Not sorted, nor nearly: the mean step of a random order is a third of its length.
        places = [texts.index(text) for text in orders[-1]]
        assert 50 < np.abs(np.diff(places)).mean() < 85
    assert len({tuple(order) for order in orders}) == 3


def test_without_a_seed_the_shards_are_the_input_in_its_order(
    corpus: Corpus, numbered: Path, tmp_path: Path
) -> None:
    more = write_tsv(tmp_path / "more.tsv", [("row007 common", "c")])
    dataset = corpus.build(
        tmp_path / "out",
        corpus=[f"train={numbered}", f"train={more}"],
        shuffle_seed=None,
        range_bytes=500,
    )
    shards = dataset.shards("train")
    assert len(shards) == -(-numbered.stat().st_size // 500) + 1
    assert dataset.texts("train") == [text for text, _ in NUMBERED] + ["row007 common"]
    assert [example.label for example in shards[-1]] == [2]


def test_without_a_seed_hashed_splits_lose_nothing(
    corpus: Corpus, numbered: Path, tmp_path: Path
) -> None:
    flags = {"corpus": numbered, "vocabulary_splits": ["train", "validation", "test"]}
    dataset = corpus.build(tmp_path / "a", shuffle_seed=None, range_bytes=700, **flags)
    shuffled = corpus.build(tmp_path / "b", **flags)
    for split in ("train", "validation", "test"):
        texts = dataset.texts(split)
        assert texts == sorted(texts)
        assert texts == sorted(shuffled.texts(split))


def test_without_a_seed_a_split_can_have_no_share(
    corpus: Corpus, numbered: Path, tmp_path: Path
) -> None:
    splits = {"train": 0.5, "test": 0.5}
    dataset = corpus.build(tmp_path, corpus=numbered, splits=splits, shuffle_seed=None)
    assert list(dataset.manifest.examples.splits) == ["train", "test"]


# Splits


def test_fractions_part_the_rows(corpus: Corpus, numbered: Path, tmp_path: Path) -> None:
    splits = {"train": 0.6, "validation": 0.4, "test": 0.0}
    dataset = corpus.build(tmp_path, corpus=numbered, splits=splits)
    found = dataset.manifest.examples.splits
    assert list(found) == ["train", "validation"]
    assert 100 <= found["train"].examples <= 140
    assert found["train"].examples + found["validation"].examples == 200


def test_duplicates_never_straddle_splits(corpus: Corpus, tmp_path: Path) -> None:
    rows = [
        (variant.format(number), "x")
        for number in range(60)
        for variant in ("Review no {}, fine!", "review NO {}   fine", "review (no) {}... Fine?")
    ]
    path = write_tsv(tmp_path / "rows.tsv", rows)
    splits = ["train", "validation", "test"]
    dataset = corpus.build(tmp_path / "out", corpus=path, vocabulary_splits=splits)
    seen: set[str] = set()
    for split in splits:
        texts = dataset.texts(split)
        assert texts
        assert all(texts.count(text) == 3 for text in texts)
        assert not seen & set(texts)
        seen |= set(texts)


def test_a_corpus_with_its_split_is_left_in_it(default: Dataset) -> None:
    found = default.manifest.examples.splits
    assert {name: split.examples for name, split in found.items()} == {"train": 4, "test": 2}
    assert [given.split for given in default.manifest.inputs.corpus] == ["train", "test"]
