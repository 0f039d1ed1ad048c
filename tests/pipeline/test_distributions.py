"""What a build measures of the pieces of its work: ranges of the input, shards of the output."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.engine import run_pipeline
from tests.pipeline.built import Dataset
from tests.pipeline.distributions import Spread, measured, spread
from tests.pipeline.small_corpus import Corpus

TWO_WORKERS = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]


class Build(NamedTuple):
    corpus: Corpus
    dataset: Dataset
    told: dict[str, Spread]
    seconds: float

    def sizes_of_corpus(self) -> Spread:
        """Of its rows: the line that names the columns is none."""
        files = self.corpus.train, self.corpus.test
        return spread(file.stat().st_size - len("text\tlabel\n") for file in files)


def build(folder: Path, monkeypatch: pytest.MonkeyPatch, **flags: Any) -> Build:
    jobs: list[Any] = []

    def run_and_keep(pipeline: Any, _: None) -> None:
        run_pipeline(pipeline, jobs.append)

    monkeypatch.setattr("pipeline.build.run_pipeline", run_and_keep)
    corpus = Corpus(folder)
    with open(corpus.train, "a") as file:
        file.write("\tpos\n")
    began = time.monotonic()
    dataset = corpus.build(folder / "dataset", max_reject_fraction=[0.5, 0.0], **flags)
    [job] = jobs
    return Build(corpus, dataset, measured(job), time.monotonic() - began)


@pytest.mark.parametrize("beam", [[], TWO_WORKERS])
def test_each_range_and_each_shard_is_measured_once(
    beam: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = build(tmp_path, monkeypatch, beam=beam, example_shards=3, matrix_shards=2)
    manifest = built.dataset.manifest
    matrix = manifest.embeddings.shards
    examples = [shard for split in manifest.examples.splits.values() for shard in split.shards]
    assert len(examples) == 6
    known = {
        "ReadCorpus_range_bytes": built.sizes_of_corpus(),
        "ReadCorpus_range_records": Spread(2, 6, 2, 4),
        "EncodeExamples_range_bytes": built.sizes_of_corpus(),
        "EncodeExamples_range_records": Spread(2, 6, 2, 4),
        "JoinVectors_range_bytes": spread([built.corpus.vectors.stat().st_size]),
        "JoinVectors_range_records": Spread(1, 6, 6, 6),
        "WriteEmbeddingMatrix_shard_bytes": spread(shard.bytes for shard in matrix),
        "WriteEmbeddingMatrix_shard_records": spread(shard.rows for shard in matrix),
        "WriteExamples_shard_bytes": spread(shard.bytes for shard in examples),
        "WriteExamples_shard_records": spread(shard.examples for shard in examples),
    }
    times = {name: told for name, told in built.told.items() if name.endswith("_milliseconds")}
    assert {name: told for name, told in built.told.items() if name not in times} == known
    assert {name: told.count for name, told in times.items()} == {
        f"{name.removesuffix('_bytes')}_milliseconds": told.count
        for name, told in known.items()
        if name.endswith("_bytes")
    }
    for told in times.values():
        assert 0 <= told.min <= told.max <= told.sum <= 2000 * built.seconds


def test_shards_written_in_the_order_of_the_input_are_measured_as_they_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = build(tmp_path, monkeypatch, shuffle_seed=None)
    splits = built.dataset.manifest.examples.splits.values()
    shards = [shard for split in splits for shard in split.shards]
    assert built.told["WriteExamples_shard_bytes"] == spread(shard.bytes for shard in shards)
    assert built.told["WriteExamples_shard_records"] == Spread(2, 6, 2, 4)
    assert built.told["WriteExamples_shard_milliseconds"].count == 2


def test_ranges_of_one_file_are_measured_each_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = build(tmp_path, monkeypatch, range_bytes=24)
    size = built.corpus.vectors.stat().st_size
    told = built.told["JoinVectors_range_bytes"]
    assert (told.count, told.sum) == (-(-size // 24), size)
    assert told.max < size
    assert built.told["JoinVectors_range_records"][:2] == (told.count, 6)
