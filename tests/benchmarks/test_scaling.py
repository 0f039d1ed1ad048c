from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.rounds import Runs
from benchmarks.scaling import Point, count_newlines, describe_job, fit_line, read_whole
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
