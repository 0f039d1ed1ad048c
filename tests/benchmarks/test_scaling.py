from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.measure import Measured
from benchmarks.rounds import Runs
from benchmarks.scaling import Point, count_newlines, describe_job, fit_line, main, read_whole
from benchmarks.scaling_plots import plot_job


def test_a_line_is_found_and_how_far_a_point_is_from_it() -> None:
    exact = fit_line([1, 2, 4], [5, 7, 11])
    assert exact["fixed_seconds"] == pytest.approx(3)
    assert exact["seconds_per_unit"] == pytest.approx(2)
    assert exact["largest_deviation"] == pytest.approx(0, abs=1e-9)
    # The line is then 1.5 s everywhere.
    assert fit_line([1, 2, 3, 4], [1, 2, 2, 1])["largest_deviation"] == pytest.approx(1 / 3)


def test_the_limits_read_all_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"line\n" * 500_000)
    assert read_whole(path) == 2_500_000
    assert count_newlines(path) == 500_000


def a_job() -> dict:
    points = [
        Point(
            size,
            Path("file"),
            [],
            {workers: Runs([3 + size, 4 + size, 9], [10**8] * 3) for workers in (1, 2)},
            {"reading the file": [size / 4] * 3, "counting its newlines": [size / 2] * 3},
        )
        for size in (0.5, 1.0, 2.0)
    ]
    return describe_job("A job", "GB", points)


def test_a_job_has_a_series_for_each_number_of_workers_and_each_limit() -> None:
    job = a_job()
    assert [series["name"] for series in job["builds"]] == ["1 worker", "2 workers"]
    assert job["builds"][0]["median_seconds"] == [4.5, 5.0, 6.0]
    assert job["builds"][0]["peak_bytes"] == [10**8] * 3
    assert job["builds"][0]["fit"]["fixed_seconds"] == pytest.approx(4)
    assert job["limits"][1]["fit"]["seconds_per_unit"] == pytest.approx(0.5)


def test_the_same_results_are_plotted_to_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    plot_job(a_job(), first)
    plot_job(a_job(), second)
    assert first.read_bytes() == second.read_bytes()
    assert b"<dc:date>" not in first.read_bytes()


def test_all_jobs_are_run_with_each_number_of_workers(tmp_path: Path, monkeypatch) -> None:
    commands = []

    def run(command: list[str]) -> Measured:
        commands.append(command)
        return Measured(1.0 + len(commands), 10**8, "")

    monkeypatch.setattr("benchmarks.scaling.run_program", run)
    flags = [f"--{name}={tmp_path}" for name in ("data", "results", "plots")]
    assert main([*flags, "--scale=0.001", "--rounds=2", "--warmups=0", "--workers=1,3"]) == 0
    workers = [command[command.index("--direct_num_workers") + 1] for command in commands]
    assert workers == ["1", "3"] * (len(commands) // 2)
    jobs = json.loads((tmp_path / "scaling.json").read_text())["jobs"]
    assert len(commands) == 2 * 2 * sum(len(job["sizes"]) for job in jobs.values())
    assert [build["name"] for build in jobs["corpus"]["builds"]] == ["1 worker", "3 workers"]
    # The second round follows the first one through all sizes.
    assert jobs["join"]["builds"][0]["seconds"][0] == [2.0, 10.0]
    assert {path.name for path in tmp_path.glob("*.svg")} == {
        "scaling-corpus.svg", "scaling-corpus-in-order.svg", "scaling-join.svg",
    }  # fmt: skip
