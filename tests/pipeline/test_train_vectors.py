"""``embprep vectors``: vectors from a corpus, what reads them, and what they depend on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from gensim.models import KeyedVectors
from gensim.models.fasttext import load_facebook_vectors

from formats.errors import DataError, EmbprepError, UsageError
from pipeline import gensim_training
from pipeline.gensim_training import Sentences
from pipeline.inspect import inspect
from pipeline.train_vectors import model_path, plan_text, train_vectors, vectors
from pipeline.vectors_flags import VectorsConfig, parse_vectors_flags
from tests.pipeline.built import basic_tokens, build_dataset

TOPICS = ["rain wind cloud storm sky", "bread butter cheese milk egg", "goal ball team match win"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows on one of three topics each, with some words that stand anywhere."""
    draw = np.random.default_rng(0)
    lines = ["id,text"]
    for number in range(300):
        words = [*TOPICS[number % 3].split(), "the", "a", "of"]
        lines.append(f"{number},{' '.join(draw.choice(words, draw.integers(4, 12)))}")
    path = tmp_path_factory.mktemp("corpus") / "corpus.csv"
    path.write_text("\n".join([*lines, f"300,once {'영화 ' * 5}"]) + "\n")
    return path


def train(output: Path, corpus: Path | str, beam: tuple[str, ...] = (), **flags: Any) -> Any:
    flags = {"method": "lsa", "dim": 6, **flags}
    train_vectors(
        VectorsConfig(corpus=[str(corpus)], output=str(output), **flags), PipelineOptions(beam)
    )
    return KeyedVectors.load_word2vec_format(str(output), binary=True)


def tokens_of(corpus: Path) -> list[list[str]]:
    return [basic_tokens(line.partition(",")[2]) for line in corpus.read_text().split("\n")[1:-1]]


@pytest.mark.parametrize("method", ["lsa", "word2vec", "fasttext"])
def test_rows_are_the_vocabulary_in_its_order_and_words_of_a_topic_are_near(
    tmp_path: Path, corpus: Path, method: str
) -> None:
    options = {"lsa": {}, "word2vec": {"epochs": 30}, "fasttext": {"epochs": 30, "bucket": 500}}
    read = train(tmp_path / "v.bin", corpus, method=method, **options[method])
    counts = Counter(token for row in tokens_of(corpus) for token in row)
    kept = [token for token in counts if counts[token] >= 5]
    assert read.index_to_key == sorted(kept, key=lambda token: (-counts[token], token.encode()))
    assert read.similarity("rain", "storm") > read.similarity("rain", "butter")
    assert read.similarity("goal", "team") > read.similarity("goal", "cloud")


def test_lsa_is_numpys_svd_of_the_tf_idf_matrix(tmp_path: Path, corpus: Path) -> None:
    read = train(tmp_path / "v.bin", corpus)
    rows = tokens_of(corpus)
    matrix = np.zeros((len(read), len(rows)))
    for place, row in enumerate(rows):
        for token, number in Counter(row).items():
            if token in read:
                with_token = sum(token in other for other in rows)
                matrix[read.key_to_index[token], place] = number * np.log2(len(rows) / with_token)
    matrix /= np.maximum(np.linalg.norm(matrix, axis=0), 1e-12)
    left, singular_values, _ = np.linalg.svd(matrix, full_matrices=False)
    expected = left[:, :6] * singular_values[:6]
    expected *= np.sign(expected[np.abs(expected).argmax(axis=0), np.arange(6)])
    np.testing.assert_allclose(read.vectors, expected, atol=1e-5)


def test_lsa_is_the_same_for_one_worker_and_two(tmp_path: Path, corpus: Path) -> None:
    text = tmp_path / "corpus.txt"
    text.write_text("".join(f"{' '.join(row)}\n" for row in tokens_of(corpus)))
    one = train(tmp_path / "1.bin", text, range_bytes=900)
    train(tmp_path / "2.bin", text, ("--direct_num_workers=2",), range_bytes=900)
    assert (tmp_path / "1.bin").read_bytes() == (tmp_path / "2.bin").read_bytes()
    whole = train(tmp_path / "3.bin", text)
    np.testing.assert_allclose(one.vectors, whole.vectors, atol=1e-5)


