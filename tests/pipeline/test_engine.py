"""The local engine with worker processes."""

from __future__ import annotations

import time

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from formats.errors import DataError
from pipeline.engine import error_of_worker, failure_of_engine, make_pipeline, run_pipeline
from transforms.progress import STOP, StageProgress


def _fail(_: bytes) -> None:
    raise DataError("file.txt: row 1: expected one thing, found another")


# Beam's engine waits for ever in about a third of such runs, in which a worker fails while
# another is still starting.
@pytest.mark.timeout(60)
@pytest.mark.parametrize("run", range(4))
def test_a_failure_in_the_first_stage_ends_the_run(run):
    options = PipelineOptions(["--direct_running_mode=multi_processing", "--direct_num_workers=2"])
    pipeline = make_pipeline(options, 0)
    _ = pipeline | beam.Impulse() | beam.Map(_fail)
    with pytest.raises(RuntimeError) as failure:
        pipeline.run()
    error = error_of_worker(failure.value)
    assert isinstance(error, DataError)
    assert str(error) == "file.txt: row 1: expected one thing, found another"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("panic in stage.Execute: send on closed channel\ngoroutine 9:\n\tfile.go:78", "panic in "
         "stage.Execute: send on closed channel"),
        ("java.io.IOException: Insufficient buffers\n\tat org.Example", "java.io.IOException: "
         "Insufficient buffers"),
        ("Error:\nTraceback (most recent call last):\n  File\nKeyError: 3\n", "KeyError: 3"),
        ("", "it does not say why"),
    ],
)  # fmt: skip
def test_what_another_engine_fails_by_is_one_line(text: str, line: str) -> None:
    assert failure_of_engine(text) == (
        f"the job failed on its engine: {line}; see the engine's own log"
    )


def test_a_large_input_has_several_workers_unless_one_is_asked_for():
    def runner(*flags: str) -> str:
        return type(make_pipeline(PipelineOptions(list(flags)), 1 << 40).runner).__name__

    assert runner() == "WorkerThreadRunner"
    assert runner("--direct_num_workers=2") == "WorkerThreadRunner"
    assert runner("--direct_num_workers=1") == runner("--direct_num_workers", "1") == "FnApiRunner"


def test_workers_are_processes_if_that_is_asked_for():
    options = PipelineOptions(["--direct_running_mode=multi_processing", "--direct_num_workers=2"])
    assert type(make_pipeline(options, 0).runner).__name__ == "WorkerProcessRunner"


def test_a_failure_stops_the_other_workers_and_is_the_one_that_is_told():
    def work(number: int, progress: StageProgress) -> None:
        if number % 2:
            time.sleep(0.2)
            raise DataError("file.txt: row 1: expected one thing, found another")
        for _ in range(3000):
            time.sleep(0.01)
            progress.add(read=1)
        raise AssertionError("not stopped")

    pipeline = make_pipeline(PipelineOptions(["--direct_num_workers=2"]), 0)
    _ = pipeline | beam.Create(range(2)) | beam.Map(work, StageProgress("Work"))
    started = time.monotonic()
    with pytest.raises(DataError, match="row 1: expected one thing, found another"):
        run_pipeline(pipeline)
    assert time.monotonic() - started < 10
    assert not STOP.is_set()
