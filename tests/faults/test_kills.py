"""Killed at any moment, a build leaves the dataset before it; the next one clears what it left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.faults.job import PROCESSES, ROOT, THREADS, Job


class Lane(NamedTuple):
    """Builds that are killed one after another, beside those of the other lanes."""

    flags: tuple[str, ...]
    kills: int
    # About as long as one takes: what is done before its moment is tried again, earlier.
    seconds: float
    seed: int


LANES = {
    "in one thread": Lane((), 8, 0.7, 1),
    "in threads": Lane(THREADS, 9, 0.7, 2),
    "in processes": Lane(PROCESSES, 3, 4.0, 3),
}


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What was found after each kill, by lane. The lanes run at the same time."""
    running = {name: _start(lane, tmp_path_factory.mktemp("job")) for name, lane in LANES.items()}
    found = {}
    for name, process in running.items():
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, err
        found[name] = [json.loads(line) for line in out.splitlines()]
    return found


def _start(lane: Lane, folder: Path) -> subprocess.Popen[str]:
    job = Job(folder, folder / "dataset", rows=600)
    (folder / "temporary").mkdir()
    settings = {
        "arguments": job.arguments,
        "flags": lane.flags,
        "output": str(job.output),
        "kills": lane.kills,
        "seconds": lane.seconds,
        "seed": lane.seed,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.kill_builds", json.dumps(settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(folder / "temporary")},
        start_new_session=True,
    )


@pytest.mark.parametrize("lane", LANES)
def test_killed_at_any_moment(lane: str, killed: dict[str, list[dict[str, Any]]]) -> None:
    assert len(killed[lane]) == LANES[lane].kills
    for found in killed[lane]:
        assert found["exit"] == -signal.SIGKILL
        previous, run, in_force = found["in force"]
        assert in_force in (previous, run), found
        assert found["problems"] == []
        assert found["exit after"] == 0
        assert found["left after"] == []
        assert found["left in the temporary folder"] == []
        assert found["problems after"] == []
        assert len(set(found["in force after"])) == 1, found
        assert not found["workers"]


def test_the_moments_fall_into_the_work(killed: dict[str, list[dict[str, Any]]]) -> None:
    every = [found for lane in killed.values() for found in lane]
    assert len(every) == 20
    with_files = [found for found in every if any("runs/" in name for name in found["left"])]
    assert len(with_files) >= 4, "hardly one was killed while it wrote"