@pytest.mark.parametrize("method", ["word2vec", "fasttext"])
def test_training_with_one_thread_gives_the_same_bytes_whatever_the_hash_seed(
    tmp_path: Path, corpus: Path, repository: Path, method: str
) -> None:
    options: dict[str, Any] = {"bucket": 100} if method == "fasttext" else {}
    options |= {"dim": 8, "epochs": 2}
    (tmp_path / "here").mkdir()
    train(tmp_path / "here" / "v.bin", corpus, method=method, **options)
    (tmp_path / "there").mkdir()
    flags = [f"--{name}={value}" for name, value in options.items()]
    subprocess.run(
        [sys.executable, "-m", "pipeline", "vectors", "--method", method, *flags,
         "--corpus", str(corpus), "--output", str(tmp_path / "there" / "v.bin")],
        cwd=repository,
        env={**os.environ, "PYTHONHASHSEED": "1"},
        check=True,
        capture_output=True,
    )  # fmt: skip
    here, there = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        for folder in ("here", "there")
    )
    assert here.keys() == ({"v.bin", "v.fasttext.bin"} if options.get("bucket") else {"v.bin"})
    assert here == there


def test_another_seed_gives_other_vectors(tmp_path: Path, corpus: Path) -> None:
    first = train(tmp_path / "0.bin", corpus, method="word2vec", epochs=1)
    second = train(tmp_path / "1.bin", corpus, method="word2vec", epochs=1, seed=1)
    assert (first.vectors != second.vectors).any()


def test_gensim_loads_the_fasttext_model(tmp_path: Path, corpus: Path) -> None:
    read = train(tmp_path / "v.bin", corpus, method="fasttext", bucket=500, epochs=1)
    model = load_facebook_vectors(model_path(str(tmp_path / "v.bin")))
    assert model.index_to_key == read.index_to_key
    np.testing.assert_array_equal(model.vectors, read.vectors)
    assert model["stormy"].any()


@pytest.mark.parametrize(
    ("output", "model"),
    [("a/v.bin", "a/v.fasttext.bin"), ("a.b/v", "a.b/v.fasttext.bin"), (".v", ".v.fasttext.bin")],
)
def test_the_fasttext_model_stands_beside_the_vectors(output: str, model: str) -> None:
    assert model_path(output) == model


def test_only_the_splits_that_are_named_are_used(tmp_path: Path) -> None:
    for split, text in {"train": "a b\nc b\n", "test": "a d\n"}.items():
        (tmp_path / f"{split}.txt").write_text(text)
    given = [f"{split}={tmp_path}/{split}.txt" for split in ("train", "test")]
    found = {}
    for splits in (["train"], ["train", "test"]):
        config = VectorsConfig(
            "lsa", given, str(tmp_path / "v.bin"), dim=2, min_count=1, vocabulary_splits=splits
        )
        counted = train_vectors(config, PipelineOptions([]))
        found[len(splits)] = (counted.vocabulary.column("token").to_pylist(), counted.rows)
    assert found == {1: (["b", "a", "c"], 2), 2: (["a", "b", "c", "d"], 3)}


def test_rows_are_read_anew_each_time_and_long_ones_come_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.txt").write_text("a b c d e\nf\n")
    config = VectorsConfig("word2vec", [str(tmp_path / "c.txt")], "v.bin")
    monkeypatch.setattr(gensim_training, "_SENTENCE_WORDS", 2)
    sentences = Sentences(plan_text(config)[0], "basic", config.splits, config.vocabulary_splits, 2)
    expected = [["a", "b"], ["c", "d"], ["e"], ["f"]]
    assert [list(sentences), list(sentences)] == [expected, expected]


