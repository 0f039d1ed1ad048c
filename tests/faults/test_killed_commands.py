"""Killed at any moment, a command leaves the file before it; the next one clears what it left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.main import main
from tests.faults.job import ROOT, THREADS, Job, wait_for

# Not those that show whether the file can be written.
PARTIAL = "out.bin.[0-9a-f]*.partial"


class Lane(NamedTuple):
    """Commands that are killed one after another, beside those of the other lanes."""

    command: tuple[str, ...]
    earlier: tuple[str, ...]  # what the flags of the file before are, besides
    modules: tuple[str, ...]  # what it imports
    kills: int
    # About as long as one takes: what is done before its moment is tried again, earlier.
    seconds: float
    seed: int
    # Each second one is killed when there is a new file of the first name, of the second, ...
    signs: tuple[str, ...] = (PARTIAL,)


GENSIM = ("--dim=50", "--epochs=2", "--workers=1", "--bucket=20000")
LANES = {
    "lsa": Lane(
        command=("vectors", "--method=lsa", "--dim=12"),
        earlier=("--dim=6",),
        modules=("pipeline.train_vectors", "gensim.models.lsimodel"),
        kills=4,
        seconds=0.4,
        seed=1,
    ),
    "fasttext": Lane(
        command=("vectors", "--method=fasttext", *GENSIM),
        earlier=("--seed=7",),
        modules=("pipeline.train_vectors", "gensim.models.fasttext"),
        kills=6,
        seconds=0.3,
        seed=2,
        signs=(PARTIAL, "out.fasttext.bin.[0-9a-f]*.partial", "out.fasttext.bin"),
    ),
    "export": Lane(
        command=("export", "--format=glove"),
        earlier=("--format=word2vec",),
        modules=("pipeline.export",),
        kills=6,
        seconds=0.15,
        seed=3,
    ),
}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("job")
    job = Job(folder, folder / "dataset", rows=600, dim=100)
    assert main([*job.arguments, "--run_id=exported"]) == 0
    return job


@pytest.fixture(scope="module")
def killed(job: Job, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What was found after each kill, by lane. The lanes run at the same time."""
    running = {
        name: _start(lane, job, tmp_path_factory.mktemp("lane")) for name, lane in LANES.items()
    }
    found = {}
    for name, process in running.items():
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, err
        found[name] = [json.loads(line) for line in out.splitlines()]
    return found


def _start(lane: Lane, job: Job, folder: Path) -> subprocess.Popen[str]:
    (folder / "temporary").mkdir()
    inputs = [str(job.output)] if lane.command[0] == "export" else [f"--corpus={job.corpus}"]
    command = [*lane.command, *inputs]
    settings = {
        "earlier": [*command, *lane.earlier],
        "command": command,
        "folder": str(folder),
        "modules": lane.modules,
        "kills": lane.kills,
        "seconds": lane.seconds,
        "seed": lane.seed,
        "signs": lane.signs,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.kill_commands", json.dumps(settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        # Threads of BLAS would wait for each other more than they work.
        env=os.environ | {"TMPDIR": str(folder / "temporary"), "OPENBLAS_NUM_THREADS": "1"},
    )


@pytest.mark.parametrize("lane", LANES)
def test_killed_at_any_moment(lane: str, killed: dict[str, list[dict[str, Any]]]) -> None:
    assert len(killed[lane]) == LANES[lane].kills
    for found in killed[lane]:
        assert found["exit"] == -signal.SIGKILL
        assert {*found["files"].values()} <= {"before", "whole"}, found
        assert all(name.startswith("out.") for name in found["left"])
        assert found["exit after"] == 0
        assert {*found["files after"].values()} == {"whole"}
        assert found["left after"] == []
        assert found["left in the temporary folder"] == []


def test_a_model_of_fasttext_is_never_older_than_its_vectors(
    killed: dict[str, list[dict[str, Any]]],
) -> None:
    for found in killed["fasttext"]:
        assert found["files"].keys() == {"out.bin", "out.fasttext.bin"}
        states = found["files"]["out.fasttext.bin"], found["files"]["out.bin"]
        assert states != ("before", "whole")


@pytest.mark.parametrize("lane", LANES)
def test_the_moments_fall_into_the_work(lane: str, killed: dict[str, list[dict[str, Any]]]) -> None:
    """Each second one is killed from when it has begun to write."""
    with_files = [found for found in killed[lane] if found["left"]]
    assert with_files, "none was killed while it wrote"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_with_one_line(
    number: signal.Signals, job: Job, tmp_path: Path
) -> None:
    (tmp_path / "waiting.py").write_text(
        "import time\n"
        "def tokenize(text):\n"
        f"    open({str(tmp_path / 'waits')!r}, 'w').close()\n"
        "    time.sleep(60)\n"
    )
    temporary, output = tmp_path / "temporary", tmp_path / "out.bin"
    temporary.mkdir()
    output.write_bytes(b"before")
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "vectors", "--method=lsa", f"--corpus={job.corpus}",
         f"--output={output}", "--tokenizer=waiting:tokenize", *THREADS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ
        | {
            "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}",
            "TMPDIR": str(temporary),
        },
        # A shell lets what it runs in the background ignore this, and so would the command.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        assert wait_for((tmp_path / "waits").exists, 30)
        process.send_signal(number)
        assert process.communicate(timeout=10) == ("", "embprep: interrupted\n")
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 128 + number
    assert output.read_bytes() == b"before"
    assert os.listdir(temporary) == []
