"""A disk that is full, or can't be written: one line, and the dataset before is whole."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.main import main
from tests.faults.job import PROCESSES, ROOT, THREADS, Job, files_of, not_published, problems
from tests.faults.mounts import Mounts, fill, free_bytes
from tests.stores.stored import running_s3

KIB = 1 << 10
# A slow machine may log a line before the job fails.
PROGRESS = re.compile(r" *[0-9]+\.[0-9] s  [A-Za-z]+: ")


@pytest.fixture(scope="module")
def mounts() -> Iterator[Mounts]:
    mounts = Mounts()
    yield mounts
    mounts.close()


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, mounts: Mounts) -> Job:
    """A dataset on a disk of 4 MiB, where a second one fits beside it."""
    folder = tmp_path_factory.mktemp("job")
    disk = mounts.small_disk(folder / "disk", "4m")
    job = Job(folder, disk / "dataset", rows=2000)
    assert main([*job.arguments, "--run_id=first", "--compression=none"]) == 0
    return job


@pytest.fixture(autouse=True)
def the_dataset_before_stays(job: Job) -> Iterator[None]:
    before = (job.output / "manifest.json").read_bytes(), files_of(job.output)
    yield
    assert ((job.output / "manifest.json").read_bytes(), files_of(job.output)) == before
    assert problems(job.output) == []
    assert not_published(job.output) == set()


class TestFullOutput:
    @pytest.fixture
    def disk(self, job: Job) -> Iterator[Path]:
        disk = job.output.parent
        yield disk
        (disk / "filler").unlink()

    # The matrix has 400 KiB, the vocabulary some 100, the examples 250.
    @pytest.mark.parametrize(
        ("free", "flags"),
        [
            (12 * KIB, ()),
            (300 * KIB, THREADS),
            (560 * KIB, ("--shuffle_seed=none",)),
            (560 * KIB, PROCESSES),
        ],
    )
    def test_the_line_names_the_file_and_what_to_do(
        self,
        free: int,
        flags: tuple[str, ...],
        job: Job,
        disk: Path,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        fill(disk, free)
        room = free_bytes(disk)
        assert main([*job.arguments, "--compression=none", *flags, "--run_id=second"]) == 1
        out, err = capfd.readouterr()
        assert all(map(PROGRESS.match, out.splitlines()))
        file = rf"{re.escape(str(job.output))}/runs/second/[a-z0-9.-]+"
        assert re.fullmatch(
            rf"embprep: error: {file}: can't be written: No space left on device, after [0-9,]+ "
            r"bytes of it, with [0-9,]+ more to write and [0-9,]+ free; make room there, or write "
            r"to another place\n",
            err,
        ), err
        assert free_bytes(disk) == room, "something is left"

    def test_without_any_room_nothing_is_begun(
        self,
        job: Job,
        disk: Path,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("apache_beam.Pipeline.run", _must_not_begin)
        fill(disk, 0)
        assert main([*job.arguments, "--run_id=second"]) == 2
        out, err = capfd.readouterr()
        assert out == ""
        assert re.fullmatch(
            rf"embprep: error: --output {re.escape(str(job.output))}: can't be written: "
            r"\[Errno 28\] No space left on device[^\n]*\n",
            err,
        ), err

    def test_what_a_killed_build_left_makes_room_for_the_next(self, job: Job, disk: Path) -> None:
        fill(disk, free_bytes(disk))
        killed = subprocess.Popen(
            [sys.executable, "-c", BEGUN, str(job.output)], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert killed.stdout
        assert killed.stdout.readline() == b"begun\n"
        killed.kill()
        killed.communicate()
        assert free_bytes(disk) < 200 * KIB
        other = disk / "other"
        assert main([*job.arguments, "--run_id=second"]) == 0
        # Back to how it was.
        subprocess.run(["cp", "-p", job.output / "runs/first/manifest.json",
                        job.output / "manifest.json"], check=True)  # fmt: skip
        subprocess.run(["rm", "-r", job.output / "runs/second"], check=True)
        assert not other.exists()


# Puts a file there that has no room in the temporary folder, and then one that has.
PUT = """
import tempfile
from formats.errors import StorageError
from transforms.storage import create_file
tempfile.tempdir = {small!r}
for size in (100 << 10, 10 << 10):
    try:
        with create_file({uri!r}) as file:
            file.write(bytes(size))
    except StorageError as error:
        print(error)