@pytest.mark.parametrize(
    ("flags", "kind", "message"),
    [
        ({"dim": 40}, UsageError, "--dim 40: lsa has at most .* rows .301. .* give at most 19"),
        ({"min_count": 900}, DataError, "none that comes --min_count 900 times"),
        ({"text_column": "body"}, UsageError, "--text_column"),
        ({"tokenizer": "regex:the (rain|wind)|[a-z]+"}, DataError, "'the rain' .row .*word2vec"),
    ],
)
def test_what_cannot_be_leaves_the_old_file(
    tmp_path: Path, corpus: Path, flags: dict[str, Any], kind: type[EmbprepError], message: str
) -> None:
    (tmp_path / "v.bin").write_bytes(b"before")
    with pytest.raises(kind, match=message):
        train(tmp_path / "v.bin", corpus, **flags)
    assert [path.name for path in tmp_path.iterdir()] == ["v.bin"]
    assert (tmp_path / "v.bin").read_bytes() == b"before"


def test_a_corpus_with_too_many_bad_rows_fails(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("a a a a a\n \n")
    with pytest.raises(DataError, match="1 of 2 rows are bad .no text: 1."):
        train(tmp_path / "v.bin", tmp_path / "c.txt")


def test_bad_rows_that_are_let_pass_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.txt").write_text("a a b\nb\n \n")
    flags = ["--method=lsa", "--dim=1", "--min_count=1", "--max_reject_fraction=0.5"]
    vectors([*flags, f"--corpus={tmp_path}/c.txt", f"--output={tmp_path}/v.bin"])
    assert "1 corpus rows left out: no text" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--method", "lsa"], "--corpus is missing"),
        (["--corpus", "c"], "--method is missing"),
        (["--method", "glove"], "invalid choice: 'glove'"),
        (["--method", "lsa", "--corpus", "c", "--epochs", "5"], "--epochs means nothing to"),
        (["--method", "word2vec", "--corpus", "c", "--bucket", "5"], "--bucket means nothing to"),
        (["--method", "lsa", "--dims", "5"], "unknown flag --dims; did you mean --dim?"),
    ],
)
def test_wrong_flags_are_refused(flags: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        parse_vectors_flags([*flags, "--output", "v.bin"])


def test_flags_can_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('method = "lsa"\ncorpus = ["a", "b"]\ndim = 7\nseed = 3\n')
    config, _ = parse_vectors_flags(
        ["--config", str(tmp_path / "c.toml"), "--output", "v.bin", "--dim", "9"]
    )
    assert config == VectorsConfig("lsa", ["a", "b"], "v.bin", dim=9, seed=3)


def test_reviews_give_vectors_that_inspect_and_build_read(
    tmp_path: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reviews = shared_data / "corpora" / "rt-polarity.tsv"
    output = tmp_path / "reviews.bin"
    flags = ["--method", "lsa", "--corpus", str(reviews), "--output", str(output), "--dim", "50"]
    assert vectors(flags) == 0
    assert "4,624 rows of 50 by lsa from 10,662 corpus rows" in capsys.readouterr().out

    read = KeyedVectors.load_word2vec_format(str(output), binary=True)
    neighbours = {
        word: {near for near, _ in read.most_similar(word, topn=10)}
        for word in ("director", "thriller", "special", "comedy")
    }
    assert "writer" in neighbours["director"]
    assert "psychological" in neighbours["thriller"]
    assert "effects" in neighbours["special"]
    assert "romantic" in neighbours["comedy"]

    assert inspect(str(output)) == 0
    said = capsys.readouterr().out
    assert "word2vec binary" in said
    assert "irregular" not in said

    dataset = build_dataset(tmp_path / "data", reviews, output, min_count=5)
    assert dataset.manifest.coverage.type_coverage == 1
    np.testing.assert_array_equal(dataset.row("director"), read["director"])
