"""The same rules where files are objects of a store: no folders, no moves, no locks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from formats.errors import UsageError
from pipeline.runs import LOCAL, begun_run
from pipeline.verify import verify_dataset
from tests.faults.object_files import OBJECTS, PUT
from tests.faults.test_runs import ELSEWHERE, GONE, NOW
from tests.pipeline.built import build_dataset
from tests.pipeline.small_corpus import Corpus
from transforms.processes import this_process
from transforms.storage import create_file

OUTPUT = "objects://bucket/dataset"


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    OBJECTS.clear()
    PUT.clear()
    yield
    OBJECTS.clear()


def begin(run_id: str, **values: Any) -> None:
    known = {"started": NOW.isoformat(), "host": "", "process": GONE, "engine": LOCAL,
             "failed": False}  # fmt: skip
    OBJECTS[f"{OUTPUT}/{run_id}.in-progress"] = json.dumps(known | values).encode()
    OBJECTS[f"{OUTPUT}/runs/{run_id}/train-00000-of-00001.tfrecord.gz"] = b"half"


def test_what_has_ended_is_cleared_and_what_may_be_at_work_is_not() -> None:
    begin("ended")
    begin("elsewhere", process=ELSEWHERE)
    begin("here", process=this_process())
    OBJECTS[f"{OUTPUT}/runs/mine/notes"] = b""
    kept = {name for name in OBJECTS if "/ended" not in name}
    with begun_run(OUTPUT, "own", LOCAL):
        assert {*OBJECTS} == kept | {f"{OUTPUT}/ended.in-progress", f"{OUTPUT}/own.in-progress"}
    assert {*OBJECTS} == kept


def test_a_run_that_fails_leaves_nothing() -> None:
    def fail() -> None:
        with begun_run(OUTPUT, "own", LOCAL):
            OBJECTS[f"{OUTPUT}/runs/own/vocabulary.txt"] = b"half"
            raise ValueError

    with pytest.raises(ValueError, match="^$"):
        fail()
    assert {*OBJECTS} == set()


def test_no_two_have_one_name_at_a_time() -> None:
    with begun_run(OUTPUT, "own", LOCAL), pytest.raises(UsageError, match="^--run_id own: a bu"):
        begun_run(OUTPUT, "own", LOCAL).__enter__()


def test_an_attempt_that_fails_late_puts_nothing_in_the_place_of_another() -> None:
    def late() -> None:
        with create_file(f"{OUTPUT}/file") as file:
            file.write(b"half")
            with create_file(f"{OUTPUT}/file") as other:
                other.write(b"whole")
            raise ValueError

    with pytest.raises(ValueError, match="^$"):
        late()
    assert {f"{OUTPUT}/file": b"whole"} == OBJECTS


def test_a_build_of_which_every_bundle_is_repeated(tmp_path: Any) -> None:
    corpus = Corpus(tmp_path)
    given = {"corpus": [f"train={corpus.train}", f"test={corpus.test}"], "vectors": corpus.vectors}
    for run_id, beam in (("once", []), ("again", ["--direct_runner_bundle_repeat=1"])):
        build_dataset(OUTPUT, **given, beam=beam, run_id=run_id)  # type: ignore[arg-type]
        assert verify_dataset(OUTPUT) == []
    by_run = [
        {
            name.rpartition("/")[2]: data
            for name, data in OBJECTS.items()
            if f"/{run}/" in name and not name.endswith("manifest.json")
        }
        for run in ("once", "again")
    ]
    assert len(by_run[0]) >= 5
    assert by_run[0] == by_run[1]
    left = [name for name in OBJECTS if "/runs/" not in name]
    assert left == [f"{OUTPUT}/manifest.json"]
    assert PUT[-1] == f"{OUTPUT}/manifest.json", "the manifest is put last"
