"""Begins and ends runs in a store, and prints what it finds there: ``try_runs URI CORPUS VECTORS``.

The findings are JSON, by what was tried. What the store holds is asked of it by its own library.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from formats.errors import UsageError
from pipeline.build import build
from pipeline.config import BuildConfig
from pipeline.output_file import check_output_file
from pipeline.runs import LOCAL, begun_run
from pipeline.verify import verify_dataset
from tests.faults.markers import ELSEWHERE, GONE, HERE, marker
from transforms.object_store import find_store
from transforms.storage import create_file


def files_below(uri: str) -> dict[str, bytes]:
    """Whatever stands there, by its name behind the URI."""
    scheme, _, place = uri.partition("://")
    bucket, _, prefix = place.partition("/")
    found = _of_s3(bucket, prefix) if scheme == "s3" else _of_gcs(bucket, prefix)
    return {name.removeprefix(f"{prefix}/"): data for name, data in found}


def _of_s3(bucket: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    import boto3

    for entry in boto3.resource("s3").Bucket(bucket).objects.filter(Prefix=f"{prefix}/"):
        yield entry.key, entry.get()["Body"].read()


def _of_gcs(bucket: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    from google.cloud import storage

    for blob in storage.Client().list_blobs(bucket, prefix=f"{prefix}/"):
        yield blob.name, blob.download_as_bytes()


def texts_below(uri: str) -> dict[str, str]:
    return {name: data.decode() for name, data in files_below(uri).items()}


def put(uri: str, data: bytes = b"half") -> None:
    with create_file(uri) as file:
        file.write(data)


def mark(output: str, run_id: str, **values: Any) -> None:
    put(f"{output}/{run_id}.in-progress", json.dumps(marker(**values)).encode())


def be_killed_at_work(output: str, run_id: str) -> None:
    """Lets another process begin a run and write a file, and be killed then."""
    process = os.fork()
    if process == 0:
        with begun_run(output, run_id, LOCAL):
            put(f"{output}/runs/{run_id}/vocabulary.txt")
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL


def clearing(output: str) -> dict[str, list[str]]:
    be_killed_at_work(output, "killed")
    for run_id, process in {"elsewhere": ELSEWHERE, "here": HERE}.items():
        mark(output, run_id, process=process)
        put(f"{output}/runs/{run_id}/vocabulary.txt")
    put(f"{output}/runs/mine/notes")
    before = sorted(files_below(output))
    with begun_run(output, "own", LOCAL):
        within = sorted(files_below(output))
    return {"before": before, "within": within, "after": sorted(files_below(output))}


def failing(output: str) -> dict[str, list[str]]:
    with contextlib.suppress(KeyError), begun_run(output, "own", LOCAL):
        put(f"{output}/runs/own/vocabulary.txt")
        within = sorted(files_below(output))
        raise KeyError
    return {"within": within, "after": sorted(files_below(output))}


def one_name(output: str) -> dict[str, Any]:
    with begun_run(output, "own", LOCAL):
        put(f"{output}/runs/own/vocabulary.txt")
        before = sorted(files_below(output))
        try:
            begun_run(output, "own", LOCAL).__enter__()
        except UsageError as error:
            return {"said": str(error), "before": before, "after": sorted(files_below(output))}
    raise AssertionError("two runs of one name have begun")


def one_moment(output: str) -> dict[str, Any]:
    """Two make one file, which have both seen that there is none."""
    uri = f"{output}/file"
    store = find_store(uri)
    assert store
    made = [store.create(uri, data) for data in (b"one", b"two")]
    return {"made": made, "files": texts_below(output)}


def late(output: str) -> dict[str, str]:
    with contextlib.suppress(KeyError), create_file(f"{output}/file") as file:
        file.write(b"half")
        put(f"{output}/file", b"whole")
        raise KeyError
    return texts_below(output)


def output_file(output: str) -> list[str]:
    """Checks for a file that commands have half-written; gives whose are left."""
    written = {
        "it": "out.bin",
        "ended": f"out.bin.{GONE}-01234567.partial",
        "elsewhere": f"out.bin.{ELSEWHERE}-01234567.partial",
        "here": f"out.bin.{HERE}-01234567.partial",
        "another": f"other.bin.{GONE}-01234567.partial",
    }
    for name in written.values():
        put(f"{output}/{name}")
    check_output_file(f"{output}/out.bin")
    left = files_below(output)
    assert {*left} <= {*written.values()}
    return [whose for whose, name in written.items() if name in left]


def repeated_bundles(output: str, corpus: str, vectors: str) -> dict[str, Any]:
    """Two builds; the second does every bundle twice, and finds files left in the first's run."""

    def run(run_id: str, *flags: str) -> None:
        build(BuildConfig([corpus], [vectors], output, run_id=run_id), PipelineOptions([*flags]))

    run("once")
    mark(output, "once", process=GONE)
    put(f"{output}/runs/once/trained-0.bin")
    run("again", "--direct_runner_bundle_repeat=1")
    files = files_below(output)
    by_run = {
        run_id: {
            name.rpartition("/")[2]: data.hex()
            for name, data in files.items()
            if name.startswith(f"runs/{run_id}/") and not name.endswith("manifest.json")
        }
        for run_id in ("once", "again")
    }
    others = [name for name in files if not name.startswith("runs/")]
    return {"problems": verify_dataset(output), "by run": by_run, "others": others}


def main(uri: str, corpus: str, vectors: str) -> None:
    tries: list[Callable[[str], Any]] = [clearing, failing, one_name, one_moment, late, output_file]
    # The first forks a process, before there are threads.
    found = {do.__name__: do(f"{uri}/{do.__name__}") for do in tries}
    found["repeated_bundles"] = repeated_bundles(f"{uri}/repeated_bundles", corpus, vectors)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
