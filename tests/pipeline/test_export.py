"""``embprep export``: from a published dataset to a file, or to an error that leaves no file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import KeyedVectors

from formats.dataset.embedding_matrix import MATRIX_FORMATS
from formats.errors import DataError, UsageError
from pipeline.export import export, export_dataset
from tests.pipeline.small_dataset import RUN, Parts, publish


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return publish(tmp_path / "data")


def matrix_of(dataset: Path) -> Any:
    return np.concatenate([np.load(path) for path in sorted(dataset.glob("runs/*/*.npy"))])


def tokens_of(dataset: Path) -> list[str]:
    return (dataset / "runs" / RUN / "vocabulary.txt").read_bytes().decode().split("\n")[:-1]


def run(dataset: Path, format: str, output: Path) -> None:
    assert export([str(dataset), "--format", format, "--output", str(output)]) == 0


@pytest.mark.parametrize("format", ["word2vec", "glove"])
def test_gensim_gets_the_matrix_of_the_dataset(dataset: Path, tmp_path: Path, format: str) -> None:
    run(dataset, format, tmp_path / "out")
    binary = format == "word2vec"
    read = KeyedVectors.load_word2vec_format(
        str(tmp_path / "out"), binary=binary, no_header=not binary
    )
    assert read.index_to_key == tokens_of(dataset)
    assert read.vectors.tobytes() == matrix_of(dataset).tobytes()


def test_numpy_gets_the_matrix_of_the_dataset(dataset: Path, tmp_path: Path) -> None:
    run(dataset, "npz", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz", allow_pickle=False) as arrays:
        assert arrays["tokens"].tolist() == tokens_of(dataset)
        assert arrays["vectors"].tobytes() == matrix_of(dataset).tobytes()


@pytest.mark.parametrize("format", ["word2vec", "glove", "npz"])
def test_shards_of_all_formats_give_the_same(tmp_path: Path, format: str) -> None:
    for shards in MATRIX_FORMATS:
        folder = publish(tmp_path / shards, Parts(format=shards, dtype="float16"))
        run(folder, format, tmp_path / f"from_{shards}")
    assert len({(tmp_path / f"from_{shards}").read_bytes() for shards in MATRIX_FORMATS}) == 1


@pytest.mark.parametrize("name", ["vocabulary.txt", "embeddings-00001-of-00002.npy"])
def test_a_file_that_is_not_the_published_one_is_found_by_its_hash(
    dataset: Path, tmp_path: Path, name: str
) -> None:
    path = dataset / "runs" / RUN / name
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(DataError, match=f"{name}: sha256: expected"):
        export_dataset(str(dataset), "word2vec", str(tmp_path / "out"))
    path.unlink()
    with pytest.raises(DataError, match=f"{name}: missing"):
        export_dataset(str(dataset), "word2vec", str(tmp_path / "out"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["data"]


def test_a_matrix_of_other_dimensions_than_the_manifest_says_leaves_the_old_file(
    tmp_path: Path,
) -> None:
    def change(values: dict[str, Any]) -> None:
        values["embeddings"]["dim"] = 4

    dataset = publish(tmp_path / "data", Parts(change_manifest=change))
    (tmp_path / "out").write_bytes(b"before")
    with pytest.raises(DataError, match="expected .*4, 'float32'.* found .*3, 'float32'"):
        export_dataset(str(dataset), "word2vec", str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == b"before"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data", "out"]


def test_a_token_with_a_space_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    parts = Parts(tokens=["[PAD]", "[UNK]", "the", "film", "New York", "b", "c"])
    dataset = publish(tmp_path / "data", parts)
    for format in ("word2vec", "glove"):
        with pytest.raises(DataError, match=rf"'New York' \(row 4\): {format} can't hold it"):
            export_dataset(str(dataset), format, str(tmp_path / "out"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["data"]
    export_dataset(str(dataset), "npz", str(tmp_path / "out"))


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("", "a directory"),
        ("missing/out", "can't be written|--output"),
        ("out.txt.gz", "without .gz"),
        ("data/manifest.json", "a file of the dataset itself"),
        (f"data/runs/{RUN}/vocabulary.txt", "a file of the dataset itself"),
    ],
)
def test_an_output_that_cannot_be_is_refused(
    dataset: Path, tmp_path: Path, output: str, message: str
) -> None:
    if output.startswith("missing"):
        (tmp_path / "missing").write_bytes(b"no folder")
    with pytest.raises(UsageError, match=message):
        export_dataset(str(dataset), "npz", str(tmp_path / output))


def test_what_is_no_dataset_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no dataset: it holds no manifest\.json"):
        export_dataset(str(tmp_path), "npz", str(tmp_path / "out"))


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="invalid choice: 'text'"):
        export([str(tmp_path), "--format", "text", "--output", str(tmp_path / "out")])
