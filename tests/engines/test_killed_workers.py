"""A cluster that loses workers or machines in the middle of a build ends it with the same bytes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.engines.builds import published, run, start
from tests.engines.deaths import JOIN_BY_HASH, PLUGIN, STAGES, TOKENIZER, Deaths
from tests.engines.running import Engine, replaced_task_manager, running, worker_pool
from tests.faults.job import files_of, not_published
from tests.pipeline.built import Dataset
from tests.pipeline.test_determinism import assert_same

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def patient_flink() -> Iterator[Engine]:
    """A cluster of its own, which may start a job again as often as there are deaths, and more.

    A mistake in the input would be tried as often.
    """
    with running("flink", EMBPREP_FLINK_RESTARTS="40") as engine:
        yield engine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "deaths"
    path.mkdir()
    return path


def failures_of_the_last_job(flink: Engine) -> list[Any]:
    last = max(flink.ask("/jobs/overview")["jobs"], key=lambda job: job["start-time"])
    found = flink.ask(f"/jobs/{last['jid']}/exceptions?maxExceptions=100")
    entries: list[Any] = found["exceptionHistory"]["entries"]
    return entries


def check_a_death_in_each_stage(
    engine: Engine, shuffled: list[str], here: Dataset, folder: Path, more: Sequence[str]
) -> None:
    """Kills one worker in each stage of one build, and compares what becomes of it."""
    output = folder.parent / "dataset"
    deaths = Deaths(folder, STAGES)
    flags = [*engine.processes(deaths.variables), PLUGIN, "--join=broadcast", *more]
    ended = run(shuffled, output, flags)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert deaths.to_be == []
    assert_same(here, published(output))
    assert not_published(output) == set()


def line_of_a_failure(arguments: Sequence[str], output: Path, flags: Sequence[str]) -> str:
    """The one line with which a build fails that publishes nothing."""
    ended = run(arguments, output, flags)
    assert ended.returncode == 1
    assert not (output / "manifest.json").exists()
    [line] = ended.stderr.splitlines()
    return line


def test_a_worker_that_is_killed_in_the_middle_of_each_stage_on_flink_changes_no_byte(
    patient_flink: Engine, shuffled: list[str], shuffled_here: Dataset, folder: Path
) -> None:
    check_a_death_in_each_stage(patient_flink, shuffled, shuffled_here, folder, [])
    assert len(failures_of_the_last_job(patient_flink)) >= len(STAGES)


@pytest.mark.by_hand
@pytest.mark.timeout(600)
def test_a_worker_that_is_killed_in_the_middle_of_each_stage_on_spark_changes_no_byte(
    shuffled: list[str], shuffled_here: Dataset, folder: Path
) -> None:
    with running("spark", EMBPREP_SPARK_MASTER="local[2,8]") as spark:
        # Spark tries again at once, and would find the dead worker in the cache.
        no_cache = ["--environment_cache_millis=0"]
        check_a_death_in_each_stage(spark, shuffled, shuffled_here, folder, no_cache)


def test_a_task_manager_that_is_killed_in_the_middle_of_a_join_by_hash_changes_no_byte(
    patient_flink: Engine, shuffled: list[str], shuffled_here: Dataset, folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "dataset"
    deaths = Deaths(folder, waits=[JOIN_BY_HASH])
    flags = [*patient_flink.processes(deaths.variables), PLUGIN, "--join=shuffle"]
    build = start(shuffled, output, flags)
    with contextlib.ExitStack() as task_manager:
        try:
            while deaths.to_be:
                assert build.poll() is None, build.communicate()
                time.sleep(0.05)
            task_manager.enter_context(replaced_task_manager(patient_flink))
            _, errors = build.communicate(timeout=200)
        finally:
            build.kill()
    assert (build.returncode, errors) == (0, "")
    assert failures_of_the_last_job(patient_flink)
    assert_same(shuffled_here, published(output))


@pytest.mark.parametrize("engine", ["prism", "spark"], indirect=True)
def test_an_engine_that_tries_nothing_again_says_so_in_one_line_and_publishes_nothing(
    engine: Engine, shuffled: list[str], folder: Path, tmp_path: Path
) -> None:
    deaths = Deaths(folder, ["EncodeExamples"])
    with worker_pool(deaths.variables) as elsewhere:
        flags = [*engine.job_service, *elsewhere, "--environment_cache_millis=1000"]
        line = line_of_a_failure([*shuffled, TOKENIZER], tmp_path / "dataset", flags)
    assert deaths.to_be == []
    assert line.startswith("embprep: error: the job failed on its engine: ")


def test_a_worker_process_of_the_local_engine_that_is_killed_fails_the_build(
    shuffled: list[str], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths = Deaths(folder, ["EncodeExamples"])
    for name, value in deaths.variables.items():
        monkeypatch.setenv(name, value)
    flags = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    line_of_a_failure([*shuffled, TOKENIZER], tmp_path / "dataset", flags)
    assert deaths.to_be == []
    assert files_of(tmp_path / "dataset") == set()


@pytest.mark.by_hand
def test_spark_finds_a_dead_worker_again_that_is_kept(
    shuffled: list[str], folder: Path, tmp_path: Path
) -> None:
    deaths = Deaths(folder, ["EncodeExamples"])
    with running("spark", EMBPREP_SPARK_MASTER="local[2,8]") as spark:
        flags = [*spark.processes(deaths.variables), PLUGIN]
        line = line_of_a_failure(shuffled, tmp_path / "dataset", flags)
    assert deaths.to_be == []
    assert "failed 8 times" in line