"""

# Begins a run, writes nearly all that the disk has room for, and waits to be killed.
BEGUN = """
import os, sys
from pipeline.runs import LOCAL, begun_run
output = sys.argv[1]
with begun_run(output, "killed", LOCAL):
    os.mkdir(f"{output}/runs/killed")
    found = os.statvfs(output)
    with open(f"{output}/runs/killed/train-00000-of-00001.tfrecord", "wb") as file:
        file.write(bytes(found.f_bavail * found.f_bsize - (100 << 10)))
    print("begun", flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), 19)
"""


def _must_not_begin(*_: object) -> None:
    raise AssertionError("work has begun though OUTPUT can't be written")


def test_a_disk_that_is_read_only(
    job: Job,
    mounts: Mounts,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("apache_beam.Pipeline.run", _must_not_begin)
    place = tmp_path / "read-only"
    place.mkdir()
    seen_from_there = Path("/", *job.output.parts[4:])
    mounts.run(f"mount --bind {seen_from_there} {place} && mount -o remount,bind,ro {place}")
    output = mounts.path(place)
    arguments = [argument for argument in job.arguments if not argument.startswith("--output=")]
    assert main([*arguments, f"--output={output}"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert re.fullmatch(
        rf"embprep: error: --output {re.escape(str(output))}: can't be written: "
        r"\[Errno 30\] Read-only file system: [^\n]*\n",
        err,
    ), err
    assert problems(output) == []


class TestFullTemporaryFolder:
    @pytest.fixture
    def full(self, tmp_path: Path, mounts: Mounts) -> Path:
        """Has room neither for bytes nor for files."""
        disk = mounts.small_disk(tmp_path / "temporary", "64k", files=2)
        fill(disk, 0)
        return disk

    def test_another_one_is_taken(self, full: Path, job: Job, tmp_path: Path) -> None:
        arguments = [argument for argument in job.arguments if not argument.startswith("--output=")]
        ended = subprocess.run(
            [sys.executable, "-m", "pipeline", *arguments, *THREADS,
             f"--output={tmp_path / 'dataset'}"],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=os.environ | {"TMPDIR": str(full)},
        )  # fmt: skip
        assert (ended.returncode, ended.stderr) == (0, "")
        assert problems(tmp_path / "dataset") == []
        assert os.listdir(full) == ["filler"]

    def test_what_goes_to_a_store_passes_through_it(self, tmp_path: Path, mounts: Mounts) -> None:
        small = mounts.small_disk(tmp_path / "temporary", "64k")
        for name in ("server", "empty"):
            (tmp_path / name).mkdir()
        with running_s3("versitygw", tmp_path / "server") as store:
            store.put(tmp_path / "empty", "")
            uri = store.uri("file")
            done = store.run_program(PUT.format(small=str(small), uri=uri), tmp_path)
            assert re.fullmatch(
                rf"{uri}, first put in {small}: can't be written: No space left on device, after 0 "
                "bytes of it, with 102,400 more to write and 0 free; make room there, or write to "
                "another place\n",
                done.stdout,
            )
            # What failed was not begun to be sent.
            assert store.history(store.proxy.requests) == [("put", "file")]
            assert (store.get("", tmp_path / "stored") / "file").read_bytes() == bytes(10 << 10)
        assert os.listdir(small) == []

    def test_without_another_one(
        self,
        full: Path,
        job: Job,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        arguments = [argument for argument in job.arguments if not argument.startswith("--output=")]
        arguments.append(f"--output={tmp_path / 'dataset'}")
        with monkeypatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(full))
            assert main(arguments) == 2
        assert capfd.readouterr().err == (
            "embprep: error: no temporary folder can be made: No space left on device; set TMPDIR "
            "to a place with room\n"
        )
        assert not (tmp_path / "dataset").exists()
