"""The local engine with worker processes."""

from __future__ import annotations

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from formats.errors import DataError
from pipeline.engine import error_of_worker, make_pipeline


def _fail(_: bytes) -> None:
    raise DataError("file.txt: row 1: expected one thing, found another")


# Beam's engine waits for ever in about a third of such runs, in which a worker fails while
# another is still starting.
@pytest.mark.timeout(60)
@pytest.mark.parametrize("run", range(4))
def test_a_failure_in_the_first_stage_ends_the_run(run):
    pipeline = make_pipeline(PipelineOptions(["--direct_num_workers=2"]), 0)
    _ = pipeline | beam.Impulse() | beam.Map(_fail)
    with pytest.raises(RuntimeError) as failure:
        pipeline.run()
    error = error_of_worker(failure.value)
    assert isinstance(error, DataError)
    assert str(error) == "file.txt: row 1: expected one thing, found another"


def test_a_large_input_has_several_workers_unless_one_is_asked_for():
    def runner(*flags: str) -> str:
        return type(make_pipeline(PipelineOptions(list(flags)), 1 << 40).runner).__name__

    assert runner() == "_WorkerProcessRunner"
    assert runner("--direct_num_workers=2") == "_WorkerProcessRunner"
    assert runner("--direct_num_workers=1") == runner("--direct_num_workers", "1") == "FnApiRunner"
