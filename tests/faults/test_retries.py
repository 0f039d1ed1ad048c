"""What is done twice, one after the other or at the same time, comes out as if done once."""

from __future__ import annotations

import dataclasses
import json
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from formats.dataset.manifest import Manifest, parse_manifest
from pipeline.build import draft_manifest, name_run
from pipeline.config import BuildConfig
from pipeline.engine import make_pipeline, run_pipeline
from pipeline.job import add_build
from pipeline.plan import plan_build, plan_corpora
from tests.faults import counting
from tests.faults.job import not_published, problems, run_in_force
from tests.pipeline.built import Dataset, build_dataset
from transforms import storage
from transforms.publish import put_in_force

WORDS = [f"word{number}" for number in range(300)]
# Each has what can be counted twice: rows of tokens that repeat, rejects, words without vectors.
FLAGS: dict[str, dict[str, Any]] = {
    "shuffled": {"matrix_shards": 3, "example_shards": 2, "oov": ["mean"]},
    "in order": {"shuffle_seed": None, "matrix_shards": 2, "matrix_format": "parquet"},
    "side by side": {"combine": "concat", "oov": ["normal"], "fallback": ["exact", "lower"]},
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("inputs")
    draw = random.Random(0)
    rows = [f"{' '.join(draw.choices(WORDS, k=8))}\t{i % 2}\n" for i in range(600)]
    rows[5::100] = ["\tno text\n"] * 6
    (folder / "corpus.tsv").write_text("text\tlabel\n" + "".join(rows))
    vectors = []
    for number in range(2):
        known = draw.choices(WORDS, k=250) + [WORDS[0].upper()]
        lines = [f"{word} {' '.join(f'{draw.random():.4f}' for _ in range(4))}\n" for word in known]
        lines[9] = f"{WORDS[0]} nan 1 2 3\n"
        vectors.append(folder / f"vectors{number}.txt")
        vectors[-1].write_text("".join(lines))
    return {
        "corpus": [folder / "corpus.tsv"],
        "vectors": vectors,
        "max_reject_fraction": (0.05, 0.05),
        # Several pieces of work.
        "range_bytes": 8 << 10,
    }


@pytest.fixture(scope="module")
def once(
    inputs: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[dict[str, str], dict[str, Any]]]:
    """What a build that does everything once gives, by the names of the flags."""
    folder = tmp_path_factory.mktemp("once")
    return {
        name: content(build_dataset(folder / name, **inputs, **flags))
        for name, flags in FLAGS.items()
    }


def content(dataset: Dataset) -> tuple[dict[str, str], dict[str, Any]]:
    """Hashes of the files, and all that the manifest says but for the run's name and time."""
    run_id = dataset.manifest.run_id
    said = json.loads(dataset.manifest.to_json().decode().replace(run_id, "RUN"))
    del said["created"]
    assert problems(dataset.output) == []
    assert not_published(dataset.output) == set()
    return dataset.files(), said


@pytest.mark.parametrize(("flags", "workers"), [*((name, 1) for name in FLAGS), ("shuffled", 2)])
def test_every_bundle_is_done_three_times(
    flags: str,
    workers: int,
    inputs: dict[str, Any],
    once: dict[str, tuple[dict[str, str], dict[str, Any]]],
    tmp_path: Path,
) -> None:
    beam = ["--direct_runner_bundle_repeat=2", f"--direct_num_workers={workers}"]
    dataset = build_dataset(tmp_path / "dataset", beam=beam, **inputs, **FLAGS[flags])
    assert content(dataset) == once[flags]
    rejects = dataset.manifest.rejects
    assert (sum(rejects.corpus.values()), sum(rejects.vectors.values())) == (6, 2)
    assert sum(source.duplicates for source in dataset.manifest.inputs.vectors) > 0


def test_the_engine_does_repeat(inputs: dict[str, Any], tmp_path: Path) -> None:
    calls = []
    for number, repeat in enumerate(["0", "2"]):
        before = counting.calls
        beam = [f"--direct_runner_bundle_repeat={repeat}"]
        flags = {"tokenizer": "tests.faults.counting:tokenize"}
        build_dataset(tmp_path / str(number), beam=beam, **inputs, **flags)
        calls.append(counting.calls - before)
    assert calls[0] > 0
    assert calls[1] == 3 * calls[0]


@pytest.mark.parametrize("flags", FLAGS)
def test_two_attempts_at_the_whole_job_at_the_same_time(
    flags: str,
    inputs: dict[str, Any],
    once: dict[str, tuple[dict[str, str], dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when an engine starts a job anew while lost workers of the first attempt go on."""
    move, draw, moved = storage._move, random.Random(1), []

    def move_late(place: str, uri: str) -> None:
        # So that an attempt puts its file in its place before, while or after the other writes.
        time.sleep(draw.random() / 50)
        move(place, uri)
        moved.append(uri)

    monkeypatch.setattr(storage, "_move", move_late)
    output = tmp_path / "dataset"
    given = {key: [*map(str, inputs[key])] for key in ("corpus", "vectors")}
    config = BuildConfig(**inputs | given, **FLAGS[flags], output=str(output))
    plan = plan_build(config, plan_corpora(config))
    draft = draft_manifest(config, plan, name_run(config))
    failures: list[BaseException] = []

    def attempt() -> None:
        try:
            pipeline = make_pipeline(PipelineOptions([]), 0)
            add_build(pipeline, config, plan, draft)
            run_pipeline(pipeline)
        except BaseException as failure:
            failures.append(failure)

    attempts = [threading.Thread(target=attempt) for _ in range(2)]
    for thread in attempts:
        thread.start()
    for thread in attempts:
        thread.join()
    assert failures == []
    manifest = parse_manifest((output / "manifest.json").read_bytes(), "manifest.json")
    assert content(Dataset(output, manifest)) == once[flags]
    assert len(moved) == 2 * len(set(moved)), "each file was written by both"


@pytest.fixture(scope="module")
def published(inputs: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return build_dataset(tmp_path_factory.mktemp("published"), **inputs).manifest


class TestPublishing:
    @pytest.fixture
    def runs(self, published: Manifest, tmp_path: Path) -> tuple[Manifest, Manifest]:
        """An older run, and a newer one, which is in force."""
        runs = [
            dataclasses.replace(published, run_id=name, created=f"2024-01-0{day}T00:00:00+00:00")
            for day, name in enumerate(("older", "newer"), 1)
        ]
        for run in runs:
            put_in_force(run, str(tmp_path))
        assert run_in_force(tmp_path) == "newer"
        return runs[0], runs[1]

    def test_a_late_attempt_leaves_a_newer_run_in_force(
        self, runs: tuple[Manifest, Manifest], tmp_path: Path
    ) -> None:
        put_in_force(runs[0], str(tmp_path))
        assert run_in_force(tmp_path) == "newer"

    def test_an_attempt_goes_on_where_another_was_killed(
        self, runs: tuple[Manifest, Manifest], tmp_path: Path
    ) -> None:
        # The other had written the manifest of its run, and no more.
        (tmp_path / "manifest.json").write_bytes(runs[0].to_json())
        put_in_force(runs[1], str(tmp_path))
        assert run_in_force(tmp_path) == "newer"

    def test_the_first_attempt_of_a_slow_run_puts_it_in_force(
        self, runs: tuple[Manifest, Manifest], tmp_path: Path
    ) -> None:
        (tmp_path / "runs/older/manifest.json").unlink()
        put_in_force(runs[0], str(tmp_path))
        assert run_in_force(tmp_path) == "older"

    @pytest.mark.parametrize("damage", [b"", b"{", None])
    def test_a_manifest_that_is_damaged_or_gone_is_replaced(
        self, damage: bytes | None, runs: tuple[Manifest, Manifest], tmp_path: Path
    ) -> None:
        (tmp_path / "manifest.json").unlink()
        if damage is not None:
            (tmp_path / "manifest.json").write_bytes(damage)
        put_in_force(runs[0], str(tmp_path))
        assert run_in_force(tmp_path) == "older"
