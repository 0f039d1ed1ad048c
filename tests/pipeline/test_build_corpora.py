"""Corpora of each format, their labels, and what is rejected of them, in a build."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from formats.errors import DataError, UsageError
from pipeline.verify import verify_dataset
from tests.pipeline.built import Dataset
from tests.pipeline.small_corpus import TEST, TRAIN, Corpus, write_tsv


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def default(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return corpus.build(tmp_path_factory.mktemp("default"))


def assert_same_rows(dataset: Dataset, default: Dataset) -> None:
    assert dataset.manifest.labels == ["neg", "pos"]
    assert dataset.counts == default.counts
    for split in ("train", "test"):
        assert sorted(dataset.examples(split)) == sorted(default.examples(split))


def _put_csv(path: Path, rows: list[tuple[str, str]]) -> Path:
    path = path.with_suffix(".csv")
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["label", "text"])
        for text, label in rows:
            # Quoted, with a comma, a newline and quotes, none of which changes the tokens.
            writer.writerow([label, text.replace(" ", ',\n"', 1)])
    return path


def _put_jsonl(path: Path, rows: list[tuple[str, str]]) -> Path:
    path = path.with_suffix(".jsonl")
    lines = (json.dumps({"label": label, "text": text, "id": 1}) for text, label in rows)
    path.write_text("\n".join(lines))
    return path


def _put_parquet(path: Path, rows: list[tuple[str, str]]) -> Path:
    path = path.with_suffix(".parquet")
    texts, labels = zip(*rows, strict=True)
    pq.write_table(pa.table({"id": [1] * len(rows), "text": texts, "label": labels}), path, 2)
    return path


def _put_fasttext(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.write_text("".join(f"__label__{label} {text}\n" for text, label in rows))
    return path


def _put_packed_tsv(path: Path, rows: list[tuple[str, str]]) -> Path:
    plain = write_tsv(path, rows)
    path = path.with_suffix(".tsv.gz")
    path.write_bytes(gzip.compress(plain.read_bytes()))
    return path


def _put_directory(path: Path, rows: list[tuple[str, str]]) -> Path:
    for number, (text, label) in enumerate(rows):
        folder = path / label
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.txt").write_text(text.replace(" ", "\n", 1))
    return path


@pytest.mark.parametrize(
    "put", [_put_csv, _put_jsonl, _put_parquet, _put_fasttext, _put_packed_tsv, _put_directory]
)
def test_every_format_gives_the_same_rows(
    put: Any, corpus: Corpus, default: Dataset, tmp_path: Path
) -> None:
    train, test = put(tmp_path / "train", TRAIN), put(tmp_path / "test", TEST)
    specs = [f"train={train}", f"test={test}"]
    assert_same_rows(corpus.build(tmp_path / "out", corpus=specs), default)


def test_a_glob_gives_the_rows_of_all_its_files(
    corpus: Corpus, default: Dataset, tmp_path: Path
) -> None:
    for number, row in enumerate(TRAIN):
        write_tsv(tmp_path / f"part-{number}.tsv", [row])
    specs = [f"train={tmp_path}/part-*.tsv", f"test={corpus.test}"]
    dataset = corpus.build(tmp_path / "out", corpus=specs)
    assert_same_rows(dataset, default)
    assert [given.files for given in dataset.manifest.inputs.corpus] == [4, 1]


def test_files_of_class_folders_that_are_no_rows_are_warned_of(
    corpus: Corpus, tmp_path: Path
) -> None:
    folder = _put_directory(tmp_path / "rows", TRAIN)
    (folder / "README").write_text("These are reviews.")
    dataset = corpus.build(tmp_path / "out", corpus=f"train={folder}")
    [warning] = dataset.manifest.warnings
    assert "README" in warning


def test_columns_are_chosen_by_name(corpus: Corpus, default: Dataset, tmp_path: Path) -> None:
    for name, rows in (("train", TRAIN), ("test", TEST)):
        lines = ["id\tklass\ttext\tbody", *(f"1\t{label}\t-\t{text}" for text, label in rows)]
        (tmp_path / f"{name}.tsv").write_text("\n".join(lines))
    specs = [f"{name}={tmp_path / name}.tsv" for name in ("train", "test")]
    flags = {"text_column": "body", "label_column": "klass"}
    assert_same_rows(corpus.build(tmp_path / "out", corpus=specs, **flags), default)


def test_columns_without_a_header_are_chosen_by_index(
    corpus: Corpus, default: Dataset, tmp_path: Path
) -> None:
    for name, rows in (("train", TRAIN), ("test", TEST)):
        lines = [f"{label}\t{text}" for text, label in rows]
        (tmp_path / f"{name}.tsv").write_text("\n".join(lines))
    specs = [f"{name}={tmp_path / name}.tsv" for name in ("train", "test")]
    flags = {"text_column": "1", "label_column": "0"}
    assert_same_rows(corpus.build(tmp_path / "out", corpus=specs, **flags), default)


@pytest.mark.parametrize("shuffle_seed", [0, None])
def test_an_empty_label_column_leaves_the_labels_out(
    shuffle_seed: int | None, corpus: Corpus, tmp_path: Path
) -> None:
    dataset = corpus.build(tmp_path, label_column="", shuffle_seed=shuffle_seed)
    assert dataset.manifest.labels == []
    assert sorted(dataset.manifest.examples.features) == ["length", "token_ids"]
    assert {example.label for example in dataset.examples("train")} == {None}


def test_a_text_corpus_has_no_labels(corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_text('a fine film\nthe \tfilm, "quoted\n')
    dataset = corpus.build(tmp_path / "out", corpus=f"train={path}")
    assert dataset.manifest.labels == []
    assert list(dataset.manifest.examples.features) == ["token_ids", "length"]
    assert sorted(dataset.texts("train")) == ["a fine film", "the film quoted"]


def test_corpora_with_and_without_labels_do_not_mix(corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_text("a fine film\n")
    with pytest.raises(UsageError, match="some have labels and some have none"):
        corpus.build(tmp_path / "out", corpus=[f"train={corpus.train}", f"test={path}"])


def test_labels_are_sorted_and_examples_have_their_places(corpus: Corpus, tmp_path: Path) -> None:
    labels = ["10", "2", "Zoo", "apple", "영화", "é"]
    rows = [(f"text{number}", label) for number, label in enumerate(labels[::-1])]
    path = write_tsv(tmp_path / "rows.tsv", rows)
    dataset = corpus.build(tmp_path / "out", corpus=f"train={path}")
    assert dataset.manifest.labels == sorted(labels, key=str.encode)
    found = {
        text: dataset.manifest.labels[example.label or 0]
        for text, example in zip(dataset.texts("train"), dataset.examples("train"), strict=True)
    }
    assert found == dict(rows)


def test_korean_works_as_english_does(corpus: Corpus, tmp_path: Path) -> None:
    rows = [("이 영화, 정말 좋다!", "긍정"), ("영화가 별로…", "부정")]
    path = write_tsv(tmp_path / "평.tsv", rows)
    vectors = tmp_path / "벡터.vec"
    vectors.write_text("2 2\n영화 1 2\n좋다 3 4\n", encoding="utf-8")
    dataset = corpus.build(tmp_path / "자료", corpus=f"train={path}", vectors=vectors)
    assert dataset.manifest.labels == ["긍정", "부정"]
    assert set(dataset.tokens[2:]) == {"이", "영화", "정말", "좋다", "영화가", "별로…"}
    assert dataset.row("영화") == [1, 2]
    assert "이 영화 정말 좋다" in dataset.texts("train")


# Rejects


@pytest.mark.parametrize("shuffle_seed", [0, None])
def test_bad_rows_are_listed_counted_and_left_out(
    shuffle_seed: int | None, corpus: Corpus, tmp_path: Path
) -> None:
    path = tmp_path / "rows.tsv"
    lines = ["text\tlabel", "fine film\tpos", " \tpos", "no label\t", "bad ? byte\tneg", "a\tb\tc"]
    path.write_bytes("\n".join([*lines, "한\tneg"]).encode().replace(b"?", b"\xff"))
    flags = {"corpus": f"train={path}", "shuffle_seed": shuffle_seed}
    dataset = corpus.build(tmp_path / "out", max_reject_fraction=(0.7, 0), **flags)
    assert dataset.manifest.rejects.corpus == {
        "bad UTF-8": 1,
        "no label": 1,
        "no text": 1,
        "wrong column count": 1,
    }
    lines = (tmp_path / "out" / dataset.manifest.rejects.path).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"file": str(path), "offset": 25, "reason": "no text", "excerpt": " \tpos"},
        {"file": str(path), "offset": 31, "reason": "no label", "excerpt": "no label\t"},
        {"file": str(path), "offset": 41, "reason": "bad UTF-8", "excerpt": "bad \ufffd byte\tneg"},
        {"file": str(path), "offset": 56, "reason": "wrong column count", "excerpt": "a\tb\tc"},
    ]
    assert sorted(dataset.texts("train")) == ["fine film", "한"]
    with pytest.raises(DataError, match="4 of 6 rows are bad"):
        corpus.build(tmp_path / "out", max_reject_fraction=(0.6, 0), **flags)
    assert verify_dataset(str(tmp_path / "out")) == []


def test_vectors_that_are_no_numbers_are_listed_and_their_words_have_none(
    corpus: Corpus, tmp_path: Path
) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("film 1 2\nthe 3 nan\nother inf 1\nbad 3 4\n")
    flags = {"vectors": vectors}
    dataset = corpus.build(tmp_path / "out", max_reject_fraction=(0, 0.25), **flags)
    assert dataset.manifest.rejects.vectors == {"not finite": 1}
    [line] = (tmp_path / "out" / dataset.manifest.rejects.path).read_text().splitlines()
    assert json.loads(line)["offset"] == 9
    assert dataset.row("the") == [0, 0]
    assert dataset.manifest.coverage.matched == 2
    with pytest.raises(DataError, match="1 rows are bad"):
        corpus.build(tmp_path / "out", max_reject_fraction=(0, 0.24), **flags)
