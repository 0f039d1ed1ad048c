"""Corpus, vectors and output on servers of S3: the same bytes, ranged reads, an atomic commit."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.main import main
from tests.pipeline.small_corpus import Corpus
from tests.stores import sample, servers
from tests.stores.proxy import Fault
from tests.stores.sample import ROOT
from tests.stores.stored import S3


@pytest.fixture(scope="module")
def output(s3: S3) -> str:
    """A dataset that was built on the server, by a build that was given nothing of this machine."""
    s3.proxy.requests.clear()
    command = sample.config(s3.uri("in"), s3.uri("out"))
    sample.run("tests.stores.run_build", command, env=s3.env)
    return s3.uri("out")


def test_a_build_writes_the_same_bytes_as_on_this_machine(
    s3: S3, output: str, expected: dict[str, str], tmp_path: Path
) -> None:
    built = s3.get("out/", tmp_path)
    assert sample.hashes(built) == expected
    manifest = json.loads((built / "manifest.json").read_text())
    assert [source["matched"] > 0 for source in manifest["inputs"]["vectors"]] == [True] * 4


def test_the_manifest_is_put_there_last_and_by_one_request(s3: S3, output: str) -> None:
    changes = [r for r in s3.changes("/out/") if not r.path.endswith("probe")]
    written = [r for r in changes if r.method != "DELETE"]
    [commit] = [r for r in written if r.path.endswith("/out/manifest.json")]
    assert (commit.method, commit.status) == ("PUT", 200)
    # Behind it only the marker of the run at work is deleted.
    assert commit is written[-1]
    behind = changes[changes.index(commit) + 1 :]
    assert [r.path.rpartition(".")[2] for r in behind] == ["in-progress"]
    assert not [r for r in s3.proxy.requests if "x-amz-copy-source" in r.headers]
    # Each other object too: a POST would begin or end one of several parts.
    assert {r.method for r in written} == {"PUT"}


def test_every_read_of_an_object_is_ranged(s3: S3, output: str) -> None:
    reads = s3.proxy.gets("/in/")
    reads = [r for r in reads if "list-type" not in r.path]
    assert len(reads) > 20
    for read in reads:
        assert read.range is not None
        assert (read.status, read.sent) == (206, read.range[1] - read.range[0])


def test_verify_and_inspect(s3: S3, output: str) -> None:
    done = sample.run("pipeline", "verify", output, *s3.flags, env=sample.environment("s3"))
    assert done.stdout.startswith(f"OK {output}: run {sample.RUN}, ")
    done = sample.run("pipeline", "inspect", f"{s3.uri('in')}/packed.zip#b.txt", env=s3.env)
    assert "word2000" in done.stdout


def test_worker_processes_get_the_flags(
    versitygw: S3, expected: dict[str, str], tmp_path: Path
) -> None:
    processes = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    build = sample.flags(versitygw.uri("in"), versitygw.uri("processes"))
    env = sample.environment("s3")
    sample.run("pipeline", "build", *build, *processes, *versitygw.flags, env=env)
    built = versitygw.get("processes/", tmp_path)
    assert sample.hashes(built) == expected
    assert servers.SECRET_KEY not in (built / "manifest.json").read_text()


def test_a_build_that_fails_leaves_the_dataset_before_and_no_objects_of_its_own(
    versitygw: S3, inputs: Path, tmp_path: Path
) -> None:
    before = tmp_path / "before"
    (before / "runs" / "r0").mkdir(parents=True)
    (before / "manifest.json").write_text("{}")
    versitygw.put(before, "kept/")
    cut = tmp_path / "cut"
    cut.mkdir()
    packed = (inputs / "more.txt.gz").read_bytes()
    (cut / "cut.txt.gz").write_bytes(packed[: len(packed) // 2])
    versitygw.put(cut, "cut/")
    given = sample.config(
        versitygw.uri("in"), versitygw.uri("kept"), vectors=[versitygw.uri("cut/cut.txt.gz")]
    )
    done = sample.run("tests.stores.run_build", given, env=versitygw.env, fails=True)
    assert "cut.txt.gz: decompressed byte" in done.stderr
    after = versitygw.get("kept/", tmp_path / "after")
    assert [path.name for path in after.rglob("*") if path.is_file()] == ["manifest.json"]
    assert (after / "manifest.json").read_text() == "{}"


def test_an_object_that_is_replaced_while_it_is_read_is_an_error(
    versitygw: S3, tmp_path: Path
) -> None:
    program = f"""
from transforms.storage import create_file, open_file
uri = {versitygw.uri("replaced.txt")!r}
for byte in (b"a", b"b"):
    with create_file(uri) as file:
        file.write(byte * (1 << 20))
    if byte == b"a":
        stream = open_file(uri)
        assert stream.read(9) == b"a" * 9
stream.read()
"""
    done = versitygw.run_program(program, tmp_path, fails=True)
    assert "DataError: s3://bucket/replaced.txt: was replaced while it was read" in done.stderr


def test_a_large_object_is_put_there_in_parts_and_one_whose_writer_fails_not_at_all(
    versitygw: S3, tmp_path: Path
) -> None:
    program = f"""
import contextlib, hashlib
from transforms.storage import create_file, exists, open_file
folder = {versitygw.uri("written")!r}
block = bytes(range(256)) * 4096
with create_file(f"{{folder}}/large") as file:
    for _ in range(65):
        file.write(block)
with open_file(f"{{folder}}/large") as stream:
    assert hashlib.sha256(stream.read()).hexdigest() == file.sha256
with contextlib.suppress(KeyError), create_file(f"{{folder}}/failed") as file:
    file.write(block)
    raise KeyError
assert not exists(f"{{folder}}/failed")
"""
    versitygw.proxy.requests.clear()
    versitygw.run_program(program, tmp_path)
    large = versitygw.changes("/written/large")
    assert [r.method for r in large] == ["POST", *["PUT"] * 5, "POST"]
    assert versitygw.changes("/written/failed") == []


def test_what_a_killed_export_was_sending_is_deleted_from_this_machine_by_the_next(
    versitygw: S3, tmp_path: Path
) -> None:
    dataset = Corpus(tmp_path).build(tmp_path / "dataset")
    here, there = tmp_path / "here.txt", versitygw.uri("exported/there.txt")
    export = ["export", str(dataset.output), "--format=glove"]
    assert main([*export, f"--output={here}"]) == 0
    export.append(f"--output={there}")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = versitygw.env | {"TMPDIR": str(temporary)}

    killed, sending = threading.Event(), threading.Event()
    # The first shows that the file can be written.
    puts = itertools.count(1)

    def hold_the_second(number: int, method: str) -> Fault:
        if method != "PUT" or next(puts) != 2:
            return Fault.NONE
        sending.set()
        assert killed.wait(30)
        return Fault.DROPPED

    versitygw.proxy.fault = hold_the_second
    try:
        process = subprocess.Popen([sys.executable, "-m", "pipeline", *export], env=env, cwd=ROOT)
        assert sending.wait(30)
        process.kill()
        process.wait()
    finally:
        killed.set()
        versitygw.proxy.fault = lambda number, method: Fault.NONE
    [left] = [path for path in temporary.rglob("*") if path.is_file()]
    assert left.read_bytes() == here.read_bytes()

    sample.run("pipeline", *export, env=env)
    assert [*temporary.iterdir()] == []
    stored = versitygw.get("exported/", tmp_path / "stored")
    assert [path.name for path in stored.iterdir()] == ["there.txt"]
    assert (stored / "there.txt").read_bytes() == here.read_bytes()
