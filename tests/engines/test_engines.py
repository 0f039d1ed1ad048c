"""The main job on engines that others built: every byte is that of the local run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from formats.dataset.manifest import Manifest
from pipeline import progress
from pipeline.build import build as build_here
from pipeline.engine_progress import counted_by_stage
from pipeline.flags import parse_build_flags
from pipeline.main import main
from pipeline.progress import Progress
from tests.engines.builds import build, published, run
from tests.engines.running import Engine, worker_pool
from tests.pipeline.built import Dataset
from tests.pipeline.distributions import Spread, measured, spread
from tests.pipeline.test_determinism import assert_same
from tests.pipeline.test_progress import LINE
from transforms.progress import BYTES, MILLISECONDS, RECORDS, REJECTS

# Starting an engine is part of its first test.
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="session")
def in_order(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A corpus in several files, each of which writes its own shards, with a plain binary."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = (shared_data / "corpora" / "ag-news.tsv").read_bytes().splitlines(keepends=True)
    for part in range(4):
        (folder / f"{part}.tsv").write_bytes(b"".join(rows[part::4]))
    return [
        f"--corpus={folder}/*.tsv",
        "--text_column=0",
        "--label_column=1",
        f"--vectors={shared_data / 'vectors' / 'text8.word2vec.10d.bin'}",
        "--shuffle_seed=none",
        "--matrix_shards=2",
    ]


@pytest.fixture(scope="session")
def in_order_here(in_order: list[str], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return build(in_order, tmp_path_factory.mktemp("in-order") / "dataset")


@pytest.fixture(scope="session")
def mistaken(shared_data: Path, glove: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Vectors of which one, of a frequent word, is no vector."""
    damaged = tmp_path_factory.mktemp("damaged") / "damaged.txt"
    damaged.write_bytes(glove.read_bytes().replace(b"\nof ", b"\nof x", 1))
    corpus = shared_data / "corpora" / "rt-polarity.tsv"
    return [f"--corpus={corpus}", f"--vectors={damaged}"]


@pytest.fixture(scope="session")
def mistake_here(mistaken: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The one line of the local run."""
    ended = run(mistaken, tmp_path_factory.mktemp("mistake") / "dataset")
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "damaged.txt: byte 2570: expected finite floats" in ended.stderr
    return ended.stderr


def test_a_shuffled_dataset_is_that_of_the_local_run(
    engine: Engine, shuffled: list[str], shuffled_here: Dataset, tmp_path: Path
) -> None:
    assert_same(shuffled_here, build(shuffled, tmp_path / "dataset", engine.as_told))


# Beam's threads in this process are cut off when an engine ends a worker.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_ranges_written_in_order_are_those_of_the_local_run_and_all_is_counted(
    engine: Engine,
    in_order: list[str],
    in_order_here: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert len(in_order_here.shards("train")) == 4
    jobs: list[Any] = []
    monkeypatch.setattr(Progress, "follow", lambda self, result: jobs.append(result))
    output = tmp_path / "dataset"
    manifest, _ = build_here(
        *parse_build_flags([*in_order, f"--output={output}", *engine.loopback])
    )
    assert_same(in_order_here, published(output))
    counted = counted_by_stage(*jobs)
    examples = sum(split.examples for split in manifest.examples.splits.values())
    assert {stage: counts[RECORDS] for stage, counts in counted.items()} == {
        "ReadCorpus": examples,
        "WriteExamples": examples,
        "JoinVectors": 71291,
        "WriteEmbeddingMatrix": manifest.embeddings.rows,
    }
    assert counted["ReadCorpus"][REJECTS] == sum(manifest.rejects.corpus.values())
    corpus = Path(in_order[0].partition("=")[2]).parent
    sizes = [file.stat().st_size for file in corpus.iterdir()]
    assert counted["ReadCorpus"][BYTES] == sum(sizes)
    assert_each_piece_is_measured_once(measured(*jobs), sizes, manifest)


def assert_each_piece_is_measured_once(
    told: dict[str, Spread], sizes: list[int], manifest: Manifest
) -> None:
    matrix = manifest.embeddings.shards
    examples = [shard for split in manifest.examples.splits.values() for shard in split.shards]
    known = {
        "ReadCorpus_range_bytes": spread(sizes),
        "WriteEmbeddingMatrix_shard_bytes": spread(shard.bytes for shard in matrix),
        "WriteEmbeddingMatrix_shard_records": spread(shard.rows for shard in matrix),
        "WriteExamples_shard_bytes": spread(shard.bytes for shard in examples),
        "WriteExamples_shard_records": spread(shard.examples for shard in examples),
    }
    assert {name: told.get(name) for name in known} == known
    pieces = ("ReadCorpus_range", "JoinVectors_range", "WriteEmbeddingMatrix_shard",
              "WriteExamples_shard")  # fmt: skip
    whats = (BYTES, RECORDS, MILLISECONDS)
    assert {*told} == {f"{piece}_{what}" for piece in pieces for what in whats}


def test_an_engine_that_tells_counters_while_it_runs_has_its_progress_shown(
    prism: Engine,
    shuffled: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(progress, "_LOG_SECONDS", 0.1)
    with worker_pool() as elsewhere:
        flags = [*prism.job_service, *elsewhere]
        assert main(["build", *shuffled, f"--output={tmp_path / 'dataset'}", *flags]) == 0
    shown = [match for match in map(LINE.fullmatch, capsys.readouterr().out.splitlines()) if match]
    assert {match["stage"] for match in shown} >= {"ReadCorpus", "JoinVectors"}
    read = [match["records"] for match in shown if match["stage"] == "ReadCorpus"]
    assert "10,662" in read


def test_a_mistake_in_the_input_is_told_in_one_line(
    engine: Engine, mistaken: list[str], mistake_here: str, tmp_path: Path
) -> None:
    ended = run(mistaken, tmp_path / "dataset", engine.as_told)
    assert (ended.returncode, ended.stderr) == (1, mistake_here)
    assert not (tmp_path / "dataset" / "manifest.json").exists()
