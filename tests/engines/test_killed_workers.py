"""A cluster that loses its Python workers in the middle of a build ends it with the same bytes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.engines.builds import published, start
from tests.engines.running import Engine, worker_processes
from tests.pipeline.test_determinism import assert_same

pytestmark = pytest.mark.timeout(180)


def running_job(flink: Engine, before: set[str]) -> Any:
    """The job that Flink has taken since."""
    jobs = {job["jid"] for job in flink.ask("/jobs/overview")["jobs"]} - before
    return flink.ask(f"/jobs/{jobs.pop()}") if jobs else {"vertices": []}


def finished_share(job: Any) -> float:
    vertices = job["vertices"]
    return sum(vertex["status"] == "FINISHED" for vertex in vertices) / max(len(vertices), 1)


def test_workers_that_are_killed_while_flink_is_at_work_change_no_byte(
    flink: Engine, shuffled: list[str], shuffled_here: Any, tmp_path: Path
) -> None:
    output = tmp_path / "dataset"
    before = {job["jid"] for job in flink.ask("/jobs/overview")["jobs"]}
    build = start(shuffled, output, flink.processes)
    killed: list[int] = []
    try:
        for share in (0.05, 0.4):
            while not (workers := worker_processes(flink)) or (
                finished_share(running_job(flink, before)) < share
            ):
                assert build.poll() is None, build.communicate()
                time.sleep(0.1)
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
            killed += workers
        _, errors = build.communicate(timeout=120)
    finally:
        build.kill()
    assert (build.returncode, errors) == (0, "")
    job = running_job(flink, before)
    again = [
        subtask["attempt"]
        for vertex in job["vertices"]
        for subtask in flink.ask(f"/jobs/{job['jid']}/vertices/{vertex['id']}")["subtasks"]
    ]
    assert max(again) >= 1, "nothing had to be done again: the workers were idle"
    assert len(set(killed)) >= 2
    assert_same(shuffled_here, published(output))
