"""What workers write of their progress, and how it is added up."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from tests.pipeline.distributions import Spread, measured
from transforms import progress
from transforms.progress import DIRECTORY_VARIABLE, StageProgress, read_progress


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path))
    monkeypatch.setattr(progress, "_WRITE_SECONDS", 0)
    monkeypatch.setattr(progress, "_process_progress", progress._ProcessProgress())
    return tmp_path


def test_a_process_adds_up_its_stages_and_the_last_is_at_the_end(folder: Path) -> None:
    reading, writing = StageProgress("Read"), StageProgress("Write")
    reading.add(read=10, records=2, rejects=1)
    writing.add(read=5)
    assert list(read_progress(folder)) == ["Read", "Write"]
    reading.add(read=1, records=1)
    found = read_progress(folder)
    assert list(found) == ["Write", "Read"]
    assert found["Read"] == Counter(bytes=11, records=3, rejects=1)


def test_processes_are_added_up(folder: Path) -> None:
    StageProgress("Read").add(read=10, records=2)
    program = "from transforms.progress import StageProgress as S; S('Read').add(read=7, rejects=1)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
    assert len(os.listdir(folder)) == 2
    assert read_progress(folder) == {"Read": Counter(bytes=17, records=2, rejects=1)}


def test_a_file_half_written_is_not_read(folder: Path) -> None:
    (folder / "1.partial").write_text("{")
    (folder / "2.json").write_text(json.dumps({"Read": {"bytes": 1}}))
    assert read_progress(folder) == {"Read": Counter(bytes=1)}


def test_a_folder_that_is_gone_fails_nothing(folder: Path) -> None:
    folder.rmdir()
    StageProgress("Read").add(read=10)
    assert read_progress(folder) == {}


def test_nothing_is_written_unless_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DIRECTORY_VARIABLE)
    StageProgress("Read").add(read=10)
    assert os.listdir(folder) == []


class _Read(beam.DoFn):
    """Reads a range of two blocks, of which the second may fail."""

    def __init__(self, fails: int) -> None:
        self._fails = fails
        self._progress = StageProgress("Read")

    def process(self, work: int) -> Iterator[int]:
        with contextlib.suppress(ValueError), self._progress.piece() as piece:
            for _ in range(2):
                piece.add(read=work, records=1)
                yield work
                if work == self._fails:
                    raise ValueError


def _pause(work: int) -> None:
    time.sleep(work / 1000)


def _run(fails: int = 0) -> dict[str, Spread]:
    pipeline = beam.Pipeline(runner=FnApiRunner())
    _ = pipeline | beam.Create([20, 80]) | beam.ParDo(_Read(fails)) | beam.Map(_pause)
    return measured(pipeline.run())


def test_a_piece_is_measured_with_what_is_done_while_its_generator_waits() -> None:
    told = _run()
    assert told["Read_range_bytes"] == Spread(2, 200, 40, 160)
    assert told["Read_range_records"] == Spread(2, 4, 2, 2)
    times = told["Read_range_milliseconds"]
    assert times.count == 2
    assert 40 <= times.min < 160 <= times.max
    assert times.sum == times.min + times.max


def test_a_piece_that_fails_is_not_measured() -> None:
    told = _run(fails=80)
    assert told["Read_range_bytes"] == Spread(1, 40, 40, 40)
    assert told["Read_range_milliseconds"].count == 1
