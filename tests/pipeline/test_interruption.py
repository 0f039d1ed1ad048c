"""Whatever moment a build ends at, the dataset in force is the old one or the new one, whole."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from formats.dataset.manifest import parse_manifest
from pipeline.main import main
from pipeline.verify import verify_dataset

ROOT = Path(__file__).parents[2]
MOMENTS = 12

# Forks a build that has nothing left to import, so that the moments fall into its work. Prints
# how long a whole one takes, then how each killed one ended and what stands under OUTPUT.
KILLS = """
import json, os, signal, sys, time
import pipeline.build, pipeline.flags, pipeline.report
from pipeline.main import main
from pipeline.verify import verify_dataset

moments, output, *arguments = sys.argv[1:]

def start(run):
    process = os.fork()
    if process == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(main([*arguments, f"--run_id={run}"]))
    return process

began = time.monotonic()
os.waitpid(start("whole"), 0)
seconds = time.monotonic() - began
for moment in range(int(moments)):
    process = start(f"killed{moment}")
    # Every second one from when it has begun to write, however slow the machine is just then.
    until = time.monotonic() + 20
    while moment % 2 and not os.path.exists(f"{output}/runs/killed{moment}"):
        assert time.monotonic() < until, "it never began to write"
        time.sleep(0.005)
    time.sleep(seconds * (moment + 0.5) / int(moments) / (1 + moment % 2))
    os.kill(process, signal.SIGKILL)
    status = os.waitpid(process, 0)[1]
    with open(f"{output}/manifest.json") as manifest:
        run = json.load(manifest)["run_id"]
    print(json.dumps([os.WIFSIGNALED(status), run, verify_dataset(output)]), flush=True)
"""

PROCESSES = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")


class Job:
    """Inputs that take a second or so, and a dataset that an earlier build published."""

    def __init__(self, folder: Path) -> None:
        draw = random.Random(0)
        words = [f"word{number}" for number in range(5000)]
        rows = (f"{' '.join(draw.choices(words, k=20))}\t{i % 2}\n" for i in range(12000))
        (folder / "corpus.tsv").write_text("text\tlabel\n" + "".join(rows))
        (folder / "vectors.txt").write_text(
            "".join(f"{word} {' '.join(f'{draw.random():.4f}' for _ in range(20))}\n"
                    for word in words)
        )  # fmt: skip
        self.output = folder / "dataset"
        self.arguments = [
            "build",
            f"--corpus={folder / 'corpus.tsv'}",
            f"--vectors={folder / 'vectors.txt'}",
            f"--output={self.output}",
        ]

    def run_in_force(self) -> str:
        data = (self.output / "manifest.json").read_bytes()
        return parse_manifest(data, "manifest.json").run_id


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    job = Job(tmp_path_factory.mktemp("job"))
    assert main([*job.arguments, "--run_id=first"]) == 0
    return job


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(job: Job) -> Iterator[Start]:
    """Starts the command in a session of its own, whose processes are gone after the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*flags: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", *job.arguments, *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
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


def processes_of(session: int) -> list[int]:
    """The living processes of a session but its first."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(stat.parent.name)
        if fields[3] == str(session) and pid != session and fields[0] != "Z":
            found.append(pid)
    return found


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def at_work(job: Job, before: list[str]) -> bool:
    return len(os.listdir(job.output / "runs")) > len(before)


def test_killed_at_any_moment_the_dataset_is_the_old_or_the_new_one(job: Job) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", KILLS, str(MOMENTS), str(job.output), *job.arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
    )
    assert ended.returncode == 0, ended.stderr
    states = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(states) == MOMENTS
    in_force = "whole"
    for moment, (_, run, problems) in enumerate(states):
        assert problems == []
        assert run in (in_force, f"killed{moment}")
        in_force = run
    assert sum(killed for killed, _, _ in states) >= MOMENTS // 2
    left = os.listdir(job.output / "runs")
    assert any(f"killed{moment}" in left for moment in range(MOMENTS)), "none was at work"
    assert main([*job.arguments, "--run_id=after"]) == 0
    assert job.run_in_force() == "after"
    assert verify_dataset(str(job.output)) == []


@pytest.mark.parametrize(("number", "flags"), [(signal.SIGINT, PROCESSES), (signal.SIGTERM, ())])
def test_a_signal_ends_a_build_at_once_with_one_line(
    number: signal.Signals, flags: tuple[str, ...], job: Job, start: Start
) -> None:
    before, manifest = os.listdir(job.output / "runs"), (job.output / "manifest.json").read_bytes()
    process = start(*flags)
    assert wait_for(lambda: at_work(job, before), 30), process.communicate()
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert (out, err) == ("", "embprep: interrupted; the dataset in force is whole\n")
    assert wait_for(lambda: not processes_of(process.pid), 10)
    assert (job.output / "manifest.json").read_bytes() == manifest
    assert verify_dataset(str(job.output)) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
@pytest.mark.parametrize("later", [0, 2.5])
def test_workers_end_with_a_driver_that_is_killed(later: float, job: Job, start: Start) -> None:
    process = start(*PROCESSES)
    assert wait_for(lambda: len(processes_of(process.pid)) >= 2, 30)
    time.sleep(later)
    process.kill()
    process.wait(10)
    assert wait_for(lambda: not processes_of(process.pid), 10)
    assert verify_dataset(str(job.output)) == []
