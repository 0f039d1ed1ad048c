"""Which runs of an OUTPUT a build clears, and which it leaves alone."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from formats.errors import DataError, UsageError
from pipeline.main import main
from pipeline.runs import LOCAL, begun_run
from pipeline.verify import verify_dataset
from tests.faults.job import (
    ROOT,
    Job,
    at_work,
    files_of,
    not_published,
    problems,
    run_in_force,
    wait_for,
)
from tests.faults.markers import ELSEWHERE, GONE, HERE, NOW, marker, process_with
from transforms.storage import create_new


def put(output: Path, path: str, data: bytes | str = b"half") -> Path:
    file = output / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    return file


def mark(output: Path, run_id: str, **values: Any) -> None:
    """Says that a run is at work; by default of a process of this machine that has ended."""
    put(output, f"{run_id}.in-progress", json.dumps(marker(**values)))


def begin(output: Path, run_id: str, **values: Any) -> None:
    """What a build leaves that was killed while it wrote."""
    mark(output, run_id, **values)
    put(output, f"runs/{run_id}/train-00000-of-00001.tfrecord.gz")


def run(output: Path, run_id: str = "own", engine: str = LOCAL) -> None:
    with begun_run(str(output), run_id, engine):
        put(output, f"runs/{run_id}/vocabulary.txt")


def fail(output: Path, engine: str, failure: type[Exception]) -> None:
    with begun_run(str(output), "own", engine):
        put(output, "runs/own/vocabulary.txt")
        raise failure("bad")


class TestCleared:
    @pytest.mark.parametrize(
        "values",
        [
            {},
            {"process": process_with(1, "0" * 8)},
            {"engine": "FlinkRunner", "failed": True},
            {"process": ELSEWHERE, "started": (NOW - datetime.timedelta(15)).isoformat()},
            {"engine": "FlinkRunner", "started": (NOW - datetime.timedelta(15)).isoformat()},
        ],
        ids=["killed", "before a boot", "failed elsewhere", "long ago", "long ago elsewhere"],
    )
    def test_what_has_ended(
        self, values: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        begin(tmp_path, "old", **values)
        run(tmp_path)
        assert files_of(tmp_path) == {"runs/own/vocabulary.txt"}
        assert os.listdir(tmp_path / "runs") == ["own"]
        told = f"embprep: {tmp_path}/runs/old, left by a build that ended early, is cleared\n"
        assert capsys.readouterr().err == told

    def test_its_room_is_there_for_the_next(self, tmp_path: Path) -> None:
        begin(tmp_path, "old")
        with begun_run(str(tmp_path), "own", LOCAL):
            assert not (tmp_path / "runs/old").exists()

    def test_a_last_file_of_a_worker_that_outlived_its_driver(self, tmp_path: Path) -> None:
        begin(tmp_path, "old")
        with begun_run(str(tmp_path), "own", LOCAL):
            put(tmp_path, "runs/old/test-00000-of-00001.tfrecord.gz")
        assert files_of(tmp_path) == set()

    def test_a_name_that_is_used_again(self, tmp_path: Path) -> None:
        begin(tmp_path, "own")
        run(tmp_path)
        assert files_of(tmp_path) == {"runs/own/vocabulary.txt"}

    def test_files_that_were_half_written(self, tmp_path: Path) -> None:
        put(tmp_path, f"manifest.json.{GONE}-01234567.partial")
        put(tmp_path, f"runs/old.{GONE}-01234567.partial/half-deleted")
        kept = {
            f"manifest.json.{HERE}-01234567.partial",
            f"manifest.json.{ELSEWHERE}-01234567.partial",
            "notes.partial",
        }
        for name in kept:
            put(tmp_path, name)
        run(tmp_path)
        assert files_of(tmp_path) == kept | {"runs/own/vocabulary.txt"}

    def test_one_that_was_killed_before_it_could_say_anything(self, tmp_path: Path) -> None:
        put(tmp_path, "old.in-progress", "")
        run(tmp_path)
        assert files_of(tmp_path) == {"runs/own/vocabulary.txt"}


class TestLeftAlone:
    @pytest.mark.parametrize(
        "values",
        [
            {"process": ELSEWHERE},
            {"process": process_with(2, "0" * 8)},
            {"engine": "FlinkRunner"},
            {"process": "what?"},
        ],
        ids=["another machine", "another container", "another engine", "unknown"],
    )
    def test_what_may_be_at_work_is_told_of(
        self, values: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        begin(tmp_path, "old", **values)
        before = files_of(tmp_path)
        run(tmp_path)
        assert files_of(tmp_path) == before | {"runs/own/vocabulary.txt"}
        told = capsys.readouterr().err
        assert told.startswith(f"embprep: warning: {tmp_path}/runs/old may be of a build at work")
        assert told.endswith(f"delete it, and then {tmp_path}/old.in-progress\n")

    def test_what_is_at_work(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        begin(tmp_path, "old", process=HERE, started=(NOW - datetime.timedelta(15)).isoformat())
        before = files_of(tmp_path)
        run(tmp_path)
        assert files_of(tmp_path) == before | {"runs/own/vocabulary.txt"}
        assert capsys.readouterr().err == ""

    def test_a_folder_of_which_nothing_says_that_it_is_of_a_build(self, tmp_path: Path) -> None:
        put(tmp_path, "runs/mine/notes.txt")
        put(tmp_path, "runs/README")
        run(tmp_path)
        assert files_of(tmp_path) == {
            "runs/mine/notes.txt", "runs/README", "runs/own/vocabulary.txt"
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("...in-progress", None),
            ("a b.in-progress", None),
            (".in-progress", None),
            ("old.in-progress", "[]"),
            ("old.in-progress", "{"),
            ("old.in-progress", b"\xff"),
            ("old.in-progress", '{"process": 1}'),
            ("old.in-progress", '{"started": 1, "host": 1, "process": 1, "engine": 1}'),
        ],
    )
    def test_what_no_build_has_written(
        self, name: str, data: bytes | str | None, tmp_path: Path
    ) -> None:
        begin(tmp_path, "old")
        (tmp_path / "old.in-progress").rename(tmp_path / name)
        if data is not None:
            (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
        before = files_of(tmp_path)
        run(tmp_path)
        assert files_of(tmp_path) == before | {"runs/own/vocabulary.txt"}


class TestOwnRun:
    def test_its_marker_stands_as_long_as_it_is_at_work(self, tmp_path: Path) -> None:
        with begun_run(str(tmp_path), "own", LOCAL):
            said = json.loads((tmp_path / "own.in-progress").read_text())
            assert (said["process"], said["engine"]) == (HERE, LOCAL)
        assert files_of(tmp_path) == set()

    def test_one_that_fails_leaves_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="bad"):
            fail(tmp_path, LOCAL, ValueError)
        assert files_of(tmp_path) == set()
        assert os.listdir(tmp_path / "runs") == []

    @pytest.mark.parametrize(("failure", "failed"), [(DataError, True), (RuntimeError, False)])
    def test_one_that_fails_on_another_engine_is_left_to_the_next(
        self, failure: type[Exception], failed: bool, tmp_path: Path
    ) -> None:
        with pytest.raises(failure, match="bad"):
            fail(tmp_path, "FlinkRunner", failure)
        assert json.loads((tmp_path / "own.in-progress").read_text())["failed"] is failed
        assert (tmp_path / "runs/own/vocabulary.txt").exists()
        run(tmp_path, "next")
        assert (tmp_path / "runs/own/vocabulary.txt").exists() is not failed

    def test_no_two_have_one_name_at_a_time(self, tmp_path: Path) -> None:
        with begun_run(str(tmp_path), "own", LOCAL):
            before = files_of(tmp_path)
            with (
                pytest.raises(UsageError, match="^--run_id own: a build of this name may be at wo"),
                begun_run(str(tmp_path), "own", LOCAL),
            ):
                pass
            assert files_of(tmp_path) == before

    def test_two_that_begin_in_one_moment(self, tmp_path: Path) -> None:
        assert create_new(str(tmp_path / "a"), b"one")
        assert not create_new(str(tmp_path / "a"), b"two")
        assert (tmp_path / "a").read_bytes() == b"one"


class TestCompleteRuns:
    @pytest.fixture
    def job(self, tmp_path: Path) -> Job:
        job = Job(tmp_path, tmp_path / "dataset", rows=50)
        for name in ("first", "second"):
            assert main([*job.arguments, f"--run_id={name}"]) == 0
        return job

    def test_they_stay_and_what_was_left_in_them_goes(self, job: Job) -> None:
        for name in ("first", "second"):
            mark(job.output, name)
            put(job.output, f"runs/{name}/trained-0.bin")
            put(job.output, f"runs/{name}/train-00000-of-00001.tfrecord.gz.{GONE}-0.partial")
        assert main([*job.arguments, "--run_id=third"]) == 0
        assert problems(job.output) == []
        assert not_published(job.output) == set()
        assert {path.name for path in (job.output / "runs").iterdir()} == {
            "first", "second", "third"
        }  # fmt: skip


class TestTwoBuildsAtOneTime:
    """The first waits in the middle of its work, in its tokenizer, until a file is there."""

    @pytest.fixture
    def waiting(self, tmp_path: Path) -> Iterator[tuple[Job, Path, subprocess.Popen[str]]]:
        job = Job(tmp_path, tmp_path / "dataset", rows=50)
        assert main([*job.arguments, "--run_id=before"]) == 0
        begin(job.output, "dead")
        (tmp_path / "waiting.py").write_text(
            "import os, time\n"
            "def tokenize(text):\n"
            f"    open({str(tmp_path / 'waits')!r}, 'w').close()\n"
            f"    while not os.path.exists({str(tmp_path / 'go')!r}):\n"
            "        time.sleep(0.01)\n"
            "    return text.split()\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", *job.arguments, "--run_id=slow",
             "--tokenizer=waiting:tokenize", "--shuffle_seed=none"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
        )  # fmt: skip
        assert wait_for((tmp_path / "waits").exists, 30)
        yield job, tmp_path / "go", process
        process.kill()
        process.communicate()

    def test_neither_harms_the_other(
        self, waiting: tuple[Job, Path, subprocess.Popen[str]]
    ) -> None:
        job, go, slow = waiting
        written = put(job.output, "runs/slow/embeddings-00000-of-00001.npy")
        assert main([*job.arguments, "--run_id=quick"]) == 0
        assert run_in_force(job.output) == "quick"
        assert verify_dataset(str(job.output)) == []
        assert written.exists()
        assert main([*job.arguments, "--run_id=slow"]) == 2
        go.touch()
        assert slow.wait(30) == 0, slow.communicate()
        assert run_in_force(job.output) == "slow"
        assert problems(job.output) == []
        assert not_published(job.output) == set()
        assert {path.name for path in (job.output / "runs").iterdir()} == {
            "before", "quick", "slow"
        }  # fmt: skip
        assert not at_work(job.output, "dead")
