from __future__ import annotations

import pytest

from formats.dataset import paths
from formats.errors import DataError


def test_names_of_the_files_of_a_run() -> None:
    assert paths.MANIFEST_PATH == "manifest.json"
    assert paths.run_manifest_path("r1") == "runs/r1/manifest.json"
    assert paths.vocabulary_text_path("r1") == "runs/r1/vocabulary.txt"
    assert paths.vocabulary_table_path("r1") == "runs/r1/vocabulary.parquet"
    assert paths.rejects_path("r1") == "runs/r1/rejects-00000-of-00001.jsonl"
    assert paths.embedding_shard_path("r1", 0, 4, "npy") == "runs/r1/embeddings-00000-of-00004.npy"
    assert (
        paths.embedding_shard_path("r1", 3, 4, "parquet")
        == "runs/r1/embeddings-00003-of-00004.parquet"
    )
    assert (
        paths.example_shard_path("r1", "train", 0, 8, "gzip")
        == "runs/r1/train-00000-of-00008.tfrecord.gz"
    )
    assert (
        paths.example_shard_path("r1", "test", 7, 8, "none")
        == "runs/r1/test-00007-of-00008.tfrecord"
    )


@pytest.mark.parametrize("path", ["a", "runs/r1/vocabulary.txt", "runs/2024-01-01T10.20-x/..a"])
def test_a_path_inside_of_the_dataset_is_safe(path: str) -> None:
    assert paths.safe_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "..",
        "../other/vocabulary.txt",
        "runs/../../other",
        "runs/./r1",
        "runs//r1",
        "runs/r1/",
        "runs\\r1",
        "C:/windows",
        "C:windows",
        "file:///etc/passwd",
        "gs://bucket/x",
        "runs/r1\0.txt",
        "runs/r1\n.txt",
    ],
)
def test_a_path_that_could_lead_out_is_refused(path: str) -> None:
    with pytest.raises(DataError, match="a path inside of the dataset's directory"):
        paths.safe_path(path)
