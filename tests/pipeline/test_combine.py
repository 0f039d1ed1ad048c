"""Several vector files: one fills in for another, or they stand side by side."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transforms.scan_vectors
from formats.errors import UsageError
from formats.oov import normal_vectors
from pipeline.verify import verify_dataset
from tests.formats.vectors.fasttext_models import expected_vector, sample
from tests.pipeline.built import Dataset, build_dataset
from transforms.storage import open_file

GLOVE = "the 1 2\nfilm 3 4\nFilm 9 9\n<unk> 7 8\n"
CASED = [("Film", [0.5, 0.25, -1.0]), ("the", [4.0, 5.0, 6.0]), ("good", [1.0, 1.0, 2.0])]
TEXT = "the film good unseen film"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "corpus.txt").write_text(f"{TEXT}\n")
    (tmp_path / "glove.txt").write_text(GLOVE)
    records = (f"{token} ".encode() + np.array(row, "<f4").tobytes() for token, row in CASED)
    (tmp_path / "cased.bin").write_bytes(b"3 3\n" + b"".join(records))
    return tmp_path


def build(
    folder: Path,
    vectors: tuple[str, ...] = ("glove.txt", "cased.bin"),
    combine: str = "concat",
    **flags: Any,
) -> Dataset:
    dataset = build_dataset(
        folder / "out",
        f"train={folder / 'corpus.txt'}",
        [str(folder / name) for name in vectors],
        combine=combine,
        **flags,
    )
    assert verify_dataset(str(dataset.output)) == []
    return dataset


def test_side_by_side_each_file_gives_its_columns(folder: Path) -> None:
    dataset = build(folder)
    assert dict(zip(dataset.tokens, dataset.matrix.tolist(), strict=True)) == {
        "[PAD]": [0, 0, 0, 0, 0],
        "[UNK]": [7, 8, 0, 0, 0],
        "film": [3, 4, 0, 0, 0],
        "good": [0, 0, 1, 1, 2],
        "the": [1, 2, 4, 5, 6],
        "unseen": [0, 0, 0, 0, 0],
    }
    assert dataset.manifest.embeddings.dim == 5
    assert dataset.manifest.vocabulary.unk_token == "<unk>"


def test_the_order_of_the_flags_is_that_of_the_columns(folder: Path) -> None:
    dataset = build(folder, ("cased.bin", "glove.txt"))
    assert dataset.row("the") == [4, 5, 6, 1, 2]


def test_each_file_tries_the_lookup_rules_by_itself(folder: Path) -> None:
    dataset = build(folder, fallback=["exact", "title"])
    assert dataset.row("film") == [3, 4, 0.5, 0.25, -1]
    table = {row["token"]: row for row in dataset.table}
    assert table["film"]["rules"] == ["exact", "title"]
    assert (table["good"]["source"], table["good"]["rules"]) == ("cased.bin", [None, "exact"])
    assert (table["unseen"]["source"], table["unseen"]["rules"]) == (None, [None, None])
    assert (table["film"]["source"], table["film"]["rule"]) == ("glove.txt", "exact")
    coverage = dataset.manifest.coverage
    assert coverage.matched == 3
    assert coverage.by_source == {"glove.txt": 2, "cased.bin": 3}
    assert coverage.by_rule == {"exact": 3, "title": 0}
    assert [source.matched for source in dataset.manifest.inputs.vectors] == [2, 3]


def test_each_file_has_a_policy_of_its_own(folder: Path) -> None:
    dataset = build(folder, oov=["mean", "zeros"])
    assert dataset.manifest.embeddings.oov == "mean,zeros"
    assert dataset.row("unseen") == [2, 3, 0, 0, 0]
    assert dataset.row("good") == [2, 3, 1, 1, 2]
    assert dataset.row("[UNK]") == [7, 8, 0, 0, 0]
    # One policy is that of all.
    assert build(folder, oov=["mean"]).row("unseen") == [2, 3, 2.5, 3, 4]


def test_a_model_beside_another_file_makes_its_columns_of_subwords(folder: Path) -> None:
    model = sample([b"film", b"the"], bucket=9, minn=2, maxn=4)
    (folder / "model.bin").write_bytes(model.data())
    dataset = build(folder, ("glove.txt", "model.bin"), oov=["zeros", "subword"])
    for word in TEXT.split():
        assert dataset.row(word)[2:] == pytest.approx(expected_vector(model, word), abs=1e-6)
    assert dataset.row("unseen")[:2] == [0, 0]
    assert dataset.manifest.embeddings.subword == 2
    with pytest.raises(UsageError, match=r"--oov subword: needs .*glove.txt is none"):
        build(folder, ("glove.txt", "model.bin"), oov=["subword"])


def test_shards_and_cuts_change_no_row_of_files_side_by_side(folder: Path) -> None:
    whole = build(folder, oov=["normal", "mean"])
    for flags in ({"matrix_shards": 4}, {"range_bytes": 8}, {"matrix_format": "parquet"}):
        other = build(folder, oov=["normal", "mean"], **flags)
        assert other.matrix.tolist() == whole.matrix.tolist()


def test_only_a_table_of_files_side_by_side_has_a_rule_for_each(folder: Path) -> None:
    first = build(folder, ("glove.txt",))
    path = first.output / first.manifest.vocabulary.parquet_path
    assert pq.read_schema(path).names == ["token", "count", "source", "rule", "matched"]


def test_files_of_other_dimensions_cant_fill_in_and_the_message_tells_the_way(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"glove.txt has 2, .*cased.bin has 3; .*--combine concat"):
        build(folder, combine="first")


def test_each_file_is_read_once_whatever_the_number_of_rules(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: Counter[str] = Counter()

    def counted(uri: str) -> BinaryIO:
        opened[Path(uri).name] += 1
        return open_file(uri)

    monkeypatch.setattr(transforms.scan_vectors, "open_file", counted)
    rules = ["exact", "lower", "title", "upper", "strip_accents", "digits", "hyphen"]
    build(folder, fallback=rules)
    assert opened == {"glove.txt": 1, "cased.bin": 1}


def test_draws_are_of_the_word_and_the_seed_alone(folder: Path) -> None:
    first = build(folder, ("glove.txt",), "first", oov=["normal"])
    again = build(folder, ("glove.txt",), "first", oov=["normal"], matrix_shards=5)
    other = build(folder, ("glove.txt",), "first", oov=["normal"], oov_seed=1)
    assert first.matrix.tolist() == again.matrix.tolist()
    assert first.row("unseen") != other.row("unseen")
    mean, deviation = np.array([2.0, 3.0]), np.array([1.0, 1.0])
    for seed, dataset in ((0, first), (1, other)):
        [drawn] = normal_vectors(["unseen"], mean, deviation, seed).tolist()
        assert dataset.row("unseen") == drawn
        assert dataset.row("the") == [1, 2]


def test_verify_finds_columns_that_should_be_zero(folder: Path) -> None:
    dataset = build(folder, oov=["zeros", "mean"])
    [shard] = dataset.manifest.embeddings.shards
    matrix = dataset.matrix
    for row, column, expected in ((2, 4, []), (3, 1, [f"{shard.path}: row 3: expected zeros"])):
        changed = matrix.copy()
        changed[row, column] = 5
        np.save(dataset.output / shard.path, changed)
        problems = verify_dataset(str(dataset.output))
        assert "sha256" in problems[0]
        assert [
            problem[: len(text)] for problem, text in zip(problems[1:], expected, strict=True)
        ] == expected
        assert len(problems) == 1 + len(expected)


def test_verify_finds_rules_that_do_not_fit_the_files(folder: Path) -> None:
    dataset = build(folder)
    path = dataset.output / dataset.manifest.vocabulary.parquet_path
    table = pq.read_table(path)
    rules = pa.array([["exact"]] * len(table), pa.list_(pa.string()))
    pq.write_table(table.set_column(5, "rules", rules), path)
    problems = verify_dataset(str(dataset.output))
    assert "sha256" in problems[0]
    assert problems[1:] == [
        f"{dataset.manifest.vocabulary.parquet_path}: the column rules does not have an item for "
        "each vector file"
    ]
