"""Corpus, vectors and output on a server of Google Cloud Storage."""

from __future__ import annotations

from pathlib import Path

from tests.stores import sample
from tests.stores.stored_gcs import Gcs


def test_a_build_writes_the_same_bytes_as_on_this_machine(
    gcs: Gcs, expected: dict[str, str], tmp_path: Path
) -> None:
    gcs.proxy.requests.clear()
    command = sample.config(gcs.uri("in"), gcs.uri("out"))
    sample.run("tests.stores.run_build", command, env=gcs.env)
    requests = list(gcs.proxy.requests)
    assert sample.hashes(gcs.get("out/", tmp_path)) == expected

    uploads = [r for r in requests if "/upload/" in r.path]
    [commit] = [r for r in uploads if b'"name": "out/manifest.json"' in r.head]
    assert (commit.method, commit.status) == ("POST", 200)
    assert "uploadType=multipart" in commit.path
    assert commit is uploads[-1]
    assert not [r for r in requests if "/copyTo/" in r.path or "/rewriteTo/" in r.path]

    reads = [r for r in requests if r.method == "GET" and "alt=media" in r.path]
    assert len(reads) > 20
    assert all(r.range and r.status == 206 for r in reads)


def test_verify_and_a_missing_object(gcs: Gcs) -> None:
    done = sample.run("pipeline", "verify", gcs.uri("out"), env=gcs.env)
    assert done.stdout.startswith(f"OK {gcs.uri('out')}: run {sample.RUN}, ")
    missing = gcs.uri("missing.txt")
    done = sample.run("pipeline", "inspect", missing, env=gcs.env, fails=True)
    assert done.stderr == f"embprep: error: inspect {missing}: no such file\n"
