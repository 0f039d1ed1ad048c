"""A signal ends a build at once, with one line; nothing is left running."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.main import main
from pipeline.verify import verify_dataset
from tests.faults.job import (
    PROCESSES,
    ROOT,
    THREADS,
    Job,
    at_work,
    not_published,
    processes_of,
    run_in_force,
    wait_for,
)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("job")
    job = Job(folder, folder / "dataset")
    assert main([*job.arguments, "--run_id=first"]) == 0
    return job


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def start(job: Job, temporary: Path) -> Iterator[Start]:
    """Starts the command in a session of its own, whose processes are gone after the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*flags: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", *job.arguments, *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"TMPDIR": str(temporary)},
            start_new_session=True,
            # A shell lets what it runs in the background ignore this, and so would the command.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        for left in processes_of(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(left, signal.SIGKILL)
        process.communicate()


def to_the_driver(process: subprocess.Popen[str], number: signal.Signals) -> None:
    process.send_signal(number)


def to_all(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """As a terminal does for Ctrl-C."""
    os.killpg(process.pid, number)


@pytest.mark.parametrize(
    ("number", "send", "flags"),
    [
        (signal.SIGINT, to_the_driver, PROCESSES),
        (signal.SIGINT, to_all, PROCESSES),
        (signal.SIGINT, to_all, THREADS),
        (signal.SIGTERM, to_the_driver, ()),
    ],
)
def test_a_signal_ends_a_build_at_once_with_one_line(
    number: signal.Signals,
    send: Callable[[subprocess.Popen[str], signal.Signals], None],
    flags: tuple[str, ...],
    job: Job,
    start: Start,
    temporary: Path,
) -> None:
    manifest = (job.output / "manifest.json").read_bytes()
    run = f"{number.name}.{send.__name__}.{len(flags)}"
    process = start(*flags, f"--run_id={run}")
    assert wait_for(lambda: at_work(job.output, run), 30), process.communicate()
    send(process, number)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    *told, line = err.splitlines()
    assert line == "embprep: interrupted; the dataset in force is whole"
    assert all(cleared.endswith(" is cleared") for cleared in told)
    assert out == ""
    assert wait_for(lambda: not processes_of(process.pid), 10)
    assert os.listdir(temporary) == []
    assert (job.output / "manifest.json").read_bytes() == manifest
    assert verify_dataset(str(job.output)) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
def test_workers_that_are_starting_end_with_a_driver_that_is_killed(job: Job, start: Start) -> None:
    process = start(*PROCESSES)
    assert wait_for(lambda: len(processes_of(process.pid)) >= 2, 30)
    process.kill()
    process.wait(10)
    assert wait_for(lambda: not processes_of(process.pid), 10)
    assert verify_dataset(str(job.output)) == []


def test_the_next_build_clears_what_these_have_left(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(job.output.glob("*.in-progress")), "nothing is left to be cleared"
    assert main([*job.arguments, "--run_id=next"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert all(line.endswith(", left by a build that ended early, is cleared") for line in told)
    assert not_published(job.output) == set()
    assert run_in_force(job.output) == "next"
